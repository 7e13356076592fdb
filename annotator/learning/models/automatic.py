"""Automatic training: the settings of a project, and each time it was triggered."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotator.common.states import Badge, State, StatefulQuerySet, StateMachine
from annotator.corpus.models import Project
from annotator.datasets.models import Snapshot
from annotator.learning.models.training_runs import TrainingRun


class AutomaticTraining(models.Model):
    """When a project trains automatically; never without a row that ``is_on``.

    It trains after ``every_panels`` newly accepted panels, or after ``every_days`` if any were
    accepted, whichever comes first. A worker last checked at ``checked_at``; ``check_result`` is a
    sentence on what it found or did.
    """

    project = models.OneToOneField(
        Project, on_delete=models.CASCADE, related_name="automatic_training"
    )
    is_on = models.BooleanField(default=False)
    every_panels = models.PositiveIntegerField(null=True, blank=True)
    every_days = models.PositiveIntegerField(null=True, blank=True)
    recipe = models.CharField(max_length=50, default="quick")
    hyperparameters = models.JSONField(default=dict, blank=True)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    changed_at = models.DateTimeField(auto_now=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    check_result = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(is_on=False)
                | Q(every_panels__isnull=False)
                | Q(every_days__isnull=False),
                name="automatic_training_has_an_occasion",
            ),
            models.CheckConstraint(
                condition=Q(every_panels=None) | Q(every_panels__gte=1),
                name="automatic_training_after_panels",
            ),
            models.CheckConstraint(
                condition=Q(every_days=None) | Q(every_days__gte=1),
                name="automatic_training_after_days",
            ),
        ]

    def __str__(self) -> str:
        return f"automatic training of {self.project}"


class RoundState(State):
    """The state of an automatic training run."""

    FREEZING = "freezing", Badge.BUSY, "freezing a snapshot"
    TRAINING = "training", Badge.BUSY, "training"
    SUCCEEDED = "succeeded", Badge.OK, "finished"
    FAILED = "failed", Badge.BAD, "failed"
    CANCELLED = "cancelled", Badge.NEUTRAL, "cancelled"


ROUND_STATES = StateMachine(
    {
        RoundState.FREEZING: frozenset(
            {RoundState.TRAINING, RoundState.FAILED, RoundState.CANCELLED}
        ),
        RoundState.TRAINING: frozenset(
            {RoundState.SUCCEEDED, RoundState.FAILED, RoundState.CANCELLED}
        ),
        RoundState.SUCCEEDED: frozenset(),
        RoundState.FAILED: frozenset(),
        RoundState.CANCELLED: frozenset(),
    }
)


class AutomaticRoundQuerySet(StatefulQuerySet["AutomaticRound"]):
    def unfinished(self) -> AutomaticRoundQuerySet:
        return self.filter(state__in=ROUND_STATES.unfinished)


class AutomaticRound(models.Model):
    """One automatic training: its reason, its snapshot and run, and its ``outcome`` in words."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="automatic_rounds")
    reason = models.CharField(max_length=300)
    snapshot = models.OneToOneField(
        Snapshot, null=True, blank=True, on_delete=models.SET_NULL, related_name="automatic_round"
    )
    run = models.OneToOneField(
        TrainingRun,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="automatic_round",
    )
    state = models.CharField(max_length=20, choices=RoundState.choices, default=RoundState.FREEZING)
    outcome = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    states = ROUND_STATES
    objects = AutomaticRoundQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["project"],
                condition=Q(state__in=ROUND_STATES.unfinished),
                name="one_unfinished_round_of_a_project",
            )
        ]

    def __str__(self) -> str:
        return f"round of {self.project}: {self.reason}"
