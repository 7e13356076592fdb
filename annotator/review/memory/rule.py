"""The rule of a project's memory: when earlier decisions speak against a suggestion.

Pure: no database. The memory counts, for each string and the label it was suggested with, what
became of it in accepted legends. It proposes; it decides nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.db.models import TextChoices

#: Fewer decisions against a suggestion are less often right, more find fewer errors:
#: docs/measurements/memory.md.
MIN_DECISIONS: Final = 3
#: One legend repeats a string, and a curator may repeat a slip in it.
MIN_LEGENDS: Final = 2
#: Longer strings hardly repeat, and are not counted.
MAX_SURFACE: Final = 100

#: Outcomes that silence the memory: a person or an imported file kept the string and its label.
KEPT: Final = "kept"
IMPORTED: Final = "imported"


class ProposalKind(TextChoices):
    """What the memory proposes for a suggestion."""

    REJECT = "reject", "Reject"
    RELABEL = "relabel", "Change label"
    MOVE = "move", "Change boundaries"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What to do with a suggestion, after ``n`` of ``of`` decisions on its string and label.

    ``value`` is the new label or the new string, "" for a rejection; ``name`` says the label in
    words. A manager entered a proposal that is ``by_hand``.
    """

    kind: str
    value: str = ""
    n: int = 0
    of: int = 0
    by_hand: bool = False
    name: str = ""

    @property
    def says(self) -> str:
        """Return why the memory proposes this, in a sentence."""
        what = {
            ProposalKind.REJECT.value: "rejected",
            ProposalKind.RELABEL.value: f"relabelled to {(self.name or self.value).lower()}",
            ProposalKind.MOVE.value: f"changed to “{self.value}”",
        }[self.kind]
        if self.by_hand:
            return f"To be {what}: a manager entered this for the project."
        times = f"{self.n:,}" if self.n == self.of else f"{self.n:,} of {self.of:,}"
        return f"{what[:1].upper()}{what[1:]} {times} times in this project, never kept."


def outcome_of(kind: str, value: str = "") -> str:
    """Return the name under which a decision against a suggestion is counted."""
    return f"{kind}:{value}"


def against(counts: Mapping[str, int]) -> Counter[str]:
    """Return the counts of the decisions that did not keep the suggestion."""
    found: Counter[str] = Counter()
    for outcome, n in counts.items():
        if outcome not in (KEPT, IMPORTED) and n > 0:
            found[outcome] = n
    return found


def proposal_of(
    counts: Mapping[str, int],
    n_legends: int,
    *,
    min_decisions: int = MIN_DECISIONS,
    min_legends: int = MIN_LEGENDS,
) -> Proposal | None:
    """Return what the decisions propose, None if they are too few or do not agree.

    ``n_legends`` counts the legends with a decision against the suggestion. One decision that kept
    the suggestion silences the memory. The proposed outcome needs ``min_decisions`` and more than
    half of all decisions.
    """
    if counts.get(KEPT) or counts.get(IMPORTED) or n_legends < min_legends:
        return None
    others = against(counts)
    if not others:
        return None
    (outcome, n), total = others.most_common(1)[0], others.total()
    if n < min_decisions or 2 * n <= total:
        return None
    kind, _, value = outcome.partition(":")
    return Proposal(kind, value, n, total)


def moved_range(text: str, start: int, end: int, surface: str) -> tuple[int, int] | None:
    """Return where ``surface`` lies within or around ``[start, end)``; None if it does not."""
    old = text[start:end]
    if surface in old:
        at = start + old.index(surface)
    elif old in surface:
        at = start - surface.index(old)
    else:
        return None
    if at < 0 or text[at : at + len(surface)] != surface:
        return None
    return at, at + len(surface)
