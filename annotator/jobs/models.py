"""Long work as rows. The row is the truth; the broker only wakes workers."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotator.accounts.actors import Actor, actor_of


class JobState(models.TextChoices):
    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}


#: From which state a job may go to which. RUNNING -> PENDING hands out again what a dead worker
#: left.
TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.PENDING: frozenset({JobState.RUNNING, JobState.CANCELLED, JobState.FAILED}),
    JobState.RUNNING: frozenset(
        {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.PENDING}
    ),
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
}


class Queue(models.TextChoices):
    DEFAULT = "default"
    TAG = "tag"
    TRAIN = "train"


class JobQuerySet(models.QuerySet["Job"]):
    def unfinished(self) -> JobQuerySet:
        return self.filter(state__in=[JobState.PENDING, JobState.RUNNING])

    def move(self, before: JobState, after: JobState, **changes: Any) -> int:
        """Take those of these jobs that are in ``before`` to ``after``; how many it were. Every
        change of a job's state goes through here.

        The guard stands in the UPDATE itself, so of two that want the same job exactly one gets a
        1.
        """
        if after not in TRANSITIONS[before]:
            raise ValueError(f"no job goes from {before} to {after}")
        return self.filter(state=before).update(state=after, **changes)


class Job(models.Model):
    """One piece of long work: who asked for what, how far it is, how it ended.

    ``kind`` names its handler (see ``annotator.jobs.registry``), ``arguments`` are what that
    handler takes, ``scope`` says whose it is (``Project.scope``, such as "project:7"), by which it
    is listed and permitted. ``n_done`` and ``n_total`` count in the handler's own unit. ``result``
    is the handler's report. ``token`` names the one run that may write: a run that lost its claim
    writes nothing more. ``sent_at`` and ``n_sent`` say when the broker last took a message for it,
    and how often. Of an exclusive job only one may be unfinished in its scope. An inline job runs
    in the process of a management command and is never handed to a worker.
    """

    kind = models.CharField(max_length=50)
    scope = models.CharField(max_length=100, blank=True, db_index=True)
    queue = models.CharField(max_length=20, choices=Queue.choices, default=Queue.DEFAULT)
    state = models.CharField(max_length=20, choices=JobState.choices, default=JobState.PENDING)
    arguments = models.JSONField(default=dict)
    result = models.JSONField(default=dict)
    n_done = models.PositiveBigIntegerField(default=0)
    n_total = models.PositiveBigIntegerField(default=0)
    message = models.CharField(max_length=500, blank=True)
    error = models.TextField(blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="jobs",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    n_attempts = models.PositiveSmallIntegerField(default=0)
    token = models.CharField(max_length=36, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    n_sent = models.PositiveSmallIntegerField(default=0)
    is_exclusive = models.BooleanField(default=False)
    is_inline = models.BooleanField(default=False)

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["state", "queue"])]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "scope"],
                condition=Q(is_exclusive=True, state__in=["pending", "running"]),
                name="one_unfinished_exclusive_job_in_a_scope",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk} ({self.state})"

    @property
    def is_final(self) -> bool:
        return JobState(self.state).is_final

    @property
    def actor(self) -> Actor:
        """Whoever asked for the job: the system if no user did."""
        return actor_of(self.created_by)

    @property
    def share_done(self) -> float | None:
        """Progress in 0-1, None while the total is unknown."""
        return min(1.0, self.n_done / self.n_total) if self.n_total else None

    def argument(self, name: str) -> Any:
        return self.arguments[name]


class Worker(models.Model):
    """A worker process that listens. It renews ``seen_at`` every few seconds; one not seen for long
    is dead (see ``services.live_queues``)."""

    name = models.CharField(max_length=255, unique=True)
    queues = models.JSONField(default=list)
    started_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class PeriodicWork(models.Model):
    """Work that some worker does every now and then (see ``annotator.jobs.periodic``): when it is
    due next."""

    name = models.CharField(max_length=100, unique=True)
    due_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "periodic work"

    def __str__(self) -> str:
        return self.name
