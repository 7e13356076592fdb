"""Read documents with their layers and panels, as the engine needs them.

Each span is checked against its document's text: ``text[start:end] == surface``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from django.db.models import Prefetch, QuerySet

from annotator.common.errors import UserError
from annotator.corpus.models import (
    Document,
    FigureImage,
    Layer,
    LayerKind,
    Segment,
    Span,
    Verdict,
)
from ner_engine import schema
from ner_engine.errors import OffsetError
from ner_engine.formats.report import Problem
from ner_engine.schema import text_hash
from ner_engine.text import trim

#: The number of documents that are in memory at once while a project is read.
CHUNK: Final = 200


class _SpanRow(NamedTuple):
    layer_id: int
    start: int
    end: int
    label: str
    surface: str
    role: str
    score: float | None
    key: str
    verdict: str
    decision: str
    attributes: dict[str, Any]


class CorruptAnnotationError(UserError):
    """A stored span or text is damaged; the sentence names the document."""


def untouched_panels(documents: Iterable[int]) -> dict[int, str]:
    """Return the source of the panels of each legend whose panels only a model predicted.

    Legends with decided panels or drawn boxes are left out.
    """
    ids = list(documents)
    predicted = dict(
        Segment.objects.found()
        .filter(document__in=ids)
        .order_by()
        .values_list("document", "source")
    )
    decided = (
        Layer.objects.current()
        .filter(document__in=predicted, kind=LayerKind.DECIDED)
        .values_list("document", "panel_starts")
    )
    for document, starts in decided:
        if starts is not None:
            predicted.pop(document, None)
    drawn = (
        FigureImage.objects.filter(document__in=predicted)
        .exclude(boxes=[])
        .values_list("document", flat=True)
    )
    for document in drawn:
        predicted.pop(document, None)
    return predicted


def engine_documents(
    queryset: QuerySet[Document],
    *,
    on_problem: Callable[[Problem], None] | None = None,
    with_suggestions: bool = True,
) -> Iterator[schema.Document]:
    """Yield the documents with panels, gold and suggestions for the engine, ordered by id.

    Memory use is constant. Gold is the accepted entities of the decided layer, or the imported
    layer if nothing was decided; ``attributes["decision"]`` of a span says how it was decided.
    ``id`` is the primary key, and ``attributes`` hold ``external_id``, ``sha256``, ``revision`` and
    ``state``. A document with a damaged text or span is reported to ``on_problem`` and left out.
    Raise ``CorruptAnnotationError`` for it if there is no ``on_problem``.
    """
    last = 0
    while True:
        chunk = list(_with_layers(queryset.filter(pk__gt=last).order_by("pk")[:CHUNK]))
        if not chunk:
            return
        last = chunk[-1].pk
        spans = _spans_of(chunk, with_suggestions=with_suggestions)
        for document in chunk:
            try:
                yield _engine_document(document, spans)
            except CorruptAnnotationError as error:
                if on_problem is None:
                    raise
                on_problem(Problem(str(document), str(error)))


def _engine_document(
    document: Document, spans: Mapping[int, Sequence[_SpanRow]]
) -> schema.Document:
    if not document.text_is_intact:
        raise CorruptAnnotationError(
            f"The text of {_name_of(document)} is not the one that was imported. Restore the"
            " database from a backup."
        )
    gold_layer, suggested = _layers_to_read(document)
    return schema.Document(
        id=str(document.pk),
        text=document.text,
        doi=document.doi,
        title=document.title,
        label=document.figure_label,
        image=document.image,
        segments=tuple(panels_of(document, gold_layer)),
        gold=tuple(_engine_spans(document, gold_layer, spans)),
        suggestions=tuple(_engine_spans(document, suggested, spans)),
        attributes={
            **document.attributes,
            "external_id": document.external_id,
            "sha256": document.sha256,
            "revision": document.revision,
            "state": document.state,
        },
    )


def current_layers(document: Document) -> Mapping[str, Layer]:
    """Return the document's current layers by their kind."""
    return {layer.kind: layer for layer in document.layers.all() if layer.superseded_at is None}


def panels_of(document: Document, layer: Layer | None) -> list[schema.Segment]:
    """Return the document's panels: those decided on the layer, or the stored ones.

    A decided panel that starts at the same place as a stored one has its id, marker and image. It
    ends before the white space in front of the next panel. A name that a curator gave is its
    marker.
    """
    imported = [_engine_segment(segment) for segment in document.segments.all()]
    names: dict[str, str] = layer.panel_names if layer else {}
    if layer is None or layer.panel_starts is None:
        return [
            replace(segment, marker=names.get(str(segment.start), segment.marker))
            for segment in imported
        ]
    known = {segment.start: segment for segment in imported}
    starts: list[int] = layer.panel_starts
    ends = [*starts[1:], len(document.text)]
    panels = []
    for start, end in zip(starts, ends, strict=False):
        same = known.get(start, schema.Segment(start, end))
        panels.append(
            schema.Segment(
                start,
                trim(document.text, start, end)[1],
                same.id,
                names.get(str(start), same.marker),
                same.aliases,
                same.image,
                same.attributes,
            ),
        )
    return panels


def _with_layers(queryset: QuerySet[Document]) -> QuerySet[Document]:
    return queryset.prefetch_related(
        "segments", Prefetch("layers", queryset=Layer.objects.current())
    )


def _layers_to_read(document: Document) -> tuple[Layer | None, Layer | None]:
    """Return the layer whose spans are gold, and the layer with suggestions."""
    layers = current_layers(document)
    gold = layers.get(LayerKind.DECIDED) or layers.get(LayerKind.IMPORTED)
    return gold, layers.get(LayerKind.SUGGESTED)


def _spans_of(
    documents: Iterable[Document], *, with_suggestions: bool
) -> Mapping[int, Sequence[_SpanRow]]:
    """Return the spans of all these documents by layer, in one query.

    They are tuples: creating model objects would take longer than everything else together.
    """
    layers = []
    for document in documents:
        gold, suggested = _layers_to_read(document)
        if gold is not None:
            layers.append(gold)
        if suggested is not None and with_suggestions:
            layers.append(suggested)
    rows = (
        Span.objects.filter(layer__in=layers)
        .order_by("layer", "start", "-end", "id")
        .values_list(*_SpanRow._fields)
    )
    spans: dict[int, list[_SpanRow]] = {}
    for row in map(_SpanRow._make, rows.iterator(chunk_size=10_000)):
        spans.setdefault(row.layer_id, []).append(row)
    return spans


def _engine_segment(segment: Segment) -> schema.Segment:
    return schema.Segment(
        segment.start,
        segment.end,
        segment.external_id,
        segment.marker,
        tuple(segment.aliases),
        segment.image,
    )


def _engine_spans(
    document: Document, layer: Layer | None, spans: Mapping[int, Sequence[_SpanRow]]
) -> Iterator[schema.Span]:
    if layer is None:
        return
    for row in spans.get(layer.pk, ()):
        if layer.kind == LayerKind.DECIDED and row.verdict != Verdict.ACCEPTED:
            continue
        attributes: dict[str, Any] = dict(row.attributes)
        if row.decision:
            attributes["decision"] = row.decision
        span = schema.Span(
            row.start, row.end, row.label, row.surface, row.role, row.score, row.key, attributes
        )
        _check_span(document, span)
        yield span


def _check_span(document: Document, span: schema.Span) -> None:
    try:
        span.check(document.text)
    except OffsetError as error:
        raise CorruptAnnotationError(
            f"An entity of {_name_of(document)} is damaged ({error}). Remove it on the review page,"
            " or restore the database from a backup."
        ) from error


def _name_of(document: Document) -> str:
    return f"legend {document.pk} ({document})"


def damage_of(document: Document) -> list[str]:
    """Return sentences on all damage of a document, its panels and all its layers.

    The sentences do not contain the text.
    """
    damage = []
    if text_hash(document.text) != document.sha256:
        damage.append("the text is not the one that was imported")
    length = len(document.text)
    panels = [segment for segment in document.segments.all() if segment.end > length]
    damage += [f"panel {segment.position} ends behind the end of the text" for segment in panels]
    for layer in document.layers.all():
        for row in layer.spans.all():
            try:
                schema.Span(row.start, row.end, row.label, row.surface).check(document.text)
            except OffsetError as error:
                damage.append(f"{layer.kind} layer {layer.pk}, entity {row.key}: {error}")
    return damage
