"""The JSON columns of the learning loop as types."""

from __future__ import annotations

from typing import Any

import pytest

from annotator.learning.models import Evaluation, SeriesKind, TrainingRun, TrainingSeries
from annotator.learning.stored import (
    CurveResult,
    LabelErrorsResult,
    RunProgress,
    StoredDataError,
    StoredScores,
)
from ner_engine.align import Labelled
from ner_engine.scoring.metrics import score

GOLD = [[Labelled(0, 3, "CELL"), Labelled(4, 7, "GENEPROD")]]
SCORES: dict[str, Any] = score(GOLD, [GOLD[0][:1]]).as_json()


def test_scores_of_the_engine_are_read() -> None:
    scores = StoredScores.of(Evaluation(scores={**SCORES, "seconds": 1.5, "partial": SCORES}))
    assert scores.by_label["CELL"].f1 == 1.0
    assert scores.micro.support == 2
    assert scores.macro.support is None
    assert scores.partial is not None
    assert scores.partial.micro == scores.micro


def test_scores_in_percent_have_one_decimal() -> None:
    assert StoredScores.from_json(SCORES).micro.percent == 66.7


def test_an_unknown_field_of_scores_is_refused() -> None:
    with pytest.raises(StoredDataError, match="StoredScores has no field “mico”"):
        StoredScores.from_json({**SCORES, "mico": {}})


def test_an_unknown_field_of_a_label_is_refused() -> None:
    by_label = {"CELL": {**SCORES["micro"], "F1": 1.0}}
    with pytest.raises(StoredDataError, match="StoredScore has no field “F1”"):
        StoredScores.from_json({**SCORES, "by_label": by_label})


def test_scores_without_an_average_are_refused() -> None:
    with pytest.raises(StoredDataError, match="lacks its field “macro”"):
        StoredScores.from_json({"micro": SCORES["micro"], "by_label": {}})


def test_progress_is_empty_before_the_first_event() -> None:
    assert RunProgress.of(TrainingRun()) == RunProgress()


def test_progress_takes_what_it_knows_of_an_event() -> None:
    event = {"event": "step", "step": 3, "steps": 9, "loss": 0.5, "other": "x"}
    assert RunProgress(device="cpu").after(event) == RunProgress(
        step=3, steps=9, loss=0.5, device="cpu"
    )


def test_progress_counts_processes_that_died() -> None:
    died = {"event": "died", "how": "SIGKILL"}
    assert RunProgress(step=3).after(died).after(died) == RunProgress(step=3, n_resumed=2)


def test_progress_is_stored_and_read_back() -> None:
    progress = RunProgress(step=3, steps=9, seconds_left=0.0, n_resumed=1)
    assert RunProgress.of(TrainingRun(progress=progress.as_json())) == progress


def test_unknown_progress_is_refused() -> None:
    with pytest.raises(StoredDataError, match="RunProgress has no field “speed”"):
        RunProgress.of(TrainingRun(progress={"speed": 1}))


def search(**changes: Any) -> TrainingSeries:
    counts = {"entities": 9, "label": 1, "boundary": 2, "spurious": 3, "missing": 4}
    result = {
        "texts": 5,
        "papers": 2,
        "entities": 9,
        "disagreements": 10,
        "legends": 4,
        "by_label": {"CELL": counts},
    }
    return TrainingSeries(kind=SeriesKind.LABEL_ERRORS, result={**result, **changes})


def test_counts_of_a_search_are_read() -> None:
    result = LabelErrorsResult.of(search())
    assert result.disagreements == 10
    assert result.by_label["CELL"].by_kind == {
        "label": 1,
        "boundary": 2,
        "spurious": 3,
        "missing": 4,
    }


def test_a_search_without_a_kind_of_error_is_refused() -> None:
    with pytest.raises(StoredDataError, match="LabelErrorCounts lacks its field “label”"):
        LabelErrorsResult.of(search(by_label={"CELL": {"entities": 9}}))


def test_an_unknown_field_of_a_curve_is_refused() -> None:
    curve = {"points": [], "held_out": {"papers": 1, "texts": 2}, "sentence": "x", "note": ""}
    with pytest.raises(StoredDataError, match="CurveResult has no field “note”"):
        CurveResult.from_json(curve)
