"""Trainings through faults of the machine: killed children and workers, a full disk, a broker that
is gone, a device that is taken."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

import psutil
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.imports import import_documents
from annotator.corpus.models import Document, Layer, LayerKind
from annotator.corpus.services import create_project
from annotator.datasets.models import Snapshot
from annotator.datasets.services import add_snapshot, build_snapshot
from annotator.jobs import broker as broker_module
from annotator.jobs.broker import is_reachable, start_embedded_broker
from annotator.jobs.models import Job, JobState
from annotator.jobs.services import hand_out_again, run_job
from annotator.learning import engine
from annotator.learning.models import (
    Evaluation,
    ModelOrigin,
    ModelVersion,
    RunState,
    TrainingRun,
    TrainingSeries,
)
from annotator.learning.tagging.services import serving_model, start_pretagging
from annotator.learning.training import devices
from annotator.learning.training import disk_space as room
from annotator.learning.training.child_process import read_events
from annotator.learning.training.plan import TrainingRequest
from annotator.learning.training.services import cancel_training, start_training
from ner_engine.registry.catalogue import find_base
from tests.annotator.conftest import WorkerProcess, wait_for
from tests.annotator.datasets.conftest import long_legend
from tests.annotator.learning.conftest import BRIEF
from tests.requirements import Need, need

pytestmark = pytest.mark.django_db
StartWorker = Callable[..., WorkerProcess]
Finished = Callable[..., Job]
ImportLegends = Callable[..., list[Document]]
#: Children give way to everything else on the machine, so on a busy one they may take long to
#: start.
PATIENCE = 400
#: Long enough to be disturbed in the middle, short enough to be waited for.
LONG: dict[str, Any] = {"epochs": 60, "batch_size": 1, "checkpoint_seconds": 1}
ENDLESS: dict[str, Any] = {"epochs": 1000, "batch_size": 1, "checkpoint_seconds": 1}


@pytest.fixture
def own_broker() -> Iterator[ExitStack]:
    """A broker of the test's own; closing the stack is its end."""
    with ExitStack() as running:
        yield running


@pytest.fixture
def broker(settings: Any, own_broker: ExitStack, short_folder: Path) -> str:
    settings.CELERY_BROKER_URL = own_broker.enter_context(
        start_embedded_broker(short_folder / "b" / "valkey.sock")
    )
    return settings.CELERY_BROKER_URL


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """The address of a unix socket may have no more than a hundred characters."""
    with tempfile.TemporaryDirectory(prefix="sdc-") as folder:
        yield Path(folder)


def started(snapshot: Snapshot, **hyperparameters: Any) -> TrainingRun:
    return start_training(
        TrainingRequest(
            project=snapshot.project, snapshot=snapshot, hyperparameters=BRIEF | hyperparameters
        ),
        actor=SYSTEM,
    )


def done(run: TrainingRun) -> TrainingRun:
    """The run after a worker did its job."""
    assert run.job is not None
    run_job(run.job.pk)
    return TrainingRun.objects.select_related("job", "candidate").get(pk=run.pk)


def starts_of(run: TrainingRun) -> list[int]:
    """The step at which each child of the run began."""
    return [event["resumed_at"] for event in read_events(run.folder) if event["event"] == "start"]


def last_step_of(run: TrainingRun) -> int:
    return max(
        (event["step"] for event in read_events(run.folder) if event["event"] == "step"), default=0
    )


def has_checkpoint(run: TrainingRun) -> bool:
    return any((run.folder / "out/checkpoints").glob("checkpoint-*/trainer_state.json"))


def assert_failed_and_the_old_model_serves(
    run: TrainingRun, snapshot: Snapshot, tiny: ModelVersion, import_legends: ImportLegends
) -> None:
    assert run.state == RunState.FAILED
    assert run.job.state == JobState.FAILED
    assert run.candidate is None
    assert not (run.folder / "out").exists()
    assert not (Path(room.settings.MODELS_DIR) / run.candidate_name).exists()
    assert not ModelVersion.objects.filter(origin=ModelOrigin.TRAINED).exists()
    assert not Evaluation.objects.exists()
    assert serving_model(snapshot.project) == tiny
    waiting = import_legends([long_legend(90)])
    run_job(start_pretagging(project=snapshot.project, actor=SYSTEM).pk)
    assert (
        Layer.objects.current().get(kind=LayerKind.SUGGESTED, document=waiting[0]).source
        == tiny.name
    )


# Killed


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_run_whose_child_and_worker_are_killed_gives_the_model_that_an_undisturbed_one_gives(
    start_worker: StartWorker, finished: Finished, learned: Snapshot, tiny: ModelVersion
) -> None:
    undisturbed = done(started(learned, **LONG))
    assert undisturbed.state == RunState.SUCCEEDED, undisturbed.error
    first = start_worker("train")
    run = started(learned, **LONG)
    wait_for(lambda: has_checkpoint(run), what="a checkpoint", timeout=PATIENCE, log=first.log)
    os.kill(int((run.folder / "pid").read_text()), signal.SIGKILL)
    wait_for(
        lambda: len(starts_of(run)) == 2, what="a second child", timeout=PATIENCE, log=first.log
    )
    wait_for(
        lambda: last_step_of(run) > starts_of(run)[1],
        what="a step of the second child",
        timeout=PATIENCE,
        log=first.log,
    )
    first.kill()
    second = start_worker("train")
    job = finished(run.job, timeout=PATIENCE, log=second.log)
    assert job.state == JobState.SUCCEEDED
    assert job.error == ""
    assert job.n_attempts == 2
    began = starts_of(run)
    assert began[0] == 0
    assert 0 < began[1] <= began[2], "nothing was begun from the start again"
    run = TrainingRun.objects.select_related("candidate").get(pk=run.pk)
    assert run.candidate.weights_sha256 == undisturbed.candidate.weights_sha256
    scores = {
        each.model_version_id: each.micro_f1
        for each in Evaluation.objects.filter(
            model_version__in=[run.candidate, undisturbed.candidate]
        )
    }
    assert len(scores) == 2
    assert len(set(scores.values())) == 1


def test_what_waits_after_its_worker_died_says_so_on_its_page(
    client_of: Callable[[User | None], Client],
    admin: User,
    learned: Snapshot,
    tiny: ModelVersion,
    settings: Any,
) -> None:
    run = started(learned)
    Job.objects.filter(pk=run.job_id).move(
        JobState.RUNNING,
        only_from=JobState.PENDING,
        token="gone",
        heartbeat_at=timezone.now() - timedelta(hours=1),
    )
    TrainingRun.objects.filter(pk=run.pk).move(RunState.TRAINING)
    hand_out_again()
    page = (
        client_of(admin)
        .get(reverse("admin:learning_trainingrun_change", args=[run.pk]))
        .content.decode()
    )
    assert (
        "The worker that did this ended without a word. Another one goes on from where it was."
        in page
    )


# No room


def limited_to(n_bytes: int) -> Callable[..., list[str]]:
    """A training that can make no file larger than that."""
    real = engine.training_command
    program = (
        f"import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({n_bytes},"
        f" {n_bytes})); os.execv(sys.argv[1], sys.argv[1:])"
    )
    return lambda **facts: [sys.executable, "-c", program, *real(**facts)]


@pytest.mark.parametrize("share", [0.5, 1.5], ids=["its weights", "its optimiser"])
def test_a_disk_that_takes_no_more_of_a_checkpoint_ends_the_run_and_is_named(
    share: float,
    learned: Snapshot,
    tiny: ModelVersion,
    monkeypatch: pytest.MonkeyPatch,
    import_legends: ImportLegends,
) -> None:
    n_bytes = int(share * 4 * find_base(tiny.path).n_parameters)
    monkeypatch.setattr(engine, "training_command", limited_to(n_bytes))
    run = done(started(learned, **ENDLESS))
    assert f"the disk of {run.folder / 'out'} is full" in run.error
    assert "free some disk space, then start again" in run.error
    assert_failed_and_the_old_model_serves(run, learned, tiny, import_legends)


@contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """A disk of four megabytes at ``place``."""
    place.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)],
        capture_output=True,
        check=False,
    )
    need(
        Need.SMALL_DISK,
        found=mounted.returncode == 0,
        otherwise="This user may not mount a small disk (root may).",
    )
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(place: Path, *, leave: int) -> None:
    with (place / "ballast").open("wb") as stream:
        stream.write(bytes(room.free_bytes(place) - leave))


def test_a_disk_that_fills_up_while_it_trains_ends_the_run_and_is_named(
    learned: Snapshot,
    tiny: ModelVersion,
    monkeypatch: pytest.MonkeyPatch,
    import_legends: ImportLegends,
    settings: Any,
) -> None:
    monkeypatch.setattr(room, "RESERVE_BYTES", 0)
    real = engine.training_command
    with small_disk(Path(settings.RUNS_DIR)) as disk:

        def filled_meanwhile(**facts: Any) -> list[str]:
            fill(disk, leave=200_000)
            return real(**facts)

        monkeypatch.setattr(engine, "training_command", filled_meanwhile)
        run = done(started(learned, **ENDLESS))
        assert str(run.folder) in run.error
        assert "No space left on device" in run.error or "is full" in run.error
        monkeypatch.setattr(engine, "training_command", real)
        assert_failed_and_the_old_model_serves(run, learned, tiny, import_legends)
        (disk / "ballast").unlink()
        assert done(started(learned)).state == RunState.SUCCEEDED


def test_a_disk_that_is_full_when_the_model_is_put_away_ends_the_run_and_is_named(
    learned: Snapshot,
    tiny: ModelVersion,
    tiny_folders: list[Path],
    monkeypatch: pytest.MonkeyPatch,
    import_legends: ImportLegends,
    settings: Any,
) -> None:
    monkeypatch.setattr(room, "RESERVE_BYTES", 0)
    with small_disk(Path(settings.MODELS_DIR)) as disk:

        def trained_at_once(*, out: Path, **_: Any) -> list[str]:
            fill(disk, leave=100_000)
            begin = (
                f"import json, pathlib, shutil; out = pathlib.Path({str(out)!r});"
                " out.mkdir(parents=True)"
            )
            end = (
                f"shutil.copytree({str(tiny_folders[1])!r}, out / 'model');"
                " print(json.dumps({'event': 'done'}))"
            )
            return [sys.executable, "-c", f"{begin}; {end}"]

        monkeypatch.setattr(engine, "training_command", trained_at_once)
        run = done(started(learned))
        assert f"could not be written to {disk}" in run.error
        assert "No space left on device" in run.error
        assert [path.name for path in disk.iterdir()] == ["ballast"]
        assert_failed_and_the_old_model_serves(run, learned, tiny, import_legends)


def test_a_run_does_not_begin_where_there_is_too_little_room_for_it(
    learned: Snapshot,
    tiny: ModelVersion,
    monkeypatch: pytest.MonkeyPatch,
    import_legends: ImportLegends,
) -> None:
    monkeypatch.setattr(room, "free_bytes", lambda folder: room.RESERVE_BYTES)
    monkeypatch.setattr(engine, "training_command", None)
    run = done(started(learned))
    needed = 10 * 4 * find_base(tiny.path).n_parameters
    assert (
        f"The training needs {room.in_bytes(needed)} on the disk of {room.settings.RUNS_DIR}"
        in run.error
    )
    assert f"{room.in_bytes(needed)} are missing" in run.error
    assert_failed_and_the_old_model_serves(run, learned, tiny, import_legends)


def test_what_a_run_has_written_already_counts_as_room_that_it_has(
    learned: Snapshot, tiny: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs = room.DiskSpace(runs=9_000_000, models=1_000_000)
    monkeypatch.setattr(room, "free_bytes", lambda folder: room.RESERVE_BYTES + 4_000_000)
    assert "6 MB are missing" in room.shortage(needs)
    assert room.shortage(needs, taken=6_000_000) == ""
    with pytest.raises(UserError, match="1 MB are missing"):
        room.refuse_without_space(needs, taken=5_000_000)


def test_what_ended_runs_left_goes_before_the_next_begins_and_what_lives_stays(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    runs = Path(room.settings.RUNS_DIR)
    waiting = started(learned)
    ended = TrainingRun.objects.create(
        project=learned.project, snapshot=learned, base=tiny, recipe="quick", state=RunState.FAILED
    )
    over = Job.objects.create(kind="try_training", state=JobState.FAILED)
    series = TrainingSeries.objects.create(
        project=learned.project,
        snapshot=learned,
        base=tiny,
        kind="curve",
        recipe="quick",
        result={"done": 1},
    )
    left = [
        runs / ended.folder.name / "out",
        runs / "run-99999" / "out",
        runs / f"trial-{over.pk}" / "out",
        runs / "series-99999" / "found",
    ]
    stays = [
        waiting.folder / "out",
        runs / "run-88888" / "out",
        runs / f"trial-{waiting.job_id}" / "out",
        series.folder / "found",
    ]
    for folder in (*left, *stays):
        (folder / "checkpoints").mkdir(parents=True)
    (ended.folder / "events.jsonl").touch()
    with (runs / "run-88888" / "lock").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert room.remove_leftovers_of_ended_runs() == 4
    assert not any(folder.exists() for folder in left)
    assert all(folder.exists() for folder in stays)
    assert (ended.folder / "events.jsonl").exists()


def test_a_child_is_not_left_alone_where_its_number_cannot_be_written_down(
    learned: Snapshot, tiny: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = started(learned)

    def with_no_place_for_it(**_: Any) -> list[str]:
        (run.folder / "pid").mkdir(parents=True)
        return [sys.executable, "-c", "import time; time.sleep(600)"]

    monkeypatch.setattr(engine, "training_command", with_no_place_for_it)
    children = psutil.Process().children(recursive=True)
    run = done(run)
    assert run.state == RunState.FAILED
    assert set(psutil.Process().children(recursive=True)) <= set(children)


# No broker


def test_whether_the_broker_answers_is_known_without_a_pause(
    monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path
) -> None:
    def pause(seconds: float) -> None:
        raise AssertionError(f"a page would wait for {seconds} s")

    monkeypatch.setattr("kombu.utils.functional.sleep", pause)
    settings.CELERY_BROKER_URL = f"redis+socket://{tmp_path / 'nobody.sock'}"
    assert not is_reachable()


def test_a_broker_that_hangs_is_asked_once_for_a_whole_page(
    monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path
) -> None:
    monkeypatch.setattr(broker_module, "_silence", broker_module._Silence())
    asked: list[socket.socket] = []
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "deaf.sock"))
        deaf.listen()
        deaf.setblocking(False)

        def taken() -> int:
            with suppress(BlockingIOError):
                while True:
                    asked.append(deaf.accept()[0])
            return len(asked)

        settings.CELERY_BROKER_URL = f"redis+socket://{tmp_path / 'deaf.sock'}"
        assert not is_reachable()
        n_asked = taken()
        assert n_asked
        assert not any(is_reachable() for _ in range(20))
        assert taken() == n_asked
    for connection in asked:
        connection.close()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_run_goes_on_while_the_broker_is_gone_and_what_waits_for_it_says_so(
    start_worker: StartWorker,
    finished: Finished,
    own_broker: ExitStack,
    learned: Snapshot,
    tiny: ModelVersion,
    client_of: Callable[[User | None], Client],
    admin: User,
) -> None:
    worker, panel = start_worker("tag,train"), client_of(admin)
    run = started(learned, **LONG)
    wait_for(lambda: last_step_of(run) > 0, what="a step", timeout=PATIENCE, log=worker.log)
    own_broker.close()
    reached = last_step_of(run)
    wait_for(
        lambda: last_step_of(run) > reached or not starts_of(run),
        what="a further step",
        timeout=PATIENCE,
        log=worker.log,
    )
    page = panel.get(reverse("admin:learning_trainingrun_change", args=[run.pk])).content.decode()
    assert "the broker does not answer" not in page
    waiting = start_pretagging(project=learned.project, actor=SYSTEM)
    Job.objects.filter(pk=waiting.pk).update(created_at=timezone.now() - timedelta(seconds=11))
    assert (
        "the broker does not answer"
        in panel.get(reverse("jobs:detail", args=[waiting.pk])).content.decode()
    )
    assert finished(run.job, timeout=PATIENCE, log=worker.log).state == JobState.SUCCEEDED
    run.refresh_from_db()
    assert run.state == RunState.SUCCEEDED
    assert len(starts_of(run)) == 1


# One device


@contextmanager
def taken(path: Path) -> Iterator[IO[bytes]]:
    """The lock of a device, as another training holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


@pytest.fixture
def two_accelerators(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """This machine as if it had two; their locks."""
    monkeypatch.setattr(engine, "accelerators", lambda: [("0", "uuid-a"), ("1", "uuid-b")])
    monkeypatch.setattr(devices, "PATIENCE_SECONDS", 0.0)
    return [Path(room.settings.RUNS_DIR) / "devices" / f"uuid-{name}.lock" for name in "ab"]


@pytest.fixture
def tells_its_device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A child that only says on which device it was put; the file in which it does."""
    told = tmp_path / "told"
    program = (
        f"import json, os; open({str(told)!r}, 'a').write(os.environ.get('CUDA_VISIBLE_DEVICES',"
        " '-') + ' ')"
    )
    end = "print(json.dumps({'event': 'error', 'message': 'that was all'}))"
    monkeypatch.setattr(
        engine, "training_command", lambda **_: [sys.executable, "-c", f"{program}; {end}"]
    )
    return told


def test_a_training_takes_a_free_accelerator_and_sees_no_other(
    learned: Snapshot, tiny: ModelVersion, two_accelerators: list[Path], tells_its_device: Path
) -> None:
    done(started(learned))
    with taken(two_accelerators[0]):
        done(started(learned))
    assert tells_its_device.read_text().split() == ["0", "1"]


def test_a_training_waits_where_every_accelerator_is_taken_and_holds_no_thread_meanwhile(
    learned: Snapshot,
    tiny: ModelVersion,
    two_accelerators: list[Path],
    tells_its_device: Path,
    client_of: Callable[[User | None], Client],
    admin: User,
) -> None:
    run = started(learned)
    with taken(two_accelerators[0]), taken(two_accelerators[1]):
        run = done(run)
    assert run.state == RunState.QUEUED
    assert run.job.state == JobState.PENDING
    assert run.job.n_attempts == 0
    page = (
        client_of(admin)
        .get(reverse("admin:learning_trainingrun_change", args=[run.pk]))
        .content.decode()
    )
    assert (
        "Another training uses the accelerator of this machine. This one starts when that"
        " has ended." in page
    )
    assert not tells_its_device.exists()
    assert "that was all" in done(run).error
    assert tells_its_device.read_text().split() == ["0"]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_two_projects_train_one_after_the_other_on_one_device(
    start_worker: StartWorker,
    finished: Finished,
    learned: Snapshot,
    tiny: ModelVersion,
    manager: User,
) -> None:
    other = create_project(name="Other", slug="other", actor=manager)
    legends = iter([long_legend(number) for number in range(30)])
    import_documents(
        project=other, documents=legends, source_format="jsonl", labels="gold", actor=manager
    )
    beside = build_snapshot(snapshot=add_snapshot(project=other, actor=SYSTEM))
    workers = [start_worker("train"), start_worker("train")]
    runs = [started(learned, **ENDLESS), started(beside, **ENDLESS)]

    def waiting() -> list[TrainingRun]:
        return [
            run
            for run in runs
            if "Another training uses the CPU" in Job.objects.get(pk=run.job_id).message
        ]

    wait_for(
        lambda: len(waiting()) == 1,
        what="one to wait for the other",
        timeout=PATIENCE,
        log=workers[0].log,
    )
    (second,) = waiting()
    (first,) = (run for run in runs if run != second)
    wait_for(
        lambda: last_step_of(first) > 0,
        what="the first to train",
        timeout=PATIENCE,
        log=workers[0].log,
    )
    assert psutil.pid_exists(int((first.folder / "pid").read_text()))
    assert starts_of(second) == []
    assert Job.objects.get(pk=second.job_id).state == JobState.PENDING
    cancel_training(run=first, actor=SYSTEM)
    wait_for(
        lambda: last_step_of(second) > 0,
        what="the second to train",
        timeout=PATIENCE,
        log=workers[1].log,
    )
    assert TrainingRun.objects.get(pk=first.pk).state == RunState.CANCELLED
    cancel_training(run=second, actor=SYSTEM)
    assert finished(second.job, timeout=PATIENCE, log=workers[1].log).state == JobState.CANCELLED
