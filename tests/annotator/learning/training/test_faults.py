"""Training runs survive faults: killed processes and a broker that is gone."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.datasets.models import Snapshot
from annotator.jobs import broker as broker_module
from annotator.jobs.broker import is_reachable, start_embedded_broker
from annotator.jobs.models import Job, JobState
from annotator.jobs.services import hand_out_again
from annotator.learning.models import (
    Evaluation,
    ModelVersion,
    RunState,
    TrainingRun,
)
from annotator.learning.tagging.services import start_pretagging
from tests.annotator.conftest import WorkerProcess, wait_for
from tests.annotator.learning.training.conftest import (
    PATIENCE,
    done,
    has_checkpoint,
    last_step_of,
    started,
    starts_of,
)

pytestmark = pytest.mark.django_db

StartWorker = Callable[..., WorkerProcess]
Finished = Callable[..., Job]
#: Long enough to be disturbed in the middle, short enough to be waited for.
LONG: dict[str, Any] = {"epochs": 30, "batch_size": 1, "checkpoint_seconds": 1}


@pytest.fixture
def own_broker() -> Iterator[ExitStack]:
    """A broker of the test's own; closing the stack is its end."""
    with ExitStack() as running:
        yield running


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder for sockets: the address of a unix socket has at most a hundred characters."""
    with tempfile.TemporaryDirectory(prefix="sdc-") as folder:
        yield Path(folder)


@pytest.fixture
def broker(settings: Any, own_broker: ExitStack, short_folder: Path) -> str:
    """The broker of every process in this file, which a test can stop."""
    socket_path = short_folder / "b" / "valkey.sock"
    settings.CELERY_BROKER_URL = own_broker.enter_context(start_embedded_broker(socket_path))
    return settings.CELERY_BROKER_URL


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_run_with_killed_processes_gives_the_same_model(
    start_worker: StartWorker, finished: Finished, learned: Snapshot, tiny: ModelVersion
) -> None:
    undisturbed = done(started(learned, hyperparameters=LONG))
    assert undisturbed.state == RunState.SUCCEEDED, undisturbed.error
    first = start_worker("train")
    run = started(learned, hyperparameters=LONG)
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


def test_a_run_whose_worker_died_says_so_on_its_page(
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
    assert "The worker that ran this job died. Another one resumes it." in page


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
def test_a_run_continues_without_the_broker(
    start_worker: StartWorker,
    finished: Finished,
    own_broker: ExitStack,
    learned: Snapshot,
    tiny: ModelVersion,
    client_of: Callable[[User | None], Client],
    admin: User,
) -> None:
    worker, panel = start_worker("tag,train"), client_of(admin)
    run = started(learned, hyperparameters=LONG)
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
    assert "broker does not answer" not in page
    waiting = start_pretagging(project=learned.project, actor=SYSTEM)
    Job.objects.filter(pk=waiting.pk).update(created_at=timezone.now() - timedelta(seconds=11))
    assert (
        "The broker does not answer"
        in panel.get(reverse("jobs:job", args=[waiting.pk])).content.decode()
    )
    assert finished(run.job, timeout=PATIENCE, log=worker.log).state == JobState.SUCCEEDED
    run.refresh_from_db()
    assert run.state == RunState.SUCCEEDED
    assert len(starts_of(run)) == 1


@contextmanager
def taken(path: Path) -> Iterator[IO[bytes]]:
    """The lock of a device, as another training holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
