"""A training run from its queue to a candidate that can serve."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from annotator.accounts.models import User
from annotator.corpus.models import Document, Layer, LayerKind, Project
from annotator.datasets.models import Snapshot, SnapshotState
from annotator.jobs.errors import JobCancelledError, JobInterruptedError
from annotator.jobs.models import Job, JobState
from annotator.learning import engine
from annotator.learning.evaluation.services import compare
from annotator.learning.models import Evaluation, ModelOrigin, ModelVersion, RunState, TrainingRun
from annotator.learning.serving.promotion import promote
from annotator.learning.tagging.services import PRETAG_KIND, register_model, serving_model
from annotator.learning.training.child_process import read_events
from annotator.learning.training.plan import TrainingRequest
from annotator.learning.training.services import (
    cancel_training,
    start_training,
)
from ner_engine.registry.catalogue import find
from tests.annotator.commands import run_command
from tests.annotator.conftest import WorkerProcess, wait_for
from tests.annotator.datasets.conftest import long_legend
from tests.annotator.learning.conftest import BRIEF
from tests.annotator.learning.training.conftest import (
    PATIENCE,
    assert_failed_without_a_trace,
    assert_nothing_left,
    done,
    started,
)

pytestmark = pytest.mark.django_db

ImportLegends = Callable[..., list[Document]]


def assert_registered(candidate: ModelVersion, run: TrainingRun) -> None:
    assert candidate.name == run.candidate_name
    assert candidate.parent == run.base
    assert candidate.project == run.project
    assert candidate.origin == ModelOrigin.TRAINED
    assert (
        set(find(candidate.path).labels)
        == set(candidate.labels)
        == set(run.snapshot.report["labels"])
    )


def assert_evaluated(run: TrainingRun) -> None:
    """Candidate and base model were evaluated on the held-out papers, and the card says so."""
    learned, candidate, base = run.snapshot, run.candidate, run.base
    evaluations = {evaluation.model_version: evaluation for evaluation in Evaluation.objects.all()}
    assert set(evaluations) == {candidate, base}
    assert {evaluation.scores["micro"]["support"] for evaluation in evaluations.values()} == {
        learned.counts["test"]["spans"]
    }
    card = (Path(candidate.path) / "README.md").read_text(encoding="utf-8")
    assert learned.content_hash in card
    assert base.weights_sha256 in card
    f1 = evaluations[candidate].scores["micro"]["f1"], evaluations[base].scores["micro"]["f1"]
    assert (
        f"| {f1[0]:.4f} | {learned.counts['test']['spans']} | {f1[1]:.4f} |"
        f" {100 * (f1[0] - f1[1]):+.1f} |" in card
    )
    assert card.index("## Evaluation before promotion") < card.index("## Licence")
    comparison = compare(run)
    assert comparison.candidate == evaluations[candidate]
    assert comparison.current == evaluations[base]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_worker_trains_evaluates_and_registers_a_candidate(
    start_worker: Callable[..., WorkerProcess],
    finished: Callable[..., Job],
    learned: Snapshot,
    tiny: ModelVersion,
    manager: User,
    import_legends: ImportLegends,
) -> None:
    project, worker = learned.project, start_worker("tag,train")
    waiting = import_legends([long_legend(number) for number in range(60, 64)])
    run = start_training(
        TrainingRequest(project=project, snapshot=learned, hyperparameters=BRIEF), actor=manager
    )
    assert run.state == RunState.QUEUED
    assert run.base == tiny
    job = finished(run.job, timeout=PATIENCE, log=worker.log)
    assert job.state == JobState.SUCCEEDED, worker.log.read_text()[-3000:]
    assert job.error == "", worker.log.read_text()[-3000:]
    run.refresh_from_db()
    candidate = run.candidate
    assert run.state == RunState.SUCCEEDED
    assert run.finished_at is not None
    assert_registered(candidate, run)
    assert not (run.folder / "out").exists()
    assert run.progress["memory_bytes"] > 10_000_000

    assert_evaluated(run)
    kinds = [event["event"] for event in read_events(run.folder)]
    assert kinds[0] == "start"
    assert kinds[-1] == "done"
    assert "step" in kinds

    assert serving_model(project) == tiny
    promote(
        project=project,
        model_version=candidate,
        actor=manager,
        reason="One short epoch proves that the way is open.",
    )
    finished(Job.objects.filter(kind=PRETAG_KIND).latest("id"), log=worker.log)
    current = Layer.objects.current().filter(kind=LayerKind.SUGGESTED)
    assert {(layer.document_id, layer.source) for layer in current} == {
        (document.pk, candidate.name) for document in waiting
    }


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_killed_processes_resume_cancelled_runs_leave_nothing(
    start_worker: Callable[..., WorkerProcess],
    finished: Callable[..., Job],
    learned: Snapshot,
    tiny: ModelVersion,
    manager: User,
) -> None:
    first = start_worker("train")
    run = started(
        learned, hyperparameters={"epochs": 1000, "batch_size": 1, "checkpoint_seconds": 1}
    )

    def starts() -> list[int]:
        return [
            event["resumed_at"] for event in read_events(run.folder) if event["event"] == "start"
        ]

    def has_checkpoint() -> bool:
        return any((run.folder / "out/checkpoints").glob("checkpoint-*/trainer_state.json"))

    wait_for(has_checkpoint, what="a checkpoint", timeout=PATIENCE, log=first.log)
    os.kill(int((run.folder / "pid").read_text()), signal.SIGKILL)
    wait_for(lambda: len(starts()) == 2, what="a second child", timeout=PATIENCE, log=first.log)
    run.refresh_from_db()
    assert run.state == RunState.TRAINING
    assert run.progress["n_resumed"] == 1
    left_behind = psutil.Process(int((run.folder / "pid").read_text()))
    first.kill()

    second = start_worker("train")
    wait_for(
        lambda: len(starts()) == 3, what="another worker's child", timeout=PATIENCE, log=second.log
    )
    assert not left_behind.is_running() or left_behind.status() == psutil.STATUS_ZOMBIE
    assert 0 == starts()[0] < starts()[1] <= starts()[2]
    job = Job.objects.get(pk=run.job_id)
    assert job.state == JobState.RUNNING
    assert job.n_attempts == 2

    cancel_training(run=run, actor=manager)
    assert finished(run.job, timeout=PATIENCE, log=second.log).state == JobState.CANCELLED
    run.refresh_from_db()
    assert run.state == RunState.CANCELLED
    assert run.candidate is None
    assert_nothing_left(run)
    assert not (run.folder / "pid").exists()


def test_the_commands_train_promote_and_tag_without_a_worker(
    project: Project, tiny: ModelVersion, import_legends: ImportLegends
) -> None:
    import_legends([long_legend(number) for number in range(30)], labels="gold")
    settings = [part for name, value in BRIEF.items() for part in ("--set", f"{name}={value}")]
    trained = run_command("train", "autophagy", "--recipe", "quick", *settings, "--json")
    assert trained.code == 0
    assert trained.err == ""
    run = TrainingRun.objects.get()
    assert run.job.is_inline
    assert trained.summary["project"] == "autophagy"
    assert trained.summary["run"] == run.pk
    assert trained.summary["snapshot"] == 1
    assert trained.summary["candidate"] == run.candidate.name
    assert set(trained.summary["micro_f1"]) == {run.candidate.name, tiny.name}
    assert Snapshot.objects.get().state == SnapshotState.READY
    assert (
        run_command(
            "promote", run.candidate, "--reason", "One short epoch proves that the way is open."
        ).code
        == 0
    )
    import_legends([long_legend(70)])
    assert run_command("pretag", "autophagy", "--json").summary["model"] == run.candidate.name


@pytest.fixture
def trained_at_once(child: Any, tiny_folders: list[Path]) -> None:
    """A child process that has its model ready before anybody looks."""
    child(
        f"import shutil; out.mkdir(parents=True); shutil.copytree({str(tiny_folders[1])!r}, out /"
        " 'model')\nprint(json.dumps({'event': 'done'}), flush=True)"
    )


def stop_evaluation(monkeypatch: pytest.MonkeyPatch, stop: type[Exception]) -> None:
    """The next evaluation ends before its first batch."""
    real = engine.evaluate

    def stopped(*_: Any, **__: Any) -> dict[str, Any]:
        monkeypatch.setattr(engine, "evaluate", real)
        raise stop

    monkeypatch.setattr(engine, "evaluate", stopped)


@pytest.mark.usefixtures("trained_at_once")
def test_a_run_interrupted_in_evaluation_does_not_train_again(
    learned: Snapshot, tiny: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = started(learned)
    stop_evaluation(monkeypatch, JobInterruptedError)
    run = done(run)
    assert run.state == RunState.QUEUED
    assert run.job.state == JobState.PENDING
    assert run.candidate is None
    assert not ModelVersion.objects.filter(origin=ModelOrigin.TRAINED).exists()
    monkeypatch.setattr(engine, "training_command", None)
    run = done(run)
    assert run.state == RunState.SUCCEEDED, run.error
    assert run.job.state == JobState.SUCCEEDED, run.error
    assert Evaluation.objects.count() == 2
    assert {path.name for path in Path(run.candidate.path).parent.iterdir()} == {run.candidate_name}


@pytest.mark.usefixtures("trained_at_once")
def test_a_run_cancelled_in_evaluation_leaves_no_candidate(
    learned: Snapshot, tiny: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_evaluation(monkeypatch, JobCancelledError)
    run = done(started(learned))
    assert run.state == RunState.CANCELLED
    assert run.job.state == JobState.CANCELLED
    assert run.candidate is None
    assert_nothing_left(run)


@pytest.mark.usefixtures("trained_at_once")
def test_a_stored_evaluation_is_not_repeated(learned: Snapshot, tiny: ModelVersion) -> None:
    first, second = done(started(learned)), done(started(learned))
    assert first.candidate != second.candidate
    assert Evaluation.objects.filter(model_version=tiny).count() == 1
    assert Evaluation.objects.count() == 3
    assert compare(second).current == Evaluation.objects.get(model_version=tiny)


def test_a_snapshot_that_was_changed_is_not_learned_from(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    run = started(learned)
    train = learned.folder / "train.jsonl"
    train.chmod(0o644)
    train.write_text(train.read_text(encoding="utf-8").replace("HeLa", "MEFs"), encoding="utf-8")
    assert_failed_without_a_trace(done(run), "were changed since it was frozen")


def test_a_base_model_with_changed_or_unsafe_files_is_refused(
    learned: Snapshot, tiny: ModelVersion, tmp_path: Path
) -> None:
    from tests.ner_engine.checkpoints import edit_config, save_bert

    folder = save_bert(tmp_path / "own", seed=5)
    own = register_model(location=str(folder))
    edit_config(folder, window_tokens=16)
    assert_failed_without_a_trace(
        done(started(learned, base=own)),
        f"The files of {own.name} are not those it was registered with",
    )
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert_failed_without_a_trace(done(started(learned, base=own)), "as a pickle")
