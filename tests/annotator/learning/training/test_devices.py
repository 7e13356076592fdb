"""Each training claims one device, and waits if all are in use."""

from __future__ import annotations

import fcntl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import psutil
import pytest
from django.test import Client
from django.urls import reverse

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.corpus.imports import import_documents
from annotator.corpus.services import create_project
from annotator.datasets.models import Snapshot
from annotator.datasets.snapshots.services import add_snapshot, build_snapshot
from annotator.jobs.models import Job, JobState
from annotator.learning import engine
from annotator.learning.models import (
    ModelVersion,
    RunState,
    TrainingRun,
)
from annotator.learning.training import devices
from annotator.learning.training import disk_space as room
from annotator.learning.training.services import cancel_training
from tests.annotator.conftest import WorkerProcess, wait_for
from tests.annotator.datasets.conftest import long_legend
from tests.annotator.learning.training.conftest import (
    PATIENCE,
    done,
    last_step_of,
    started,
    starts_of,
)

pytestmark = pytest.mark.django_db

StartWorker = Callable[..., WorkerProcess]
Finished = Callable[..., Job]
ENDLESS: dict[str, Any] = {"epochs": 1000, "batch_size": 1, "checkpoint_seconds": 1}


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


def test_a_training_claims_a_free_accelerator_and_sees_no_other(
    learned: Snapshot, tiny: ModelVersion, two_accelerators: list[Path], tells_its_device: Path
) -> None:
    done(started(learned))
    with taken(two_accelerators[0]):
        done(started(learned))
    assert tells_its_device.read_text().split() == ["0", "1"]


def test_a_training_waits_without_a_thread_if_all_are_taken(
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


@pytest.fixture
def snapshot_of_another_project(manager: User, tiny: ModelVersion) -> Snapshot:
    project = create_project(name="Other", slug="other", actor=manager)
    legends = iter([long_legend(number) for number in range(30)])
    import_documents(
        project=project, documents=legends, source_format="jsonl", labels="gold", actor=manager
    )
    return build_snapshot(snapshot=add_snapshot(project=project, actor=SYSTEM))


def waits_for_the_device(run: TrainingRun) -> bool:
    return "Another training uses the CPU" in Job.objects.get(pk=run.job_id).message


def wait_until_it_trains(run: TrainingRun, worker: WorkerProcess) -> None:
    wait_for(
        lambda: last_step_of(run) > 0, what="the run to train", timeout=PATIENCE, log=worker.log
    )


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_two_projects_train_one_after_the_other_on_one_device(
    start_worker: StartWorker,
    finished: Finished,
    learned: Snapshot,
    snapshot_of_another_project: Snapshot,
) -> None:
    workers = [start_worker("train"), start_worker("train")]
    snapshots = (learned, snapshot_of_another_project)
    runs = [started(snapshot, hyperparameters=ENDLESS) for snapshot in snapshots]
    wait_for(
        lambda: sum(map(waits_for_the_device, runs)) == 1,
        what="one to wait for the other",
        timeout=PATIENCE,
        log=workers[0].log,
    )
    first, second = sorted(runs, key=waits_for_the_device)
    wait_until_it_trains(first, workers[0])
    assert psutil.pid_exists(int((first.folder / "pid").read_text()))
    assert starts_of(second) == []
    assert Job.objects.get(pk=second.job_id).state == JobState.PENDING
    cancel_training(run=first, actor=SYSTEM)
    wait_until_it_trains(second, workers[1])
    assert TrainingRun.objects.get(pk=first.pk).state == RunState.CANCELLED
    cancel_training(run=second, actor=SYSTEM)
    assert finished(second.job, timeout=PATIENCE, log=workers[1].log).state == JobState.CANCELLED
