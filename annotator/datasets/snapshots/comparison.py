"""The comparison of two snapshots of a project: their legends, and entities by label.

Both are read side by side in the order of their legends, one legend at a time, so memory does not
grow with them.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple

from annotator.datasets.snapshots.contents import rows_of
from ner_engine.split import SPLITS

#: Number of legends that are named for each kind of change; the rest is counted.
MAX_NAMED: Final = 500
#: The changes of entities, in the order of a table's columns.
CHANGES: Final = ("added", "lost", "relabelled", "became", "moved", "role")


class Entity(NamedTuple):
    """An entity; offsets are code points of the whole legend."""

    start: int
    end: int
    label: str
    role: str


@dataclass(slots=True)
class FrozenLegend:
    """One legend as a snapshot holds it."""

    document: int
    paper: str
    split: str
    panels: set[tuple[int, int]] = field(default_factory=set)
    entities: set[Entity] = field(default_factory=set)

    def add_row(self, row: dict[str, Any]) -> None:
        lineage = row["attributes"]["lineage"]
        start = lineage["start"]
        self.panels.add((start, lineage["end"]))
        for span in row["spans"]:
            self.entities.add(
                Entity(
                    start + span["start"], start + span["end"], span["label"], span.get("role", "")
                )
            )


def legends_in(folder: Path) -> Iterator[FrozenLegend]:
    """Yield the legends of a snapshot by ascending document."""
    parts = [_with_split(folder, split) for split in SPLITS]
    for document, rows in groupby(heapq.merge(*parts, key=_document), key=_document):
        legend: FrozenLegend | None = None
        for split, row in rows:
            if legend is None:
                paper = row["attributes"]["lineage"]["paper"]
                legend = FrozenLegend(document, paper, split)
            legend.add_row(row)
        if legend is not None:
            yield legend


def _with_split(folder: Path, split: str) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((split, row) for row in rows_of(folder, split))


def _document(row: tuple[str, dict[str, Any]]) -> int:
    return int(row[1]["attributes"]["lineage"]["document"])


def difference(old: Path, new: Path) -> dict[str, Any]:
    """Return the difference of the snapshot in the folder ``new`` from that in ``old``.

    ``{"legends": {"added", "removed", "changed", "same"}, "labels": {label: {"old", "new", and each
    of CHANGES}}, "relabelled": [[from, to, n]], "named": {"added", "removed", "changed":
    [{"document", "paper", "side", "says"}]}}``.

    An entity with the same boundaries and another label is relabelled: counted at its old label,
    and as *became* at the new one. It is moved if a range with its label overlaps its own.
    Otherwise it is lost or added.
    """
    changes = _Difference()
    for before, after in _in_pairs(legends_in(old), legends_in(new)):
        changes.add(before, after)
    return changes.as_json()


def _in_pairs(
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
        old = before.entities if before else set()
        new = after.entities if after else set()
        for entity in old:
            self._of(entity.label)["old"] += 1
        for entity in new:
            self._of(entity.label)["new"] += 1
        changes = self._count(old - new, new - old)
        phrases = [f"{n} {change}" for change, n in changes.items()]
        if before is not None and after is not None:
            phrases += _changes_of_place(before, after)
        self._record(_kind_of_change(before, after, phrases), after or before, phrases)

    def _record(self, kind: str, legend: FrozenLegend | None, phrases: list[str]) -> None:
        self.legends[kind] += 1
        if legend is None or kind == "same" or len(self.named[kind]) >= MAX_NAMED:
            return
        self.named[kind].append(
            {
                "document": legend.document,
                "paper": legend.paper,
                "side": legend.split,
                "says": ", ".join(phrases),
            }
        )

    def _count(self, lost: set[Entity], added: set[Entity]) -> Counter[str]:
        """Count the changes of one legend's entities and return them."""
        changes: Counter[str] = Counter()
        for one, _ in _paired(lost, added, _differ_in_role):
            self._note(changes, "role", one.label)
        for one, other in _paired(lost, added, _differ_in_label):
            self._note(changes, "relabelled", one.label)
            self._of(other.label)["became"] += 1
            self.pairs[one.label, other.label] += 1
        for one, _ in _paired(lost, added, _overlap):
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
        labels = {}
        for label, counts in sorted(self.labels.items()):
            labels[label] = {column: counts[column] for column in columns}
        return {
            "legends": {
                kind: self.legends[kind] for kind in ("added", "removed", "changed", "same")
            },
            "labels": labels,
            "relabelled": [[one, other, n] for (one, other), n in self.pairs.most_common()],
            "named": self.named,
        }


def _kind_of_change(
    before: FrozenLegend | None, after: FrozenLegend | None, phrases: list[str]
) -> str:
    if before is None:
        return "added"
    if after is None:
        return "removed"
    return "changed" if phrases else "same"


def _changes_of_place(before: FrozenLegend, after: FrozenLegend) -> list[str]:
    phrases = []
    if before.split != after.split:
        phrases.append(f"from {before.split} to {after.split}")
    if before.panels != after.panels:
        phrases.append(f"{len(before.panels)} panels before, {len(after.panels)} now")
    return phrases


def _differ_in_role(one: Entity, other: Entity) -> bool:
    return one[:3] == other[:3]


def _differ_in_label(one: Entity, other: Entity) -> bool:
    return one[:2] == other[:2]


def _overlap(one: Entity, other: Entity) -> bool:
    return one.label == other.label and one.start < other.end and other.start < one.end


def _paired(
    lost: set[Entity], added: set[Entity], fits: Callable[[Entity, Entity], bool]
) -> Iterator[tuple[Entity, Entity]]:
    """Take the pairs that fit out of both sets, each entity once, and yield them."""
    for one in sorted(lost):
        other = next((other for other in sorted(added) if fits(one, other)), None)
        if other is not None:
            lost.discard(one)
            added.discard(other)
            yield one, other
