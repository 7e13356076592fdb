"""Layers: the sets of spans on a document."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from annotator.corpus.models.documents import Document


class LayerKind(models.TextChoices):
    IMPORTED = "imported"
    SUGGESTED = "suggested"
    DECIDED = "decided"


#: The names of the pipeline stages beside entities, in the order in which they run.
STAGE_NAMES = {
    "panels": "panels",
    "geneprod_roles": "roles of gene products",
    "small_mol_roles": "roles of small molecules",
}


class LayerQuerySet(models.QuerySet["Layer"]):
    def current(self) -> LayerQuerySet:
        return self.filter(superseded_at=None)


class Layer(models.Model):
    """A set of spans on one document, from one source.

    IMPORTED holds the gold entities of a file and never changes. SUGGESTED holds the suggestions of
    a model (``source`` is its name) or of a file; the next pre-tagging supersedes it. DECIDED is
    the result of the document's operations and starts from IMPORTED. Its ``panel_starts`` (code
    points, ascending) replace the imported panels once a curator has changed them; ``panel_names``
    maps starts (as strings) to the names that curators gave.

    ``stage_models`` maps pipeline stages (see ``STAGE_NAMES``) to the models that ran in them when
    the suggestions were made. ``is_calibrated`` says that the scores of the spans are probabilities
    of being right; otherwise they are a network's own, or come from a file. ``steps`` names the
    steps after decoding that made the suggestions, as ``as_stored`` returns them.
    """

    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="layers")
    kind = models.CharField(max_length=20, choices=LayerKind.choices)
    source = models.CharField(max_length=200, blank=True)
    stage_models = models.JSONField(default=dict, blank=True)
    is_calibrated = models.BooleanField(default=False)
    steps = models.CharField(max_length=100, blank=True)
    panel_starts = models.JSONField(null=True, blank=True)
    panel_names = models.JSONField(default=dict, blank=True)
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
    def provenance(self) -> str:
        """The models behind panels and roles, and the steps, as a phrase; "" without any."""
        phrases = []
        for stage, name in STAGE_NAMES.items():
            if stage in self.stage_models:
                phrases.append(f"{name} by {self.stage_models[stage]}")
        if self.steps:
            phrases.append(f"steps after decoding: {self.steps}")
        return "; ".join(phrases)
