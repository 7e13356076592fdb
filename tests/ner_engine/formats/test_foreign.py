"""Rows of other annotation tools: rejected ones, labels, and annotations under other keys."""

from __future__ import annotations

from typing import Any

import pytest

from ner_engine.errors import FormatError
from ner_engine.formats import foreign


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({}, False),
        ({"answer": "accept"}, False),
        ({"answer": ""}, False),
        ({"answer": " Accepted "}, False),
        ({"answer": "reject"}, True),
        ({"status": "SKIPPED"}, True),
        ({"skipped": True}, True),
        ({"skipped": 1}, True),
        ({"skipped": "TRUE"}, True),
        ({"skipped": False}, False),
        ({"skipped": "no"}, False),
        ({"answer": "maybe"}, False),
        ({"answer": "maybe", "spans": []}, False),
    ],
)
def test_a_rejected_row_is_recognised(row: dict[str, Any], expected: bool) -> None:
    assert foreign.is_rejected(row, "here") is expected


@pytest.mark.parametrize("key", foreign.SPAN_KEYS)
def test_an_unknown_answer_with_spans_is_refused(key: str) -> None:
    with pytest.raises(FormatError, match=r"^here: .*does not say whether its spans were accepted"):
        foreign.is_rejected({"answer": "maybe", key: [[0, 1, "X"]]}, "here")


@pytest.mark.parametrize(
    ("span", "label"),
    [
        ({"label": "CELL"}, "CELL"),
        ({"label": None, "type": "CELL"}, "CELL"),
        ({"label": "", "ontology": "CELL"}, "CELL"),
        ({"label": "CELL", "type": "GENE"}, "CELL"),
        ({"label": "", "surface": "Bax"}, ""),
        ({"label": "B-cell"}, "B-cell"),
        ({"entity_group": "cell"}, "cell"),
    ],
)
def test_a_label_is_found_under_the_first_key_with_one(span: dict[str, Any], label: str) -> None:
    assert foreign.label_of(span, "here") == label


@pytest.mark.parametrize(
    ("span", "sentence"),
    [
        ({}, "a span has no label"),
        ({"start": 1, "end": 3}, "the span 1-3 has no label"),
        ({"label": ""}, "has no label"),
        ({"label": "  "}, "must be a plain string"),
        ({"label": ["CELL"]}, "must be a plain string"),
        ({"entity": "B-CELL"}, "of a token, not of an entity"),
        ({"tag": "O"}, "of a token, not of an entity"),
    ],
)
def test_a_span_without_a_usable_label_is_refused(span: dict[str, Any], sentence: str) -> None:
    with pytest.raises(FormatError, match=sentence):
        foreign.label_of(span, "here")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("annotations", [1]),
        ("Predictions", {"a": 1}),
        ("ner_tags", "[[0, 3, 'CELL']]"),
        ("spans", "[(0, 3)]"),
        ("notes", [[0, 3, "CELL"]]),
        ("notes", [{"start": 0, "end": 3}]),
        ("notes", {"begin": "0", "stop": "3", "label": "CELL"}),
        ("notes", {"deep": {"deeper": [{"offset": 1, "length": 2}]}}),
        ("tokens", [{"text": "Bax", "ner": "B-GENE"}]),
    ],
)
def test_annotations_in_another_form_are_refused(key: str, value: object) -> None:
    with pytest.raises(FormatError, match=f'it has annotations under "{key}" in a form'):
        foreign.check_keys({"text": "Bax", key: value}, "here")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("annotations", []),
        ("annotations", "by two curators"),
        ("label", "Figure 1 [2]"),
        ("notes", "[[0, 3, 'CELL']]"),
        ("notes", [1, 2, 3]),
        ("notes", {"start": 0, "end": 3}),
        ("notes", {"start": True, "end": 3, "label": "CELL"}),
        ("meta", [{"start": 0, "end": 3, "label": "CELL"}]),
        ("tokens", [{"text": "Bax", "id": 0}]),
        ("tokens", ["Bax"]),
    ],
)
def test_other_facts_are_not_annotations(key: str, value: object) -> None:
    foreign.check_keys({"text": "Bax", key: value}, "here")


def test_a_key_in_a_message_is_short_and_plain() -> None:
    assert foreign.key_in_words("é" * 50) == "\\xe9" * 40
    assert foreign.key_in_words("spans") == "spans"


def test_a_note_counts_the_rejected_rows() -> None:
    assert foreign.sentence_of_rejected(1).startswith("1 row was")
    assert foreign.sentence_of_rejected(1234).startswith("1,234 rows were")
