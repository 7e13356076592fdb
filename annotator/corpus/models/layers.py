"""Layers: the sets of spans on a document."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from annotator.corpus.models.documents import Document


class LayerKind(models.TextChoices):
    IMPORTED = "imported"
    SUGGESTED = "suggested"
    DECIDED = "decided"


#: What models predict beside entities, in words, in the order of the stages.
STEP_WORDS = {
    "panels": "panels",
    "geneprod_roles": "roles of gene products",
    "small_mol_roles": "roles of small molecules",
}


class LayerQuerySet(models.QuerySet["Layer"]):
    def current(self) -> LayerQuerySet:
        return self.filter(superseded_at=None)


class Layer(models.Model):
    """A set of spans on one document, from one source.

    IMPORTED holds the gold of a file and never changes. SUGGESTED holds what one model version
    (``source`` is its name) or a file suggested; tagging again supersedes it by a new layer.
    DECIDED is the state that the document's operations build, begun from IMPORTED; ``panel_starts``
    (code points, ascending) replaces the imported panels once a curator changed them.

    ``steps`` names the models that were asked for more than entities when suggestions were made, by
    what they tell (see ``STEP_WORDS``).
    """

    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="layers")
    kind = models.CharField(max_length=20, choices=LayerKind.choices)
    source = models.CharField(max_length=200, blank=True)
    steps = models.JSONField(default=dict, blank=True)
    panel_starts = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    superseded_at = models.DateTimeField(null=True, blank=True)

    objects = LayerQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["document", "kind"],
                condition=Q(superseded_at=None),
                name="one_current_layer_of_a_kind",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.source}".strip()

    @property
    def credits(self) -> str:
        """Return which models predicted more than the entities, in words, or ""."""
        return "; ".join(
            f"{words} by {self.steps[step]}"
            for step, words in STEP_WORDS.items()
            if step in self.steps
        )
