"""The report of a reader or writer: counts, and every input that was refused or changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """An input that was refused, or that a format cannot hold.

    ``where`` names the file, archive member, line or document; ``message`` says what to do.
    """

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


@dataclass
class Report:
    """A report that readers and writers fill while they run.

    Each reader documents the names of its ``counts``.
    """

    counts: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    #: Inputs that were left out although nothing is wrong with them, such as a figure without text.
    notes: list[Problem] = field(default_factory=list)
    #: Spans that the written format cannot hold.
    lossy: list[Problem] = field(default_factory=list)
    #: Takes each loss instead of ``lossy`` if set; a large export has tens of thousands.
    on_loss: Callable[[Problem], None] | None = None

    def problem(self, where: str, message: str) -> None:
        """Add an input that was refused."""
        self.problems.append(Problem(where, message))

    def note(self, where: str, message: str) -> None:
        """Add an input that was left out although nothing is wrong with it."""
        self.notes.append(Problem(where, message))

    def lose(self, where: str, message: str) -> None:
        """Add and count a span that the written format cannot hold."""
        self.counts["lossy"] += 1
        (self.on_loss or self.lossy.append)(Problem(where, message))

    def as_json(self) -> dict[str, Any]:
        """Return the counts, and the problems, notes and losses as sentences."""
        return {
            "counts": dict(sorted(self.counts.items())),
            "problems": list(map(str, self.problems)),
            "notes": list(map(str, self.notes)),
            "lossy": list(map(str, self.lossy)),
        }
