"""Panels and figures that become rows, and the public examples."""

from __future__ import annotations

from dataclasses import replace

from ner_engine.formats import sd_nlp
from ner_engine.formats.report import Report
from ner_engine.formats.sd_nlp import DEFAULT, PUBLIC
from ner_engine.schema import Document, Segment
from tests.ner_engine.formats.sd_nlp.rows import at, document, figure_row, panel_rows
from tests.ner_engine.strategies import span


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


def test_an_entity_outside_every_panel_is_only_in_the_figure() -> None:
    doc = document(at("Bax", "GENEPROD"))
    assert ["no single panel" in loss.message for loss in panel_rows(doc)[1].lossy] == [True]
    assert figure_row(doc)["label_ids"]["entity_types"][0] == "B-GENEPROD"


def test_a_document_without_panels_is_one_panel() -> None:
    doc = Document("7", "Bax moves", gold=(span("Bax moves", 0, 3, "GENEPROD"),))
    (passage,) = sd_nlp.panel_passages(doc, Report())
    assert passage.text == "Bax moves"
    assert passage.keys == {"panel_id": "7", "doi": ""}


def test_spans_of_a_panel_are_offsets_into_its_text() -> None:
    doc = document(at("EGFP-LC3", "GENEPROD"))
    _, second = sd_nlp.panel_passages(doc, Report())
    (found,) = second.spans
    assert second.text[found.start : found.end] == "EGFP-LC3"


def test_a_panel_without_an_id_is_named_by_its_letter_or_offset() -> None:
    doc = Document("7", "Bax Bak", segments=(Segment(0, 4, marker="A"), Segment(4, 7)))
    ids = [passage.keys["panel_id"] for passage in sd_nlp.panel_passages(doc, Report())]
    assert ids == ["7:A", "7:4"]


def test_a_panel_of_white_space_is_left_out() -> None:
    doc = Document("7", "Bax   ", segments=(Segment(0, 3, "a"), Segment(3, 6, "b")))
    assert [passage.text for passage in sd_nlp.panel_passages(doc, Report())] == ["Bax"]


def test_the_public_form_reports_no_losses() -> None:
    report = Report()
    list(sd_nlp.panel_passages(document(at("Bax", "GENEPROD")), report, PUBLIC))
    assert report.lossy == []


def test_an_example_has_more_than_eighty_characters() -> None:
    for length, n in ((80, 0), (81, 1)):
        text = "x" * length
        doc = Document("1", text, gold=(span(text, 0, 1, "CELL"),))
        assert len(list(sd_nlp.panel_passages(doc, Report(), PUBLIC))) == n


def test_a_figure_has_the_boundaries_of_its_panels() -> None:
    passage = sd_nlp.figure_passage(document())
    assert [passage.text[start:][:3] for start in passage.panel_starts] == ["(A)", "(B)"]
    assert passage.panel_ends[-1] == len(passage.text)
    assert passage.where == "10.5555/sd.1, figure 77"


def test_a_passage_is_named_by_paper_and_panel() -> None:
    first, second = sd_nlp.panel_passages(document(), Report())
    assert first.where == "10.5555/sd.1, panel 1"
    assert second.where == "10.5555/sd.1, panel 2"


def test_a_passage_without_a_doi_is_named_by_its_document() -> None:
    (passage,) = sd_nlp.panel_passages(Document("7", "Bax moves"), Report())
    assert passage.where == "7, panel 7"


def test_a_loss_without_a_doi_is_named_by_its_document() -> None:
    doc = replace(document(at("Bax", "GENEPROD")), doi="")
    (loss,) = panel_rows(doc)[1].lossy
    assert loss.where == "77, 0-3 GENEPROD"
