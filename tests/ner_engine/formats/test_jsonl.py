"""The project's own JSONL: loss-free, and strict about what it takes."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given

from ner_engine.formats import jsonl
from ner_engine.formats.report import Report
from ner_engine.schema import Document, text_hash
from tests.ner_engine.strategies import documents


def read(data: bytes, **options: Any) -> tuple[list[Document], Report]:
    report = Report()
    return list(jsonl.read(io.BytesIO(data), name="in.jsonl", report=report, **options)), report


def row(**fields: Any) -> bytes:
    return json.dumps({"text": "Bax and Bak move"} | fields).encode() + b"\n"


@given(documents())
def test_every_document_comes_back_as_it_was(document: Document) -> None:
    stream = io.StringIO()
    assert jsonl.write([document], stream) == 1
    back, report = read(stream.getvalue().encode())
    assert report.problems == []
    assert back == [document]


def test_a_row_needs_nothing_but_a_text() -> None:
    back, _ = read(b'{"text": "Bax moves"}\n\n{"id": 7, "text": "Bak moves"}')
    assert [(document.id, document.text) for document in back] == [
        (text_hash("Bax moves"), "Bax moves"),
        ("7", "Bak moves"),
    ]


@pytest.mark.parametrize(
    "labelled",
    [
        {"spans": [{"start": 0, "end": 3, "label": "GENEPROD"}]},
        {"label": [[0, 3, "GENEPROD"]]},
        {"labels": [[0, 3, "GENEPROD"]]},
        {"entities": [{"id": 5, "start_offset": 0, "end_offset": 3, "label": "GENEPROD"}]},
        {"entities": [[0, 3, "GENEPROD"]], "label": "Figure 1"},
    ],
)
def test_spans_are_read_as_other_tools_write_them(labelled: dict[str, Any]) -> None:
    back, report = read(row(**labelled))
    assert not report.problems
    assert [(span.start, span.end, span.label, span.surface) for span in back[0].gold] == [
        (0, 3, "GENEPROD", "Bax")
    ]


def spans(**fields: Any) -> dict[str, Any]:
    return {"spans": [{"start": 0, "end": 3, "label": "GENEPROD"} | fields]}


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (b"not json\n", "not JSON"),
        (b"[" * 100_000 + b"\n", "not JSON"),
        (b"[1, 2]\n", "not a JSON object"),
        (b'"text"\n', "not a JSON object"),
        (b'{"text": "caf\xe9"}\n', "UTF-8"),
        (b"{}\n", "missing"),
        (row(text=3), "not a string"),
        (row(text=" \n"), "empty"),
        (row(text="a\ud800b"), "surrogate"),
        (row(text="a\0b"), "NUL"),
        (row(id=True), "plain string"),
        (row(doi="\udc00"), "plain string"),
        (row(attributes={"a": "\ud800"}), "half a character"),
        (row(attributes={"a": [{"\0": 1}]}), "a NUL"),
        (row(attributes={"a": float("nan")}), "number"),
        (row(attributes=[]), "object"),
        (row(spans={}), "list"),
        (row(spans=[7]), "a span must be"),
        (row(**spans(start=False)), "whole numbers"),
        (row(**spans(end=3.0)), "whole numbers"),
        (row(**spans(end="3")), "whole numbers"),
        (row(**spans(end=None)), "whole numbers"),
        (row(**spans(start=-1)), "outside the text"),
        (row(**spans(end=17)), "outside the text"),
        (row(**spans(end=0)), "empty"),
        (row(**spans(end=4)), "white space"),
        (row(**spans(surface="Bak")), "surface"),
        (row(**spans(role="BOSS")), "no role"),
        (row(**spans(score=1.5)), "from 0 to 1"),
        (row(**spans(score=True)), "from 0 to 1"),
        (row(**spans(label=7.5)), "plain string"),
        (row(**spans(label="L" * 51)), "50"),
        (
            row(spans=[spans(id="a")["spans"][0], spans(id="a", start=8, end=11)["spans"][0]]),
            "same id",
        ),
        (row(segments=[{"start": 0, "end": 99}]), "outside the text"),
        (row(segments=[{"start": 0, "end": True}]), "whole numbers"),
        (row(segments=[{"start": 0, "end": 3, "aliases": ["\ud800"]}]), "aliases"),
    ],
)
def test_a_bad_line_is_refused_by_its_number_and_the_rest_goes_through(
    bad: bytes, sentence: str
) -> None:
    back, report = read(row() + bad + row(id="last"))
    assert [document.id for document in back][1:] == ["last"]
    assert [(problem.where, sentence in problem.message) for problem in report.problems] == [
        ("in.jsonl, line 2", True)
    ], report.problems
    assert report.counts["refused"] == 1


def test_attributes_may_write_of_a_nul_without_holding_one() -> None:
    facts = {"pattern": "\\u0000", "inner": [{"é": "\\\\u0000"}, 1.5, None]}
    back, report = read(row(attributes=facts))
    assert report.problems == []
    assert dict(back[0].attributes) == facts


def test_an_unknown_label_refuses_its_line_only_where_labels_are_given() -> None:
    data = row(**spans(label="protein"))
    assert len(read(data)[0]) == 1
    back, report = read(data, labels=["GENEPROD", "CELL"])
    assert back == []
    assert '"protein" is not a label of this project (CELL, GENEPROD)' in str(report.problems[0])


def test_an_empty_file_is_refused_by_name() -> None:
    assert [str(problem) for problem in read(b"")[1].problems] == [
        "in.jsonl: the file is empty; export it again from its source"
    ]


def test_an_endless_line_is_refused_without_being_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "MAX_LINE_BYTES", 100)
    back, report = read(row() + b'{"text": "' + b"x" * 500 + b'"}\n' + row(id="last"))
    assert [document.id for document in back][1:] == ["last"]
    assert [problem.where for problem in report.problems] == ["in.jsonl, line 2"]
