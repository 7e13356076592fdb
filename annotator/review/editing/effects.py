"""Effects of edits: every row that an edit changed, before and after. Pure: no database.

An effect is all that is needed to redo (``advance``) or undo (``inverse``) an edit. Replaying the
effects of a legend's log over its first state gives the present one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from annotator.review.editing.legend import Entity, LegendState, Row


@dataclass(frozen=True, slots=True)
class Effect:
    """The changes of an edit, each as (before, after).

    ``entities`` holds decided rows by key; None stands for no row. ``panel_starts``,
    ``panel_names`` and ``accepted`` are None if the edit did not change them.
    """

    entities: Mapping[str, tuple[Row | None, Row | None]] = field(default_factory=dict)
    panel_starts: tuple[tuple[int, ...] | None, tuple[int, ...] | None] | None = None
    accepted: tuple[bool, bool] | None = None
    panel_names: tuple[Mapping[int, str], Mapping[int, str]] | None = None

    def __bool__(self) -> bool:
        changes = (self.panel_starts, self.panel_names, self.accepted)
        return bool(self.entities) or any(change is not None for change in changes)

    @property
    def changes_panels(self) -> bool:
        return self.panel_starts is not None or self.panel_names is not None

    def as_json(self) -> dict[str, Any]:
        stored: dict[str, Any] = {}
        if self.entities:
            stored["entities"] = {key: list(rows) for key, rows in self.entities.items()}
        if self.panel_starts is not None:
            stored["panel_starts"] = [
                None if starts is None else list(starts) for starts in self.panel_starts
            ]
        if self.panel_names is not None:
            stored["panel_names"] = [stored_names(names) for names in self.panel_names]
        if self.accepted is not None:
            stored["accepted"] = list(self.accepted)
        return stored

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Effect:
        rows = stored.get("entities", {})
        panels = stored.get("panel_starts")
        names = stored.get("panel_names")
        accepted = stored.get("accepted")
        return cls(
            entities={key: (before, after) for key, (before, after) in rows.items()},
            panel_starts=None if panels is None else (_starts(panels[0]), _starts(panels[1])),
            accepted=None if accepted is None else (accepted[0], accepted[1]),
            panel_names=None if names is None else (read_names(names[0]), read_names(names[1])),
        )


def stored_names(names: Mapping[int, str]) -> dict[str, str]:
    """Return the names of panels as JSON has them: its keys are strings."""
    return {str(start): name for start, name in names.items()}


def read_names(stored: Mapping[str, str]) -> dict[int, str]:
    return {int(start): name for start, name in stored.items()}


def _starts(stored: Sequence[int] | None) -> tuple[int, ...] | None:
    if stored is None:
        return None
    return tuple(stored)


def effect_of(state: LegendState, *entities: Entity) -> Effect:
    """Return the effect of putting these entities into the decided layer.

    An entity that is there already, unchanged, leaves no trace.
    """
    rows: dict[str, tuple[Row | None, Row | None]] = {}
    for entity in entities:
        before = state.decided.get(entity.key)
        if before != entity:
            rows[entity.key] = (before.as_row() if before else None, entity.as_row())
    return Effect(entities=rows)


def inverse(effect: Effect) -> Effect:
    """Return the effect that takes back ``effect``."""
    return Effect(
        entities={key: (after, before) for key, (before, after) in effect.entities.items()},
        panel_starts=effect.panel_starts and (effect.panel_starts[1], effect.panel_starts[0]),
        accepted=effect.accepted and (effect.accepted[1], effect.accepted[0]),
        panel_names=effect.panel_names and (effect.panel_names[1], effect.panel_names[0]),
    )


def advance(state: LegendState, effect: Effect) -> LegendState:
    """Return the state after ``effect``, one revision later."""
    decided = dict(state.decided)
    for key, (_, after) in effect.entities.items():
        if after is None:
            decided.pop(key, None)
        else:
            decided[key] = Entity(key=key, **after)
    return replace(
        state,
        decided=decided,
        panel_starts=effect.panel_starts[1] if effect.panel_starts else state.panel_starts,
        panel_names=effect.panel_names[1] if effect.panel_names else state.panel_names,
        accepted=effect.accepted[1] if effect.accepted else state.accepted,
        revision=state.revision + 1,
    )


def replay(state: LegendState, effects: Iterable[Effect]) -> LegendState:
    """Return the state after a log of effects, in order."""
    for effect in effects:
        state = advance(state, effect)
    return state
