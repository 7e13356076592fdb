"""The choice among panels that may become rows: duplicates and too many unreviewed ones go."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from annotator.datasets.snapshots.guard import Rules, panels_to_leave_out
from ner_engine.duplicates import ShingleIndex

EDITED: Final = "edited while the snapshot was frozen"
REPEATED: Final = "the same text as another panel"
REPEATED_ACROSS: Final = "the same text as a panel of another split"
NEARLY_THE_SAME: Final = "nearly the same text as a panel of another split"
TOO_MANY_UNREVIEWED: Final = "too many bulk-accepted entities"
#: The split that keeps a text which occurs in several splits: held-out text must never be
#: trained on.
KEEPS_FIRST: Final = ("test", "eval", "train")


class Candidate(NamedTuple):
    """The facts kept of a panel in memory.

    ``legend`` and ``text`` are numbers; panels with the same text have the same ``text``.
    """

    legend: int
    document: int
    paper: str
    panel: str
    split: str
    text: int
    n_spans: int
    n_unreviewed: int

    @property
    def rank(self) -> int:
        return KEEPS_FIRST.index(self.split)

    @property
    def place(self) -> dict[str, Any]:
        """The panel's place, as ``left_out.jsonl`` names it."""
        return {
            "panel": self.panel,
            "paper": self.paper,
            "document": self.document,
            "side": self.split,
        }


class Figure(NamedTuple):
    """The facts kept of a whole figure that may become a row.

    It has ``n_spans`` panels, of which a model found ``n_unreviewed`` that no curator changed.
    """

    legend: int
    document: int
    paper: str
    split: str
    n_spans: int
    n_unreviewed: int

    @property
    def place(self) -> dict[str, Any]:
        """The figure's place, as ``left_out.jsonl`` names it."""
        return {"panel": "", "paper": self.paper, "document": self.document, "side": self.split}


class LeftOut(NamedTuple):
    """The number of a panel that becomes no row, and why; ``like`` is the panel it repeats."""

    number: int
    reason: str
    like: int | None = None
    similarity: float = 0.0


@dataclass
class Candidates:
    """The panels that may become rows, numbered in the order they come."""

    panels: list[Candidate] = field(default_factory=list)
    _texts: dict[bytes, int] = field(default_factory=dict)
    _shingles: ShingleIndex = field(default_factory=ShingleIndex)

    def text_number(self, text: str) -> int:
        """Return the number of a candidate's text; equal texts have the same number."""
        digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
        if digest not in self._texts:
            self._texts[digest] = len(self._texts)
            self._shingles.add(text)
        return self._texts[digest]

    def choose(self, rules: Rules) -> Iterator[LeftOut]:
        """Yield the panels to leave out: repeated ones, and those that the rules do not allow.

        Raises ``UserError`` if the rules refuse the whole snapshot.
        """
        repeated: set[int] = set()
        for left in self._repeated(rules):
            repeated.add(left.number)
            yield left
        kept = []
        for number in range(len(self.panels)):
            if number not in repeated:
                kept.append(number)
        for index in panels_to_leave_out([self.panels[number] for number in kept], rules):
            yield LeftOut(kept[index], TOO_MANY_UNREVIEWED)

    def _repeated(self, rules: Rules) -> Iterator[LeftOut]:
        keepers = self._keepers()
        for number, panel in enumerate(self.panels):
            keeper = keepers[panel.text]
            if keeper != number:
                is_same_split = panel.split == self.panels[keeper].split
                reason = REPEATED if is_same_split else REPEATED_ACROSS
                yield LeftOut(number, reason, keeper, 1.0)
        ranks = [self.panels[keepers[text]].rank for text in range(len(keepers))]
        for near in self._shingles.near_duplicates(ranks, rules.near_duplicate):
            keeper = keepers[near.like]
            yield LeftOut(keepers[near.number], NEARLY_THE_SAME, keeper, near.similarity)

    def _keepers(self) -> dict[int, int]:
        """Return the number of the panel that keeps each text."""
        keepers: dict[int, int] = {}
        for number, panel in enumerate(self.panels):
            keeper = keepers.setdefault(panel.text, number)
            if panel.rank < self.panels[keeper].rank:
                keepers[panel.text] = number
        return keepers
