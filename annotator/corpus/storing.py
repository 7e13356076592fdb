"""Store suggestions, layers of spans, and panels.

Each span is checked against its document's text: ``text[start:end] == surface``.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from annotator.common.bulk import insert_rows
from annotator.corpus.models import Document, DocumentState, Layer, LayerKind, Segment, Span
from ner_engine import schema

MAX_KEY: Final = 64
_SEGMENT_FIELDS: Final = (
    "document",
    "position",
    "start",
    "end",
    "external_id",
    "marker",
    "image",
    "aliases",
    "source",
)
_SPAN_FIELDS: Final = (
    "layer",
    "key",
    "start",
    "end",
    "surface",
    "label",
    "role",
    "score",
    "verdict",
    "decision",
    "attributes",
)


def write_suggestions(
    *,
    batch: Sequence[tuple[Document, Sequence[schema.Span]]],
    source: str,
    stage_models: Mapping[str, str] | None = None,
    is_calibrated: bool = False,
    steps: str = "",
    panels: Mapping[int, Sequence[schema.Segment]] | None = None,
    panels_by: str = "",
) -> int:
    """Store a model's suggestions for documents that nobody has begun to review.

    Return the number of documents written, in one transaction. Documents that somebody has begun
    to review in the meantime are skipped. In the others, the new suggestions supersede the current
    ones, even if there are none, and set ``certainty`` and ``disagreement``. For ``stage_models``,
    ``is_calibrated`` and ``steps`` see ``Layer``. ``panels``, by document, were predicted by
    ``panels_by``; they replace predicted panels only. Raise ``OffsetError``, and write nothing, if
    a span does not fit its text.
    """
    spans_of = {document.pk: spans for document, spans in batch}
    with transaction.atomic():
        documents = list(
            Document.objects.undecided()
            .filter(pk__in=spans_of)
            .select_for_update()
            .only("pk", "text", "state")
            .order_by("pk")
        )
        ids = [document.pk for document in documents]
        for document in documents:
            _check_spans(document, spans_of[document.pk])
        others = suggested_by_others(ids, source)
        Layer.objects.current().filter(document__in=ids, kind=LayerKind.SUGGESTED).update(
            superseded_at=timezone.now()
        )
        write_layers(
            layers=((document, spans_of[document.pk]) for document in documents),
            kind=LayerKind.SUGGESTED,
            source=source,
            stage_models=stage_models,
            is_calibrated=is_calibrated,
            steps=steps,
        )
        _replace_found_panels(ids, panels or {}, panels_by)
        Document.objects.filter(pk__in=ids).move(DocumentState.SUGGESTED)
        _set_queue_columns(documents, spans_of, others)
    return len(documents)


def _set_queue_columns(
    documents: Sequence[Document],
    spans_of: Mapping[int, Sequence[schema.Span]],
    others: Mapping[int, set[tuple[int, int, str]]],
) -> None:
    for document in documents:
        spans = spans_of[document.pk]
        document.certainty = mean_certainty(spans)
        document.disagreement = _n_differing(spans, others.get(document.pk))
    Document.objects.bulk_update(documents, ["certainty", "disagreement"])


def _replace_found_panels(
    documents: Iterable[int], panels: Mapping[int, Sequence[schema.Segment]], found_by: str
) -> None:
    asked = Document.objects.filter(pk__in=set(documents) & set(panels))
    replaced = list(asked.without_own_panels().only("pk"))
    Segment.objects.found().filter(document__in=replaced).delete()
    write_segments([(document, panels[document.pk]) for document in replaced], source=found_by)
    for document in replaced:
        document.n_panels = len(panels[document.pk])
    Document.objects.bulk_update(replaced, ["n_panels"])


def write_segments(
    panels: Iterable[tuple[Document, Sequence[schema.Segment]]], *, source: str = ""
) -> int:
    """Store the panels of each document, and return the number of panels.

    The caller has checked that they fit the text. ``source`` is the name of the model or rule that
    predicted them. Call it in a transaction.
    """
    rows: list[tuple[object, ...]] = []
    for document, segments in panels:
        for position, segment in enumerate(segments):
            place = (document.pk, position, segment.start, segment.end)
            names = (segment.id, segment.marker, segment.image, json.dumps(list(segment.aliases)))
            rows.append((*place, *names, source[:200]))
    insert_rows(Segment, _SEGMENT_FIELDS, rows)
    return len(rows)


def mean_certainty(spans: Iterable[schema.Span]) -> float | None:
    """Return the mean confidence of suggestions, or None if none of them has one."""
    scores = [span.score for span in spans if span.score is not None]
    if not scores:
        return None
    return sum(scores) / len(scores)


def suggested_by_others(
    documents: Iterable[int], source: str
) -> dict[int, set[tuple[int, int, str]]]:
    """Return (start, end, label) of the latest suggestions from other sources, by document.

    Documents without suggestions from another source than ``source`` are left out.
    """
    layers = Layer.objects.filter(document__in=documents, kind=LayerKind.SUGGESTED).exclude(
        source=source[:200]
    )
    newest = dict(layers.order_by().values_list("document").annotate(newest=Max("pk")))
    entities: dict[int, set[tuple[int, int, str]]] = {document: set() for document in newest}
    rows = (
        Span.objects.filter(layer__in=newest.values())
        .order_by()
        .values_list("layer__document", "start", "end", "label")
    )
    for document, start, end, label in rows:
        entities[document].add((start, end, label))
    return entities


def _n_differing(spans: Iterable[schema.Span], others: set[tuple[int, int, str]] | None) -> int:
    """Return the number of entities in only one of two sets; 0 if there is no other set."""
    if others is None:
        return 0
    return len({(span.start, span.end, span.label) for span in spans} ^ others)


def write_layers(
    *,
    layers: Iterable[tuple[Document, Sequence[schema.Span]]],
    kind: LayerKind,
    source: str,
    stage_models: Mapping[str, str] | None = None,
    is_calibrated: bool = False,
    steps: str = "",
    keeps_ids: bool = False,
    decision: str = "",
    verdict: str = "",
) -> int:
    """Store a layer with these spans for each document, and return the number of spans.

    The caller has checked that the spans fit the text. With ``keeps_ids`` the ids of the spans
    become their keys, as for spans from a file; other keys are generated. Call it in a transaction.
    """
    layers = list(layers)
    rows = Layer.objects.bulk_create(
        Layer(
            document=document,
            kind=kind,
            source=source[:200],
            stage_models=dict(stage_models or {}),
            is_calibrated=is_calibrated,
            steps=steps,
        )
        for document, _ in layers
    )
    values: list[tuple[object, ...]] = []
    for row, (_, spans) in zip(rows, layers, strict=True):
        prefix = uuid.uuid4().hex[:12]
        for number, span in enumerate(spans):
            key = f"{prefix}.{number}"
            if keeps_ids and 0 < len(span.id) <= MAX_KEY:
                key = span.id
            place = (row.pk, key, span.start, span.end, span.surface)
            marks = (span.label, span.role, span.score, str(verdict), str(decision))
            values.append((*place, *marks, json.dumps(dict(span.attributes))))
    insert_rows(Span, _SPAN_FIELDS, values)
    return len(values)


def _check_spans(document: Document, spans: Iterable[schema.Span]) -> None:
    for span in spans:
        span.check(document.text)
