"""What a reader or writer has to say beside the documents: counts, and each thing that did not go
through, by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that was refused or could not be expressed. ``where`` names file, member, line or
    document; ``message`` says what to do."""

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


@dataclass
class Report:
    """Filled while documents stream by. ``counts`` are named in the words of the format (see each
    reader)."""

    counts: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    #: What was left out though nothing is wrong with it, a figure without text for instance.
    notes: list[Problem] = field(default_factory=list)
    #: Spans that were read but that the written form could not hold.
    lossy: list[Problem] = field(default_factory=list)
    #: Where given, takes each loss instead of ``lossy``: a large export has tens of thousands.
    on_loss: Callable[[Problem], None] | None = None

    def problem(self, where: str, message: str) -> None:
        self.problems.append(Problem(where, message))

    def note(self, where: str, message: str) -> None:
        self.notes.append(Problem(where, message))

    def lose(self, where: str, message: str) -> None:
        self.counts["lossy"] += 1
        (self.on_loss or self.lossy.append)(Problem(where, message))

    def as_json(self) -> dict[str, Any]:
        """Counts, and problems, notes and losses as sentences."""
        return {
            "counts": dict(sorted(self.counts.items())),
            "problems": [str(problem) for problem in self.problems],
            "notes": [str(problem) for problem in self.notes],
            "lossy": [str(problem) for problem in self.lossy],
        }
