"""Words, trimming and the white-space rule."""

from __future__ import annotations

import sys
from itertools import pairwise

import pytest
from hypothesis import given

from ner_engine.text import Word, collapse_white_space, covering, trim, words
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
def test_words_are_runs_of_letters_and_digits_and_every_other_character_but_the_space(
    text: str, cut: list[str]
) -> None:
    assert [text[word.start : word.end] for word in words(text)] == cut


def test_a_character_belongs_to_a_run_exactly_when_it_is_alphanumeric() -> None:
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        if char != " ":
            assert words(f"a{char}") == (
                [Word(0, 2)] if char.isalnum() else [Word(0, 1), Word(1, 2)]
            ), hex(code)


@given(texts)
def test_words_hold_every_character_but_the_space_once_and_in_order(text: str) -> None:
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
def test_trimming_leaves_no_white_space_at_an_end_and_takes_nothing_else(text: str) -> None:
    start, end = trim(text, 0, len(text))
    assert text[start:end] == text.strip()
    assert not text[:start].strip()
    assert not text[end:].strip()


def test_the_white_space_rule_touches_line_ends_tabs_and_spaces_alone() -> None:
    assert collapse_white_space("a\r\n\tb  c\u00a0\u2009\u00a0d") == "a b c\u00a0\u2009\u00a0d"


@given(texts)
def test_the_white_space_rule_applied_twice_changes_nothing_more(text: str) -> None:
    once = collapse_white_space(text)
    assert collapse_white_space(once) == once
