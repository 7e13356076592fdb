"""The job of a dry run: time a few steps, and find near duplicates."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.accounts.actors import SYSTEM
from annotator.datasets.models import Snapshot
from annotator.datasets.snapshots.contents import rows_of
from annotator.jobs.errors import JobLostError
from annotator.jobs.models import Job, JobState
from annotator.jobs.services import run_job
from annotator.learning import engine
from annotator.learning.models import ModelOrigin, ModelVersion
from annotator.learning.training import disk_space as room
from annotator.learning.training import step_timing
from annotator.learning.training.child_process import read_events
from annotator.learning.training.plan import TrainingRequest
from annotator.learning.training.services import start_training
from ner_engine.registry.recipes import SHARES_OF_BASE
from tests.annotator.learning.conftest import BRIEF, plant
from tests.annotator.learning.training.conftest import done_job, dry_run_job

pytestmark = pytest.mark.django_db


def test_a_few_steps_give_an_estimate_and_leave_nothing_behind(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    asked = {"epochs": 3, "batch_size": 4, "evals_per_epoch": 2, "keep": "best"}
    job = done_job(dry_run_job(learned, hyperparameters=asked))
    assert job.state == JobState.SUCCEEDED
    assert job.error == ""
    found = job.result
    assert found["leak"] == ""
    assert found["device"] == "cpu"
    assert (found["n_measured"] >= 2) is True
    assert found["memory_bytes"] > 10_000_000
    assert found["seconds"] >= found["steps"] * found["seconds_per_step"] > 0
    assert {"starting", "final evaluation"} <= {words for words, _ in found["parts"]}
    is_alike = set(tiny.labels) == set(learned.report["labels"])
    assert (
        "weight averaging with the base model" in {words for words, _ in found["parts"]}
    ) == is_alike
    assert not list(Path(room.settings.RUNS_DIR).glob("trial-*"))
    assert not ModelVersion.objects.filter(origin=ModelOrigin.TRAINED).exists()
    run = start_training(
        TrainingRequest(project=learned.project, snapshot=learned, hyperparameters=BRIEF | asked),
        actor=SYSTEM,
    )
    run_job(run.job.pk)
    start = next(event for event in read_events(run.folder) if event["event"] == "start")
    assert found["steps"] == start["steps"]
    assert found["examples"] == start["examples"]


def test_a_worker_that_lost_the_job_leaves_its_folder(
    learned: Snapshot, tiny: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken_meanwhile(plan: Any, sample: Any, folder: Path, run: Any) -> None:
        raise JobLostError

    monkeypatch.setattr("annotator.learning.training.step_timing._run_steps", taken_meanwhile)
    job = done_job(dry_run_job(learned))
    assert (Path(room.settings.RUNS_DIR) / f"trial-{job.pk}/data/train.jsonl").is_file()


def test_the_worker_finds_near_duplicates(learned: Snapshot, tiny: ModelVersion) -> None:
    row = next(rows_of(learned.folder, "test"))
    lineage = {**row["attributes"]["lineage"], "paper": "10.9999/copy"}
    text = row["text"].replace("as before", "as above")
    plant(
        learned,
        side="train",
        row={
            **row,
            "id": "planted",
            "doi": "10.9999/copy",
            "text": text,
            "attributes": {"lineage": lineage},
        },
    )
    job = done_job(dry_run_job(learned))
    assert job.state == JobState.SUCCEEDED
    assert "Panel planted of the paper 10.9999/copy" in job.result["leak"]
    assert "seconds" not in job.result


def test_a_dry_run_fails_with_the_error_of_the_training(
    learned: Snapshot, tiny: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = (
        "import json, sys; print(json.dumps({'event': 'error', 'message': 'the vocabulary is"
        " empty'})); sys.exit(2)"
    )
    monkeypatch.setattr(engine, "training_command", lambda **_: [sys.executable, "-c", program])
    job = done_job(dry_run_job(learned))
    assert job.state == JobState.FAILED
    assert job.error == "the vocabulary is empty."
    assert not list(Path(room.settings.RUNS_DIR).glob("trial-*"))


def test_slow_steps_are_not_waited_for_to_the_end(
    learned: Snapshot, tiny: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = {"event": "start", "examples": 24, "device": "cpu", "precision": "fp32"}
    step = {"event": "step", "step": 1, "steps": 6, "examples_per_second": 0.02}
    program = (
        f"import json, time; print(json.dumps({start!r})); print(json.dumps({step!r}), flush=True);"
        " time.sleep(600)"
    )
    monkeypatch.setattr(engine, "training_command", lambda **_: [sys.executable, "-c", program])
    job = done_job(dry_run_job(learned, hyperparameters={"batch_size": 8, "epochs": 10}))
    assert job.state == JobState.SUCCEEDED
    assert job.error == ""
    assert job.result["seconds_per_step"] == 400
    assert job.result["n_measured"] == 1
    assert job.result["steps"] == 30
    assert job.result["seconds"] > 30 * 400


def test_a_new_dry_run_or_a_run_cancels_the_one_before(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    first, second = dry_run_job(learned), dry_run_job(learned, hyperparameters={"epochs": 2})
    assert Job.objects.get(pk=first.pk).state == JobState.CANCELLED
    assert Job.objects.get(pk=second.pk).state == JobState.PENDING
    start_training(
        TrainingRequest(project=learned.project, snapshot=learned, hyperparameters=BRIEF),
        actor=SYSTEM,
    )
    assert Job.objects.get(pk=second.pk).state == JobState.CANCELLED


# The sample and the estimate


@given(n=st.integers(0, 300), wanted=st.integers(1, 100))
def test_a_sample_has_as_many_numbers_as_wanted_or_all(n: int, wanted: int) -> None:
    numbers = list(range(100, 100 + n))
    sample = step_timing._spread(numbers, wanted)
    assert len(sample) == min(n, wanted)
    assert sample <= set(numbers)


def test_a_sample_is_spread_evenly() -> None:
    assert step_timing._spread(list(range(100)), 4) == {0, 25, 50, 75}


def step(rate: float, **facts: Any) -> dict[str, Any]:
    return {"event": "step", "examples_per_second": rate, **facts}


def test_the_time_of_a_step_leaves_out_the_first() -> None:
    timing = step_timing._Timing()
    for rate in (1.0, 8.0, 8.0):
        timing.add(step(rate), batch_size=8)
    assert timing.step == 1.0


def test_a_single_step_is_the_time_of_a_step() -> None:
    timing = step_timing._Timing()
    timing.add(step(4.0), batch_size=8)
    assert timing.step == 2.0


def test_the_largest_memory_of_the_steps_is_reported() -> None:
    timing = step_timing._Timing()
    timing.add(step(8.0, memory_bytes=5), batch_size=8)
    timing.add(step(8.0, memory_bytes=3), batch_size=8)
    assert timing.memory_bytes == 5


def test_slow_steps_end_the_timing() -> None:
    timing = step_timing._Timing()
    with pytest.raises(step_timing._EnoughError):
        timing.add(step(0.0), batch_size=8)


def test_the_time_for_tagging_is_that_of_one_text() -> None:
    timing = step_timing._Timing()
    scores = {"eval": {"seconds": 3.0, "documents": 12}}
    timing.add({"event": "done", "scores": scores}, batch_size=8)
    assert timing.tagging == 0.25


def test_without_tagged_texts_the_time_for_tagging_is_unknown() -> None:
    timing = step_timing._Timing()
    timing.add({"event": "done", "scores": {}}, batch_size=8)
    assert timing.tagging is None


def work(**changes: Any) -> step_timing._Work:
    """The work of a run on 100 examples, of which 10 were written and used."""
    hyperparameters = {
        "batch_size": 10,
        "epochs": 2.0,
        "evals_per_epoch": 2.0,
        "eval_panels": 600,
        "augment_share": 0.0,
        "blend": "off",
    }
    plan = SimpleNamespace(
        task="panels",
        snapshot=None,
        base=SimpleNamespace(labels=["PANEL_START"]),
        hyperparameters=hyperparameters | changes,
    )
    sample = step_timing._Sample(10, {"train": 100, "eval": 30, "test": 20})
    timing = step_timing._Timing(examples=10)
    return step_timing._Work.of(cast(Any, plan), sample, timing)


def test_the_steps_of_a_run_are_epochs_times_batches() -> None:
    assert work().steps == 20


def test_a_fraction_of_an_epoch_takes_a_fraction_of_the_steps() -> None:
    assert work(epochs=0.25).steps == 3


def test_copies_of_texts_are_a_first_pass_of_twice_the_steps() -> None:
    assert work(augment_share=0.2).steps == 60


def test_evaluations_tag_all_texts_up_to_the_maximum() -> None:
    assert work().evaluated_texts == 4 * 30
    assert work(eval_panels=5).evaluated_texts == 4 * 5


def test_without_evaluations_no_text_is_tagged_for_them() -> None:
    assert work(evals_per_epoch=0).evaluated_texts == 0


def test_automatic_weight_averaging_tags_each_average() -> None:
    assert work(blend="auto").averaging_texts == len(SHARES_OF_BASE) * 30


def test_a_fixed_weight_average_is_not_evaluated() -> None:
    assert work(blend="0.5").averaging_texts == 0
