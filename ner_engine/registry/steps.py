"""The steps after decoding: documented rules that correct what a tagger predicts.

Each has a name and is switched by the caller. Their order is fixed: entities before the first panel
are dropped, then affixes are left out, then each string of a paper gets one label.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ner_engine.errors import LabelSchemeError
from ner_engine.registry.affixes import Affixes
from ner_engine.schema import Segment, Span

FROM_FIRST_PANEL: Final = "from-first-panel"
AFFIXES: Final = "affixes"
ONE_LABEL: Final = "one-label"
#: What each step does, by its name, in the order in which they run.
STEPS: Final[Mapping[str, str]] = {
    FROM_FIRST_PANEL: "Suggest nothing in the text before the first panel.",
    AFFIXES: "Leave out affixes that curators leave out, such as si and KO.",
    ONE_LABEL: "Give a string the same label everywhere in a paper.",
}
#: The fraction of the votes for a string, weighted by confidence, that a label needs to be given to
#: all of them. Half changes twice as many labels and gains nothing more.
MAJORITY: Final = 0.6


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps that run, all off by default.

    ``affixes`` uses those that come with the entity model, and ``own_affixes`` besides, such as
    those that a project's decisions taught.
    """

    from_first_panel: bool = False
    affixes: bool = False
    one_label: bool = False
    own_affixes: Affixes | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the steps that run, in their order."""
        is_on = (self.from_first_panel, self.affixes, self.one_label)
        return tuple(name for name, on in zip(STEPS, is_on, strict=True) if on)


NO_STEPS: Final = Steps()


def steps_named(names: Iterable[str]) -> Steps:
    """Return the steps with these names. Raise ``LabelSchemeError`` for an unknown one."""
    wanted = set(names)
    if unknown := sorted(wanted - STEPS.keys()):
        raise LabelSchemeError(f"there is no step {unknown[0]}; there are {', '.join(STEPS)}")
    return Steps(
        from_first_panel=FROM_FIRST_PANEL in wanted,
        affixes=AFFIXES in wanted,
        one_label=ONE_LABEL in wanted,
    )


def first_panel_start(segments: Sequence[Segment]) -> int:
    """Return where the first panel starts, 0 if there are no panels."""
    return min((segment.start for segment in segments), default=0)


def without_affixes(spans: Iterable[Span], affixes: Affixes | None) -> list[Span]:
    """Return the spans without the affixes that curators leave out."""
    if affixes is None:
        return list(spans)
    return [affixes.shortened(span) for span in spans]


def with_one_label(texts: Sequence[Sequence[Span]], papers: Sequence[str]) -> list[list[Span]]:
    """Return the spans of each text, with one label for one string of a paper.

    ``papers`` has the paper of each text. The label is the one
    with most votes, each weighted by its confidence, if it has at least ``MAJORITY`` of them. A
    relabelled span names its former label as ``runner_up``.
    """
    votes: dict[tuple[str, str], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for paper, spans in zip(papers, texts, strict=True):
        for span in spans:
            votes[paper, span.surface][span.label] += span.score or 0.0
    return [
        [_relabelled(span, votes[paper, span.surface]) for span in spans]
        for paper, spans in zip(papers, texts, strict=True)
    ]


def _relabelled(span: Span, votes: Mapping[str, float]) -> Span:
    best = max(votes, key=lambda label: votes[label])
    if best == span.label or votes[best] < MAJORITY * sum(votes.values()):
        return span
    attributes = {**span.attributes, "runner_up": span.label}
    if span.score is not None:
        attributes["runner_up_score"] = span.score
    return dataclasses.replace(span, label=best, attributes=attributes)
