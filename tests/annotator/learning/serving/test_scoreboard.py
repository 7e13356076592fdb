"""The scores of a project's models as tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from annotator.datasets.models import Snapshot
from annotator.learning.models import Evaluation, ModelTask, ModelVersion
from annotator.learning.serving.scoreboard import scoreboards_of, serving_of

pytestmark = pytest.mark.django_db
CandidateOf = Callable[..., ModelVersion]


def test_the_default_model_serves_without_a_promotion(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    serving = serving_of(learned.project)
    assert serving.model == tiny
    assert serving.promotion is None
    assert serving.evaluation is None


def test_a_missing_default_model_is_an_error_with_a_sentence(
    learned: Snapshot, settings: Any
) -> None:
    settings.DEFAULT_MODEL = "gone"
    serving = serving_of(learned.project)
    assert serving.model is None
    assert "gone" in serving.error


def test_a_stage_without_a_model_says_why(learned: Snapshot, tiny: ModelVersion) -> None:
    serving = serving_of(learned.project, ModelTask.PANELS)
    assert serving.model is None
    assert serving.stage is not None
    assert serving.stage.reason


def test_the_best_model_comes_first(
    learned: Snapshot, tiny: ModelVersion, candidate_of: CandidateOf
) -> None:
    candidate = candidate_of(learned, f1=0.8)
    (board,) = scoreboards_of(learned.project, tiny)
    assert [row.model for row in board.rows] == [candidate, tiny]
    assert [row.is_serving for row in board.rows] == [False, True]


def test_a_column_of_equal_scores_has_no_best(
    learned: Snapshot, tiny: ModelVersion, candidate_of: CandidateOf
) -> None:
    candidate_of(learned, f1=0.7)
    (board,) = scoreboards_of(learned.project, tiny)
    assert not any(cell.is_best for row in board.rows for cell in row.cells)


def test_a_label_outside_the_label_set_comes_last(
    learned: Snapshot, tiny: ModelVersion, candidate_of: CandidateOf
) -> None:
    candidate = candidate_of(learned)
    evaluation = Evaluation.objects.get(model_version=candidate)
    evaluation.scores["by_label"]["AARDVARK"] = {
        "precision": 0.5,
        "recall": 0.5,
        "f1": 0.5,
        "support": 3,
    }
    evaluation.save(update_fields=["scores"])
    (board,) = scoreboards_of(learned.project, tiny)
    assert board.columns[-1].title == "AARDVARK"
    assert board.columns[-1].support == 3


def test_models_of_other_tasks_have_their_own_scoreboard(
    learned: Snapshot, tiny: ModelVersion, candidate_of: CandidateOf
) -> None:
    candidate_of(learned)
    assert scoreboards_of(learned.project, None, ModelTask.PANELS) == []
