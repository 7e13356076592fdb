"""Training runs and their states."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models

from annotator.corpus.models import Project
from annotator.datasets.models import Snapshot
from annotator.jobs.models import Job
from annotator.learning.models.model_versions import ModelTask, ModelVersion


class RunState(models.TextChoices):
    QUEUED = "queued"
    TRAINING = "training"
    JUDGING = "judging"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return not RUN_TRANSITIONS[self]


RUN_TRANSITIONS: dict[RunState, frozenset[RunState]] = {
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


class TrainingRunQuerySet(models.QuerySet["TrainingRun"]):
    def unfinished(self) -> TrainingRunQuerySet:
        return self.filter(state__in=[state for state in RunState if not state.is_final])

    def move(self, after: RunState, **changes: Any) -> int:
        """Take those of these runs that may go to ``after`` there; how many it were. Every change
        of a run's state goes through here."""
        return self.filter(
            state__in=[before for before, allowed in RUN_TRANSITIONS.items() if after in allowed]
        ).update(state=after, **changes)


class TrainingRun(models.Model):
    """One fine-tuning of ``base`` on a snapshot by a recipe, which says the ``task`` of the model
    that comes out.

    Its folder holds the checkpoints, the log and ``events.jsonl``, a line a step. ``reason`` says
    why it was started where no person did.
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

    objects = TrainingRunQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.recipe} run {self.pk}"

    @property
    def is_final(self) -> bool:
        return RunState(self.state).is_final

    @property
    def candidate_name(self) -> str:
        """What the model that this run makes is called."""
        return f"{self.project.slug}-run-{self.pk}"

    @property
    def folder(self) -> Path:
        return Path(settings.RUNS_DIR) / f"run-{self.pk}"
