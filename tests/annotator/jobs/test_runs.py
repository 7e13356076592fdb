"""A run of a job: progress, heartbeat, cancellation, and the claim that guards what it writes."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from annotator.jobs import runs
from annotator.jobs.errors import JobCancelledError, JobInterruptedError, JobLostError
from annotator.jobs.models import Job, JobState
from annotator.jobs.runs import JobRun, heartbeat

pytestmark = pytest.mark.django_db


@pytest.fixture
def unthrottled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress is written, and cancellation looked for, each time."""
    monkeypatch.setattr(runs, "THROTTLE_SECONDS", 0)


@pytest.fixture
def job() -> Job:
    return Job.objects.create(kind="test_sum", state=JobState.RUNNING, token="mine")


@pytest.fixture
def run(job: Job) -> JobRun:
    return JobRun(job)


def stored(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def lose(job: Job) -> None:
    """Have another run take the job."""
    Job.objects.filter(pk=job.pk).update(token="another run")


# Progress


def test_a_report_is_stored_with_a_heartbeat(run: JobRun, job: Job) -> None:
    run.report(done=3, total=10, message="Reading")
    row = stored(job)
    assert row.n_done == 3
    assert row.n_total == 10
    assert row.message == "Reading"
    assert row.heartbeat_at is not None


@pytest.mark.usefixtures("unthrottled")
def test_a_report_keeps_what_it_does_not_name(run: JobRun, job: Job) -> None:
    run.report(done=3, total=10, message="Reading")
    run.report(done=4)
    row = stored(job)
    assert row.n_done == 4
    assert row.n_total == 10
    assert row.message == "Reading"


def test_reports_in_a_row_are_written_once(run: JobRun, job: Job) -> None:
    run.report(done=1)
    run.report(done=2)
    assert stored(job).n_done == 1
    assert run.job.n_done == 2, "the end of the run writes the last figure"


def test_a_message_is_cut_to_its_column(run: JobRun, job: Job) -> None:
    run.report(message="x" * 600)
    assert stored(job).message == "x" * 500


def test_a_nul_in_a_message_is_left_out(run: JobRun, job: Job) -> None:
    run.report(message="one\0two")
    assert "\0" not in stored(job).message
    assert stored(job).message.startswith("one")


def test_a_command_hears_of_progress(job: Job) -> None:
    heard: list[tuple[int, int, str]] = []
    run = JobRun(job, on_progress=lambda *facts: heard.append(facts))
    run.report(done=1, total=2, message="Reading")
    assert heard == [(1, 2, "Reading")]


def test_a_run_that_lost_its_claim_hears_it_when_it_reports(run: JobRun, job: Job) -> None:
    lose(job)
    with pytest.raises(JobLostError):
        run.report(done=1)
    assert stored(job).n_done == 0


# Checks


def test_a_check_of_an_undisturbed_run_says_nothing(run: JobRun) -> None:
    run.check()


def test_a_check_sees_that_the_job_was_cancelled(run: JobRun, job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(cancel_requested_at=timezone.now())
    with pytest.raises(JobCancelledError):
        run.check()


def test_a_check_sees_that_the_claim_is_lost(run: JobRun, job: Job) -> None:
    lose(job)
    with pytest.raises(JobLostError):
        run.check()


def test_a_check_sees_that_the_process_ends(run: JobRun) -> None:
    run.interrupt()
    with pytest.raises(JobInterruptedError):
        run.check()


def test_checks_in_a_row_ask_the_database_once(run: JobRun, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        for _ in range(100):
            run.check()


def test_a_lost_claim_is_remembered_between_looks(run: JobRun, job: Job) -> None:
    run.check()
    lose(job)
    run.beat()
    with pytest.raises(JobLostError):
        run.check()


# The claim


def test_a_claim_is_held_only_in_a_transaction(job: Job, transactional_db: None) -> None:
    kept = Job.objects.create(kind="test_sum", state=JobState.RUNNING, token="mine")
    with pytest.raises(
        transaction.TransactionManagementError, match="the transaction that it guards"
    ):
        JobRun(kept).hold()


def test_a_claim_that_stands_can_be_held(run: JobRun) -> None:
    with transaction.atomic():
        run.hold()


def test_a_run_that_could_not_hold_its_claim_stops(run: JobRun, job: Job) -> None:
    run.check()
    lose(job)
    with pytest.raises(JobLostError), transaction.atomic():
        run.hold()
    with pytest.raises(JobLostError):
        run.check()


def test_a_run_makes_way_for_the_next_of_its_kind(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(is_exclusive=True)
    JobRun(job).make_way()
    assert not stored(job).is_exclusive


def test_a_lost_run_does_not_make_way(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(is_exclusive=True, token="another run")
    JobRun(job).make_way()
    assert stored(job).is_exclusive


# Heartbeat


class Beats(JobRun):
    """A run that counts its heartbeats; the first ``n_failures`` find no database."""

    def __init__(self, job: Job, n_failures: int = 0) -> None:
        super().__init__(job)
        self.n_beats = 0
        self.n_failures = n_failures
        self.has_beaten = threading.Event()

    def beat(self) -> None:
        self.n_beats += 1
        if self.n_beats <= self.n_failures:
            raise DatabaseError("the connection is gone")
        self.has_beaten.set()


def test_a_silent_step_beats_from_its_own_thread(job: Job, settings: Any) -> None:
    settings.JOB_HEARTBEAT_SECONDS = 0.001
    run = Beats(job)
    with heartbeat(run):
        assert run.has_beaten.wait(30)


def test_a_heartbeat_outlasts_a_database_that_is_away(job: Job, settings: Any) -> None:
    settings.JOB_HEARTBEAT_SECONDS = 0.001
    run = Beats(job, n_failures=3)
    with heartbeat(run):
        assert run.has_beaten.wait(30)
    assert run.n_beats > 3


def test_the_heart_stops_with_the_run(job: Job, settings: Any) -> None:
    settings.JOB_HEARTBEAT_SECONDS = 0.001
    run = Beats(job)
    with heartbeat(run):
        assert run.has_beaten.wait(30)
    assert f"heartbeat of job {job.pk}" not in {thread.name for thread in threading.enumerate()}


def test_a_failing_step_ends_its_heartbeat_too(job: Job, settings: Any) -> None:
    settings.JOB_HEARTBEAT_SECONDS = 60
    with pytest.raises(ZeroDivisionError), heartbeat(Beats(job)):
        raise ZeroDivisionError
    assert f"heartbeat of job {job.pk}" not in {thread.name for thread in threading.enumerate()}
