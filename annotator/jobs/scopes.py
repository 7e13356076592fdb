"""The scopes of jobs: who may see and cancel a job.

A scope is a string such as "project:7". The app that registered the word before the colon decides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.contrib.auth.models import AnonymousUser

from annotator.jobs.models import Job

if TYPE_CHECKING:
    from annotator.accounts.models import User

#: ``(user, key, wants_to_cancel) -> may``.
ScopeRule = Callable[["User | AnonymousUser", str, bool], bool]
#: ``key -> (name, address)`` of the place whose page shows the scope's jobs; None if it is gone.
ScopePlace = Callable[[str], "tuple[str, str] | None"]
_rules: dict[str, ScopeRule] = {}
_places: dict[str, ScopePlace] = {}


def register_scope(word: str, rule: ScopeRule, place: ScopePlace) -> None:
    _rules[word] = rule
    _places[word] = place


def place_of(job: Job) -> tuple[str, str] | None:
    """Return the name and address of the page that the job belongs to, or None."""
    word, _, key = job.scope.partition(":")
    place = _places.get(word)
    return place(key) if place is not None else None


def may_see(user: User | AnonymousUser, job: Job) -> bool:
    """Whether the user may see the job.

    Members of its scope and superusers may; if it has no scope, the user who started it.
    """
    return _may(user, job, wants_to_cancel=False)


def may_cancel(user: User | AnonymousUser, job: Job) -> bool:
    """Whether the user may cancel the job.

    The user who started it may while they may see it; so may managers of its scope and superusers.
    """
    return may_see(user, job) and (
        job.created_by_id == user.pk or _may(user, job, wants_to_cancel=True)
    )


def _may(user: User | AnonymousUser, job: Job, *, wants_to_cancel: bool) -> bool:
    if not user.is_active or user.is_superuser:
        return user.is_active
    word, _, key = job.scope.partition(":")
    rule = _rules.get(word)
    return rule(user, key, wants_to_cancel) if rule is not None else job.created_by_id == user.pk
