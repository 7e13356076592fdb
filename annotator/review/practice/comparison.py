"""What a curator made of the practice legend, beside the known answers. Pure: no database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from annotator.review.editing.legend import Entity, LegendState
from annotator.review.practice.legend import Answer, known_entities

NOT_MARKED: Final = "Nothing is marked here: the title before the first panel stays unmarked."
NO_ENTITY: Final = "Nothing is marked here. The guideline says what each label covers."


@dataclass(frozen=True, slots=True)
class Line:
    """A string of the practice legend: the curator's entity, the known answer, or both.

    ``differs`` names what is wrong: boundaries, label, role.
    """

    surface: str
    why: str
    entity: Entity | None = None
    answer: Answer | None = None
    differs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    right: Sequence[Line]
    missed: Sequence[Line]
    wrong: Sequence[Line]

    @property
    def n_known(self) -> int:
        return len(known_entities())

    @property
    def is_perfect(self) -> bool:
        return not self.missed and not self.wrong


def compare(state: LegendState) -> Comparison:
    """Compare the accepted entities with the known answers, in reading order."""
    right, missed, wrong = [], [], []
    left = list(state.accepted_entities)
    for known, answer in known_entities():
        entity = _counterpart(known, left)
        if entity is None:
            missed.append(Line(answer.surface, answer.why, answer=answer))
            continue
        left.remove(entity)
        differs = _differences(known, entity)
        line = Line(state.surface(entity), answer.why, entity, answer, differs)
        if differs:
            wrong.append(line)
        else:
            right.append(line)
    first_panel = state.text.index("(A)")
    for entity in left:
        why = NOT_MARKED if entity.start < first_panel else NO_ENTITY
        wrong.append(Line(state.surface(entity), why, entity))
    return Comparison(right, missed, wrong)


def _counterpart(known: Entity, entities: Sequence[Entity]) -> Entity | None:
    """Return the entity at the same place, else the first that shares a character, or None."""
    overlapping = [each for each in entities if each.overlaps(known.start, known.end)]
    for each in overlapping:
        if (each.start, each.end) == (known.start, known.end):
            return each
    return overlapping[0] if overlapping else None


def _differences(known: Entity, entity: Entity) -> tuple[str, ...]:
    differs = []
    if (known.start, known.end) != (entity.start, entity.end):
        differs.append("boundaries")
    if known.label != entity.label:
        differs.append("label")
    if known.role != entity.role:
        differs.append("role")
    return tuple(differs)
