"""Actors: the user or the system that a service acts for."""

from __future__ import annotations

from typing import Final, TypeAlias, final

from annotator.accounts.models import User


@final
class System:
    """The type of ``SYSTEM``: management commands, periodic jobs and what they start.

    There is one instance. It may do everything, and nobody can sign in as it.
    """

    __slots__ = ()

    def __str__(self) -> str:
        return "system"

    def __repr__(self) -> str:
        return "SYSTEM"


SYSTEM: Final = System()

#: A service refuses ``None``, so that a forgotten actor is noticed.
Actor: TypeAlias = User | System


def user_of(actor: Actor) -> User | None:
    """Return the user to store in a column, or None for the system.

    Raise ``TypeError`` if the actor is neither a user nor the system.
    """
    if isinstance(actor, System):
        return None
    if not isinstance(actor, User):
        raise TypeError(f"An actor is a user or SYSTEM, not {actor!r}.")
    return actor


def actor_of(user: User | None) -> Actor:
    """Return the actor of a stored column: its user, or the system if it is empty."""
    return user or SYSTEM


def log_name(actor: Actor) -> int | str:
    """Return the actor's name in the log: the user's key, or "system".

    Raise ``TypeError`` if the actor is neither a user nor the system.
    """
    user = user_of(actor)
    if user is None:
        return "system"
    return user.pk
