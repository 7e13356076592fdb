"""The outcomes of the suggestions of one legend, counted by task, source and label."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from annotator.corpus.models import DecisionKind, Verdict
from annotator.learning.models import ModelTask
from annotator.review.queue.estimates import Row, matched

#: The label of the start of a panel, as models of panels name it.
PANEL_START: Final = "PANEL_START"
#: The columns of ``LabelEffort`` that hold counts.
COUNTS: Final = (
    "accepted",
    "bulk_accepted",
    "boundaries_corrected",
    "relabelled",
    "rejected",
    "left_out",
    "added",
)

#: (task, source, label) -> column of ``LabelEffort`` -> count.
Outcomes = dict[tuple[str, str, str], dict[str, int]]


@dataclass(frozen=True, slots=True)
class Suggested:
    """The sources of a legend's suggestions.

    ``source`` suggested the entities; ``stage_models`` maps other tasks to their models. ``panels``
    are (start, source) of the suggested panels, ``panel_starts`` the starts that curators decided,
    if any. ``is_untouched`` says that no curator changed the panels.
    """

    source: str
    stage_models: Mapping[str, str] = field(default_factory=dict)
    panels: Sequence[tuple[int, str]] = ()
    panel_starts: Sequence[int] | None = None
    is_untouched: bool = False


def outcomes_of(
    origin: Suggested,
    suggested: Sequence[Row],
    decided: Sequence[Row],
    role_tasks: Mapping[str, str],
) -> Outcomes:
    """Return the outcomes of a legend's suggestions.

    ``role_tasks`` maps a label to the task that predicts its roles.
    """
    outcomes: Outcomes = defaultdict(lambda: dict.fromkeys(COUNTS, 0))
    rejected = {row.key: row for row in decided if row.verdict == Verdict.REJECTED}
    pairs, added = matched(suggested, decided)
    for row, decision in pairs:
        counts = outcomes[ModelTask.ENTITIES, origin.source, row.label]
        counts[_outcome(row, decision, rejected.get(row.key))] += 1
        counts["bulk_accepted"] += decision is not None and _is_bulk_accepted(row, decision)
        task = role_tasks.get(row.label, "")
        if decision is not None and decision.label == row.label and task in origin.stage_models:
            _count_role(outcomes, task, origin.stage_models[task], row, decision)
    for row in added:
        outcomes[ModelTask.ENTITIES, origin.source, row.label]["added"] += 1
    _count_panels(outcomes, origin)
    return outcomes


def _outcome(row: Row, decision: Row | None, rejection: Row | None) -> str:
    """Return the column for a suggestion, given what it became or how it was rejected."""
    if decision is None:
        if rejection is not None and rejection.decision == DecisionKind.BULK_ACCEPTED:
            return "left_out"
        return "rejected"
    if decision.label != row.label:
        return "relabelled"
    return "accepted" if decision.has_range_of(row) else "boundaries_corrected"


def _is_bulk_accepted(row: Row, decision: Row) -> bool:
    is_unchanged = row.label == decision.label and row.has_range_of(decision)
    return is_unchanged and decision.decision == DecisionKind.BULK_ACCEPTED


def _count_role(outcomes: Outcomes, task: str, source: str, row: Row, decision: Row) -> None:
    """Count a role that was suggested or added; the role is the label of such a task."""
    if not row.role:
        if decision.role:
            outcomes[task, source, decision.role]["added"] += 1
        return
    counts = outcomes[task, source, row.role]
    if row.role == decision.role:
        counts["accepted"] += 1
        counts["bulk_accepted"] += decision.decision == DecisionKind.BULK_ACCEPTED
    elif decision.role:
        counts["relabelled"] += 1
    else:
        counts["rejected"] += 1


def _count_panels(outcomes: Outcomes, origin: Suggested) -> None:
    if not origin.panels:
        return
    suggested = {start for start, _ in origin.panels}
    decided = suggested if origin.panel_starts is None else set(origin.panel_starts)
    for start, source in origin.panels:
        counts = outcomes[ModelTask.PANELS, source, PANEL_START]
        counts["accepted" if start in decided else "rejected"] += 1
        counts["bulk_accepted"] += origin.is_untouched and start in decided
    first_source = origin.panels[0][1]
    outcomes[ModelTask.PANELS, first_source, PANEL_START]["added"] += len(decided - suggested)
