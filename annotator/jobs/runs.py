"""One run of a job: its claim, its heartbeat, its progress."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, connections, transaction
from django.utils import timezone

from annotator.common.storable import storable_text
from annotator.jobs.errors import JobCancelledError, JobInterruptedError, JobLostError
from annotator.jobs.models import Job, JobQuerySet, JobState

log = structlog.get_logger(__name__)

#: Progress is written, and a wish to cancel is looked for, at most this often.
THROTTLE_SECONDS = 0.5
OnProgress = Callable[[int, int, str], None]


class JobRun:
    """A handler's view of its job: it reports progress, and learns here that it must stop.

    Everything that a run writes to its job is guarded by its token. A handler that writes other
    rows calls ``hold()`` first in the same transaction.
    """

    def __init__(self, job: Job, *, on_progress: OnProgress | None = None) -> None:
        self.job = job
        self._on_progress = on_progress
        self._interrupted = threading.Event()
        self._lost = threading.Event()
        self._written_at = float("-inf")
        self._looked_at = float("-inf")

    @property
    def mine(self) -> JobQuerySet:
        """The job's row while this run holds the claim, else no row."""
        return Job.objects.filter(pk=self.job.pk, token=self.job.token, state=JobState.RUNNING)

    def report(
        self, *, done: int | None = None, total: int | None = None, message: str | None = None
    ) -> None:
        """Record progress, written at most twice a second. Raises ``JobLostError``."""
        self.job.n_done = self.job.n_done if done is None else done
        self.job.n_total = self.job.n_total if total is None else total
        self.job.message = self.job.message if message is None else storable_text(message)[:500]
        now = time.monotonic()
        if now - self._written_at < THROTTLE_SECONDS:
            return
        self._written_at = now
        self.beat()
        if self._lost.is_set():
            raise JobLostError
        if self._on_progress is not None:
            self._on_progress(self.job.n_done, self.job.n_total, self.job.message)

    def check(self) -> None:
        """Raise ``JobCancelledError``, ``JobInterruptedError`` or ``JobLostError`` if the run must
        stop. It is cheap: call it in every turn of a loop."""
        if self._interrupted.is_set():
            raise JobInterruptedError
        now = time.monotonic()
        if now - self._looked_at >= THROTTLE_SECONDS:
            self._looked_at = now
            self._look()
        if self._lost.is_set():
            raise JobLostError
        if self.job.cancel_requested_at is not None:
            raise JobCancelledError

    def hold(self) -> None:
        """Lock the claim until the transaction ends, so that only the run that holds it writes.

        Raises ``JobLostError`` if the claim is gone; the transaction must then be rolled back.
        """
        if not connection.in_atomic_block:
            raise transaction.TransactionManagementError(
                "JobRun.hold() must be called inside the transaction that it guards."
            )
        if self.mine.select_for_update().values_list("pk").first() is None:
            self._lost.set()
            raise JobLostError

    def make_way(self) -> None:
        """Allow another job of this exclusive kind: this run would not see changes from here on."""
        self.mine.update(is_exclusive=False)

    def interrupt(self) -> None:
        """Ask the run to stop at its next ``check()`` because its process ends."""
        self._interrupted.set()

    def beat(self) -> None:
        """Write the heartbeat and the progress."""
        facts = {
            "n_done": self.job.n_done,
            "n_total": self.job.n_total,
            "message": self.job.message,
        }
        if not self.mine.update(heartbeat_at=timezone.now(), **facts):
            self._lost.set()

    def _look(self) -> None:
        row = self.mine.values("cancel_requested_at").first()
        if row is None:
            self._lost.set()
        else:
            self.job.cancel_requested_at = row["cancel_requested_at"]


@contextmanager
def heartbeat(run: JobRun) -> Iterator[None]:
    """Renew the heartbeat of ``run`` from a thread, so that a long step does not look dead."""
    ended = threading.Event()

    def keep_beating() -> None:
        try:
            while not ended.wait(settings.JOB_HEARTBEAT_SECONDS):
                try:
                    run.beat()
                except DatabaseError as error:
                    log.warning("job_heartbeat_failed", job=run.job.pk, error=type(error).__name__)
                finally:
                    connections.close_all()
        finally:
            connections.close_all()

    thread = threading.Thread(
        target=keep_beating, name=f"heartbeat of job {run.job.pk}", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
