"""Training series: cross-validation for label errors, and learning curves."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotator.common.states import Badge, State, StateMachine
from annotator.corpus.models import Project
from annotator.datasets.models import Snapshot
from annotator.jobs.models import Job, JobState
from annotator.learning.models.model_versions import ModelVersion


class SeriesKind(models.TextChoices):
    """The purpose of a training series. The values are the engine's commands."""

    LABEL_ERRORS = "label-errors", "label errors"
    LEARNING_CURVE = "curve", "learning curve"


class SeriesState(State):
    """The state of a training series, from its job and its result."""

    WAITING = "waiting", Badge.NEUTRAL, "waiting"
    RUNNING = "running", Badge.BUSY, "running"
    DONE = "done", Badge.OK, "done"
    FAILED = "failed", Badge.BAD, "failed"
    STOPPED = "stopped", Badge.NEUTRAL, "stopped"


#: A series has no column for its state: it follows its job. A stopped one can be resumed.
SERIES_STATES = StateMachine(
    {
        SeriesState.WAITING: frozenset({SeriesState.RUNNING, SeriesState.STOPPED}),
        SeriesState.RUNNING: frozenset(
            {SeriesState.DONE, SeriesState.FAILED, SeriesState.STOPPED, SeriesState.WAITING}
        ),
        SeriesState.DONE: frozenset(),
        SeriesState.FAILED: frozenset({SeriesState.WAITING}),
        SeriesState.STOPPED: frozenset({SeriesState.WAITING}),
    }
)
_STATE_OF_JOB = {
    JobState.PENDING: SeriesState.WAITING,
    JobState.RUNNING: SeriesState.RUNNING,
    JobState.FAILED: SeriesState.FAILED,
}


class TrainingSeries(models.Model):
    """Several short training runs from ``base`` on a snapshot; their models are not registered.

    ``options`` are those of the kind (see ``training.series``). ``result`` is the engine's (see
    ``stored``), {} before the end. The state follows the job. ``folder`` holds the finished
    trainings, so that another job can resume the series.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="training_series")
    snapshot = models.ForeignKey(Snapshot, on_delete=models.PROTECT, related_name="training_series")
    base = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="series_from_it")
    kind = models.CharField(max_length=20, choices=SeriesKind.choices)
    recipe = models.CharField(max_length=50)
    hyperparameters = models.JSONField(default=dict, blank=True)
    options = models.JSONField(default=dict, blank=True)
    result = models.JSONField(default=dict, blank=True)
    job = models.OneToOneField(
        Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="training_series"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    states = SERIES_STATES

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "training series"
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=SeriesKind.values), name="series_kind_is_known"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk} of snapshot {self.snapshot.number}"

    @property
    def state(self) -> SeriesState:
        """DONE with a result, else what the job says."""
        if self.result:
            return SeriesState.DONE
        if self.job is None:
            return SeriesState.STOPPED
        return _STATE_OF_JOB.get(JobState(self.job.state), SeriesState.STOPPED)

    @property
    def is_stopping(self) -> bool:
        """Whether the series was cancelled and has not stopped yet."""
        return self.is_at_work and self.job is not None and self.job.is_stopping

    @property
    def is_done(self) -> bool:
        return self.state == SeriesState.DONE

    @property
    def is_at_work(self) -> bool:
        """Whether a job of it waits or runs."""
        return self.state in {SeriesState.WAITING, SeriesState.RUNNING}

    @property
    def folder(self) -> Path:
        return Path(settings.RUNS_DIR) / f"series-{self.pk}"

    @property
    def out(self) -> Path:
        """The folder that the engine writes."""
        return self.folder / "out"
