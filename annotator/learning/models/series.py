"""Training series: cross-validation for label errors, and learning curves."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotator.corpus.models import Project
from annotator.datasets.models import Snapshot
from annotator.jobs.models import Job
from annotator.learning.models.model_versions import ModelVersion


class SeriesKind(models.TextChoices):
    """What several short trainings are done for. The values are the engine's commands."""

    LABEL_ERRORS = "label-errors", "label errors"
    LEARNING_CURVE = "curve", "learning curve"


class TrainingSeries(models.Model):
    """Several short trainings from ``base`` on a snapshot, for what they tell together; no model of
    theirs is registered.

    ``options`` are what the kind asks for (see ``learning.series``), ``result`` what came of it, {}
    before. How far it is, and how it ended, its job says. The folder holds what is finished, so
    that another job goes on from there.
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
    def is_done(self) -> bool:
        return bool(self.result)

    @property
    def is_at_work(self) -> bool:
        """Whether a job of it waits or runs."""
        return not self.is_done and self.job is not None and not self.job.is_final

    @property
    def folder(self) -> Path:
        return Path(settings.RUNS_DIR) / f"series-{self.pk}"

    @property
    def out(self) -> Path:
        """The engine's folder."""
        return self.folder / "out"
