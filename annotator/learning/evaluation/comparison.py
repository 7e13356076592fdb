"""The scores of two models side by side, on the same held-out papers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from annotator.learning.models import Evaluation, ModelVersion
from annotator.learning.stored import StoredScore, StoredScores

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
    candidate: StoredScore | None
    current: StoredScore | None

    @property
    def is_average(self) -> bool:
        """Whether the row is an average over labels."""
        return self.name in AVERAGES.values()

    @property
    def difference(self) -> float | None:
        """The candidate's F1 minus the current model's, in points."""
        if self.candidate is None or self.current is None:
            return None
        return round(100 * (self.candidate.f1 - self.current.f1), 1)

    @property
    def lost(self) -> float:
        """The points of F1 that the candidate loses; 0 if it loses none."""
        return max(0.0, -(self.difference or 0.0))

    @property
    def candidate_percent(self) -> float:
        """The candidate's F1 in percent."""
        return self.candidate.percent if self.candidate else 0.0

    @property
    def current_percent(self) -> float:
        """The current model's F1 in percent."""
        return self.current.percent if self.current else 0.0


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
    scores = StoredScores.of(candidate)
    current_scores = None
    if current is not None:
        current_scores = StoredScores.of(current)
    partial: Rows = ()
    if scores.partial is not None:
        current_partial = current_scores.partial if current_scores else None
        partial = (
            *_label_rows(scores.partial, current_partial),
            *_average_rows(scores.partial, current_partial),
        )
    return Comparison(
        candidate,
        current,
        current_model,
        _label_rows(scores, current_scores),
        _average_rows(scores, current_scores),
        partial,
    )


def _label_rows(candidate: StoredScores, current: StoredScores | None) -> Rows:
    of_candidate, of_current = candidate.by_label, _by_label(current)
    labels = sorted({*of_candidate, *of_current})
    return tuple(_row(label, of_candidate.get(label), of_current.get(label)) for label in labels)


def _by_label(scores: StoredScores | None) -> Mapping[str, StoredScore]:
    if scores is None:
        return {}
    return scores.by_label


def _average_rows(candidate: StoredScores, current: StoredScores | None) -> Rows:
    micro = macro = None
    if current is not None:
        micro, macro = current.micro, current.macro
    return (
        _row(AVERAGES["micro"], candidate.micro, micro),
        _row(AVERAGES["macro"], candidate.macro, macro),
    )


def _row(name: str, candidate: StoredScore | None, current: StoredScore | None) -> ComparedRow:
    scores = candidate or current
    support = scores.support if scores is not None else None
    return ComparedRow(name, support, candidate, current)
