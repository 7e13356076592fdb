"""Legends in the database with suggestions or imported labels, and operations on them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

from annotator.accounts.models import User
from annotator.corpus.models import (
    Document,
    DocumentState,
    Layer,
    LayerKind,
    Project,
    Segment,
    Span,
)
from annotator.review.editing import services
from annotator.review.editing.services import Outcome
from ner_engine.schema import text_hash
from ner_engine.text import words

TEXT = "(A) Bax and Bak in MEFs. (B) Bax/Bak-deficient MEFs with Bax inhibitor."
SUGGESTED = (("Bax", "GENEPROD", 0.95), ("Bak", "GENEPROD", 0.55), ("MEFs", "CELL", 0.9))

MakeLegend = Callable[..., Document]
Operate = Callable[..., Outcome]


def _rows(
    layer: Layer, text: str, found: Iterable[Sequence[Any]], prefix: str, **others: Any
) -> list[Span]:
    """The first occurrence of each surface, or where (surface, label, score, start) says."""
    rows = []
    for number, (surface, label, score, *start) in enumerate(found):
        at = start[0] if start else text.index(surface)
        others_of_it = {"score": score, **others}
        rows.append(
            Span(
                layer=layer,
                key=f"{prefix}{number}",
                start=at,
                end=at + len(surface),
                surface=surface,
                label=label,
                **others_of_it,
            )
        )
    return rows


@pytest.fixture
def make_legend(project: Project) -> MakeLegend:
    """``make_legend(text=…, suggested=[(surface, label, score, start?)], imported=[…],
    panels=[("A", start, end)])``."""
    count = iter(range(1, 10_000))

    def make(
        text: str = TEXT,
        suggested: Sequence[Sequence[Any]] | None = SUGGESTED,
        imported: Sequence[Sequence[Any]] = (),
        panels: Sequence[tuple[str, int, int]] | None = None,
    ) -> Document:
        number = next(count)
        if panels is None:
            middle = text.find("(B)")
            panels = (
                [("A", 0, middle), ("B", middle, len(text))]
                if middle > 0
                else [("A", 0, len(text))]
            )
        document = Document.objects.create(
            project=project,
            external_id=f"legend-{number}",
            doi=f"10.1000/{number}",
            figure_label=f"Figure {number}",
            text=text,
            sha256=text_hash(text),
            n_words=len(words(text)),
            n_panels=len(panels),
            state=DocumentState.SUGGESTED if suggested else DocumentState.IMPORTED,
        )
        Segment.objects.bulk_create(
            Segment(document=document, position=position, start=start, end=end, marker=marker)
            for position, (marker, start, end) in enumerate(panels)
        )
        if suggested:
            layer = Layer.objects.create(
                document=document, kind=LayerKind.SUGGESTED, source="bundled"
            )
            Span.objects.bulk_create(_rows(layer, text, suggested, "s"))
        if imported:
            layer = Layer.objects.create(document=document, kind=LayerKind.IMPORTED, source="file")
            Span.objects.bulk_create(
                _rows(layer, text, imported, "g", verdict="accepted", decision="imported")
            )
        return document

    return make


@pytest.fixture
def operate(curator: User) -> Operate:
    """``operate(document, "relabel", entity="s0", label="CELL", base=…, actor=…, id=…)``; the base
    is the newest revision if not said."""

    def run(
        document: Document,
        kind: str,
        *,
        entity: str | None = None,
        base: int | None = None,
        actor: User | None = None,
        id: uuid.UUID | None = None,
        **arguments: Any,
    ) -> Outcome:
        if base is None:
            base = Document.objects.values_list("revision", flat=True).get(pk=document.pk)
        operation = {
            "id": str(id or uuid.uuid4()),
            "kind": kind,
            "entity": entity,
            "arguments": arguments,
            "base_revision": base,
        }
        return services.apply_operation(
            document_id=document.pk, actor=actor or curator, operation=operation
        )

    return run
