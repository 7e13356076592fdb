"""sd-nlp rows: correct by default, the public converter's to the letter on request, and read
back."""

from __future__ import annotations

import io
import json
import lzma
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from ner_engine.errors import FormatError
from ner_engine.formats import open_inputs, sd_nlp, sourcedata_xml
from ner_engine.formats.report import Report
from ner_engine.formats.sd_nlp import DEFAULT, LAYERS, PUBLIC, Flavour
from ner_engine.schema import PUBLIC_ENTITY_LABELS, Document, Segment, Span
from tests.ner_engine.strategies import span, texts_with_something, word_spans

Row = dict[str, Any]
TEXT = "Bax moves. Figure 1 (A) Bax/Bak−/− HeLa cells 24 h (B) EGFP-LC3 in MEFs"


def at(surface: str, label: str, role: str = "", nth: int = 0) -> Span:
    start = -1
    for _ in range(nth + 1):
        start = TEXT.index(surface, start + 1)
    return span(TEXT, start, start + len(surface), label, role)


def document(*gold: Span) -> Document:
    a, b = TEXT.index("(A)"), TEXT.index("(B)")
    return Document(
        "77",
        TEXT,
        doi="10.5555/sd.1",
        segments=(Segment(a, b - 1, "1", "A"), Segment(b, len(TEXT), "2", "B")),
        gold=gold,
    )


def panel_rows(doc: Document, flavour: Flavour = DEFAULT) -> tuple[list[Row], Report]:
    report = Report()
    return [
        sd_nlp.word_row(passage, report, flavour)
        for passage in sd_nlp.panel_passages(doc, report, flavour)
    ], report


def figure_row(doc: Document, flavour: Flavour = DEFAULT) -> Row:
    return sd_nlp.word_row(sd_nlp.figure_passage(doc), Report(), flavour)


def read(rows: list[Row] | bytes, **options: Any) -> tuple[list[Document], Report]:
    report = Report()
    data = (
        rows
        if isinstance(rows, bytes)
        else "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    )
    return list(sd_nlp.read(io.BytesIO(data), name="rows.jsonl", report=report, **options)), report


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


def test_only_the_public_form_drops_the_last_word() -> None:
    assert figure_row(document())["words"][-1] == "MEFs"
    assert figure_row(document(), PUBLIC)["words"][-1] == "in"


def test_only_the_public_form_merges_touching_entities() -> None:
    doc = document(at("Bax", "GENEPROD", nth=1), at("/", "GENEPROD"), at("Bak", "GENEPROD"))
    entities = ["B-GENEPROD", "B-GENEPROD", "B-GENEPROD"]
    assert panel_rows(doc)[0][0]["label_ids"]["entity_types"][3:6] == entities
    assert figure_row(doc, PUBLIC)["label_ids"]["entity_types"][8:11] == [
        "B-GENEPROD",
        "I-GENEPROD",
        "I-GENEPROD",
    ]


def test_an_entity_inside_a_word_is_named_as_lossy() -> None:
    rows, report = panel_rows(document(at("FP", "GENEPROD")))
    assert set(rows[1]["label_ids"]["entity_types"]) == {"O"}
    assert [
        "10.5555/sd.1, panel 2" in loss.where and "inside one word" in loss.message
        for loss in report.lossy
    ] == [True]


def test_an_entity_outside_every_panel_is_only_in_the_figure() -> None:
    doc = document(at("Bax", "GENEPROD"))
    assert ["no single panel" in loss.message for loss in panel_rows(doc)[1].lossy] == [True]
    assert figure_row(doc)["label_ids"]["entity_types"][0] == "B-GENEPROD"


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


def test_examples_are_long_panels_with_a_tag() -> None:
    long, short = "x " * 41, "x " * 30
    text = long + short + long
    segments = (Segment(0, 81, "long"), Segment(82, 141, "short"), Segment(142, 223, "untagged"))
    doc = Document(
        "1", text, segments=segments, gold=(span(text, 0, 1, "CELL"), span(text, 82, 83, "CELL"))
    )
    assert [row["panel_id"] for row in panel_rows(doc)[0]] == ["long", "short", "untagged"]
    assert [
        row["panel_id"] for row in panel_rows(doc, replace(DEFAULT, examples_only=True))[0]
    ] == ["long"]


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


def test_a_missing_tokenizer_is_an_error_that_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="vocab"):
        sd_nlp.load_tokenizer(str(tmp_path))
    with pytest.raises(FormatError, match="hf download"):
        sd_nlp.load_tokenizer("no-such/tokenizer")


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


@pytest.mark.archive
@pytest.mark.parametrize("kind", ["words", "tokens"])
def test_the_public_form_gives_every_reference_row_to_the_letter(
    kind: str, shared_dir: Path, sourcedata_zip: Path
) -> None:
    report = Report()
    row_of: Callable[[sd_nlp.Passage], Row]
    if kind == "words":
        row_of = lambda passage: sd_nlp.word_row(passage, report, PUBLIC)  # noqa: E731
    else:
        tokenizer = sd_nlp.load_tokenizer(str(shared_dir / "tokenizers/roberta-base"))
        row_of = lambda passage: sd_nlp.token_row(passage, report, tokenizer, PUBLIC)  # noqa: E731
    panels, figures = (
        _reference(shared_dir / f"sd-nlp-reference/{kind}_{which}.test.jsonl.xz")
        for which in ("panels", "figs")
    )
    assert len(panels) == 275
    assert len(figures) == 92
    for doc in _documents_of({doi for doi, _ in (*panels, *figures)}, sourcedata_zip, report):
        for passage in sd_nlp.panel_passages(doc, report, PUBLIC):
            _compare(panels.pop((doc.doi, passage.keys["panel_id"]), None), row_of, passage)
        _compare(figures.pop((doc.doi, doc.id), None), row_of, sd_nlp.figure_passage(doc))
    assert panels == {}
    assert figures == {}


def _documents_of(papers: set[str], archive: Path, report: Report) -> Iterator[Document]:
    """The figures of some papers; the archive's files are named by DOI."""
    names = {doi.lower().replace("/", "_").replace(".", "-") for doi in papers}
    for source in open_inputs([archive], report):
        if Path(source.name).stem.lower() in names:
            with source.open() as stream:
                yield from sourcedata_xml.read(
                    stream, name=source.name, report=report, public_form=True
                )


def _reference(path: Path) -> dict[tuple[str, str], Row]:
    with lzma.open(path, "rt", encoding="utf-8") as stream:
        return {(row["_doi"], row["_id"]): row for row in map(json.loads, stream)}


def _compare(
    expected: Row | None, row_of: Callable[[sd_nlp.Passage], Row], passage: sd_nlp.Passage
) -> None:
    if expected is None:
        return
    row = row_of(passage)
    for key in ("words", "tokens", "input_ids"):
        assert row.get(key) == expected.get(key), (passage.where, key)
    assert {layer: row["label_ids"][layer] for layer in expected["label_ids"]} == expected[
        "label_ids"
    ], passage.where
    assert set(expected["label_ids"]) <= set(LAYERS)
