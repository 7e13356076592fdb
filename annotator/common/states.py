"""The states of a row: labels and badges, allowed transitions, and the one way to change a state.

A model declares ``states = StateMachine({...})`` beside its ``state`` column, and its query set
inherits from ``StatefulQuerySet``. Nothing else writes the column of a stored row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, Self, TypeVar, cast

from django.db import models


class Badge(StrEnum):
    """The colour of a state on pages (``badge-ok`` …)."""

    NEUTRAL = "neutral"
    BUSY = "busy"
    OK = "ok"
    WARN = "warn"
    BAD = "bad"


class State(models.TextChoices):
    """The base of a model's states. A member is its stored value, its badge and its label."""

    badge: Badge

    def __new__(cls, value: str, badge: Badge = Badge.NEUTRAL) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.badge = badge
        return member


S = TypeVar("S", bound=State)
M = TypeVar("M", bound=models.Model)


@dataclass(frozen=True)
class StateMachine(Generic[S]):
    """The states of a model, and the states that a row may go to from each of them.

    Raise ``ValueError`` if a state is missing from the table.
    """

    transitions: Mapping[S, frozenset[S]]

    def __post_init__(self) -> None:
        if missing := set(self.states) - set(self.transitions):
            raise ValueError(f"no transitions for {', '.join(sorted(missing))}")

    @property
    def states(self) -> type[S]:
        return type(next(iter(self.transitions)))

    @property
    def unfinished(self) -> list[S]:
        """The states that a row can leave."""
        return [state for state in self.states if not self.is_final(state)]

    def of(self, row: models.Model) -> S:
        """Return the state of a row as the enum's member."""
        return self.states(cast(Any, row).state)

    def is_final(self, state: str) -> bool:
        return not self.transitions[self.states(state)]

    def sources(self, after: S) -> list[S]:
        """Return the states from which a row may go to ``after``."""
        return [before for before, allowed in self.transitions.items() if after in allowed]

    def move(
        self, rows: models.QuerySet[M], after: S, *, only_from: S | None = None, **changes: Any
    ) -> int:
        """Move the rows that may go to ``after`` there; return the number of moved rows.

        The guard is part of the UPDATE, so only one of two callers can move the same row.
        ``changes`` are written with the state. Raise ``ValueError`` if no row may go from
        ``only_from`` to ``after``.
        """
        sources = self.sources(after)
        if only_from is not None:
            if only_from not in sources:
                raise ValueError(f"no row goes from {only_from} to {after}")
            sources = [only_from]
        return rows.filter(state__in=sources).update(state=after, **changes)

    def move_row(
        self, row: M, after: S, *, within: models.QuerySet[M] | None = None, **changes: Any
    ) -> bool:
        """Move one row to ``after`` if it may go there; return whether it was moved.

        The row changes in the database and in memory. ``within`` narrows the guard further, for
        example to a revision.
        """
        rows = within
        if rows is None:
            rows = type(row)._default_manager.all()
        if not self.move(rows.filter(pk=row.pk), after, **changes):
            return False
        for name, value in {"state": after, **changes}.items():
            setattr(row, name, value)
        return True


class StatefulQuerySet(models.QuerySet[M]):
    """Rows of a model that declares ``states``."""

    def move(self, after: State, *, only_from: State | None = None, **changes: Any) -> int:
        """Move the rows that may go to ``after`` there (see ``StateMachine.move``)."""
        machine: StateMachine[Any] = cast(Any, self.model).states
        return machine.move(self, after, only_from=only_from, **changes)


_ADMIN_COLOURS: Mapping[Badge, str] = {
    Badge.BUSY: "info",
    Badge.OK: "success",
    Badge.WARN: "warning",
    Badge.BAD: "danger",
}


def admin_colours(states: type[State]) -> dict[str, str]:
    """Return the admin's colour for each label, in the form for ``unfold.decorators.display``."""
    coloured = (state for state in states if state.badge in _ADMIN_COLOURS)
    return {str(state.label): _ADMIN_COLOURS[state.badge] for state in coloured}
