"""The right to import dictionaries: superusers have it, and staff to whom it was given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.urls import reverse

from annotator.accounts.actors import Actor, System

if TYPE_CHECKING:
    from annotator.accounts.models import User

PERMISSION: Final = "lookup.import_dictionary"


def may_import(user: User | AnonymousUser) -> bool:
    return user.is_active and user.has_perm(PERMISSION)


def require_import(actor: Actor) -> None:
    """Raise ``PermissionDenied`` unless the actor may import dictionaries; the system may."""
    if actor is None:
        raise TypeError("An actor is a user or SYSTEM, not None.")
    if not isinstance(actor, System) and not may_import(actor):
        raise PermissionDenied(
            "You may not import dictionaries. Ask an administrator for the right."
        )


def may_touch_jobs_of(user: User | AnonymousUser, key: str, wants_to_cancel: bool) -> bool:
    """Apply the rule of scope "dictionaries:": those who may import see and cancel its jobs."""
    return may_import(user)


def place_of_dictionaries(key: str) -> tuple[str, str] | None:
    """Return name and address of the page whose jobs these are."""
    return "Dictionaries", reverse("admin:lookup_dictionary_changelist")
