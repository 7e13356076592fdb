"""The comparison of two sets of entities on one legend. Pure: no database."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from annotator.review.editing.legend import Entity


class Change(StrEnum):
    """The kind of difference between an entity of the older set and the newer one."""

    ADDED = "added"
    LOST = "lost"
    MOVED = "moved"
    RELABELLED = "relabelled"
    ROLE = "role"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Difference:
    """An entity in the older and the newer set; None stands for a lost or added one."""

    change: Change
    old: Entity | None
    new: Entity | None

    @property
    def start(self) -> int:
        return min(entity.start for entity in (self.old, self.new) if entity is not None)

    @property
    def end(self) -> int:
        return max(entity.end for entity in (self.old, self.new) if entity is not None)


def compare(old: Sequence[Entity], new: Sequence[Entity]) -> list[Difference]:
    """Return the differences in reading order; none if both sets are alike."""
    return [each for each in paired(old, new) if each.change != Change.SAME]


def paired(old: Sequence[Entity], new: Sequence[Entity]) -> list[Difference]:
    """Return every entity of both sets exactly once, in reading order, unchanged ones too.

    Entities that overlap are paired, the best overlap first: the largest fraction of the range
    that both cover, and among equals the same label and role. An entity without a partner was lost
    or added. Exchanging the sets finds the same pairs.
    """
    partner: dict[int, int] = {}
    taken: set[int] = set()
    for *_, first, second in sorted(_ways(old, new)):
        if first not in partner and second not in taken:
            partner[first] = second
            taken.add(second)
    differences = []
    for index, one in enumerate(old):
        if index not in partner:
            differences.append(Difference(Change.LOST, one, None))
    for index, other in enumerate(new):
        if index not in taken:
            differences.append(Difference(Change.ADDED, None, other))
    for first, second in partner.items():
        one, other = old[first], new[second]
        differences.append(Difference(_change(one, other), one, other))
    return sorted(
        differences,
        key=lambda each: (
            each.start,
            -each.end,
            each.change,
            [_look(entity) for entity in (each.old, each.new) if entity],
        ),
    )


def counts(differences: Iterable[Difference]) -> dict[Change, int]:
    """Count the differences of each kind, with 0 for kinds that do not occur."""
    found = Counter(each.change for each in differences)
    return {change: found[change] for change in Change}


def _ways(old: Sequence[Entity], new: Sequence[Entity]) -> Iterator[tuple[Any, ...]]:
    """Yield (distance, …, index in old, index in new) of every two entities that overlap.

    Apart from the indices, exchanging the sets yields the same.
    """
    by_start = sorted(range(len(new)), key=lambda index: new[index].start)
    starts = [new[index].start for index in by_start]
    longest = max((entity.end - entity.start for entity in new), default=0)
    for first, one in enumerate(old):
        for place in range(
            bisect_left(starts, one.start - longest + 1), bisect_left(starts, one.end)
        ):
            second = by_start[place]
            other = new[second]
            if one.overlaps(other.start, other.end):
                shared = min(one.end, other.end) - max(one.start, other.start)
                covered = max(one.end, other.end) - min(one.start, other.start)
                yield (
                    -shared / covered,
                    one.label != other.label,
                    one.role != other.role,
                    sorted((_look(one), _look(other))),
                    first,
                    second,
                )


def _look(entity: Entity) -> tuple[int, int, str, str]:
    return entity.start, entity.end, entity.label, entity.role


def _change(one: Entity, other: Entity) -> Change:
    if one.label != other.label:
        return Change.RELABELLED
    if (one.start, one.end) != (other.start, other.end):
        return Change.MOVED
    if one.role == other.role:
        return Change.SAME
    return Change.ROLE
