"""The project's own JSONL: loss-free, and strict about what it takes."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        (b'{"text": "Bax", "spans": [[0, 3, "CELL"]], "spans": []}\n', '"spans" twice'),
        (row(text=3), "not a string"),
        (row(text=" \n"), "empty"),
        (row(text="a\ud800b"), "surrogate"),
        (row(text="a\0b"), "NUL"),
        (row(id=True), "plain string"),
        (row(doi="\udc00"), "plain string"),
        (row(attributes={"a": "\ud800"}), "lone surrogate"),
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
        (row(**spans(role="BOSS")), "not a role"),
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
def test_a_bad_line_is_refused_by_its_number(bad: bytes, sentence: str) -> None:
    back, report = read(row() + bad + row(id="last"))
    assert [document.id for document in back][1:] == ["last"]
    assert [(problem.where, sentence in problem.message) for problem in report.problems] == [
        ("in.jsonl, line 2", True)
    ], report.problems
    assert report.counts["refused"] == 1


# Rows of other annotation tools


REJECTED = [
    {"answer": "reject"},
    {"answer": "Ignore"},
    {"was_cancelled": True},
    {"skipped": 1},
    {"is_rejected": "true"},
    {"status": "discarded"},
    {"annotation_status": "Skipped"},
]


@pytest.mark.parametrize("mark", REJECTED)
def test_a_rejected_row_is_a_text_without_entities(mark: dict[str, Any]) -> None:
    labels = spans() | {"suggestions": spans()["spans"]}
    back, report = read(row(**labels, **mark))
    assert [(each.text, each.gold, each.suggestions, each.is_rejected) for each in back] == [
        ("Bax and Bak move", (), (), True)
    ]
    assert report.problems == []


def test_rejected_rows_are_counted_in_a_sentence() -> None:
    data = row(answer="accept", **spans()) + row(answer="reject", **spans())
    back, report = read(data + row(answer="ignore", **spans()))
    assert [len(document.gold) for document in back] == [1, 0, 0]
    assert report.counts["rows_rejected"] == 2
    assert [str(note) for note in report.notes] == [
        "in.jsonl: 2 rows were marked as rejected or ignored by the other tool. They were imported"
        " without their entities and need a review."
    ]


def test_one_rejected_row_has_a_note_in_the_singular() -> None:
    _, report = read(row(answer="reject"))
    assert "1 row was marked" in report.notes[0].message


def test_entities_of_a_rejected_row_need_not_be_sound() -> None:
    back, report = read(row(answer="reject", spans=[{"start": 0}], annotations=[{"x": 1}]))
    assert len(back) == 1
    assert report.problems == []


@pytest.mark.parametrize("mark", [{"answer": None}, {"answer": "accept"}, {"was_cancelled": False}])
def test_an_accepted_row_keeps_its_entities(mark: dict[str, Any]) -> None:
    back, report = read(row(**spans(), **mark))
    assert [len(document.gold) for document in back] == [1]
    assert report.notes == []


def test_an_unknown_answer_refuses_a_row_with_spans_alone() -> None:
    assert "accept, reject or ignore" in str(read(row(answer="maybe", **spans()))[1].problems[0])
    assert len(read(row(answer="Bax does."))[0]) == 1


def test_a_rejected_row_is_written_as_one() -> None:
    [document] = read(row(id="x", answer="ignore", **spans()))[0]
    stream = io.StringIO()
    jsonl.write([document], stream)
    assert read(stream.getvalue().encode())[0] == [document]


@pytest.mark.parametrize("key", ["type", "ontology", "entity_group", "entity", "tag"])
@pytest.mark.parametrize("place", ["entities", "suggestions"])
def test_a_label_is_read_from_the_keys_of_other_tools(place: str, key: str) -> None:
    back, _ = read(row(**{place: [{"start": 0, "end": 3, "label": None, key: "GENEPROD"}]}))
    found = [*back[0].gold, *back[0].suggestions]
    assert [(span.start, span.end, span.label) for span in found] == [(0, 3, "GENEPROD")]


BROKEN_LABELS = [
    ({}, "the span 0-3 has no label"),
    ({"label": None}, "the span 0-3 has no label"),
    ({"label": ""}, "the span 0-3 has no label"),
    ({"label": " "}, "names one label"),
    ({"label": ["GENEPROD"]}, "names one label"),
    ({"labels": ["GENEPROD"]}, "names one label"),
    ({"labels": ["GENEPROD"], "type": "labels"}, "names one label"),
    ({"label": 3}, "names one label"),
    ({"label": False}, "names one label"),
    ({"tag": {"name": "GENEPROD"}}, "names one label"),
    ({"entity": "B-GENEPROD"}, "of a token"),
    ({"entity_group": "O"}, "of a token"),
]


@pytest.mark.parametrize("place", ["spans", "entities", "label", "suggestions"])
@pytest.mark.parametrize(("broken", "sentence"), BROKEN_LABELS)
def test_a_span_without_a_label_refuses_its_line(
    broken: dict[str, Any], sentence: str, place: str
) -> None:
    back, report = read(row(**{place: [{"start": 0, "end": 3} | broken]}))
    assert back == []
    assert [problem.where for problem in report.problems] == ["in.jsonl, line 1"]
    assert sentence in report.problems[0].message


def test_a_label_of_a_list_must_be_a_string() -> None:
    assert read(row(entities=[[0, 3, 7]]))[0] == []
    assert read(row(entities=[[0, 3, None]]))[0] == []


no_labels = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.sampled_from(["", " ", "\t"]),
    st.lists(st.text(max_size=3), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
label_keys = st.sampled_from(["label", "labels", "type", "entity_group", "entity", "tag"])
maybe_spans = st.builds(
    lambda labels: {"start": 0, "end": 3} | labels,
    st.dictionaries(label_keys, st.one_of(no_labels, st.just("GENEPROD")), max_size=4),
)
listed_spans = st.builds(lambda label: [0, 3, label], no_labels)


@given(
    st.sampled_from(["spans", "entities", "label", "labels", "suggestions", "annotations"]),
    st.lists(st.one_of(maybe_spans, listed_spans), min_size=1, max_size=3),
)
def test_broken_labels_never_make_an_entity(place: str, given_spans: list[Any]) -> None:
    back, report = read(row(**{place: given_spans}))
    assert len(back) + len(report.problems) == 1
    for document in back:
        found = [*document.gold, *document.suggestions]
        assert found
        assert {span.label for span in found} == {"GENEPROD"}


def test_our_own_tags_without_a_label_come_back() -> None:
    tag = {"start": 0, "end": 3, "label": "", "surface": "Bax", "id": "t1"}
    [document] = read(row(spans=[tag | {"attributes": {"entity_type": "time"}}]))[0]
    assert [(span.label, span.id) for span in document.gold] == [("", "t1")]


def test_a_span_under_two_keys_is_one() -> None:
    entity = {"id": 4, "start_offset": 0, "end_offset": 3, "label": "GENEPROD"}
    back, _ = read(row(spans=[[0, 3, "GENEPROD"], [8, 11, "GENEPROD"]], entities=[entity, entity]))
    assert [(span.start, span.end) for span in back[0].gold] == [(0, 3), (8, 11)]


def test_spans_of_our_own_with_other_ids_are_two() -> None:
    own = [spans(id=key, surface="Bax")["spans"][0] for key in "ab"]
    back, _ = read(row(spans=own))
    assert [span.id for span in back[0].gold] == ["a", "b"]


UNREAD = {
    "denotations": [{"id": "T1", "span": {"begin": 0, "end": 3}, "obj": "Gene"}],
    "ents": [{"start": 0, "end": 3, "label": "GENEPROD"}],
    "annotations": [{"result": []}],
    "ner.responses": [[{"start": 0, "end": 3, "label": "GENEPROD"}]],
    "found": [[0, 3, "GENEPROD"]],
    "by_key": {"T1": {"start": "0", "end": "3", "label": "GENEPROD"}},
    "ner_tags": [1, 0, 1],
    "tokens": [{"text": "Bax", "start": 0, "end": 3, "ner": "GENEPROD"}],
    "label": "[[0, 3, 'GENEPROD']]",
    "entities": "Bax",
}


@pytest.mark.parametrize(("key", "value"), UNREAD.items(), ids=UNREAD)
def test_annotations_in_another_form_refuse_their_line(key: str, value: object) -> None:
    back, report = read(row(**{key: value}))
    assert back == []
    assert f'"{key}"' in str(report.problems[0])


def test_a_message_never_holds_half_a_character_of_a_key() -> None:
    odd = row(**{"a\ud800\0": [[0, 3, "CELL"]]}) + b'{"text": "Bax", "\\ud800": 1, "\\ud800": 2}\n'
    for problem in read(odd)[1].problems:
        assert str(problem).isascii() and "\0" not in str(problem)
    assert len(read(odd)[1].problems) == 2


def test_facts_that_are_no_annotations_are_passed_over() -> None:
    tokens = [{"text": "Bax", "start": 0, "end": 3, "id": 0, "ws": True}]
    facts = {"meta": {"score": 0.5}, "_input_hash": 1, "session": {"start": 1, "end": 2}}
    back, report = read(row(tokens=tokens, annotations=[], entities="", **facts, **spans()))
    assert [len(document.gold) for document in back] == [1]
    assert report.problems == []


def test_attributes_may_write_of_a_nul_without_holding_one() -> None:
    facts = {"pattern": "\\u0000", "inner": [{"é": "\\\\u0000"}, 1.5, None]}
    back, report = read(row(attributes=facts))
    assert report.problems == []
    assert dict(back[0].attributes) == facts


def test_an_unknown_label_refuses_its_line() -> None:
    data = row(**spans(label="protein"))
    assert len(read(data)[0]) == 1
    back, report = read(data, labels=["GENEPROD", "CELL"])
    assert back == []
    assert '"protein" is not a label of this project (CELL, GENEPROD)' in str(report.problems[0])


def test_an_empty_file_is_refused_by_name() -> None:
    assert [str(problem) for problem in read(b"")[1].problems] == [
        "in.jsonl: the file is empty; export it again from its source"
    ]


def test_an_endless_line_is_refused_without_reading_it_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jsonl, "MAX_LINE_BYTES", 100)
    back, report = read(row() + b'{"text": "' + b"x" * 500 + b'"}\n' + row(id="last"))
    assert [document.id for document in back][1:] == ["last"]
    assert [problem.where for problem in report.problems] == ["in.jsonl, line 2"]


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_an_over_long_last_line_ends_the_reading(
    monkeypatch: pytest.MonkeyPatch, end: bytes
) -> None:
    monkeypatch.setattr(jsonl, "MAX_LINE_BYTES", 100)
    back, report = read(row() + b'{"text": "' + b"x" * 500 + b'"}' + end)
    assert len(back) == 1
    assert [problem.where for problem in report.problems] == ["in.jsonl, line 2"]
    assert report.counts["refused"] == 1


@pytest.mark.parametrize("length", [98, 99, 100])
def test_a_line_of_the_greatest_length_is_read(
    monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    monkeypatch.setattr(jsonl, "MAX_LINE_BYTES", 100)
    text = "x" * (length - len('{"text": ""}'))
    back, report = read(json.dumps({"text": text}).encode())
    assert [document.text for document in back] == [text]
    assert not report.problems


def test_a_line_of_one_byte_more_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "MAX_LINE_BYTES", 100)
    back, report = read(json.dumps({"text": "x" * 89}).encode())
    assert back == []
    assert "longer than" in report.problems[0].message


@pytest.mark.parametrize(
    "pieces",
    [
        [],
        {},
        "0-3",
        7,
        [0, 3],
        [[0]],
        [[0, 3, "CELL"]],
        [[0, 3], "8-11"],
        [{"start": 0, "end": 3}],
    ],
)
def test_malformed_pieces_of_an_entity_are_refused(pieces: object) -> None:
    back, report = read(row(entities=[{"type": "CELL", "spans": pieces}]))
    assert back == []
    assert '"spans" of a span must be a list of [start, end]' in report.problems[0].message


@pytest.mark.parametrize(
    "pieces", [[[0, "3"]], [[True, 3]], [[3, 0]], [[0, 3], [8, 99]], [[None, None]]]
)
def test_pieces_with_wrong_offsets_are_refused(pieces: object) -> None:
    back, report = read(row(entities=[{"type": "CELL", "spans": pieces}]))
    assert back == []
    assert "span" in report.problems[0].message


def test_an_entity_of_one_piece_keeps_its_label() -> None:
    (document,), report = read(row(entities=[{"type": "CELL", "spans": [[8, 11]]}]))
    assert [(span.start, span.end, span.label) for span in document.gold] == [(8, 11, "CELL")]
    assert report.counts["spans_in_pieces"] == 0


def test_an_entity_of_several_pieces_has_no_label() -> None:
    (document,), report = read(row(entities=[{"type": "CELL", "spans": [[0, 3], [8, 11]]}]))
    (found,) = document.gold
    assert found.surface == "Bax and Bak"
    assert found.label == ""
    assert found.attributes == {"pieces": [[0, 3], [8, 11]], "type": "CELL"}
    assert report.counts["spans_in_pieces"] == 1


@pytest.mark.parametrize("given", ["spans", 7, True, {"start": 0}])
def test_spans_that_are_no_list_refuse_their_line(given: object) -> None:
    back, report = read(row(spans=given))
    assert back == []
    assert report.counts["refused"] == 1


def test_the_longest_id_and_label_of_a_span_are_read() -> None:
    longest = {"id": "i" * jsonl.MAX_SPAN_ID, "label": "L" * jsonl.MAX_LABEL}
    (document,) = read(row(**spans(**longest)))[0]
    assert document.gold[0].id == longest["id"]
    assert document.gold[0].label == longest["label"]


@pytest.mark.parametrize(
    "too_long", [{"id": "i" * (jsonl.MAX_SPAN_ID + 1)}, {"label": "L" * (jsonl.MAX_LABEL + 1)}]
)
def test_an_id_or_label_of_one_character_more_is_refused(too_long: dict[str, str]) -> None:
    documents, report = read(row(**spans(**too_long)))
    assert documents == []
    assert "a span's id may have 60 characters, its label 50" in report.problems[0].message
