"""What changed between two snapshots of a project: legends that came, went or changed, and their
entities by label.

Both are read side by side in the order of their legends, a legend at a time: memory does not grow
with them.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple

from annotator.datasets.snapshots import rows_of
from ner_engine.split import SPLITS

#: Legends that are named of each kind; the rest is counted.
MAX_NAMED: Final = 500
#: What becomes of an entity, in the order of a table's columns.
CHANGES: Final = ("added", "lost", "relabelled", "became", "moved", "role")


class Entity(NamedTuple):
    """Offsets are code points of the whole legend."""

    start: int
    end: int
    label: str
    role: str


@dataclass(slots=True)
class FrozenLegend:
    """What a snapshot has of one legend."""

    document: int
    paper: str
    side: str
    panels: set[tuple[int, int]] = field(default_factory=set)
    entities: set[Entity] = field(default_factory=set)


def legends_in(folder: Path) -> Iterator[FrozenLegend]:
    """The legends of a snapshot by ascending document."""
    sides = [_with_side(folder, side) for side in SPLITS]
    for document, rows in groupby(heapq.merge(*sides, key=_document), key=_document):
        legend: FrozenLegend | None = None
        for side, row in rows:
            lineage = row["attributes"]["lineage"]
            legend = legend or FrozenLegend(document, lineage["paper"], side)
            legend.panels.add((lineage["start"], lineage["end"]))
            at = lineage["start"]
            legend.entities.update(
                Entity(at + span["start"], at + span["end"], span["label"], span.get("role", ""))
                for span in row["spans"]
            )
        if legend is not None:
            yield legend


def _with_side(folder: Path, side: str) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((side, row) for row in rows_of(folder, side))


def _document(row: tuple[str, dict[str, Any]]) -> int:
    return int(row[1]["attributes"]["lineage"]["document"])


def difference(old: Path, new: Path) -> dict[str, Any]:
    """What the snapshot in the folder ``new`` has otherwise than ``old``.

    ``{"legends": {"added", "removed", "changed", "same"}, "labels": {label: {"old", "new", and each
    of CHANGES}}, "relabelled": [[from, to, n]], "named": {"added", "removed", "changed":
    [{"document", "paper", "side", "says"}]}}``. An entity is relabelled (counted at its old label;
    it *became* one of the new) where the range is the same, moved where a range of its label
    overlaps its own, else lost or added.
    """
    found = _Difference()
    for before, after in _side_by_side(legends_in(old), legends_in(new)):
        found.add(before, after)
    return found.as_json()


def _side_by_side(
    old: Iterator[FrozenLegend], new: Iterator[FrozenLegend]
) -> Iterator[tuple[FrozenLegend | None, FrozenLegend | None]]:
    before, after = next(old, None), next(new, None)
    while before is not None or after is not None:
        if after is None or (before is not None and before.document < after.document):
            yield before, None
            before = next(old, None)
        elif before is None or after.document < before.document:
            yield None, after
            after = next(new, None)
        else:
            yield before, after
            before, after = next(old, None), next(new, None)


@dataclass
class _Difference:
    legends: Counter[str] = field(default_factory=Counter)
    labels: dict[str, Counter[str]] = field(default_factory=dict)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    named: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {"added": [], "removed": [], "changed": []}
    )

    def add(self, before: FrozenLegend | None, after: FrozenLegend | None) -> None:
        old, new = before.entities if before else set(), after.entities if after else set()
        for entity in old:
            self._of(entity.label)["old"] += 1
        for entity in new:
            self._of(entity.label)["new"] += 1
        changes = self._count(old - new, new - old)
        says = [f"{n} {change}" for change, n in changes.items()]
        if before is None or after is None:
            kind = "added" if before is None else "removed"
        else:
            if before.side != after.side:
                says.append(f"from {before.side} to {after.side}")
            if before.panels != after.panels:
                says.append(f"{len(before.panels)} panels before, {len(after.panels)} now")
            kind = "changed" if says else "same"
        self.legends[kind] += 1
        legend = after or before
        if kind != "same" and legend is not None and len(self.named[kind]) < MAX_NAMED:
            self.named[kind].append(
                {
                    "document": legend.document,
                    "paper": legend.paper,
                    "side": legend.side,
                    "says": ", ".join(says),
                }
            )

    def _count(self, lost: set[Entity], added: set[Entity]) -> Counter[str]:
        """Count what became of entities that are no longer as they were; the changes of this
        legend."""
        changes: Counter[str] = Counter()
        for one, _ in _paired(lost, added, lambda one, other: one[:3] == other[:3]):
            self._note(changes, "role", one.label)
        for one, other in _paired(lost, added, lambda one, other: one[:2] == other[:2]):
            self._note(changes, "relabelled", one.label)
            self._of(other.label)["became"] += 1
            self.pairs[one.label, other.label] += 1
        for one, _ in _paired(
            lost,
            added,
            lambda one, other: (
                one.label == other.label and one.start < other.end and other.start < one.end
            ),
        ):
            self._note(changes, "moved", one.label)
        for entity in added:
            self._note(changes, "added", entity.label)
        for entity in lost:
            self._note(changes, "lost", entity.label)
        return changes

    def _note(self, changes: Counter[str], change: str, label: str) -> None:
        changes[change] += 1
        self._of(label)[change] += 1

    def _of(self, label: str) -> Counter[str]:
        return self.labels.setdefault(label, Counter())

    def as_json(self) -> dict[str, Any]:
        columns = ("old", "new", *CHANGES)
        return {
            "legends": {
                kind: self.legends[kind] for kind in ("added", "removed", "changed", "same")
            },
            "labels": {
                label: {column: counts[column] for column in columns}
                for label, counts in sorted(self.labels.items())
            },
            "relabelled": [[one, other, n] for (one, other), n in self.pairs.most_common()],
            "named": self.named,
        }


def _paired(
    lost: set[Entity], added: set[Entity], fits: Callable[[Entity, Entity], bool]
) -> Iterator[tuple[Entity, Entity]]:
    """Take out of both sets the pairs that fit, each entity once."""
    for one in sorted(lost):
        other = next((other for other in sorted(added) if fits(one, other)), None)
        if other is not None:
            lost.discard(one)
            added.discard(other)
            yield one, other
