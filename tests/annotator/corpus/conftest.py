"""Legends with figures, and files to import."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from annotator.accounts.models import User
from annotator.corpus.figures import store_figure
from annotator.corpus.models import Document
from ner_engine import schema
from tests.annotator.corpus.images import image_file
from tests.annotator.corpus.runs import write_jsonl

ImportLegends = Callable[..., list[Document]]


@pytest.fixture
def document(import_legends: ImportLegends) -> Document:
    """ "Figure 1" with panels A and B."""
    return import_legends(1)[0]


@pytest.fixture
def starts(document: Document) -> list[int]:
    return [segment.start for segment in document.segments.all()]


@pytest.fixture
def drawn(document: Document, reviewer: User) -> Document:
    """A legend that has its picture."""
    store_figure(document=document, file=image_file(), actor=reviewer)
    return document


@pytest.fixture
def three(tmp_path: Path, legend: Callable[[int], schema.Document]) -> Path:
    return write_jsonl(tmp_path / "legends.jsonl", [legend(number) for number in (1, 2, 3)])
