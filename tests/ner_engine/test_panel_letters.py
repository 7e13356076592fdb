"""Panels found by their letters, in the ways journals print them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_engine.panel_letters import find_panels, printed_letters


def markers(text: str) -> list[str]:
    return [panel.marker for panel in find_panels(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(A) Blot of LC3. (B) Its quantification. (C) Cells.", ["A", "B", "C"]),
        ("(a) Blot of LC3. (b) Its quantification.", ["a", "b"]),
        ("[a] Blot of LC3. [b] Its quantification.", ["a", "b"]),
        ("A) Blot of LC3. B) Its quantification.", ["A", "B"]),
        ("A. Blot of LC3. B. Its quantification.", ["A", "B"]),
        ("A: Blot of LC3. B: Its quantification.", ["A", "B"]),
        ("A, Blot of LC3. B, Its quantification.", ["A", "B"]),
        ("A – Blot of LC3. B – Its quantification.", ["A", "B"]),
        ("A Blot of LC3. B Its quantification. C qPCR of p62.", ["A", "B", "C"]),
        ("(A, B) Blots. (C) Cells.", ["A, B", "C"]),
        ("A, B Blots. C Cells. D-F Mice.", ["A, B", "C", "D-F"]),
        ("(A-C) Blots. (D and E) Cells. (F) Mice.", ["A-C", "D and E", "F"]),
        ("(A–C) Blots. (D to F) Cells.", ["A–C", "D to F"]),
        ("(A, A') Eyes. (B, B', B'') Wings.", ["A, A'", "B, B', B''"]),
        ("(i) Cells. (ii-iv) Mice. (v) Rats.", ["i", "ii-iv", "v"]),
        ("i Cells. ii Mice. iii Rats.", ["i", "ii", "iii"]),
    ],
)
def test_letters_are_found_in_every_way_they_are_printed(text: str, expected: list[str]) -> None:
    assert markers(text) == expected
    assert markers(f"Autophagy in HeLa cells. Figure 3. {text}") == expected


def test_a_panel_reaches_to_the_next_one() -> None:
    text = "Bax kills cells. Figure 1 (A) Blot of Bax, as in (C). (B) Cells.\n(C) Mice. "
    assert [text[panel.start : panel.end] for panel in find_panels(text)] == [
        "(A) Blot of Bax, as in (C).",
        "(B) Cells.",
        "(C) Mice.",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "A mouse was treated with rapamycin. It was well.",
        "Cells as in (A). They were treated as in (B) and (C).",
        "Vitamin C protects. B cells were taken.",
    ],
)
def test_letters_that_are_mentioned_start_no_panel(text: str) -> None:
    assert markers(text) == [""]


def test_letters_within_a_panel_do_not_cut_it() -> None:
    assert markers(
        "A, B Staining: (A) loss of membranes; (B) gain. C, D Lipids: (C) fixed; (D) counted."
    ) == ["A, B", "C, D"]


def test_a_letter_that_is_left_out_does_not_end_the_legend() -> None:
    assert markers("(A) One. (C) Three. (D) Four.") == ["A", "C", "D"]


def test_a_legend_without_letters_is_one_panel() -> None:
    text = "Bax kills cells. Fig. 2 Blot of Bax."
    assert [text[panel.start : panel.end] for panel in find_panels(text)] == ["Blot of Bax."]
    assert find_panels(" \n ") == []


@given(st.text(alphabet="ABCabciv().,:-– \n[]'Zebra1😀\u00a0é", max_size=120))
def test_panels_lie_in_the_text_in_order_and_never_overlap(text: str) -> None:
    panels = find_panels(text)
    edges = [edge for panel in panels for edge in (panel.start, panel.end)]
    assert edges == sorted(edges)
    for panel in panels:
        assert 0 <= panel.start < panel.end <= len(text)
        assert not text[panel.start].isspace()
        assert not text[panel.end - 1].isspace()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # The style with the longer run of letters wins.
        ("(A) Blot. (B) Cells. (C) Mice. A. One. B. Two.", ["A", "B", "C"]),
        ("A. Blot. B. Cells. C. Mice. D. Rats. (A) One. (B) Two.", ["A", "B", "C", "D"]),
        # A marker at the start of a sentence is worth more than one within a sentence.
        ("(A) Blot. (B) Cells with a, b and c. (C) Mice.", ["A", "B", "C"]),
        # A chain that starts with the first letter beats one that starts later.
        ("(A) Blot. (B) Cells. x) Mice. y) Rats. z) Flies.", ["A", "B"]),
        # Several letters in one marker count as several.
        ("(A-E) Blots. (F) Cells. a. One. b. Two. c. Three.", ["A-E", "F"]),
    ],
)
def test_the_style_with_the_best_run_of_letters_is_chosen(text: str, expected: list[str]) -> None:
    assert markers(text) == expected


def test_one_letter_counts_only_in_a_bracket() -> None:
    assert markers("(A) Blot of Bax.") == ["A"]
    assert markers("A) Blot of Bax.") == ["A"]
    assert markers("A. Blot of Bax.") == [""]


def test_two_missing_letters_end_the_chain() -> None:
    assert markers("(A) One. (B) Two. (E) Five.") == ["A", "B"]


def test_most_markers_within_sentences_are_no_panels() -> None:
    assert markers("Cells ran (A) fast and (B) far and (C) home and (D) out.") == [""]


def test_letters_that_do_not_follow_each_other_are_no_marker() -> None:
    assert markers("(A, H) Blot. (A) Mice. (B) Cells.") == ["A", "B"]


@pytest.mark.parametrize(
    "text",
    [
        "(A) Blot of LC3. (B) Cells as in (C).",
        "(A) Blot of LC3. (B) Cells of panel (C).",
    ],
)
def test_a_mentioned_letter_does_not_continue_the_panels(text: str) -> None:
    assert markers(text) == ["A", "B"]


@pytest.mark.parametrize(
    ("text", "before", "letters"),
    [
        ("(C) Cells", "", "C"),
        ("[ c ] Cells", None, "C"),
        ("C) Cells", "A", "C"),
        ("(D and E) Mice", "C", "D–E"),
        ("A–C. Mice", None, "A–C"),
        ("C. Cells", "B", "C"),
        ("C Cells", "B", "C"),
        ("A. Cells", "", "A"),
        # No letter of a panel, whatever comes before.
        ("C. elegans", "B", ""),
        ("C. Cells", "D", ""),
        ("C. Cells", None, ""),
        ("A Western blot", "", ""),
        ("A mouse", "", ""),
        ("B cells", "A", ""),
        ("Data represent", "C", ""),
        ("D-glucose", "C", ""),
        ("P < 0.05", "O", ""),
        ("n = 3", "M", ""),
        ("", "", ""),
    ],
)
def test_only_printed_letters_name_a_panel(text: str, before: str | None, letters: str) -> None:
    assert printed_letters(text, 0, before) == letters
