"""Training runs and their states."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db import models

from annotator.common.states import Badge, State, StatefulQuerySet, StateMachine
from annotator.corpus.models import Project
from annotator.datasets.models import Snapshot
from annotator.jobs.models import Job
from annotator.learning.models.model_versions import ModelTask, ModelVersion


class RunState(State):
    """The state of a training run."""

    QUEUED = "queued", Badge.NEUTRAL, "waiting"
    TRAINING = "training", Badge.BUSY, "training"
    JUDGING = "judging", Badge.BUSY, "evaluating"
    SUCCEEDED = "succeeded", Badge.OK, "finished"
    FAILED = "failed", Badge.BAD, "failed"
    CANCELLED = "cancelled", Badge.NEUTRAL, "cancelled"


#: An interrupted run goes back to QUEUED, and its next job resumes it.
RUN_STATES = StateMachine(
    {
        RunState.QUEUED: frozenset({RunState.TRAINING, RunState.FAILED, RunState.CANCELLED}),
        RunState.TRAINING: frozenset(
            {RunState.JUDGING, RunState.FAILED, RunState.CANCELLED, RunState.QUEUED}
        ),
        RunState.JUDGING: frozenset(
            {RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED, RunState.QUEUED}
        ),
        RunState.SUCCEEDED: frozenset(),
        RunState.FAILED: frozenset(),
        RunState.CANCELLED: frozenset(),
    }
)


class TrainingRunQuerySet(StatefulQuerySet["TrainingRun"]):
    def unfinished(self) -> TrainingRunQuerySet:
        return self.filter(state__in=RUN_STATES.unfinished)


class TrainingRun(models.Model):
    """One fine-tuning of ``base`` on a snapshot by a recipe, for the recipe's ``task``.

    ``folder`` holds the checkpoints, the log and ``events.jsonl``, a line a step. ``progress`` are
    the latest figures (see ``RunProgress``). ``reason`` is the trigger of an automatic run.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="training_runs")
    snapshot = models.ForeignKey(Snapshot, on_delete=models.PROTECT, related_name="training_runs")
    base = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="runs_from_it")
    recipe = models.CharField(max_length=50)
    task = models.CharField(max_length=20, choices=ModelTask.choices, default=ModelTask.ENTITIES)
    hyperparameters = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=20, choices=RunState.choices, default=RunState.QUEUED)
    error = models.TextField(blank=True)
    progress = models.JSONField(default=dict, blank=True)
    job = models.OneToOneField(
        Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="training_run"
    )
    candidate = models.OneToOneField(
        ModelVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="made_by"
    )
    reason = models.CharField(max_length=300, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    states = RUN_STATES
    objects = TrainingRunQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.recipe} run {self.pk}"

    @property
    def is_final(self) -> bool:
        return RUN_STATES.is_final(self.state)

    @property
    def is_stopping(self) -> bool:
        """Whether the run was cancelled and has not stopped yet."""
        return not self.is_final and self.job is not None and self.job.is_stopping

    @property
    def candidate_name(self) -> str:
        """The name of the model that this run makes."""
        return f"{self.project.slug}-run-{self.pk}"

    @property
    def folder(self) -> Path:
        return Path(settings.RUNS_DIR) / f"run-{self.pk}"
