"""Jobs with a real broker and real worker processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.jobs import broker as broker_module
from annotator.jobs.models import Job, JobState, Worker
from annotator.jobs.services import enqueue, live_queues, request_cancel
from tests.annotator.conftest import WorkerProcess, wait_for
from tests.annotator.jobs.handlers import Numbers, Place

HANDLERS = ["tests.annotator.jobs.handlers"]
pytestmark = pytest.mark.usefixtures("transactional_db")

StartWorker = Callable[..., WorkerProcess]
Finished = Callable[..., Job]


@pytest.fixture(autouse=True)
def handlers() -> None:
    """The kinds are known here too: who enqueues must know the queue."""
    import tests.annotator.jobs.handlers  # noqa: F401


def test_a_worker_does_the_job_and_its_report_is_kept(
    start_worker: StartWorker, finished: Finished
) -> None:
    worker = start_worker(modules=HANDLERS)
    job = finished(
        enqueue(kind="test_sum", scope="", payload=Numbers([1, 2, 39]), actor=SYSTEM),
        log=worker.log,
    )
    assert job.state == JobState.SUCCEEDED
    assert job.result == {"sum": 42}
    assert job.n_done == 3
    assert job.n_attempts == 1
    assert job.started_at <= job.finished_at


def test_a_job_of_a_killed_worker_is_finished_by_another(
    start_worker: StartWorker, finished: Finished, tmp_path: Path
) -> None:
    first = start_worker(modules=HANDLERS)
    job = enqueue(kind="test_wait", scope="", payload=Place(str(tmp_path)), actor=SYSTEM)
    wait_for((tmp_path / "begun").exists, what="the first run", log=first.log)
    first.kill()
    second = start_worker(modules=HANDLERS)
    wait_for(
        lambda: len((tmp_path / "begun").read_text().split()) == 2,
        what="the second run",
        log=second.log,
    )
    (tmp_path / "go").touch()
    job = finished(job, log=second.log)
    assert job.state == JobState.SUCCEEDED
    assert job.n_attempts == 2
    assert job.result == {"waited": True}


def test_messages_that_come_twice_run_once(
    start_worker: StartWorker, finished: Finished, tmp_path: Path
) -> None:
    worker = start_worker(modules=HANDLERS, concurrency=4)
    job = enqueue(kind="test_wait", scope="", payload=Place(str(tmp_path)), actor=SYSTEM)
    for _ in range(5):
        broker_module.send(job.pk, job.queue)
    (tmp_path / "go").touch()
    finished(job, log=worker.log)
    other = enqueue(kind="test_sum", scope="", payload=Numbers([]), actor=SYSTEM)
    finished(other, log=worker.log)
    assert len((tmp_path / "begun").read_text().split()) == 1


def test_a_running_job_stops_when_it_is_cancelled(
    start_worker: StartWorker, finished: Finished, tmp_path: Path, db: None
) -> None:
    worker = start_worker(modules=HANDLERS)
    job = enqueue(kind="test_wait", scope="", payload=Place(str(tmp_path)), actor=SYSTEM)
    wait_for((tmp_path / "begun").exists, what="the run", log=worker.log)
    request_cancel(job=job, actor=SYSTEM)
    assert finished(job, log=worker.log).state == JobState.CANCELLED
    assert (tmp_path / "stopped").read_text() == "JobCancelledError"


def test_a_worker_that_is_told_to_end_hands_its_job_back_at_once(
    start_worker: StartWorker, finished: Finished, tmp_path: Path
) -> None:
    first = start_worker(modules=HANDLERS)
    job = enqueue(kind="test_wait", scope="", payload=Place(str(tmp_path)), actor=SYSTEM)
    wait_for((tmp_path / "begun").exists, what="the run", log=first.log)
    assert first.stop(timeout=15) == 0, first.log.read_text()[-3000:]
    job.refresh_from_db()
    assert job.state == JobState.PENDING
    assert job.n_attempts == 0
    assert live_queues() == set()
    (tmp_path / "go").touch()
    assert finished(job, log=start_worker(modules=HANDLERS).log).state == JobState.SUCCEEDED


def test_a_job_enqueued_without_a_broker_runs_once_it_is_back(
    start_worker: StartWorker, finished: Finished, settings: Any, broker: str
) -> None:
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    job = enqueue(kind="test_sum", scope="", payload=Numbers([1]), actor=SYSTEM)
    assert Job.objects.get(pk=job.pk).sent_at is None
    assert job.state == JobState.PENDING
    settings.CELERY_BROKER_URL = broker
    assert finished(job, log=start_worker(modules=HANDLERS).log).state == JobState.SUCCEEDED


@pytest.mark.slow
def test_each_worker_says_which_queues_it_listens_on(
    start_worker: StartWorker, manager: User
) -> None:
    start_worker("tag")
    start_worker("default,train")
    assert live_queues() == {"default", "tag", "train"}
    assert Worker.objects.count() == 2
