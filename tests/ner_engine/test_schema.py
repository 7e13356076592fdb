"""Documents, panels and spans: offsets that fit, groups, and hashes."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import given

from ner_engine.errors import OffsetError
from ner_engine.schema import (
    ENTITY_LABELS,
    PUBLIC_ENTITY_LABELS,
    Document,
    Segment,
    Span,
    check_offsets,
    text_hash,
)
from tests.ner_engine.strategies import documents

TEXT = "Bax and Bak"
BAK = Span(8, 11, "GENEPROD", "Bak", "BORING", 0.5, "t1", {"ext_ids": "P1"})


def test_only_disease_is_not_a_public_label() -> None:
    assert set(ENTITY_LABELS) - set(PUBLIC_ENTITY_LABELS) == {"DISEASE"}


def test_a_moved_span_keeps_everything_but_its_offsets() -> None:
    moved = BAK.moved(-8)
    assert moved == replace(BAK, start=0, end=3)
    assert moved.moved(8) == BAK


def test_a_span_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        BAK.start = 0  # type: ignore[misc]


def test_a_span_that_fits_is_accepted() -> None:
    BAK.check(TEXT)


def test_a_span_with_another_surface_is_refused() -> None:
    with pytest.raises(OffsetError, match="the text at 8-11 is not the span's surface"):
        replace(BAK, surface="Bax").check(TEXT)


@pytest.mark.parametrize(
    ("start", "end", "sentence"),
    [
        (-1, 3, "outside the text of 11 characters"),
        (8, 12, "outside the text of 11 characters"),
        (3, 3, "or is empty"),
        (5, 3, "or is empty"),
        (3, 7, "begins or ends in white space"),
        (0, 4, "begins or ends in white space"),
        (True, 3, "must be whole numbers"),
        (0, 3.0, "must be whole numbers"),
        ("0", 3, "must be whole numbers"),
        (0, None, "must be whole numbers"),
    ],
)
def test_offsets_that_do_not_fit_are_refused(start: Any, end: Any, sentence: str) -> None:
    with pytest.raises(OffsetError, match=sentence):
        check_offsets(start, end, TEXT)


@pytest.mark.parametrize(("start", "end"), [(0, 1), (0, 11), (10, 11)])
def test_offsets_at_the_ends_of_the_text_fit(start: int, end: int) -> None:
    check_offsets(start, end, TEXT)


@given(documents())
def test_a_document_of_fitting_parts_is_accepted(document: Document) -> None:
    document.check()


@pytest.mark.parametrize("layer", ["gold", "suggestions"])
def test_a_document_checks_both_layers(layer: str) -> None:
    facts: dict[str, Any] = {layer: (replace(BAK, end=10),)}
    with pytest.raises(OffsetError, match="is not the span's surface"):
        Document("f", TEXT, **facts).check()


@pytest.mark.parametrize(("start", "end"), [(-1, 3), (0, 12), (5, 4)])
def test_a_panel_outside_the_text_is_refused(start: int, end: int) -> None:
    with pytest.raises(OffsetError, match="lies outside the text of 11 characters"):
        Document("f", TEXT, segments=(Segment(start, end),)).check()


def test_an_empty_panel_fits() -> None:
    Document("f", TEXT, segments=(Segment(11, 11),)).check()


@pytest.mark.parametrize(
    ("facts", "group"),
    [
        ({"doi": "10.1/x", "attributes": {"paper": "p.xml"}}, "10.1/x"),
        ({"attributes": {"paper": "p.xml"}}, "p.xml"),
        ({"attributes": {"paper": ""}}, "f1"),
        ({"attributes": {"paper": None}}, "f1"),
        ({}, "f1"),
        ({"id": ""}, text_hash(TEXT)),
    ],
)
def test_a_document_is_grouped_by_its_paper(facts: dict[str, Any], group: str) -> None:
    assert Document(**({"id": "f1", "text": TEXT} | facts)).group == group


def test_a_hash_is_that_of_the_utf8_bytes() -> None:
    assert text_hash("α") == ("3e32da9648c78feedcc821d56e483c126dcd270e9fe49973c528e3a88912d557")
