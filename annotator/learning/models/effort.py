"""Curator effort: actions and seconds a legend, and what became of each suggestion."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from annotator.corpus.models import Document
from annotator.learning.models.model_versions import ModelTask


class LegendEffort(models.Model):
    """What it took to accept a legend, counted from its log (see ``learning.effort``); it holds for
    this ``revision`` of the legend alone.

    ``source`` is what suggested its entities (a model version's name), empty where it was decided
    without seeing any suggestion. ``n_actions`` counts what people did to it, ``seconds`` the time
    that took, None where the log does not tell when they began.
    """

    document = models.OneToOneField(Document, on_delete=models.CASCADE, related_name="effort")
    revision = models.PositiveIntegerField()
    source = models.CharField(max_length=200, blank=True)
    suggested_at = models.DateTimeField(null=True, blank=True)
    n_actions = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(seconds=None) | Q(seconds__gte=0),
                name="seconds_of_effort_are_not_negative",
            )
        ]

    def __str__(self) -> str:
        return f"effort of {self.document_id} at r{self.revision}"


class LabelEffort(models.Model):
    """What became of one source's suggestions of one label in one legend.

    ``label`` is that of the suggestion, of an ``added`` entity its own. ``accepted`` as they were,
    of these ``swept`` without a look; ``edge``: corrected in extent, ``relabelled``: in label or
    role; ``rejected`` by a person, ``left_out`` below the threshold without a look; ``added`` by
    hand.
    """

    legend = models.ForeignKey(LegendEffort, on_delete=models.CASCADE, related_name="labels")
    task = models.CharField(max_length=20, choices=ModelTask.choices, default=ModelTask.ENTITIES)
    source = models.CharField(max_length=200)
    label = models.CharField(max_length=50)
    accepted = models.PositiveIntegerField(default=0)
    swept = models.PositiveIntegerField(default=0)
    edge = models.PositiveIntegerField(default=0)
    relabelled = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    left_out = models.PositiveIntegerField(default=0)
    added = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["legend", "task", "source", "label"], name="label_effort_once_in_a_legend"
            ),
            models.CheckConstraint(
                condition=Q(swept__lte=models.F("accepted")), name="swept_are_among_the_accepted"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source}, {self.label}: {self.accepted} accepted"
