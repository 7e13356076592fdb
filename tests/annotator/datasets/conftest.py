"""Legends long enough to learn from, in all three splits, and snapshots of them."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.corpus.models import Document, Project
from annotator.corpus.storing import write_suggestions
from annotator.datasets.exports.services import export_dataset
from annotator.datasets.models import Snapshot
from annotator.datasets.snapshots.contents import rows_of
from annotator.datasets.snapshots.services import add_snapshot, build_snapshot
from annotator.review.editing.services import apply_operation
from ner_engine import schema
from ner_engine.split import SPLITS, split_of
from tests.annotator.datasets.exported import Export, ImportLegends
from tests.ner_engine.strategies import span

_WORDS = (
    "fixed stained washed lysed counted imaged starved sorted scored blotted grown split frozen"
    " thawed plated treated sampled sliced pooled mounted once twice overnight briefly gently"
    " together daily early later again"
)
_DETAILS = _WORDS.split()


def long_legend(number: int, *, doi: str = "", protein: str = "LC3") -> schema.Document:
    """One panel of over 80 characters, two entities; a paper of its own, and words of its own: no
    two are nearly the same."""
    details = " ".join(random.Random(number).sample(_DETAILS, 16))
    text = f"(A) HeLa cells {details}, bafilomycin A1 {number} and {protein} as before."
    spans = [
        schema.Span(
            text.index(surface), text.index(surface) + len(surface), label, surface, id=label
        )
        for surface, label in (("HeLa", "CELL"), (protein, "GENEPROD"))
    ]
    return schema.Document(
        id=f"long-{number}",
        text=text,
        doi=doi or f"10.1000/long.{number}",
        label=f"Figure {number}",
        segments=(schema.Segment(0, len(text), f"p{number}", "A"),),
        gold=tuple(spans),
    )


@pytest.fixture
def accepted(import_legends: Callable[..., list[Document]]) -> list[Document]:
    """Thirty accepted legends of as many papers."""
    return import_legends([long_legend(number) for number in range(30)], labels="gold")


@pytest.fixture
def export(project: Project, tmp_path: Path) -> Export:
    """``export("jsonl")`` exports the project into ``out`` and returns that folder."""

    def run(format_name: str) -> Path:
        out = tmp_path / "out"
        export_dataset(project=project, format_name=format_name, out_dir=out, actor=SYSTEM)
        return out

    return run


def paper_on(split: str, nth: int = 0) -> str:
    """Return the nth DOI that the fixed rule puts into the split."""
    papers = [f"10.2000/{number}" for number in range(200)]
    return [doi for doi in papers if split_of(doi) == split][nth]


def frozen(project: Project, **facts: Any) -> Snapshot:
    return build_snapshot(snapshot=add_snapshot(project=project, actor=SYSTEM, **facts))


def panels(snapshot: Snapshot) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for side in SPLITS for row in rows_of(snapshot.folder, side)}


def left_out(snapshot: Snapshot) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for line in (snapshot.folder / "left_out.jsonl").read_text(encoding="utf-8").splitlines()
    ]


def operate(document: Document, actor: User, kind: str, **facts: Any) -> None:
    document.refresh_from_db()
    operation = {"id": str(uuid.uuid4()), "kind": kind, "base_revision": document.revision, **facts}
    apply_operation(document_id=document.pk, actor=actor, operation=operation)


@pytest.fixture
def swept(project: Project, curator: User, import_legends: ImportLegends) -> list[Document]:
    """Four legends, each with two bulk-accepted suggestions; on the last one is decided."""
    documents = import_legends(
        [long_legend(number, doi=paper_on("train", number)) for number in range(40, 44)]
    )
    batch = [
        (
            document,
            [
                span(document.text, 4, 8, "CELL"),
                span(document.text, at := document.text.index("LC3"), at + 3, "GENEPROD"),
            ],
        )
        for document in documents
    ]
    write_suggestions(batch=batch, source="model-7")
    key = documents[-1].layers.get(kind="suggested").spans.get(label="CELL").key
    operate(documents[-1], curator, "accept", entity=key)
    for document in documents:
        operate(document, curator, "accept_legend")
    return documents
