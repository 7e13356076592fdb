"""Scores of models on the held-out papers of snapshots."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from annotator.datasets.models import Snapshot
from annotator.learning.models.model_versions import ModelVersion


class EvaluationManager(models.Manager["Evaluation"]):
    """Leaves out ``findings`` until they are used, because they have a line for each text."""

    def get_queryset(self) -> models.QuerySet[Evaluation]:
        return super().get_queryset().defer("findings")


class Evaluation(models.Model):
    """The scores of one model on one ``split`` of a snapshot: so far, on its held-out papers.

    ``scores`` are read as ``StoredScores``. ``findings`` are the counts and errors of each text
    (see ``evaluation.recorder``), {} if none were stored.
    """

    model_version = models.ForeignKey(
        ModelVersion, on_delete=models.CASCADE, related_name="evaluations"
    )
    snapshot = models.ForeignKey(Snapshot, on_delete=models.CASCADE, related_name="evaluations")
    split = models.CharField(max_length=10, default="test")
    scores = models.JSONField(default=dict)
    findings = models.JSONField(default=dict)
    micro_f1 = models.FloatField()
    seconds = models.FloatField(default=0.0)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = EvaluationManager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["model_version", "snapshot", "split"],
                name="one_evaluation_of_a_model_on_a_split",
            ),
            models.CheckConstraint(
                condition=Q(micro_f1__gte=0.0, micro_f1__lte=1.0), name="f1_between_0_and_1"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model_version} on {self.snapshot}: {self.micro_f1:.3f}"
