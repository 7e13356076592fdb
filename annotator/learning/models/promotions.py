"""Which model serves a project, the log of changes, and the rules of the promotion gate."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotator.corpus.models import Project
from annotator.learning.models.model_versions import ModelTask, ModelVersion


class ServingModel(models.Model):
    """The serving model of one task in a project, None if the stage is switched off.

    It changes only together with a ``Promotion`` row. A task without a row has the default model.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="serving")
    task = models.CharField(max_length=20, choices=ModelTask.choices, default=ModelTask.ENTITIES)
    model_version = models.ForeignKey(
        ModelVersion, null=True, on_delete=models.PROTECT, related_name="serving"
    )
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "task"], name="one_serving_model_of_a_task"),
            models.CheckConstraint(
                condition=Q(task__in=ModelTask.values), name="serving_task_is_known"
            ),
            models.CheckConstraint(
                condition=~Q(task=ModelTask.ENTITIES) | Q(model_version__isnull=False),
                name="entities_are_always_served",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project}, {self.get_task_display()}: {self.model_version or 'switched off'}"


class PromotionKind(models.TextChoices):
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    SWITCHED_OFF = "switched_off"
    SWITCHED_ON = "switched_on"
    CANARY_STARTED = "canary_started"
    CANARY_STOPPED = "canary_stopped"


class PromotionQuerySet(models.QuerySet["Promotion"]):
    def of_task(self, task: str) -> PromotionQuerySet:
        """Return the changes of models of that task."""
        return self.filter(model_version__task=task)


class Promotion(models.Model):
    """An append-only log of promotions, switched stages and canaries: who, when and why.

    A switched stage is logged with its serving model, a canary with its candidate. ``verdict`` is
    the gate result of a promoted model, ``reason`` what the user wrote.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="promotions")
    kind = models.CharField(max_length=20, choices=PromotionKind.choices)
    model_version = models.ForeignKey(
        ModelVersion, on_delete=models.PROTECT, related_name="promotions"
    )
    replaced = models.ForeignKey(
        ModelVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    reason = models.TextField(blank=True)
    verdict = models.TextField(blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = PromotionQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.model_version} {self.kind}"


class GateRules(models.Model):
    """The rules of a project's promotion gate; a project without a row has the defaults.

    No label with ``min_support`` or more entities in the held-out papers may fall by more than
    ``max_label_loss`` points of F1 (0-100, strict), and the micro average by no more than
    ``max_overall_loss``.
    """

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="gate_rules")
    min_support = models.PositiveIntegerField(default=50)
    max_label_loss = models.FloatField(default=2.0)
    max_overall_loss = models.FloatField(default=0.0)

    class Meta:
        verbose_name_plural = "gate rules"
        constraints = [
            models.CheckConstraint(
                condition=Q(min_support__gte=1), name="gate_min_support_at_least_1"
            ),
            models.CheckConstraint(
                condition=Q(max_label_loss__gte=0, max_label_loss__lte=100),
                name="gate_label_loss_between_0_and_100",
            ),
            models.CheckConstraint(
                condition=Q(max_overall_loss__gte=0, max_overall_loss__lte=100),
                name="gate_overall_loss_between_0_and_100",
            ),
        ]

    def __str__(self) -> str:
        return f"gate of {self.project}"
