"""Rows of sd-nlp as words and as tokens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from ner_engine.formats import sd_nlp
from ner_engine.formats.report import Report
from ner_engine.formats.sd_nlp import Flavour
from ner_engine.schema import PUBLIC_ENTITY_LABELS, Document
from tests.ner_engine.formats.sd_nlp.rows import at, document, figure_row, panel_rows, read
from tests.ner_engine.strategies import texts_with_something, word_spans


def test_a_panel_row_has_words_labels_roles_and_ids() -> None:
    rows, report = panel_rows(
        document(
            at("Bax", "GENEPROD", "CONTROLLED_VAR", 1),
            at("Bak", "GENEPROD"),
            at("HeLa", "CELL", "BORING"),
        )
    )
    assert rows[0]["words"] == [
        "(",
        "A",
        ")",
        "Bax",
        "/",
        "Bak",
        "−",
        "/",
        "−",
        "HeLa",
        "cells",
        "24",
        "h",
    ]
    labels = rows[0]["label_ids"]
    assert labels["entity_types"] == [
        "O",
        "O",
        "O",
        "B-GENEPROD",
        "O",
        "B-GENEPROD",
        "O",
        "O",
        "O",
        "B-CELL",
        "O",
        "O",
        "O",
    ]
    assert labels["geneprod_roles"][3] == "B-CONTROLLED_VAR"
    assert labels["boring"][9] == "B-BORING"
    assert labels["panel_start"] == ["B-PANEL_START"] + ["O"] * 12
    assert rows[0]["panel_id"] == "1"
    assert rows[0]["doi"] == "10.5555/sd.1"
    assert rows[0]["text"] == "(A) Bax/Bak−/− HeLa cells 24 h"
    assert report.lossy == []


def test_an_entity_inside_a_word_is_named_as_lossy() -> None:
    rows, report = panel_rows(document(at("FP", "GENEPROD")))
    assert set(rows[1]["label_ids"]["entity_types"]) == {"O"}
    assert [
        "10.5555/sd.1, panel 2" in loss.where and "inside one word" in loss.message
        for loss in report.lossy
    ] == [True]


def test_a_role_stands_only_where_its_entity_stands() -> None:
    doc = document(
        at("EGFP-LC3", "GENEPROD", "MEASURED_VAR"), at("LC3", "GENEPROD", "CONTROLLED_VAR")
    )
    roles = panel_rows(doc)[0][1]["label_ids"]["geneprod_roles"]
    assert roles[3:6] == ["B-MEASURED_VAR", "I-MEASURED_VAR", "I-MEASURED_VAR"]


def test_diseases_are_written_unless_left_out() -> None:
    doc = document(at("MEFs", "DISEASE"))
    assert panel_rows(doc)[0][1]["label_ids"]["entity_types"][-1] == "B-DISEASE"
    rows, report = panel_rows(doc, Flavour(labels=PUBLIC_ENTITY_LABELS))
    assert rows[1]["label_ids"]["entity_types"][-1] == "O"
    assert report.counts["spans_without_sd_nlp_label"] == 1


def test_a_figure_row_marks_the_first_word_of_each_panel() -> None:
    row = figure_row(document())
    starts = [index for index, label in enumerate(row["label_ids"]["panel_start"]) if label != "O"]
    assert [row["words"][index : index + 2] for index in starts] == [["(", "A"], ["(", "B"]]
    assert row["figure_id"] == "77"


@pytest.fixture(scope="module")
def tokenizer(shared_dir: Path) -> Tokenizer:
    return sd_nlp.load_tokenizer(str(shared_dir / "tokenizers/roberta-base"))


class TestTokens:
    """The tokenised form, with roberta-base's vocabulary."""

    def test_a_token_has_the_label_of_its_first_character(self, tokenizer: Tokenizer) -> None:
        doc = document(at("EGFP-LC3", "GENEPROD", "MEASURED_VAR"))
        row = sd_nlp.token_row(sd_nlp.figure_passage(doc), Report(), tokenizer)
        labelled = [
            token
            for token, label in zip(row["tokens"], row["label_ids"]["entity_types"], strict=True)
            if label != "O"
        ]
        assert "".join(labelled) == "ĠEGFP-LC3"
        assert row["tokens"][0] == "<s>"
        assert row["tokens"][-1] == "</s>"
        assert all(len(values) == len(row["input_ids"]) for values in row["label_ids"].values())

    def test_what_lies_behind_512_tokens_is_named_as_lossy(self, tokenizer: Tokenizer) -> None:
        text = "Bax moves. " * 400
        report = Report()
        row = sd_nlp.token_row(sd_nlp.figure_passage(Document("1", text)), report, tokenizer)
        assert len(row["tokens"]) == 512
        assert any("512" in loss.message for loss in report.lossy)

    @given(data=st.data(), text=texts_with_something)
    def test_rows_read_back_give_the_same_text_and_entities(
        self, tokenizer: Tokenizer, data: st.DataObject, text: str
    ) -> None:
        doc = Document("7", text, gold=tuple(data.draw(word_spans(text))))
        report = Report()
        row = json.loads(
            json.dumps(sd_nlp.token_row(sd_nlp.figure_passage(doc), report, tokenizer))
        )
        back, problems = read([row])
        assert problems.problems == []
        assert back[0].text == text
        if not report.lossy:
            assert {(item.start, item.end, item.label) for item in back[0].gold} == {
                (item.start, item.end, item.label) for item in doc.gold
            }


def test_a_reporter_without_a_label_is_boring_too() -> None:
    rows, report = panel_rows(document(at("EGFP", "", "BORING")))
    assert rows[1]["label_ids"]["boring"][3] == "B-BORING"
    assert set(rows[1]["label_ids"]["entity_types"]) == {"O"}
    assert report.counts["spans_without_sd_nlp_label"] == 1


def test_a_role_of_another_label_is_not_written() -> None:
    rows, _ = panel_rows(document(at("HeLa", "CELL", "MEASURED_VAR")))
    for layer in ("geneprod_roles", "small_mol_roles", "boring"):
        assert set(rows[0]["label_ids"][layer]) == {"O"}


def test_a_reporter_that_is_not_boring_is_in_no_layer() -> None:
    rows, _ = panel_rows(document(at("EGFP", "", "CONTROLLED_VAR")))
    assert set(rows[1]["label_ids"]["boring"]) == {"O"}
