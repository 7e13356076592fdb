"""Who asks for a change: a user, or the system itself."""

from __future__ import annotations

from typing import Final, TypeAlias, final

from annotator.accounts.models import User


@final
class System:
    """The type of ``SYSTEM``: management commands, periodic work and what they start.

    There is one instance. It has every right, and nobody can sign in as it.
    """

    __slots__ = ()

    def __str__(self) -> str:
        return "system"

    def __repr__(self) -> str:
        return "SYSTEM"


SYSTEM: Final = System()

#: Whoever a service acts for. A forgotten actor is ``None``, which is neither of the two.
Actor: TypeAlias = User | System


def user_of(actor: Actor) -> User | None:
    """Return the user to store in a column that names one, or None for the system.

    Raises ``TypeError`` if the actor is neither a user nor the system.
    """
    if isinstance(actor, System):
        return None
    if not isinstance(actor, User):
        raise TypeError(f"An actor is a user or SYSTEM, not {actor!r}.")
    return actor


def actor_of(user: User | None) -> Actor:
    """Return the actor that a stored column names: the system if it holds no user."""
    return SYSTEM if user is None else user


def log_name(actor: Actor) -> int | str:
    """Return what the log calls the actor: the user's key, or "system".

    Raises ``TypeError`` if the actor is neither a user nor the system.
    """
    user = user_of(actor)
    return "system" if user is None else user.pk
