"""Exported files read back by the engine's readers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotator.accounts.actors import SYSTEM
from annotator.corpus.annotations import engine_documents
from annotator.corpus.imports import import_documents
from annotator.corpus.models import Project
from annotator.datasets.exports.services import (
    export_dataset,
)
from ner_engine import schema
from tests.annotator.datasets.exported import Export, ImportLegends, read_back
from tests.ner_engine import strategies

pytestmark = pytest.mark.django_db


@st.composite
def _hostile(
    draw: st.DrawFn, spans_of: Callable[[str], st.SearchStrategy[list[schema.Span]]]
) -> list[schema.Document]:
    """Legends with at least one entity, of nasty texts."""
    found = []
    for number in range(draw(st.integers(1, 5))):
        document = draw(strategies.documents())
        gold = draw(spans_of(document.text).filter(bool))
        gold = [replace(span, id=f"e{n}") for n, span in enumerate(gold)]
        found.append(replace(document, id=f"f{number}", gold=tuple(gold), suggestions=()))
    return found


def _spans(document: schema.Document) -> list[tuple[Any, ...]]:
    return sorted(
        (span.start, span.end, span.label, span.role, span.surface) for span in document.gold
    )


#: The database is emptied before each example, so the fixtures may serve all of them.
_many = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)


@_many
@given(st.data())
def test_jsonl_reads_back_equal_to_what_is_in_the_database(
    project: Project, export: Export, data: st.DataObject
) -> None:
    project.documents.all().delete()
    documents = data.draw(_hostile(strategies.trimmed_spans))
    import_documents(
        project=project,
        documents=iter(documents),
        source_format="jsonl",
        labels="gold",
        actor=SYSTEM,
    )
    out = export("jsonl")
    stored = {
        document.attributes["external_id"]: document
        for document in engine_documents(project.documents.accepted(), with_suggestions=False)
    }
    read = {document.id: document for document in read_back(out, "jsonl")}
    assert set(read) == set(stored) == {document.id for document in documents}
    for original in documents:
        found, kept = read[original.id], stored[original.id]
        assert found.text == kept.text
        assert found.doi == kept.doi
        assert found.title == kept.title
        assert found.label == kept.label
        assert found.image == kept.image
        assert found.segments == kept.segments
        assert found.gold == kept.gold
        assert found.text == original.text
        assert _spans(found) == _spans(original)


@_many
@given(st.data())
def test_sd_nlp_reads_back_with_every_entity_that_words_can_hold(
    project: Project, export: Export, data: st.DataObject
) -> None:
    project.documents.all().delete()
    documents = data.draw(_hostile(strategies.word_spans))
    import_documents(
        project=project,
        documents=iter(documents),
        source_format="jsonl",
        labels="gold",
        actor=SYSTEM,
    )
    out = export("sd-nlp")
    read = {document.id: document for document in read_back(out / "sd_figs", "sd-nlp")}
    assert {original.id: (original.text, _spans(original)) for original in documents} == {
        name: (found.text, _spans(found)) for name, found in read.items()
    }


def test_half_a_character_does_not_get_in_and_stops_no_export(
    import_legends: ImportLegends,
    legend: Callable[[int], schema.Document],
    project: Project,
    tmp_path: Path,
) -> None:
    halves = [
        replace(legend(1), id="text", text="\ud83d" + legend(1).text, gold=(), segments=()),
        replace(legend(2), id="title", title="\udc00"),
        replace(legend(3), id="\ud800"),
        replace(legend(4), id="fact", attributes={"a": ["\udfff"]}),
    ]
    report = import_documents(
        project=project,
        documents=iter([*halves, legend(5)]),
        source_format="jsonl",
        labels="gold",
        actor=SYSTEM,
    )
    assert report["imported"] == 1
    assert report["n_problems"] == 4
    assert (
        export_dataset(
            project=project, format_name="jsonl", out_dir=tmp_path / "out", actor=SYSTEM
        )["documents"]
        == 1
    )
