"""Layers and spans: how suggestions are written, and how documents with their annotations go to the
engine.

Every span that passes here is held against its document's text: ``text[start:end] == surface``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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

#: Documents that are in memory at once while a project streams by.
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
    """A stored span or text is not what it was; the sentence names the document."""


def untouched_panels(documents: Iterable[int]) -> dict[int, str]:
    """Return the source of the panels of each legend whose panels only a model predicted.

    Legends with decided panels or drawn boxes are left out.
    """
    ids = list(documents)
    found = dict(
        Segment.objects.found()
        .filter(document__in=ids)
        .order_by()
        .values_list("document", "source")
    )
    decided = (
        Layer.objects.current()
        .filter(document__in=found, kind=LayerKind.DECIDED)
        .values_list("document", "panel_starts")
    )
    touched = {document for document, starts in decided if starts is not None}
    touched |= set(
        FigureImage.objects.filter(document__in=found)
        .exclude(boxes=[])
        .values_list("document", flat=True)
    )
    return {document: source for document, source in found.items() if document not in touched}


def engine_documents(
    queryset: QuerySet[Document],
    *,
    on_problem: Callable[[Problem], None] | None = None,
    with_suggestions: bool = True,
) -> Iterator[schema.Document]:
    """The documents with panels, gold and suggestions as the engine knows them, in constant memory,
    ordered by id.

    Gold is what stands accepted on the decided layer, else what was imported; each span's
    ``attributes["decision"]`` says how it was decided. ``id`` is the primary key; ``attributes``
    hold ``external_id``, ``sha256``, ``revision`` and ``state``. A document whose text or spans are
    damaged goes to ``on_problem`` and is left out; without it ``CorruptAnnotationError`` is raised.
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
            f"The text of {_named(document)} is not the one that was imported. Restore the database"
            " from a backup."
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
    """The current layer of each kind that the document has."""
    return {layer.kind: layer for layer in document.layers.all() if layer.superseded_at is None}


def panels_of(document: Document, layer: Layer | None) -> list[schema.Segment]:
    """The document's panels: as decided on the layer where a curator changed them, else as
    imported.

    A panel that begins where an imported one does keeps its id, marker and image. A decided panel
    ends where the next begins, without the white space between.
    """
    imported = [_engine_segment(segment) for segment in document.segments.all()]
    if layer is None or layer.panel_starts is None:
        return imported
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
                same.marker,
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
    """The layer whose spans are gold, and the one with suggestions."""
    layers = current_layers(document)
    return layers.get(LayerKind.DECIDED) or layers.get(LayerKind.IMPORTED), layers.get(
        LayerKind.SUGGESTED
    )


def _spans_of(
    documents: Iterable[Document], *, with_suggestions: bool
) -> Mapping[int, Sequence[_SpanRow]]:
    """The rows of all these documents' spans by layer, in one query; as tuples, since making
    objects of them takes longer than all the rest."""
    layers = [
        layer
        for document in documents
        for layer in _layers_to_read(document)[: 2 if with_suggestions else 1]
        if layer is not None
    ]
    rows = (
        Span.objects.filter(layer__in=layers)
        .order_by("layer", "start", "-end", "id")
        .values_list(*_SpanRow._fields)
    )
    found: dict[int, list[_SpanRow]] = {}
    for row in map(_SpanRow._make, rows.iterator(chunk_size=10_000)):
        found.setdefault(row.layer_id, []).append(row)
    return found


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
            f"An entity of {_named(document)} is damaged ({error}). Remove it on the review page,"
            " or restore the database from a backup."
        ) from error


def _named(document: Document) -> str:
    return f"legend {document.pk} ({document})"


def damage_of(document: Document) -> list[str]:
    """Every way in which a document with its panels and layers (superseded ones too) breaks the
    rules, as sentences without its text."""
    found = []
    if text_hash(document.text) != document.sha256:
        found.append("the text is not the one that was imported")
    n = len(document.text)
    found += [
        f"panel {segment.position} ends behind the text"
        for segment in document.segments.all()
        if segment.end > n
    ]
    for layer in document.layers.all():
        for row in layer.spans.all():
            try:
                schema.Span(row.start, row.end, row.label, row.surface).check(document.text)
            except OffsetError as error:
                found.append(f"{layer.kind} layer {layer.pk}, entity {row.key}: {error}")
    return found
