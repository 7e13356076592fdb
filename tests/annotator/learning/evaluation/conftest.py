"""Legends with suggestions, edits of them, and the times of these edits."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from annotator.accounts.models import User
from annotator.corpus.models import Document, Layer, LayerKind, Project
from annotator.learning.models import ModelVersion
from annotator.review.editing.services import apply_operation
from annotator.review.models import Operation
from ner_engine.schema import Span

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def suggested(
    project: Project, import_legends: Callable[..., list[Document]], tiny: ModelVersion
) -> Callable[..., list[Document]]:
    """Legends with five suggestions each, ATG and LC3 (gene products), bafilomycin A1, a blot and
    HeLa, by ``source``."""
    from annotator.corpus.storing import write_suggestions
    from tests.annotator.conftest import _legend

    def make(
        n: int = 1,
        *,
        source: str = tiny.name,
        stage_models: dict[str, str] | None = None,
        first: int = 1,
    ) -> list[Document]:
        wanted = [_legend(number) for number in range(first, first + n)]
        documents = import_legends(wanted)
        batch = [
            (
                document,
                [
                    Span(span.start, span.end, span.label, span.surface, span.role, 0.9)
                    for span in legend.gold
                ],
            )
            for document, legend in zip(documents, wanted, strict=True)
        ]
        write_suggestions(batch=batch, source=source, stage_models=stage_models)
        for document in documents:
            document.refresh_from_db()
        return documents

    return make


@pytest.fixture
def edit(curator: User) -> Callable[..., Operation]:
    """``edit(document, "relabel", "HeLa", label="TISSUE")``: on the suggestion of that string."""

    def run(
        document: Document,
        kind: str,
        surface: str = "",
        *,
        actor: User | None = None,
        **arguments: Any,
    ) -> Operation:
        operation: dict[str, Any] = {"id": str(uuid.uuid4()), "kind": kind, "arguments": arguments}
        if surface:
            layer = Layer.objects.current().get(document=document, kind=LayerKind.SUGGESTED)
            operation["entity"] = layer.spans.filter(surface=surface).first().key
        operation["base_revision"] = Document.objects.values_list("revision", flat=True).get(
            pk=document.pk
        )
        return apply_operation(
            document_id=document.pk, actor=actor or curator, operation=operation
        ).operation

    return run


def at(operations: list[Operation], *seconds: float) -> None:
    """Have the operations happen so many seconds after noon."""
    for operation, after in zip(operations, seconds, strict=True):
        Operation.objects.filter(pk=operation.pk).update(created_at=NOON + timedelta(seconds=after))
