"""What became of the suggestions of a legend, as the memory counts it. Pure: no database."""

from __future__ import annotations

from collections import Counter

from annotator.corpus.decisions import DecisionKind
from annotator.review.editing.legend import Entity, LegendState
from annotator.review.memory.rule import KEPT, MAX_SURFACE, ProposalKind, moved_range, outcome_of

#: (string, label, outcome): how often.
Decisions = Counter[tuple[str, str, str]]


def decisions_of(state: LegendState) -> Decisions:
    """Count the decisions of a legend by string, label and outcome.

    An accepted entity counts as kept, however it came about. Against a suggestion only decisions
    by hand count. What was left out with the legend is nobody's decision, so the memory never
    learns from what it proposed itself; and a panel that is rejected as a whole says nothing of
    its strings.
    """
    counts = Decisions()
    for entity in state.decided.values():
        if entity.is_accepted:
            _add(counts, state.surface(entity), entity.label, KEPT)
        if entity.decision != DecisionKind.EXPLICIT:
            continue
        origin = state.suggested.get(entity.key, entity)
        outcome = _outcome_against(state, origin, entity)
        if outcome:
            _add(counts, state.surface(origin), origin.label, outcome)
    return counts


def _add(counts: Decisions, surface: str, label: str, outcome: str) -> None:
    if len(surface) <= MAX_SURFACE and len(outcome) <= MAX_SURFACE:
        counts[surface, label, outcome] += 1


def _outcome_against(state: LegendState, origin: Entity, entity: Entity) -> str:
    """Return how the entity was decided against its suggestion; "" if it was kept.

    A change of both label and boundaries proposes nothing for the next such string; nor does a
    move that the memory would make to another place, as within "Atg5/Atg5".
    """
    if entity.is_rejected:
        return outcome_of(ProposalKind.REJECT)
    place = (entity.start, entity.end)
    is_moved = (origin.start, origin.end) != place
    if entity.label != origin.label:
        return "" if is_moved else outcome_of(ProposalKind.RELABEL, entity.label)
    surface = state.surface(entity)
    if is_moved and moved_range(state.text, origin.start, origin.end, surface) == place:
        return outcome_of(ProposalKind.MOVE, surface)
    return ""
