"""The watch that a worker keeps over jobs, and what it does when it begins and ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from django.utils import timezone
from structlog.testing import capture_logs

from annotator.accounts.actors import SYSTEM
from annotator.config.celery import app
from annotator.jobs import periodic, services, tasks
from annotator.jobs.models import Job, JobState, PeriodicWork, Worker
from tests.annotator.conftest import wait_for
from tests.annotator.jobs.handlers import Numbers

pytestmark = pytest.mark.django_db(transaction=True)
WATCH = "watch over jobs"


class Rounds(threading.Event):
    """An end that comes after so many rounds, with no wait between them."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n_left = n

    def wait(self, timeout: float | None = None) -> bool:
        self.n_left -= 1
        if self.n_left == 0:
            self.set()
        return self.is_set()


@pytest.fixture(autouse=True)
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process of its own: it has not been asked to end, and no work comes round in it."""
    monkeypatch.setattr(tasks, "_ended", threading.Event())
    monkeypatch.setattr(services, "_shuts_down", threading.Event())
    monkeypatch.setattr(periodic, "_works", {})
    yield
    tasks._ended.set()
    for thread in watches():
        thread.join(10)


def watches() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == WATCH]


def watch(monkeypatch: pytest.MonkeyPatch, *, rounds: int = 1) -> None:
    monkeypatch.setattr(tasks, "_ended", Rounds(rounds))
    tasks.watch(["tag", "default"])


def fail_once(monkeypatch: pytest.MonkeyPatch, name: str) -> list[str]:
    """Let a service fail at its first call as if the database were away; return its calls."""
    service = getattr(services, name)
    calls: list[str] = []

    def failing(**facts: Any) -> Any:
        calls.append(name)
        if len(calls) == 1:
            raise DatabaseError("INSERT of a legend's text")
        return service(**facts)

    monkeypatch.setattr(services, name, failing)
    return calls


# The watch


def test_a_watching_worker_is_listed_with_its_queues(monkeypatch: pytest.MonkeyPatch) -> None:
    watch(monkeypatch)
    worker = Worker.objects.get()
    assert worker.name == services.worker_name()
    assert worker.queues == ["default", "tag"]
    assert services.live_queues() == {"default", "tag"}


def test_each_round_renews_the_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    watch(monkeypatch)
    before = timezone.now() - timedelta(minutes=5)
    Worker.objects.update(seen_at=before)
    watch(monkeypatch, rounds=2)
    assert Worker.objects.get().seen_at > before + timedelta(minutes=4)


def test_the_watch_hands_out_the_jobs_of_dead_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job.objects.create(
        kind="test_sum",
        state=JobState.RUNNING,
        token="a dead worker's",
        n_attempts=1,
        heartbeat_at=timezone.now() - timedelta(hours=1),
    )
    watch(monkeypatch)
    job.refresh_from_db()
    assert job.state == JobState.PENDING
    assert job.message == "The worker that ran this job died. Another one resumes it."


def test_the_watch_runs_periodic_work(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    @periodic.periodically("count", every=timedelta(hours=1))
    def count() -> None:
        calls.append("count")

    watch(monkeypatch, rounds=3)
    assert calls == ["count"]
    assert PeriodicWork.objects.filter(name="count").exists()


@pytest.mark.parametrize("name", ["worker_is_alive", "hand_out_again"])
def test_the_watch_outlives_a_database_that_is_away(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = fail_once(monkeypatch, name)
    watch(monkeypatch, rounds=2)
    assert len(calls) == 2
    assert Worker.objects.filter(name=services.worker_name()).exists()


def test_a_failed_round_is_logged_without_its_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_once(monkeypatch, "hand_out_again")
    with capture_logs() as lines:
        watch(monkeypatch, rounds=2)
    assert lines == [
        {"event": "worker_watch_failed", "log_level": "warning", "error": "DatabaseError"}
    ]


def test_an_ended_worker_does_not_begin_another_round(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    ended.set()
    monkeypatch.setattr(tasks, "_ended", ended)
    tasks.watch(["default"])
    assert not Worker.objects.exists()


# Begin and end


def test_a_ready_worker_watches_until_it_is_asked_to_end(settings: Any) -> None:
    settings.JOB_SWEEP_SECONDS = 60
    tasks.begin_to_watch(sender=type("Consumer", (), {"app": app}))
    wait_for(Worker.objects.exists, what="the worker to be listed")
    [thread] = watches()
    assert set(Worker.objects.get().queues) == set(app.amqp.queues.consume_from)
    tasks.stop_runs()
    thread.join(10)
    assert not thread.is_alive()


def test_a_worker_that_ends_begins_no_job() -> None:
    job = services.enqueue(kind="test_sum", scope="", payload=Numbers([1]), actor=SYSTEM)
    tasks.stop_runs()
    tasks.run(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.PENDING
    assert job.sent_at is None


def test_the_task_runs_the_job_that_its_message_names() -> None:
    job = services.enqueue(kind="test_sum", scope="", payload=Numbers([1, 2]), actor=SYSTEM)
    tasks.run(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED
    assert job.result == {"sum": 3}


def test_a_message_without_a_job_is_harmless() -> None:
    with capture_logs() as lines:
        tasks.run(987654)
    assert [(line["event"], line["job"]) for line in lines] == [
        ("job_message_without_work", 987654)
    ]


def test_a_worker_that_has_ended_is_not_listed_any_more() -> None:
    services.worker_is_alive(name=services.worker_name(), queues=["tag"])
    services.worker_is_alive(name="another", queues=["train"])
    tasks.remove_worker()
    assert [worker.name for worker in Worker.objects.all()] == ["another"]


def test_a_worker_ends_although_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    services.worker_is_alive(name=services.worker_name(), queues=["tag"])
    fail_once(monkeypatch, "worker_is_gone")
    with capture_logs() as lines:
        tasks.remove_worker()
    assert lines == [
        {"event": "worker_removal_failed", "log_level": "warning", "error": "DatabaseError"}
    ]
