"""The scores of two models side by side."""

from __future__ import annotations

from typing import Any

import pytest

from annotator.learning.evaluation.comparison import (
    ComparedRow,
    Comparison,
    compare_evaluations,
)
from annotator.learning.models import Evaluation
from annotator.learning.stored import StoredScore


def line(f1: float, support: int = 10) -> dict[str, float]:
    return {"precision": f1, "recall": f1, "f1": f1, "support": support}


def evaluation(by_label: dict[str, float], **more: Any) -> Evaluation:
    """Return an evaluation with these F1 by label, of which the first is also the average."""
    average = line(next(iter(by_label.values())))
    labels = {label: line(f1) for label, f1 in by_label.items()}
    scores = {"by_label": labels, "micro": average, "macro": average} | more
    return Evaluation(scores=scores)


def both(candidate: Evaluation, current: Evaluation | None) -> Comparison:
    return compare_evaluations(candidate, current, None)


def test_labels_of_either_model_have_a_row_each() -> None:
    compared = both(evaluation({"CELL": 0.8}), evaluation({"GENEPROD": 0.6}))
    assert [row.name for row in compared.labels] == ["CELL", "GENEPROD"]


def test_a_label_that_the_candidate_lacks_has_no_score_of_it() -> None:
    row = both(evaluation({"CELL": 0.8}), evaluation({"GENEPROD": 0.6})).labels[1]
    assert row.candidate is None
    assert row.current_percent == 60.0
    assert row.support == 10


def test_averages_follow_in_the_order_of_the_page() -> None:
    averages = both(evaluation({"CELL": 0.8}), None).averages
    assert [row.name for row in averages] == ["Micro average", "Macro average"]
    assert all(row.is_average for row in averages)


def test_a_candidate_alone_has_no_difference() -> None:
    (row,) = both(evaluation({"CELL": 0.8}), None).labels
    assert row.current is None
    assert row.difference is None
    assert row.lost == 0.0


@pytest.mark.parametrize(
    ("candidate", "current", "difference", "lost"),
    [(0.8, 0.75, 5.0, 0.0), (0.75, 0.8, -5.0, 5.0), (0.8, 0.8, 0.0, 0.0), (0.0, 0.5, -50.0, 50.0)],
)
def test_a_difference_is_in_points_of_f1(
    candidate: float, current: float, difference: float, lost: float
) -> None:
    (row,) = both(evaluation({"CELL": candidate}), evaluation({"CELL": current})).labels
    assert row.difference == difference
    assert row.lost == lost


def test_a_model_without_the_label_scores_0_percent() -> None:
    row = ComparedRow("CELL", None, None, StoredScore.from_json(line(0.5)))
    assert row.candidate_percent == 0.0
    assert row.current_percent == 50.0
    assert not row.is_average


def test_evaluations_without_partial_scores_have_no_partial_rows() -> None:
    assert both(evaluation({"CELL": 0.8}), None).partial == ()


def test_partial_scores_are_compared_with_partial_scores() -> None:
    partial = {"by_label": {"CELL": line(0.9)}, "micro": line(0.9), "macro": line(0.9)}
    compared = both(
        evaluation({"CELL": 0.8}, partial=partial), evaluation({"CELL": 0.7}, partial=partial)
    )
    assert [row.name for row in compared.partial] == ["CELL", "Micro average", "Macro average"]
    assert {row.difference for row in compared.partial} == {0.0}


def test_partial_scores_stand_alone_beside_an_older_evaluation() -> None:
    partial = {"by_label": {"CELL": line(0.9)}, "micro": line(0.9), "macro": line(0.9)}
    compared = both(evaluation({"CELL": 0.8}, partial=partial), evaluation({"CELL": 0.7}))
    assert {row.current for row in compared.partial} == {None}
    assert compared.labels[0].difference == 10.0
