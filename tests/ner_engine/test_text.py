"""Words, sentences, trimming and the white-space rule."""

from __future__ import annotations

import sys
from itertools import pairwise

import pytest
from hypothesis import given

from ner_engine.text import (
    Word,
    collapse_white_space,
    covering,
    sentence_boundaries,
    trim,
    word_boundaries,
    words,
)
from tests.ner_engine.strategies import texts


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("(A) Bax/Bak−/− MEFs", ["(", "A", ")", "Bax", "/", "Bak", "−", "/", "−", "MEFs"]),
        ("a_b 10−3 𝛼-actin", ["a", "_", "b", "10", "−", "3", "𝛼", "-", "actin"]),
        ("5\u00a0μm\u2009x\n", ["5", "\u00a0", "μm", "\u2009", "x", "\n"]),
        ("e\u0301", ["e", "\u0301"]),
        ("  ", []),
        ("", []),
    ],
)
def test_words_are_alphanumeric_runs_and_other_characters(text: str, cut: list[str]) -> None:
    assert [text[word.start : word.end] for word in words(text)] == cut


def test_a_run_has_exactly_the_alphanumeric_characters() -> None:
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        if char != " ":
            assert words(f"a{char}") == (
                [Word(0, 2)] if char.isalnum() else [Word(0, 1), Word(1, 2)]
            ), hex(code)


@given(texts)
def test_words_have_every_character_except_the_space(text: str) -> None:
    cut = words(text)
    assert "".join(text[word.start : word.end] for word in cut) == text.replace(" ", "")
    assert all(left.end <= right.start for left, right in pairwise(cut))
    runs = [text[word.start : word.end] for word in cut if text[word.start].isalnum()]
    assert all(run.isalnum() for run in runs)
    touching = [(left, right) for left, right in pairwise(cut) if left.end == right.start]
    assert not any(
        text[left.start].isalnum() and text[right.start].isalnum() for left, right in touching
    )


@given(texts)
def test_covering_finds_the_words_that_share_a_character(text: str) -> None:
    cut = words(text)
    for start in range(0, len(text), 3):
        end = min(len(text), start + 4)
        expected = [
            index for index, word in enumerate(cut) if word.start < end and start < word.end
        ]
        assert list(covering(cut, start, end)) == expected


@given(texts)
def test_trimming_takes_only_white_space_at_the_ends(text: str) -> None:
    start, end = trim(text, 0, len(text))
    assert text[start:end] == text.strip()
    assert not text[:start].strip()
    assert not text[end:].strip()


def test_only_line_ends_tabs_and_spaces_are_collapsed() -> None:
    assert collapse_white_space("a\r\n\tb  c\u00a0\u2009\u00a0d") == "a b c\u00a0\u2009\u00a0d"


@given(texts)
def test_collapsing_white_space_twice_changes_nothing(text: str) -> None:
    once = collapse_white_space(text)
    assert collapse_white_space(once) == once


@given(texts)
def test_boundaries_are_those_of_the_words(text: str) -> None:
    assert word_boundaries(text) == [(word.start, word.end) for word in words(text)]


@pytest.mark.parametrize("text", [" ", " \u00a0\t\n", "\u2009"])
def test_trimming_pure_white_space_gives_an_empty_range(text: str) -> None:
    start, end = trim(text, 0, len(text))
    assert start == end
    assert 0 <= start <= len(text)


def test_trimming_stays_inside_its_range() -> None:
    assert trim("a   b", 1, 4) == (4, 4)
    assert trim("x y z", 1, 4) == (2, 3)


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_boundaries(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\t", []),
        ("Cells were fed", ["Cells were fed"]),
        ("Cells. Mice.", ["Cells.", "Mice."]),
        ("Cells! Mice? Rats.", ["Cells!", "Mice?", "Rats."]),
        ("Cells.  12 mice.", ["Cells.", "12 mice."]),
        ("(Cells.) Mice.", ["(Cells.)", "Mice."]),
        ("“Cells.” “Mice.”", ["“Cells.”", "“Mice.”"]),
        ("Cells. (A) Mice.", ["Cells.", "(A) Mice."]),
        ("One line\nanother line", ["One line", "another line"]),
        ("One line.\r\n\n another", ["One line.", "another"]),
        ("Cells. Μύες.", ["Cells.", "Μύες."]),
    ],
)
def test_running_text_is_cut_into_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Cells (Fig. 1A) were fed.",
        "See ref. 12 for E. Coli.",
        "Bax vs. Bak, i.e. Both.",
        "Smith et al. 2012 fed ca. 20 mice.",
        "A mean of 1.5 and p<0.05 was found.",
        "Cells. mice.",
        "Figs. 1-3, Nos. 4-5 and Eqs. 1-2 hold.",
        "No. 5 and Dr. Smith",
    ],
)
def test_an_abbreviation_does_not_end_a_sentence(text: str) -> None:
    assert sentences(text) == [text]


def test_sentences_after_an_abbreviation_are_cut() -> None:
    assert sentences("See Fig. 1 here. Mice ate. Rats too.") == [
        "See Fig. 1 here.",
        "Mice ate.",
        "Rats too.",
    ]


def test_an_abbreviation_at_the_end_of_a_line_ends_a_sentence() -> None:
    assert sentences("Smith et al.\nCells.") == ["Smith et al.", "Cells."]


def test_an_exclamation_after_an_abbreviation_ends_a_sentence() -> None:
    assert sentences("It is Fig! Cells.") == ["It is Fig!", "Cells."]


def test_a_word_that_ends_like_an_abbreviation_ends_a_sentence() -> None:
    assert sentences("They ate a pizza from Lucca. Mice too.") == [
        "They ate a pizza from Lucca.",
        "Mice too.",
    ]


@given(texts)
def test_sentences_have_every_character_except_white_space(text: str) -> None:
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


@given(texts)
def test_sentences_are_trimmed_and_in_order(text: str) -> None:
    boundaries = sentence_boundaries(text)
    for start, end in boundaries:
        assert (start, end) == trim(text, start, end)
        assert start < end
    assert all(left[1] <= right[0] for left, right in pairwise(boundaries))
