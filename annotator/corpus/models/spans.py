"""Spans, and the index by the beginning of their surface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Left

from annotator.corpus.decisions import DecisionKind, Verdict
from annotator.corpus.models.layers import Layer

if TYPE_CHECKING:
    from collections.abc import Iterable


#: The number of code points of a surface that are indexed.
SURFACE_HEAD = 80


class SurfaceHead(models.Func):
    """The indexed beginning of a surface, written exactly as in the index.

    SQLite would not use the index if the length were a bound parameter.
    """

    arity = 1
    template = f"LEFT(%(expressions)s, {SURFACE_HEAD})"
    output_field = models.TextField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(
            compiler, connection, template=f"SUBSTR(%(expressions)s, 1, {SURFACE_HEAD})", **context
        )

    @staticmethod
    def of(surfaces: Iterable[str]) -> list[str]:
        """Return the distinct beginnings of surfaces."""
        return sorted({surface[:SURFACE_HEAD] for surface in surfaces})


class Span(models.Model):
    """An entity on a layer.

    ``key`` identifies the entity within the document, also after its boundaries, label or role
    change. A rejected suggestion stays on the decided layer with ``verdict`` REJECTED, so that the
    next pre-tagging does not bring it back.
    """

    layer = models.ForeignKey(Layer, on_delete=models.CASCADE, related_name="spans")
    key = models.CharField(max_length=64)
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    surface = models.TextField()
    label = models.CharField(max_length=50, blank=True)
    role = models.CharField(max_length=20, blank=True)
    score = models.FloatField(null=True, blank=True)
    verdict = models.CharField(max_length=10, choices=Verdict.choices, blank=True)
    decision = models.CharField(max_length=12, choices=DecisionKind.choices, blank=True)
    attributes = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["start", "-end", "id"]
        constraints = [
            models.UniqueConstraint(fields=["layer", "key"], name="span_key_once_in_a_layer"),
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="span_is_not_empty"),
        ]
        # Earlier decisions on the same string are found by this index. It holds only the beginning
        # of a surface because the length of an index entry is limited.
        indexes = [models.Index(Left("surface", SURFACE_HEAD), name="span_surface_head")]

    def __str__(self) -> str:
        return f"{self.start}-{self.end} {self.label}"

    def identifiers(self) -> list[str]:
        """Return the ontology identifiers as the source wrote them."""
        raw: Any = self.attributes.get("ext_ids", "")
        return [part for part in str(raw).split("///") if part]
