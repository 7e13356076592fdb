"""Training runs: from the queue to a judged candidate, through deaths of children and workers, or
to a sentence that says why not."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.models import Document, Layer, LayerKind, Project
from annotator.corpus.services import create_project
from annotator.datasets.models import Snapshot, SnapshotState
from annotator.datasets.services import add_snapshot, build_snapshot
from annotator.datasets.snapshots import rows_of
from annotator.jobs.errors import JobCancelledError, JobConflictError, JobInterruptedError
from annotator.jobs.models import Job, JobState
from annotator.jobs.services import request_cancel, run_job
from annotator.learning import engine
from annotator.learning.evaluation.services import compare
from annotator.learning.models import Evaluation, ModelOrigin, ModelVersion, RunState, TrainingRun
from annotator.learning.serving.promotion import promote
from annotator.learning.tagging.services import PRETAG_KIND, register_model, serving_model
from annotator.learning.training.child_process import MAX_DEATHS, read_events
from annotator.learning.training.plan import TrainingRequest
from annotator.learning.training.services import (
    TRAIN_KIND,
    cancel_training,
    settle_runs,
    start_training,
)
from ner_engine.registry.catalogue import find
from ner_engine.split import split_of
from tests.annotator.commands import run_command
from tests.annotator.conftest import WorkerProcess, wait_for
from tests.annotator.datasets.conftest import long_legend
from tests.annotator.learning.conftest import BRIEF, plant

pytestmark = pytest.mark.django_db
ImportLegends = Callable[..., list[Document]]
CandidateOf = Callable[..., ModelVersion]
#: Children give way to everything else on the machine, so on a busy one they may take long to
#: start.
PATIENCE = 400


def started(snapshot: Snapshot, **facts: Any) -> TrainingRun:
    return start_training(
        TrainingRequest(
            project=snapshot.project,
            snapshot=snapshot,
            hyperparameters=BRIEF | facts.pop("hyperparameters", {}),
            **facts,
        ),
        actor=SYSTEM,
    )


def done(run: TrainingRun) -> TrainingRun:
    """The run after a worker did its job."""
    assert run.job is not None
    run_job(run.job.pk)
    return TrainingRun.objects.select_related("job", "candidate").get(pk=run.pk)


def assert_failed_without_a_trace(run: TrainingRun, *sentences: str) -> None:
    assert run.state == RunState.FAILED
    assert run.job.state == JobState.FAILED
    assert run.candidate is None
    assert run.error == run.job.error
    for sentence in sentences:
        assert sentence in run.error
    assert_nothing_left(run)


def assert_nothing_left(run: TrainingRun) -> None:
    assert not (run.folder / "out").exists()
    assert not Evaluation.objects.exists()
    assert not ModelVersion.objects.filter(origin=ModelOrigin.TRAINED).exists()
    models = Path(run.folder.parent.parent / "models")
    assert not models.exists() or list(models.iterdir()) == []


# The whole way


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_run_goes_from_the_queue_to_a_judged_candidate_that_can_serve(
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
    assert (job.state, job.error) == (JobState.SUCCEEDED, ""), worker.log.read_text()[-3000:]
    run.refresh_from_db()
    candidate = run.candidate
    assert run.state == RunState.SUCCEEDED
    assert (run.finished_at is not None) is True
    assert candidate.name == run.candidate_name
    assert candidate.parent == tiny
    assert candidate.project == project
    assert candidate.origin == ModelOrigin.TRAINED
    assert (
        set(find(candidate.path).labels) == set(candidate.labels) == set(learned.report["labels"])
    )
    assert not (run.folder / "out").exists()
    assert run.progress["memory_bytes"] > 10_000_000

    evaluations = {evaluation.model_version: evaluation for evaluation in Evaluation.objects.all()}
    assert set(evaluations) == {candidate, tiny}
    assert {evaluation.scores["micro"]["support"] for evaluation in evaluations.values()} == {
        learned.counts["test"]["spans"]
    }
    card = (Path(candidate.path) / "README.md").read_text(encoding="utf-8")
    assert learned.content_hash in card
    assert tiny.weights_sha256 in card
    judged = evaluations[candidate].scores["micro"]["f1"], evaluations[tiny].scores["micro"]["f1"]
    assert (
        f"| {judged[0]:.4f} | {learned.counts['test']['spans']} | {judged[1]:.4f} |"
        f" {100 * (judged[0] - judged[1]):+.1f} |" in card
    )
    assert card.index("## Judged before service") < card.index("## Licence")
    comparison = compare(run)
    assert comparison.candidate == evaluations[candidate]
    assert comparison.current == evaluations[tiny]
    kinds = [event["event"] for event in read_events(run.folder)]
    assert kinds[0] == "start"
    assert kinds[-1] == "done"
    assert ("step" in kinds) is True

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
def test_a_killed_child_and_a_killed_worker_cost_minutes_and_a_cancelled_run_leaves_no_candidate(
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


# What the supervisor makes of a child


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a program of the test's own in place of the training."""

    def replace(script: str) -> None:
        def command(*, out: Path, **_: Any) -> list[str]:
            return [
                sys.executable,
                "-c",
                f"import json, os, pathlib, sys, time\nout = pathlib.Path({str(out)!r})\n{script}",
            ]

        monkeypatch.setattr(engine, "training_command", command)

    return replace


def test_a_child_that_dies_at_the_same_place_again_and_again_is_given_up(
    learned: Snapshot, tiny: ModelVersion, child: Any
) -> None:
    child("os.kill(os.getpid(), 9)")
    run = done(started(learned))
    assert_failed_without_a_trace(
        run, f"ended {MAX_DEATHS} times at the same place (SIGKILL)", "Choose a smaller batch_size"
    )
    assert [event["event"] for event in read_events(run.folder)] == ["died"] * MAX_DEATHS


def test_a_child_that_gets_further_each_time_is_taken_up_more_often(
    learned: Snapshot, tiny: ModelVersion, child: Any
) -> None:
    child(
        "out.mkdir(parents=True, exist_ok=True)\nstep = len(list(out.iterdir())) + 1\n(out /"
        " str(step)).touch()\nprint(json.dumps({'event': 'step', 'step': step, 'steps': 9}),"
        " flush=True)\nprint(json.dumps({'event': 'error', 'message': 'the well is dry'}),"
        " flush=True) if step == 6 else None\nos.kill(os.getpid(), 9)"
    )
    run = done(started(learned))
    assert_failed_without_a_trace(run, "the well is dry.")
    assert run.progress["n_resumed"] == 5 > MAX_DEATHS


def test_what_a_child_says_beside_its_events_disturbs_nothing(
    learned: Snapshot, tiny: ModelVersion, child: Any
) -> None:
    child(
        "print('Loading …'); print('[1, 2]'); print('{\"event\"'); print('{\"event\": \"error\","
        ' "message": "no room"}\'); sys.exit(2)'
    )
    run = done(started(learned))
    assert_failed_without_a_trace(run, "no room.")
    assert [event["event"] for event in read_events(run.folder)] == ["error"]


def test_a_child_that_stops_without_a_word_is_told_apart_from_one_that_was_killed(
    learned: Snapshot, tiny: ModelVersion, child: Any
) -> None:
    child("sys.exit(2)")
    assert_failed_without_a_trace(done(started(learned)), "see train.log in the run's folder")


def test_a_run_is_cancelled_while_its_child_is_silent(
    learned: Snapshot, tiny: ModelVersion, child: Any
) -> None:
    child("time.sleep(600)")
    run = started(learned)
    real = engine.training_command

    def cancelled_meanwhile(**facts: Any) -> list[str]:
        request_cancel(job=run.job, actor=SYSTEM)
        return real(**facts)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "training_command", cancelled_meanwhile)
        run = done(run)
    assert run.state == RunState.CANCELLED
    assert run.job.state == JobState.CANCELLED
    assert run.error == ""
    assert_nothing_left(run)


# Judging


@pytest.fixture
def trained_at_once(child: Any, tiny_folders: list[Path]) -> None:
    """A child that has its model ready before anybody looks."""
    child(
        f"import shutil; out.mkdir(parents=True); shutil.copytree({str(tiny_folders[1])!r}, out /"
        " 'model')\nprint(json.dumps({'event': 'done'}), flush=True)"
    )


def stop_judging(monkeypatch: pytest.MonkeyPatch, stop: type[Exception]) -> None:
    """The next judging ends before its first batch."""
    real = engine.evaluate

    def stopped(*_: Any, **__: Any) -> dict[str, Any]:
        monkeypatch.setattr(engine, "evaluate", real)
        raise stop

    monkeypatch.setattr(engine, "evaluate", stopped)


@pytest.mark.usefixtures("trained_at_once")
def test_a_run_that_is_interrupted_while_it_judges_does_not_train_again(
    learned: Snapshot, tiny: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = started(learned)
    stop_judging(monkeypatch, JobInterruptedError)
    run = done(run)
    assert run.state == RunState.QUEUED
    assert run.job.state == JobState.PENDING
    assert run.candidate is None
    assert not ModelVersion.objects.filter(origin=ModelOrigin.TRAINED).exists()
    monkeypatch.setattr(engine, "training_command", None)
    run = done(run)
    assert (run.state, run.job.state) == (RunState.SUCCEEDED, JobState.SUCCEEDED), run.error
    assert Evaluation.objects.count() == 2
    assert {path.name for path in Path(run.candidate.path).parent.iterdir()} == {run.candidate_name}


@pytest.mark.usefixtures("trained_at_once")
def test_a_run_that_is_cancelled_while_it_judges_leaves_no_candidate(
    learned: Snapshot, tiny: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_judging(monkeypatch, JobCancelledError)
    run = done(started(learned))
    assert run.state == RunState.CANCELLED
    assert run.job.state == JobState.CANCELLED
    assert run.candidate is None
    assert_nothing_left(run)


@pytest.mark.usefixtures("trained_at_once")
def test_scores_that_there_are_already_are_not_measured_again(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    first, second = done(started(learned)), done(started(learned))
    assert first.candidate != second.candidate
    assert Evaluation.objects.filter(model_version=tiny).count() == 1
    assert Evaluation.objects.count() == 3
    assert compare(second).current == Evaluation.objects.get(model_version=tiny)


# Disks


def test_a_folder_that_takes_no_files_is_told_in_a_sentence(
    learned: Snapshot, tiny: ModelVersion, settings: Any, var: Path
) -> None:
    (var / "file").touch()
    settings.RUNS_DIR = var / "file"
    assert_failed_without_a_trace(
        done(started(learned)), "could not be written", "Make room on the disk"
    )


def test_a_full_disk_under_the_runs_log_is_told_in_a_sentence(
    learned: Snapshot, tiny: ModelVersion, child: Any
) -> None:
    child("print(json.dumps({'event': 'start'}), flush=True)\ntime.sleep(600)")
    run = started(learned)
    run.folder.mkdir(parents=True)
    (run.folder / "events.jsonl").symlink_to("/dev/full")
    run = done(run)
    assert_failed_without_a_trace(run, "No space left on device", "Make room on the disk")


def test_a_folder_in_which_the_child_cannot_write_is_told_in_a_sentence(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    run = started(learned)
    run.folder.mkdir(parents=True)
    (run.folder / "out").touch()
    run = done(run)
    with suppress(FileNotFoundError):
        (run.folder / "out").unlink()
    assert_failed_without_a_trace(run, "a file could not be read or written")


# Leaks and changed files


def test_a_paper_on_both_sides_stops_the_run_and_is_named(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    row = next(rows_of(learned.folder, "test"))
    plant(
        learned,
        side="train",
        row={**row, "id": "planted", "text": "Another panel of the same paper."},
    )
    assert_failed_without_a_trace(
        done(started(learned)), f"The paper {row['doi']} is among those the model learned from"
    )


def test_the_same_text_under_another_doi_stops_the_run_and_both_papers_are_named(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    row = next(rows_of(learned.folder, "test"))
    lineage = {**row["attributes"]["lineage"], "paper": "10.9999/copy"}
    plant(
        learned,
        side="train",
        row={**row, "id": "planted", "doi": "10.9999/copy", "attributes": {"lineage": lineage}},
    )
    assert_failed_without_a_trace(
        done(started(learned)), row["doi"], "10.9999/copy", "has the same text as panel planted"
    )


def test_nearly_the_same_text_stops_the_run_and_both_papers_are_named(
    learned: Snapshot, tiny: ModelVersion
) -> None:
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
    assert_failed_without_a_trace(
        done(started(learned)), row["doi"], "is nearly the same as panel planted of 10.9999/copy"
    )


def test_nearly_the_same_text_that_an_ancestor_learned_from_stops_the_run(
    learned: Snapshot, tiny: ModelVersion, candidate_of: CandidateOf, import_legends: ImportLegends
) -> None:
    ancestor = candidate_of(learned)
    row = next(rows_of(learned.folder, "train"))
    held_out = next(doi for doi in (f"10.3000/{n}" for n in range(100)) if split_of(doi) == "test")
    import_legends(
        [long_legend(int(row["id"].removeprefix("p")), doi=held_out, protein="LC3B")], labels="gold"
    )
    newer = build_snapshot(snapshot=add_snapshot(project=learned.project, actor=SYSTEM))
    run = done(started(newer, base=ancestor))
    assert run.state == RunState.FAILED
    for said in (
        held_out,
        row["doi"],
        "is nearly the same",
        "train on it from a model that did not learn from this paper",
    ):
        assert said in run.error


def test_a_text_that_an_ancestor_learned_from_stops_the_run_and_another_base_is_the_way_out(
    learned: Snapshot, tiny: ModelVersion, candidate_of: CandidateOf, import_legends: ImportLegends
) -> None:
    ancestor = candidate_of(learned)
    row = next(rows_of(learned.folder, "train"))
    held_out = next(doi for doi in (f"10.3000/{n}" for n in range(100)) if split_of(doi) == "test")
    import_legends([long_legend(int(row["id"].removeprefix("p")), doi=held_out)], labels="gold")
    newer = build_snapshot(snapshot=add_snapshot(project=learned.project, actor=SYSTEM))
    run = done(started(newer, base=ancestor))
    assert run.state == RunState.FAILED
    assert held_out in run.error
    assert row["doi"] in run.error
    assert "train on it from a model that did not learn from this paper" in run.error


def test_a_snapshot_that_was_changed_is_not_learned_from(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    run = started(learned)
    train = learned.folder / "train.jsonl"
    train.chmod(0o644)
    train.write_text(train.read_text(encoding="utf-8").replace("HeLa", "MEFs"), encoding="utf-8")
    assert_failed_without_a_trace(done(run), "were changed since it was frozen")


def test_a_base_whose_files_were_changed_or_poisoned_is_not_trained_from(
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


# What is refused before anything starts


@pytest.mark.parametrize(
    ("recipe", "hyperparameters", "sentence"),
    [
        ("magic", {}, "here is no recipe magic"),
        ("quick", {"epochs": 0}, "epochs must lie between"),
        ("quick", {"epochs": "nan"}, "epochs must lie between"),
        ("quick", {"learning_rate": 5}, "learning_rate must lie between"),
        ("quick", {"batch_size": 2.5}, "batch_size cannot be"),
        ("quick", {"schedule": "random"}, "schedule must be one of"),
        ("quick", {"out": "/etc"}, "there is no hyperparameter out"),
        ("quick", {"base": "/etc"}, "there is no hyperparameter base"),
    ],
)
def test_bad_hyperparameters_are_refused_before_anything_starts(
    recipe: str,
    hyperparameters: dict[str, Any],
    sentence: str,
    learned: Snapshot,
    tiny: ModelVersion,
) -> None:
    with pytest.raises(UserError, match=sentence):
        start_training(
            TrainingRequest(
                project=learned.project,
                snapshot=learned,
                recipe=recipe,
                hyperparameters=hyperparameters,
            ),
            actor=SYSTEM,
        )
    settings = [
        part for name, value in hyperparameters.items() for part in ("--set", f"{name}={value}")
    ]
    ended = run_command("train", "autophagy", "--recipe", recipe, *settings, "--json")
    assert ended.code == 2
    assert (sentence in ended.summary["error"]) is True
    assert not TrainingRun.objects.exists()
    assert not Job.objects.exists()
    assert Snapshot.objects.count() == 1


def test_a_snapshot_that_cannot_be_judged_on_is_refused(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    project = learned.project
    elsewhere = create_project(name="Other", slug="other", actor=SYSTEM)
    counts = {**learned.counts, "test": {"panels": 0}}
    facts = {"split_rule": "x", "tokenizer_version": "x"}
    for snapshot, sentence in (
        (
            Snapshot.objects.create(
                project=project, number=2, state=SnapshotState.BUILDING, **facts
            ),
            "Snapshot 2 is not ready",
        ),
        (
            Snapshot.objects.create(
                project=project, number=3, state=SnapshotState.READY, counts=counts, **facts
            ),
            "Snapshot 3 has no held-out papers",
        ),
        (
            Snapshot.objects.create(
                project=elsewhere, number=1, state=SnapshotState.READY, counts=counts, **facts
            ),
            "belongs to another project",
        ),
    ):
        with pytest.raises(UserError, match=sentence):
            start_training(TrainingRequest(project=project, snapshot=snapshot), actor=SYSTEM)
    ended = run_command("train", "autophagy", "--snapshot", 9)
    assert (
        ended.code,
        "There is no snapshot 9 in autophagy. Snapshots: 3, 2, 1." in ended.err,
    ) == (2, True), ended.err
    assert not TrainingRun.objects.exists()


def test_a_base_of_another_project_or_retired_is_refused(
    learned: Snapshot, tiny: ModelVersion, other: ModelVersion
) -> None:
    elsewhere = create_project(name="Other", slug="other", actor=SYSTEM)
    for changes in ({"project": elsewhere}, {"project": None, "retired_at": "2026-01-01T00:00Z"}):
        ModelVersion.objects.filter(pk=other.pk).update(**changes)
        with pytest.raises(UserError, match="is retired or belongs to another project"):
            start_training(
                TrainingRequest(project=learned.project, snapshot=learned, base=other), actor=SYSTEM
            )
        assert run_command("train", "autophagy", "--base", other).code == 2
    assert not TrainingRun.objects.exists()


def test_one_training_of_a_project_at_a_time(
    learned: Snapshot, tiny: ModelVersion, import_legends: ImportLegends
) -> None:
    run = started(learned)
    with pytest.raises(JobConflictError):
        started(learned)
    ended = run_command("train", "autophagy", "--snapshot", 1)
    assert ended.code == 2
    assert ("waiting or running already" in ended.err) is True
    assert list(TrainingRun.objects.all()) == [run]
    assert Job.objects.filter(kind=TRAIN_KIND).count() == 1
    cancel_training(run=run, actor=SYSTEM)
    assert started(learned).state == RunState.QUEUED


def test_a_training_whose_command_was_killed_does_not_stand_in_the_way_of_the_next(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    dead = started(learned)
    TrainingRun.objects.filter(pk=dead.pk).move(RunState.TRAINING)
    Job.objects.filter(pk=dead.job_id).update(
        is_inline=True, state=JobState.RUNNING, heartbeat_at=timezone.now()
    )
    with pytest.raises(JobConflictError):
        started(learned)  # the command may live: it spoke a moment ago
    Job.objects.filter(pk=dead.job_id).update(heartbeat_at=timezone.now() - timedelta(hours=1))
    run = started(learned)
    assert run.state == RunState.QUEUED
    assert run.job.state == JobState.PENDING
    settle_runs(project=learned.project)
    dead.refresh_from_db()
    assert dead.state == RunState.FAILED
    assert ("The command that did this ended before its work was done" in dead.error) is True


def test_only_managers_train_and_cancel(
    learned: Snapshot,
    tiny: ModelVersion,
    reviewer: User,
    curator: User,
    viewer: User,
    stranger: User,
    manager: User,
) -> None:
    run = start_training(TrainingRequest(project=learned.project, snapshot=learned), actor=manager)
    for user in (reviewer, curator, viewer, stranger):
        with pytest.raises(PermissionDenied):
            start_training(TrainingRequest(project=learned.project, snapshot=learned), actor=user)
        with pytest.raises(PermissionDenied):
            cancel_training(run=run, actor=user)
    assert cancel_training(run=run, actor=manager).state == RunState.CANCELLED
    assert list(TrainingRun.objects.all()) == [run]


def test_a_run_whose_job_was_given_up_is_ended_with_the_jobs_sentence(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    run = started(learned)
    TrainingRun.objects.filter(pk=run.pk).move(RunState.TRAINING)
    (run.folder / "out/checkpoints").mkdir(parents=True)
    Job.objects.filter(pk=run.job_id).move(
        JobState.FAILED,
        only_from=JobState.PENDING,
        error="The worker died 3 times while doing this.",
    )
    settle_runs(project=learned.project)
    run.refresh_from_db()
    assert_failed_without_a_trace(run, "The worker died 3 times")
    assert started(learned).state == RunState.QUEUED
