"""Background jobs as rows. The row is the truth; the broker only wakes workers."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotator.accounts.actors import Actor, actor_of
from annotator.common.states import Badge, State, StatefulQuerySet, StateMachine


class JobState(State):
    """The state of a job."""

    PENDING = "pending", Badge.NEUTRAL, "waiting"
    RUNNING = "running", Badge.BUSY, "running"
    SUCCEEDED = "succeeded", Badge.OK, "done"
    FAILED = "failed", Badge.BAD, "failed"
    CANCELLED = "cancelled", Badge.NEUTRAL, "cancelled"


#: A running job goes back to PENDING when its worker died or was stopped.
JOB_STATES = StateMachine(
    {
        JobState.PENDING: frozenset({JobState.RUNNING, JobState.CANCELLED, JobState.FAILED}),
        JobState.RUNNING: frozenset(
            {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.PENDING}
        ),
        JobState.SUCCEEDED: frozenset(),
        JobState.FAILED: frozenset(),
        JobState.CANCELLED: frozenset(),
    }
)


class Queue(models.TextChoices):
    DEFAULT = "default"
    TAG = "tag"
    TRAIN = "train"


class JobQuerySet(StatefulQuerySet["Job"]):
    def unfinished(self) -> JobQuerySet:
        return self.filter(state__in=JOB_STATES.unfinished)


class Job(models.Model):
    """A background job: its request, its progress and its end.

    ``kind`` names its handler (see ``annotator.jobs.registry``), ``arguments`` are its payload,
    ``scope`` says who may see it (``Project.scope``, such as "project:7"). ``n_done`` and
    ``n_total`` count in the handler's own unit; ``result`` is the handler's report. ``token`` names
    the one run that may write: a run that lost its claim writes nothing more. ``sent_at`` and
    ``n_sent`` say when the broker last took a message for it, and how often. Of an exclusive kind
    only one job may be unfinished in a scope. An inline job runs in the process of a management
    command and is never handed to a worker.
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

    states = JOB_STATES
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
        return JOB_STATES.is_final(self.state)

    @property
    def is_stopping(self) -> bool:
        """Whether the job was cancelled while it runs, and has not stopped yet."""
        return self.cancel_requested_at is not None and not self.is_final

    @property
    def actor(self) -> Actor:
        """The user who started the job, or the system."""
        return actor_of(self.created_by)


class Worker(models.Model):
    """A worker process and its queues.

    It renews ``seen_at`` every few seconds; otherwise it counts as dead (``services.live_queues``).
    """

    name = models.CharField(max_length=255, unique=True)
    queues = models.JSONField(default=list)
    started_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class PeriodicWork(models.Model):
    """The time at which periodic work is next due (see ``annotator.jobs.periodic``)."""

    name = models.CharField(max_length=100, unique=True)
    due_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "periodic work"

    def __str__(self) -> str:
        return self.name
