"""Panels of accepted legends as training examples, each with its lineage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

from annotator.corpus.annotations import CHUNK, untouched_panels
from annotator.corpus.models import DecisionKind, Document, DocumentState, Layer, LayerKind
from annotator.datasets.snapshots.plan import Plan
from annotator.review.models import Operation
from ner_engine import schema
from ner_engine.schema import Segment, Span

#: A panel must be longer than this to be an example, as in the public data sets.
MIN_CHARACTERS: Final = 80
TOO_SHORT: Final = f"{MIN_CHARACTERS} characters or fewer"
NO_ENTITY: Final = "no entity of the project's labels"
OTHER_DECISION: Final = "an entity was decided in a way that was not asked for"


def with_lineage(
    legends: Iterable[schema.Document], plan: Plan, on_edited: Callable[[schema.Document], None]
) -> Iterator[schema.Document]:
    """Yield the legends with their provenance in ``attributes["lineage"]``.

    A legend that was edited after it was read goes to ``on_edited`` instead.
    """
    rest = iter(legends)
    while batch := list(islice(rest, CHUNK)):
        facts = _Provenance.of([_document_id(legend) for legend in batch])
        for legend in batch:
            lineage = legend.attributes["lineage"]
            pk = _document_id(legend)
            if facts.revisions.get(pk) != (lineage["revision"], DocumentState.ACCEPTED):
                on_edited(legend)
                continue
            lineage = {**lineage, **facts.lineage_of(pk, plan)}
            yield replace(legend, attributes={**legend.attributes, "lineage": lineage})


def _document_id(legend: schema.Document) -> int:
    return int(legend.attributes["lineage"]["document"])


@dataclass(frozen=True, slots=True)
class _Provenance:
    """Who and which models worked on a batch of documents, by primary key."""

    revisions: dict[int, tuple[int, str]]
    curators: dict[int, set[int]]
    models: dict[int, str]
    panel_models: dict[int, str]

    @classmethod
    def of(cls, ids: Sequence[int]) -> _Provenance:
        documents = list(
            Document.objects.filter(pk__in=ids).values_list(
                "pk", "revision", "state", "accepted_by"
            )
        )
        curators: dict[int, set[int]] = {
            pk: {accepted_by} if accepted_by else set() for pk, _, _, accepted_by in documents
        }
        operations = (
            Operation.objects.filter(document__in=ids)
            .exclude(actor=None)
            .order_by()
            .values_list("document", "actor")
            .distinct()
        )
        for document, actor in operations:
            curators.setdefault(document, set()).add(actor)
        suggested = Layer.objects.current().filter(document__in=ids, kind=LayerKind.SUGGESTED)
        return cls(
            revisions={pk: (revision, state) for pk, revision, state, _ in documents},
            curators=curators,
            models=dict(suggested.values_list("document", "source")),
            panel_models=untouched_panels(ids),
        )

    def lineage_of(self, pk: int, plan: Plan) -> dict[str, Any]:
        lineage: dict[str, Any] = {
            "curators": sorted(self.curators[pk]),
            "model": self.models.get(pk, ""),
            "guideline": plan.guideline,
        }
        if pk in self.panel_models:
            lineage["panels_by"] = self.panel_models[pk]
        return lineage


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel of a legend; the offsets of its entities are relative to the panel.

    ``reason`` says why the panel is no example; it is empty if it is one.
    """

    name: str
    segment: Segment
    gold: tuple[Span, ...]
    reason: str

    @property
    def n_spans(self) -> int:
        return len(self.gold)

    @property
    def n_unreviewed(self) -> int:
        """The number of bulk-accepted entities."""
        return sum(_decision(span) == DecisionKind.BULK_ACCEPTED for span in self.gold)


def _decision(span: Span) -> Any:
    return span.attributes.get("decision")


def panels_of(document: schema.Document, plan: Plan) -> Iterator[Panel]:
    """Yield the panels of a legend, whether they are examples or not."""
    known = frozenset(plan.labels)
    for segment in document.segments or (Segment(0, len(document.text)),):
        gold = tuple(
            span.moved(-segment.start)
            for span in document.gold
            if span.label in known and segment.start <= span.start and span.end <= segment.end
        )
        name = segment.id or f"{document.id}:{segment.marker or segment.start}"
        yield Panel(name, segment, gold, _reason_against(segment, gold, plan))


def _reason_against(segment: Segment, gold: Sequence[Span], plan: Plan) -> str:
    """Return why a panel is no example, or an empty string if it is one."""
    if segment.end - segment.start <= MIN_CHARACTERS:
        return TOO_SHORT
    if not gold:
        return NO_ENTITY
    if plan.decisions and any(_decision(span) not in plan.decisions for span in gold):
        return OTHER_DECISION
    return ""


def example_of(document: schema.Document, panel: Panel, plan: Plan) -> schema.Document:
    """Return the row of a panel."""
    segment = panel.segment
    decisions = Counter(str(_decision(span) or "unknown") for span in panel.gold)
    lineage = {
        **document.attributes["lineage"],
        "panel": panel.name,
        "start": segment.start,
        "end": segment.end,
        "paper": document.group,
        "decisions": dict(sorted(decisions.items())),
        "weight": plan.rules.weight(panel.n_spans, panel.n_unreviewed),
    }
    return schema.Document(
        id=panel.name,
        text=document.text[segment.start : segment.end],
        doi=document.doi,
        gold=panel.gold,
        attributes={"lineage": lineage},
    )
