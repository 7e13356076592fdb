"""The life of a job without a worker process: claims, ends, dead workers and lost messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from annotator.accounts.actors import SYSTEM
from annotator.jobs import broker, registry, services
from annotator.jobs.errors import (
    BrokerError,
    JobConflictError,
    JobLostError,
    JobPostponedError,
)
from annotator.jobs.models import Job, JobState, Worker
from annotator.jobs.registry import handles
from annotator.jobs.runs import JobRun
from annotator.jobs.services import (
    end_dead_commands,
    enqueue,
    hand_out_again,
    request_cancel,
    run_inline,
    run_job,
)
from tests.annotator.jobs.handlers import Nothing, Numbers, Sentence

pytestmark = pytest.mark.django_db
Act = Callable[[JobRun], Any]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The jobs whose messages the broker took."""
    taken: list[int] = []
    monkeypatch.setattr(broker, "send", lambda job_id, queue: taken.append(job_id))
    return taken


@pytest.fixture
def do(sent: list[int]) -> Iterator[Callable[[Act], Job]]:
    """Run a job whose handler calls the function; return the job."""

    def run(act: Act) -> Job:
        @handles("test_act", payload=Nothing)
        def handler(run: JobRun, payload: Nothing) -> dict[str, Any]:
            act(run)
            return {"went": "on"}

        job = enqueue(kind="test_act", scope="", payload=Nothing(), actor=SYSTEM)
        run_job(job.pk)
        registry._kinds.pop("test_act")
        job.refresh_from_db()
        return job

    yield run
    registry._kinds.pop("test_act", None)


def silent(**facts: Any) -> Job:
    """Return a running job whose worker has not been heard of for too long."""
    heard = timezone.now() - timedelta(seconds=settings.JOB_HEARTBEAT_TIMEOUT + 1)
    defaults = {"kind": "test_sum", "state": JobState.RUNNING, "token": "a", "n_attempts": 1}
    return Job.objects.create(heartbeat_at=heard, **{**defaults, **facts})


def waiting(*, n_sent: int, seconds: float, **facts: Any) -> Job:
    """Return a pending job whose last message was sent so many seconds ago."""
    at = timezone.now() - timedelta(seconds=seconds)
    return Job.objects.create(kind="test_sum", n_sent=n_sent, sent_at=at, **facts)


def after_sweep(job: Job) -> Job:
    hand_out_again()
    job.refresh_from_db()
    return job


# Dead workers


def test_a_job_whose_worker_died_waits_again(sent: list[int]) -> None:
    job = after_sweep(silent())
    assert job.state == JobState.PENDING
    assert job.token == ""


def test_a_job_whose_worker_died_is_sent_again(sent: list[int]) -> None:
    job = after_sweep(silent())
    assert sent == [job.pk]
    assert job.n_sent == 1


def test_a_job_whose_worker_died_three_times_fails(sent: list[int]) -> None:
    job = after_sweep(silent(n_attempts=services.MAX_ATTEMPTS))
    assert job.state == JobState.FAILED
    assert "died 3 times" in job.error


def test_a_job_whose_worker_died_twice_is_tried_again(sent: list[int]) -> None:
    assert after_sweep(silent(n_attempts=2)).state == JobState.PENDING


def test_a_cancelled_job_of_a_dead_worker_ends(sent: list[int]) -> None:
    job = after_sweep(silent(cancel_requested_at=timezone.now()))
    assert job.state == JobState.CANCELLED
    assert job.finished_at is not None


def test_a_killed_command_fails_its_job(sent: list[int]) -> None:
    job = after_sweep(silent(is_inline=True))
    assert job.state == JobState.FAILED
    assert "run the command again" in job.error
    assert sent == []


def test_a_job_that_beats_is_left_alone(sent: list[int]) -> None:
    job = silent()
    Job.objects.update(heartbeat_at=timezone.now())
    assert hand_out_again() == 0
    job.refresh_from_db()
    assert job.state == JobState.RUNNING


def test_a_job_that_beat_meanwhile_is_not_taken_back(sent: list[int]) -> None:
    job = silent()
    Job.objects.update(heartbeat_at=timezone.now())
    assert not services._take_back(job)
    job.refresh_from_db()
    assert job.state == JobState.RUNNING


def test_a_dead_command_makes_way_for_its_kind(sent: list[int]) -> None:
    dead = silent(kind="test_tag", is_inline=True, is_exclusive=True)
    job = enqueue(kind="test_tag", scope="", payload=Nothing(), actor=SYSTEM)
    dead.refresh_from_db()
    assert dead.state == JobState.FAILED
    assert job.state == JobState.PENDING


@pytest.mark.parametrize(
    "facts",
    [
        {"is_inline": False},
        {"is_inline": True, "kind": "test_sum"},
        {"is_inline": True, "scope": "project:8"},
    ],
    ids=repr,
)
def test_only_dead_commands_of_the_kind_and_scope_are_ended(
    facts: dict[str, Any], sent: list[int]
) -> None:
    other = silent(**{"kind": "test_tag", "scope": "project:7", **facts})
    assert end_dead_commands(kind="test_tag", scope="project:7") == 0
    other.refresh_from_db()
    assert other.state == JobState.RUNNING


# Lost messages


@pytest.mark.parametrize(
    ("n_sent", "seconds", "is_resent"),
    [
        (1, 29, False),
        (1, 31, True),
        (2, 59, False),
        (2, 61, True),
        (3, 119, False),
        (3, 121, True),
        (100, 15 * 60, False),
        (100, 16 * 60 + 1, True),
    ],
)
def test_a_lost_message_is_sent_again_after_a_while(
    n_sent: int, seconds: float, is_resent: bool, sent: list[int]
) -> None:
    job = after_sweep(waiting(n_sent=n_sent, seconds=seconds))
    assert sent == [job.pk] * is_resent
    assert job.n_sent == n_sent + is_resent


@pytest.mark.parametrize(("seconds", "is_sent"), [(1, False), (3, True)])
def test_an_unsent_message_is_sent_after_two_seconds(
    seconds: float, is_sent: bool, sent: list[int]
) -> None:
    job = Job.objects.create(kind="test_sum")
    Job.objects.update(created_at=timezone.now() - timedelta(seconds=seconds))
    assert hand_out_again() == int(is_sent)
    assert (sent == [job.pk]) is is_sent


def test_no_worker_hears_of_a_command_s_job(sent: list[int]) -> None:
    waiting(n_sent=1, seconds=10_000, is_inline=True)
    assert hand_out_again() == 0


def test_a_broker_that_is_away_delays_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(job_id: int, queue: str) -> None:
        raise BrokerError("connection refused")

    monkeypatch.setattr(broker, "send", away)
    job = waiting(n_sent=1, seconds=31)
    assert hand_out_again() == 0
    job.refresh_from_db()
    assert job.state == JobState.PENDING
    assert job.n_sent == 1


# How a run ends


def test_a_handler_s_report_is_kept(do: Callable[[Act], Job]) -> None:
    job = do(lambda run: None)
    assert job.state == JobState.SUCCEEDED
    assert job.result == {"went": "on"}


def test_a_cancelled_run_stops_at_its_next_check(do: Callable[[Act], Job]) -> None:
    def cancelled(run: JobRun) -> None:
        request_cancel(job=Job.objects.get(pk=run.job.pk), actor=SYSTEM)
        run.check()

    job = do(cancelled)
    assert job.state == JobState.CANCELLED
    assert job.result == {}
    assert job.finished_at is not None


def test_an_interrupted_run_goes_back_to_the_queue(do: Callable[[Act], Job]) -> None:
    def interrupted(run: JobRun) -> None:
        run.interrupt()
        run.check()

    job = do(interrupted)
    assert job.state == JobState.PENDING
    assert job.n_attempts == 0
    assert job.sent_at is None


def test_a_postponed_run_says_what_it_waits_for(do: Callable[[Act], Job]) -> None:
    def postponed(run: JobRun) -> None:
        raise JobPostponedError("The device is in use.")

    job = do(postponed)
    assert job.state == JobState.PENDING
    assert job.message == "The device is in use."
    assert job.sent_at is not None


def test_a_run_that_lost_its_claim_writes_nothing(do: Callable[[Act], Job]) -> None:
    def overtaken(run: JobRun) -> None:
        Job.objects.filter(pk=run.job.pk).update(token="another run")
        run.report(done=7)

    job = do(overtaken)
    assert job.state == JobState.RUNNING
    assert job.token == "another run"
    assert job.n_done == 0


def test_a_transaction_of_a_lost_run_is_rolled_back(do: Callable[[Act], Job]) -> None:
    def overtaken(run: JobRun) -> None:
        Job.objects.filter(pk=run.job.pk).update(token="another run")
        with pytest.raises(JobLostError), transaction.atomic():
            Worker.objects.create(name="written", seen_at=timezone.now())
            run.hold()

    do(overtaken)
    assert not Worker.objects.filter(name="written").exists()


def test_an_error_for_users_is_the_job_s_sentence(sent: list[int]) -> None:
    job = enqueue(kind="test_fail", scope="", payload=Sentence("No file."), actor=SYSTEM)
    run_job(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.FAILED
    assert job.error == "No file."


def test_an_unforeseen_error_shows_no_detail(sent: list[int]) -> None:
    job = enqueue(kind="test_fail", scope="", payload=Sentence(""), actor=SYSTEM)
    run_job(job.pk)
    job.refresh_from_db()
    assert f"job {job.pk}" in job.error
    assert "secret" not in job.error


def test_a_job_of_an_unknown_kind_fails_with_a_sentence() -> None:
    job = Job.objects.create(kind="from_the_future")
    run_job(job.pk)
    job.refresh_from_db()
    assert job.error.startswith("This worker has no handler for jobs of kind")


def test_a_stopped_command_cancels_its_job() -> None:
    @handles("test_stop", payload=Nothing)
    def stop(run: JobRun, payload: Nothing) -> dict[str, Any]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_inline(kind="test_stop", scope="", payload=Nothing(), actor=SYSTEM)
    registry._kinds.pop("test_stop")
    assert Job.objects.get().state == JobState.CANCELLED


# Claims


def test_a_message_for_a_finished_job_does_nothing() -> None:
    job = Job.objects.create(kind="test_sum", state=JobState.CANCELLED)
    run_job(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED
    assert job.n_attempts == 0


def test_a_worker_that_shuts_down_begins_nothing() -> None:
    job = waiting(n_sent=1, seconds=0, arguments=Numbers([1]).as_json())
    services._shuts_down.set()
    try:
        run_job(job.pk)
    finally:
        services._shuts_down.clear()
    job.refresh_from_db()
    assert job.state == JobState.PENDING
    assert job.sent_at is None


def test_an_exclusive_kind_has_one_unfinished_job(sent: list[int]) -> None:
    enqueue(kind="test_tag", scope="a", payload=Nothing(), actor=SYSTEM)
    with pytest.raises(JobConflictError, match="waiting or running already"):
        enqueue(kind="test_tag", scope="a", payload=Nothing(), actor=SYSTEM)


def test_an_exclusive_kind_is_free_in_another_scope(sent: list[int]) -> None:
    enqueue(kind="test_tag", scope="a", payload=Nothing(), actor=SYSTEM)
    enqueue(kind="test_tag", scope="b", payload=Nothing(), actor=SYSTEM)
    assert Job.objects.count() == 2


def test_a_cancelled_pending_job_never_runs(sent: list[int]) -> None:
    job = enqueue(kind="test_sum", scope="", payload=Numbers([1]), actor=SYSTEM)
    request_cancel(job=job, actor=SYSTEM)
    run_job(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED
    assert job.n_attempts == 0


def test_cancelling_twice_keeps_the_first_time() -> None:
    job = Job.objects.create(kind="test_sum", state=JobState.RUNNING)
    first = request_cancel(job=job, actor=SYSTEM).cancel_requested_at
    assert request_cancel(job=job, actor=SYSTEM).cancel_requested_at == first


def test_a_finished_job_cannot_be_cancelled() -> None:
    job = Job.objects.create(kind="test_sum", state=JobState.SUCCEEDED)
    assert request_cancel(job=job, actor=SYSTEM).cancel_requested_at is None


def test_an_inline_job_that_fails_comes_back_failed() -> None:
    job = run_inline(kind="test_fail", scope="", payload=Sentence("No file."), actor=SYSTEM)
    assert job.state == JobState.FAILED
    assert job.is_inline


# Workers


def test_a_silent_worker_listens_to_nothing() -> None:
    old = timezone.now() - services.WORKER_TIMEOUT - timedelta(seconds=1)
    Worker.objects.create(name="dead", queues=["tag"], seen_at=old)
    services.worker_is_alive(name="alive", queues=["train"])
    assert services.live_queues() == {"train"}


def test_workers_of_yesterday_are_forgotten() -> None:
    Worker.objects.create(name="old", seen_at=timezone.now() - timedelta(days=2))
    services.worker_is_alive(name="alive", queues=["tag"])
    assert [worker.name for worker in Worker.objects.all()] == ["alive"]


def test_a_job_waits_for_a_worker_after_ten_seconds() -> None:
    job = Job.objects.create(kind="test_sum")
    assert not services.nobody_listens_for(job)
    job.created_at -= services.UNHEARD_AFTER
    assert services.nobody_listens_for(job)
