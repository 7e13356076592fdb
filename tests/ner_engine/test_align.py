"""Spans to labels of words or tokens, and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_engine.align import Labelled, decode, encode
from ner_engine.schema import Span
from ner_engine.text import words
from tests.ner_engine.strategies import span, texts, trimmed_spans, word_spans


def labels_of(text: str, spans: list[Span]) -> list[str]:
    return encode(words(text), spans).labels


@given(st.data(), texts)
def test_what_words_can_hold_comes_back_as_it_was(data: st.DataObject, text: str) -> None:
    spans = data.draw(word_spans(text))
    encoded = encode(words(text), spans)
    assert encoded.lossy == []
    assert decode(words(text), encoded.labels) == [
        Labelled(item.start, item.end, item.label) for item in spans
    ]


@given(st.data(), texts)
def test_every_span_comes_back_or_is_told_as_lossy(data: st.DataObject, text: str) -> None:
    spans = data.draw(trimmed_spans(text))
    encoded = encode(words(text), spans)
    back = set(decode(words(text), encoded.labels))
    lossy = [item for item, _ in encoded.lossy]
    for item in spans:
        assert (Labelled(item.start, item.end, item.label) in back) or item in lossy
    assert len(back) <= len(spans)


def test_touching_entities_of_one_label_stay_two() -> None:
    text = "Bax/Bak"
    spans = [
        span(text, 0, 3, "GENEPROD"),
        span(text, 3, 4, "GENEPROD"),
        span(text, 4, 7, "GENEPROD"),
    ]
    assert labels_of(text, spans) == ["B-GENEPROD", "B-GENEPROD", "B-GENEPROD"]


def test_an_entity_inside_a_word_is_told_and_not_written() -> None:
    text = "phosphoERK1 rose"
    encoded = encode(words(text), [span(text, 7, 11, "GENEPROD")])
    assert encoded.labels == ["O", "O"]
    assert [reason for _, reason in encoded.lossy] == ["it lies inside one word"]


def test_an_entity_that_ends_inside_a_word_takes_all_of_it() -> None:
    text = "HeLa-cells"
    encoded = encode(words(text), [span(text, 0, 7, "CELL")])
    assert encoded.labels == ["B-CELL", "I-CELL", "I-CELL"]
    assert [item.end for item, _ in encoded.lossy] == [7]


def test_of_overlapping_entities_the_longest_is_written() -> None:
    text = "GFP LC3 puncta"
    outer, inner, crossing = (
        span(text, 0, 7, "GENEPROD"),
        span(text, 4, 7, "GENEPROD"),
        span(text, 4, 14, "SUBCELLULAR"),
    )
    assert labels_of(text, [inner, outer]) == ["B-GENEPROD", "I-GENEPROD", "O"]
    assert [item for item, _ in encode(words(text), [inner, outer]).lossy] == [inner]
    assert labels_of(text, [outer, crossing]) == ["O", "B-SUBCELLULAR", "I-SUBCELLULAR"]


def test_spans_without_a_label_are_not_written() -> None:
    assert labels_of("after 24 h", [span("after 24 h", 6, 10, "")]) == ["O", "O", "O"]


def test_tokens_that_share_a_character_share_its_entity() -> None:
    units = [(0, 1), (0, 1), (1, 3), (3, 5)]
    item = span("😀abcd", 0, 3, "CELL")
    assert encode(units, [item]).labels == ["B-CELL", "I-CELL", "I-CELL", "O"]
    assert decode(units, encode(units, [item]).labels) == [Labelled(0, 3, "CELL")]


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (["I-CELL", "I-CELL", "O"], [(0, 2, "CELL")]),
        (["I-CELL", "B-CELL", "I-CELL"], [(0, 1, "CELL"), (1, 3, "CELL")]),
        (["B-CELL", "I-TISSUE", "I-TISSUE"], [(0, 1, "CELL"), (1, 3, "TISSUE")]),
        (["CELL", "CELL", "O"], [(0, 2, "CELL")]),
        (["B-Cell-Type", "O", "I-Cell-Type"], [(0, 1, "Cell-Type"), (2, 3, "Cell-Type")]),
        (["O", "O", "O"], []),
    ],
)
def test_labels_are_read_however_models_write_them(
    labels: list[str], found: list[tuple[int, int, str]]
) -> None:
    assert decode([(0, 1), (1, 2), (2, 3)], labels) == [Labelled(*item) for item in found]
