"""Curator effort: actions and seconds a legend, and what became of each suggestion."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from annotator.corpus.models import Document
from annotator.learning.models.model_versions import ModelTask


class LegendEffort(models.Model):
    """The effort of accepting one ``revision`` of a legend (see ``evaluation.effort_counting``).

    ``source`` names the model or file that suggested the entities; it is empty for a legend that
    was decided without suggestions. ``n_actions`` counts what people did, and ``seconds`` is the
    time they took, None if the log does not show when they began.
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
    """The outcomes of one source's suggestions of one label in one legend.

    ``label`` is the suggestion's, or that of an entity ``added`` by hand. ``accepted`` counts
    unchanged suggestions; ``bulk_accepted`` of them were accepted together with the legend.
    ``boundaries_corrected`` and ``relabelled`` (another label or role) were corrected. A person
    ``rejected`` some; others were ``left_out`` with the legend: below the threshold, or against
    the project's memory.
    """

    legend = models.ForeignKey(LegendEffort, on_delete=models.CASCADE, related_name="labels")
    task = models.CharField(max_length=20, choices=ModelTask.choices, default=ModelTask.ENTITIES)
    source = models.CharField(max_length=200)
    label = models.CharField(max_length=50)
    accepted = models.PositiveIntegerField(default=0)
    bulk_accepted = models.PositiveIntegerField(default=0)
    boundaries_corrected = models.PositiveIntegerField(default=0)
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
                condition=Q(bulk_accepted__lte=models.F("accepted")),
                name="bulk_accepted_are_among_the_accepted",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source}, {self.label}: {self.accepted} accepted"
