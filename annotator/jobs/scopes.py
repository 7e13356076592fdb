"""Whose a job is. A job's ``scope`` is a string such as "project:7"; the room that knows the word
before the colon says who may see and cancel."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.contrib.auth.models import AnonymousUser

from annotator.jobs.models import Job

if TYPE_CHECKING:
    from annotator.accounts.models import User

#: ``(user, key, wants_to_cancel) -> may``.
ScopeRule = Callable[["User | AnonymousUser", str, bool], bool]
#: ``key -> (name, address)`` of the place whose page shows the scope's jobs; None where it is gone.
ScopePlace = Callable[[str], "tuple[str, str] | None"]
_rules: dict[str, ScopeRule] = {}
_places: dict[str, ScopePlace] = {}


def register_scope(word: str, rule: ScopeRule, place: ScopePlace) -> None:
    _rules[word] = rule
    _places[word] = place


def place_of(job: Job) -> tuple[str, str] | None:
    """Name and address of what the job belongs to, for the way back to it."""
    word, _, key = job.scope.partition(":")
    place = _places.get(word)
    return place(key) if place is not None else None


def may_see(user: User | AnonymousUser, job: Job) -> bool:
    """Members of its scope, who asked for it where it has none, and superusers."""
    return _may(user, job, wants_to_cancel=False)


def may_cancel(user: User | AnonymousUser, job: Job) -> bool:
    """Who asked for it as long as they may see it, those who manage its scope, and superusers."""
    return may_see(user, job) and (
        job.created_by_id == user.pk or _may(user, job, wants_to_cancel=True)
    )


def _may(user: User | AnonymousUser, job: Job, *, wants_to_cancel: bool) -> bool:
    if not user.is_active or user.is_superuser:
        return user.is_active
    word, _, key = job.scope.partition(":")
    rule = _rules.get(word)
    return rule(user, key, wants_to_cancel) if rule is not None else job.created_by_id == user.pk
