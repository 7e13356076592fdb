"""Why a document cannot be imported: each reason is a sentence that says what to do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from annotator.corpus.import_checks import is_storable, why_refused
from ner_engine.schema import Document, Segment, Span

TEXT = "Bax in HeLa cells"
LABELS = {"GENEPROD", "CELL"}


def bax(**facts: Any) -> Span:
    return replace(Span(0, 3, "GENEPROD", "Bax"), **facts)


def document(*gold: Span, **facts: Any) -> Document:
    return replace(Document("fig-1", TEXT, gold=gold), **facts)


def test_a_sound_document_is_not_refused() -> None:
    sound = document(bax(id="a"), bax(start=7, end=11, label="CELL", surface="HeLa", id="b"))
    assert why_refused(sound, LABELS) == ""


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_a_document_without_text_is_refused(text: str) -> None:
    assert why_refused(document(text=text), LABELS) == "the text is empty"


@pytest.mark.parametrize(
    "facts",
    [
        {"text": "Bax\0"},
        {"text": "Bax\ud800"},
        {"id": "fig\0"},
        {"title": "Bax\udc00"},
        {"attributes": {"a": [{"b": "\0"}]}},
        {"attributes": {"a": float("nan")}},
        {"attributes": {"a": float("inf")}},
        {"attributes": {"a": object}},
        {"segments": (Segment(0, 3, aliases=("\ud800",)),)},
        {"gold": (bax(id="\0"),)},
        {"gold": (bax(score=float("nan")),)},
        {"suggestions": (bax(attributes={"scores": {"\0": 1.0}}),)},
    ],
    ids=repr,
)
def test_what_no_database_can_store_is_refused(facts: dict[str, Any]) -> None:
    refusal = why_refused(document(**facts), LABELS)
    assert refusal.startswith("it contains a NUL, a lone surrogate or an invalid number")


def test_attributes_may_write_about_a_nul() -> None:
    assert why_refused(document(attributes={"note": r"a \u0000 in JSON"}), LABELS) == ""


@pytest.mark.parametrize(
    ("field", "name", "limit"),
    [
        ("id", "id", 200),
        ("doi", "DOI", 200),
        ("label", "label", 200),
        ("image", "image's address", 1000),
    ],
)
def test_a_field_may_be_as_long_as_its_column(field: str, name: str, limit: int) -> None:
    assert why_refused(document(**{field: "x" * limit}), LABELS) == ""
    refusal = why_refused(document(**{field: "x" * (limit + 1)}), LABELS)
    assert refusal == f"its {name} is longer than {limit} characters; shorten it"


@pytest.mark.parametrize(
    ("field", "name", "limit"),
    [("marker", "letter", 40), ("id", "id", 200), ("image", "image", 1000)],
)
def test_a_field_of_a_panel_may_be_as_long_as_its_column(field: str, name: str, limit: int) -> None:
    def refusal(length: int) -> str:
        panel = replace(Segment(0, 3), **{field: "x" * length})
        return why_refused(document(segments=(Segment(0, 3), panel)), LABELS)

    assert refusal(limit) == ""
    assert refusal(limit + 1) == f"its panel's {name} is longer than {limit} characters; shorten it"


@pytest.mark.parametrize(
    "facts",
    [
        {"gold": (bax(surface="Bak"),)},
        {"gold": (bax(end=99),)},
        {"suggestions": (bax(start=-1),)},
        {"segments": (Segment(0, 99),)},
    ],
    ids=repr,
)
def test_offsets_that_do_not_fit_are_refused(facts: dict[str, Any]) -> None:
    assert why_refused(document(**facts), LABELS).endswith("; correct its offsets")


def test_an_unknown_label_is_named() -> None:
    refusal = why_refused(document(bax(label="VIRUS")), LABELS)
    assert refusal.startswith('the project has no label "VIRUS"; add it to the label set')


def test_an_unknown_label_of_a_suggestion_is_named_too() -> None:
    refusal = why_refused(document(suggestions=(bax(label="VIRUS"),)), LABELS)
    assert 'no label "VIRUS"' in refusal


def test_labels_do_not_matter_if_spans_are_not_imported() -> None:
    assert why_refused(document(bax(label="VIRUS", role="BOSS")), None) == ""


def test_a_span_without_a_label_is_accepted() -> None:
    assert why_refused(document(bax(label="")), LABELS) == ""


def test_an_unknown_role_is_named_beside_the_known_ones() -> None:
    refusal = why_refused(document(bax(role="BOSS")), LABELS)
    assert refusal == '"BOSS" is not a role; roles are CONTROLLED_VAR, MEASURED_VAR, BORING'


def test_two_entities_with_one_id_are_refused() -> None:
    twice = document(bax(id="a"), bax(start=7, end=11, label="CELL", surface="HeLa", id="a"))
    assert "two of its entities have the same id" in why_refused(twice, LABELS)


def test_entities_without_an_id_are_not_the_same() -> None:
    assert why_refused(document(bax(), bax(label="CELL")), LABELS) == ""


@pytest.mark.parametrize(
    ("text", "expected"), [("Bax", True), ("β-catenin 🧬", True), ("\0", False), ("\ud83e", False)]
)
def test_storable_text_has_no_nul_and_no_half_character(text: str, expected: bool) -> None:
    assert is_storable(text) is expected
