"""The affixes that the curators of a project leave out of entities."""

from __future__ import annotations

from django.db import models

from annotator.corpus.models import Project


class ProjectAffixes(models.Model):
    """The affixes that a project's decisions taught, counted when pre-tagging starts.

    ``content`` is the JSON of ``ner_engine.registry.affixes.Affixes``. ``examples`` has for each of
    its rows, in order, a few decisions such as "si[Atg5]". Only legends accepted after
    ``counted_from`` count, all if it is None; ``n_legends`` of them were counted.
    """

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="own_affixes")
    content = models.JSONField(default=dict, blank=True)
    examples = models.JSONField(default=list, blank=True)
    n_legends = models.PositiveIntegerField(default=0)
    counted_at = models.DateTimeField(null=True, blank=True)
    counted_from = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "project affixes"

    def __str__(self) -> str:
        return f"affixes of {self.project}"
