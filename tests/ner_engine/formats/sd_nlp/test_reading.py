"""Rows of sd-nlp that are read, and refused ones."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_engine.formats import sd_nlp
from ner_engine.formats.report import Report
from ner_engine.formats.sd_nlp import Row
from ner_engine.schema import Document, Segment
from tests.ner_engine.formats.sd_nlp.rows import read
from tests.ner_engine.strategies import texts_with_something, word_spans


@given(st.data(), texts_with_something)
def test_rows_read_back_give_the_same_text_entities_and_roles(
    data: st.DataObject, text: str
) -> None:
    doc = Document(
        "7",
        text,
        doi="10.5555/x",
        segments=(Segment(0, len(text), "7"),),
        gold=tuple(data.draw(word_spans(text))),
    )
    report = Report()
    row = json.loads(json.dumps(sd_nlp.word_row(sd_nlp.figure_passage(doc), report)))
    assert report.lossy == []
    back, problems = read([row])
    assert problems.problems == []
    assert back[0].text == text
    assert back[0].doi == "10.5555/x"
    assert back[0].id == "7"
    assert [(item.start, item.end, item.label, item.role) for item in back[0].gold] == [
        (item.start, item.end, item.label, item.role) for item in doc.gold
    ]


def test_rows_without_text_are_read_as_words_joined_by_a_space() -> None:
    row = {
        "words": ["Bax", "/", "Bak"],
        "label_ids": {"entity_types": ["B-GENEPROD", "O", "B-GENEPROD"]},
    }
    back, _ = read([row])
    assert back[0].text == "Bax / Bak"
    assert [item.surface for item in back[0].gold] == ["Bax", "Bak"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"words": None}, "list of strings"),
        ({"words": ["Bax", 3, "x"]}, "list of strings"),
        ({"label_ids": None}, "entity_types"),
        ({"label_ids": {"entity_types": ["O"]}}, "one label per word"),
        ({"label_ids": {"entity_types": ["O", True]}}, "one label per word"),
        ({"label_ids": {"entity_types": ["O", "O"], "boring": [1, 2]}}, "one label per word"),
        ({"label_ids": {"entity_types": ["B-CELL", "O"], "boring": ["B-DULL", "O"]}}, "not a role"),
        ({"label_ids": {"entity_types": ["B-" + "X" * 60, "O"]}}, "not a label"),
        ({"text": "Bak moves"}, "words in order"),
        ({"words": ["\ud800", "moves"]}, "surrogate"),
        ({"doi": ["10.1"]}, "plain string"),
        ({"tokens": ["ĠBax", "漢"]}, "not a token of roberta-base"),
        ({"tokens": ["Ã", "Bax"]}, "UTF-8"),
        ({"tokens": ["Bak", "Ġmoves"], "text": "Bax moves"}, "does not begin"),
    ],
)
def test_a_bad_row_is_refused_by_its_line(change: Row, sentence: str) -> None:
    good = {"words": ["Bax", "moves"], "label_ids": {"entity_types": ["B-GENEPROD", "O"]}}
    lines = [json.dumps(good), json.dumps(good | change), json.dumps(good)]
    back, report = read("\n".join(lines).encode())
    assert len(back) == 2
    assert [(problem.where, sentence in problem.message) for problem in report.problems] == [
        ("rows.jsonl, line 2", True)
    ]


def test_labels_outside_the_project_refuse_their_row() -> None:
    row = {"words": ["Bax"], "label_ids": {"entity_types": ["B-protein"]}}
    assert len(read([row])[0]) == 1
    back, report = read([row], labels=["GENEPROD"])
    assert back == []
    assert "not a label of this project" in report.problems[0].message


LABELS = {"entity_types": ["B-GENEPROD", "O"]}


def test_panels_end_where_the_next_one_begins() -> None:
    row = {
        "words": ["A", "Bax", "B", "Bak"],
        "label_ids": {
            "entity_types": ["O"] * 4,
            "panel_start": ["B-PANEL_START", "O", "B-PANEL_START", "O"],
        },
    }
    (back,), _ = read([row])
    assert [back.text[panel.start : panel.end] for panel in back.segments] == ["A Bax", "B Bak"]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"panel_id": "p", "figure_id": "f", "_id": "i"}, "p"),
        ({"figure_id": "f", "_id": "i"}, "f"),
        ({"_id": "i"}, "i"),
        ({"_id": 7}, "7"),
    ],
)
def test_a_document_has_the_id_of_its_panel_or_figure(keys: Row, expected: str) -> None:
    (back,), _ = read([{"words": ["Bax", "moves"], "label_ids": LABELS, **keys}])
    assert back.id == expected


def test_the_weight_of_a_row_is_kept() -> None:
    (back,), _ = read([{"words": ["Bax", "moves"], "label_ids": LABELS, "weight": 2}])
    assert back.attributes == {"weight": 2}


def test_a_role_needs_the_extent_of_an_entity() -> None:
    labels = {"entity_types": ["B-CELL", "I-CELL"], "boring": ["B-BORING", "O"]}
    (back,), _ = read([{"words": ["HeLa", "cells"], "label_ids": labels}])
    assert [found.role for found in back.gold] == [""]


def test_a_text_may_have_more_spaces_than_its_words() -> None:
    (back,), _ = read([{"words": ["Bax", "moves"], "text": " Bax   moves ", "label_ids": LABELS}])
    assert back.text == " Bax   moves "
    assert back.gold[0].start == 1


def test_tokens_without_a_text_are_decoded() -> None:
    row = {
        "tokens": ["<s>", "Bax", "ĠÎ±", "</s>"],
        "label_ids": {"entity_types": ["O", "B-GENEPROD", "I-GENEPROD", "O"]},
    }
    (back,), _ = read([row])
    assert back.text == "Bax α"
    assert [found.surface for found in back.gold] == ["Bax α"]


def test_a_character_cut_at_the_last_token_is_replaced() -> None:
    row = {"tokens": ["Bax", "ĠÎ"], "label_ids": {"entity_types": ["B-GENEPROD", "O"]}}
    (back,), _ = read([row])
    assert back.text == "Bax \ufffd"
