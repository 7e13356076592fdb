"""The events and the log of a run, as its page shows them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from annotator.learning.evaluation.run_report import (
    LOG_LINES,
    WeightAveraging,
    evaluations_of,
    events_of,
    log_tail,
    weight_averaging_of,
)
from annotator.learning.models import TrainingRun


def evaluation(step: int, f1: float) -> dict[str, Any]:
    micro = {"precision": f1, "recall": f1, "f1": f1}
    return {"event": "eval", "step": step, "epoch": step / 10, "micro": micro}


@pytest.fixture
def run(settings: Any, tmp_path: Path) -> TrainingRun:
    """A run with an empty folder, not in the database."""
    settings.RUNS_DIR = str(tmp_path)
    run = TrainingRun(pk=7)
    run.folder.mkdir()
    return run


def test_evaluations_are_in_the_order_of_their_steps() -> None:
    rows = evaluations_of([evaluation(20, 0.8), evaluation(10, 0.7)])
    assert [(row.step, row.f1) for row in rows] == [(10, 0.7), (20, 0.8)]


def test_a_step_reported_twice_counts_once_with_the_later_scores() -> None:
    rows = evaluations_of([evaluation(10, 0.7), evaluation(10, 0.75)])
    assert [row.f1 for row in rows] == [0.75]


def test_an_evaluation_without_scores_is_skipped() -> None:
    assert evaluations_of([{"event": "eval", "step": 10, "epoch": 1.0}]) == []


def test_an_evaluation_may_lack_its_loss() -> None:
    assert evaluations_of([evaluation(10, 0.7)])[0].loss is None


def test_the_last_weight_averaging_counts() -> None:
    events = [
        {"event": "blend", "share_of_base": 0.5, "micro_f1": []},
        {"event": "blend", "share_of_base": 0.25, "micro_f1": [[0.0, 0.7], [0.25, 0.71]]},
    ]
    assert weight_averaging_of(events) == WeightAveraging(25.0, [(0.0, 0.7), (25.0, 0.71)])


def test_a_run_without_weight_averaging_reports_none() -> None:
    assert weight_averaging_of([evaluation(10, 0.7)]) is None


def test_the_tail_of_a_long_log_are_its_last_lines(run: TrainingRun) -> None:
    lines = [f"line {number}" for number in range(5000)]
    (run.folder / "train.log").write_text("\n".join(lines), encoding="utf-8")
    assert log_tail(run).split("\n") == lines[-LOG_LINES:]


def test_a_run_without_a_log_has_an_empty_tail(run: TrainingRun) -> None:
    assert log_tail(run) == ""


def test_bytes_that_are_no_text_do_not_hide_the_log(run: TrainingRun) -> None:
    (run.folder / "train.log").write_bytes(b"before \xff after")
    assert log_tail(run) == "before � after"


def test_events_are_read_from_the_folder_of_the_run(run: TrainingRun) -> None:
    event = evaluation(10, 0.7)
    (run.folder / "events.jsonl").write_text(json.dumps(event) + "\n", encoding="utf-8")
    assert events_of(run) == [event]
