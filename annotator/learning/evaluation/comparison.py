"""The scores of two models side by side, on the same held-out papers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from annotator.learning.models import Evaluation, ModelVersion

#: The averages of scores, and their names on pages.
AVERAGES: Final = {"micro": "Micro average", "macro": "Macro average"}

Rows = tuple["ComparedRow", ...]


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """The scores of two models for one label or average.

    A model's scores are None if it was not evaluated on these papers or lacks the label.
    """

    name: str
    support: int | None
    candidate: Mapping[str, float] | None
    current: Mapping[str, float] | None

    @property
    def is_average(self) -> bool:
        """Whether the row is an average over labels."""
        return self.name in AVERAGES.values()

    @property
    def difference(self) -> float | None:
        """The candidate's F1 minus the current model's, in points."""
        if self.candidate is None or self.current is None:
            return None
        return round(100 * (self.candidate["f1"] - self.current["f1"]), 1)

    @property
    def lost(self) -> float:
        """The points of F1 that the candidate loses; 0 if it loses none."""
        return max(0.0, -(self.difference or 0.0))

    @property
    def candidate_percent(self) -> float:
        """The candidate's F1 in percent."""
        return _percent(self.candidate)

    @property
    def current_percent(self) -> float:
        """The current model's F1 in percent."""
        return _percent(self.current)


def _percent(scores: Mapping[str, float] | None) -> float:
    return round(100 * scores["f1"], 1) if scores else 0.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """A candidate beside the current model, on the held-out papers of one snapshot.

    ``current_model`` is None if no model serves the task. ``labels`` and ``averages`` are scores
    of strict spans; the ``partial`` ones count an overlap with the same label as correct, and are
    empty for evaluations made before partial scores were recorded.
    """

    candidate: Evaluation
    current: Evaluation | None
    current_model: ModelVersion | None
    labels: Rows
    averages: Rows
    partial: Rows = ()


def compare_evaluations(
    candidate: Evaluation, current: Evaluation | None, current_model: ModelVersion | None
) -> Comparison:
    """Return the comparison of two evaluations on the same held-out papers."""
    scores = candidate.scores
    current_scores = current.scores if current is not None else {}
    partial: Rows = ()
    if "partial" in scores:
        current_partial = current_scores.get("partial", {})
        partial = (
            *_label_rows(scores["partial"], current_partial),
            *_average_rows(scores["partial"], current_partial),
        )
    return Comparison(
        candidate,
        current,
        current_model,
        _label_rows(scores, current_scores),
        _average_rows(scores, current_scores),
        partial,
    )


def _label_rows(scores: Mapping[str, Any], current_scores: Mapping[str, Any]) -> Rows:
    candidate, current = scores["by_label"], current_scores.get("by_label", {})
    names = sorted({*candidate, *current})
    return tuple(_row(name, candidate.get(name), current.get(name)) for name in names)


def _average_rows(scores: Mapping[str, Any], current_scores: Mapping[str, Any]) -> Rows:
    return tuple(
        _row(title, scores[key], current_scores.get(key)) for key, title in AVERAGES.items()
    )


def _row(
    name: str, candidate: Mapping[str, float] | None, current: Mapping[str, float] | None
) -> ComparedRow:
    support = (candidate or current or {}).get("support")
    return ComparedRow(name, None if support is None else int(support), candidate, current)
