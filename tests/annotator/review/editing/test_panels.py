"""Panels: where they begin and what their letters are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.review.editing.edits import edit_legend
from annotator.review.editing.effects import Effect, advance, inverse
from annotator.review.editing.errors import OperationError
from annotator.review.editing.legend import LegendState
from annotator.review.editing.panel_edits import MAX_NAME
from annotator.review.editing.panels import Panel, marker_start, panel_problems
from tests.annotator.review.editing.legends import (
    LABELS,
    TEXT,
    edit,
    legend,
    words_of,
)


def test_a_panel_start_is_put_and_taken_away_by_the_same_edit() -> None:
    state = legend(imported_panels=(Panel(0, 0, len(TEXT), "A"),))
    index, _ = words_of(state, "(B)")
    two, _ = edit_legend(state, edit("set_panels", word=index))
    assert [(panel.marker, panel.start) for panel in two.panels] == [
        ("A", 0),
        ("B", TEXT.index("(B)")),
    ]
    one, _ = edit_legend(two, edit("set_panels", number=2, word=index))
    assert [panel.start for panel in one.panels] == [0]


@pytest.mark.parametrize(
    ("text", "asked", "begins"),
    [
        ("One. (C) Two", "C)", "(C)"),
        ("One. [c] Two", "c]", "[c]"),
        ("One. ( C ) Two", "C )", "( C"),
        ("One. (C, D) Two", "C, D", "(C, D"),
        ("One. (C–E) Two", "C–E", "(C–E"),
        ("One. (C and D) Two", "C and", "(C and"),
        ("One. (C) Two", "(C)", "(C)"),
        ("One. (Data) Two", "Data", "Data"),
        ("One. (C cells) Two", "C cells", "C cells"),
        ("One. C) Two", "C)", "C)"),
        ("C. Two", "C", "C"),
    ],
)
def test_a_panel_asked_for_at_its_letter_begins_at_the_bracket(
    text: str, asked: str, begins: str
) -> None:
    assert marker_start(text, text.index(asked)) == text.index(begins)


def test_the_letter_takes_away_the_panel_that_it_put() -> None:
    state = legend(imported_panels=(Panel(0, 0, len(TEXT), "A"),))
    letter = words_of(state, "(B)")[0] + 1
    two, _ = edit_legend(state, edit("set_panels", word=letter))
    assert [panel.start for panel in two.panels] == [0, TEXT.index("(B)")]
    one, _ = edit_legend(two, edit("set_panels", number=2, word=letter))
    assert [panel.start for panel in one.panels] == [0]


def test_a_panel_begun_where_one_begins_is_refused(three: LegendState) -> None:
    bracket, letter = words_of(three, "(B)")[0], words_of(three, "(B)")[0] + 1
    for word in (bracket, letter):
        with pytest.raises(OperationError, match="changes nothing"):
            edit_legend(three, edit("set_panels", word=word, begin=True))


def test_a_panel_begins_where_none_does(three: LegendState) -> None:
    word = words_of(three, "Cells")[0]
    split, _ = edit_legend(three, edit("set_panels", word=word, begin=True))
    assert markers(split) == ["A", "B", "", ""]


@given(text=st.text("(C) [d],ata\n–", max_size=20), data=st.data())
def test_a_panel_moves_over_no_more_than_a_bracket(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    begins = marker_start(text, at)
    assert begins <= at
    assert text[begins:at].strip() in ("", "(", "[")


def test_a_panel_may_start_at_the_space_before_a_word() -> None:
    at = TEXT.index(" (B)")
    state = legend(imported_panels=(Panel(0, 0, at, "A"), Panel(1, at, len(TEXT), "B")))
    after, _ = edit_legend(state, edit("set_panels", word=words_of(state, "(B)")[0]))
    assert [panel.start for panel in after.panels] == [0]


@pytest.mark.parametrize(
    ("markers", "problems"),
    [
        (["A", "B", "C"], []),
        (["A", "B–C", "D"], []),
        (["A", "", "B"], []),
        (["A", "B, C", "D and E", "F & G", "H—J", "K"], []),
        (["A", "i", "ii", "B"], []),
        (["A", "C"], ["Panel B is missing before C."]),
        (["B", "E"], ["Panel A is missing before B.", "Panel C–D is missing before E."]),
        (["A", "B", "B"], ["Panel B comes after B."]),
        (["A", "C-D", "B"], ["Panel B is missing before C-D.", "Panel B comes after D."]),
        ([], []),
    ],
)
def test_letters_of_panels_are_held_against_the_alphabet(
    markers: list[str], problems: list[str]
) -> None:
    assert (
        panel_problems(
            [Panel(index, index, index + 1, marker) for index, marker in enumerate(markers)]
        )
        == problems
    )


@pytest.mark.parametrize(
    ("opening", "marker"),
    [
        ("(a) One", "A"),
        ("(b, c) Two", "B–C"),
        ("C–E, three", "C–E"),
        ("d and e, four", "D–E"),
        ("A cell", ""),
        ("Cells", ""),
        ("Data represent the mean", ""),
        ("(B) one", "B"),
    ],
)
def test_a_new_panel_takes_its_letters_from_its_first_words(opening: str, marker: str) -> None:
    state = LegendState(
        text=f"{opening} of some", decided={}, suggested={}, labels=frozenset(LABELS)
    )
    after, _ = edit_legend(state, edit("set_panels", starts=[0]))
    assert [panel.marker for panel in after.panels] == [marker]


def test_text_after_a_lettered_panel_gets_no_letter() -> None:
    text = "(A) Blot. Data represent the mean. (B) Cells."
    starts = [0, text.index("Data"), text.index("(B)")]
    state = LegendState(text=text, decided={}, suggested={}, labels=frozenset(LABELS))
    after, _ = edit_legend(state, edit("set_panels", starts=starts))
    assert [panel.marker for panel in after.panels] == ["A", "", "B"]


@pytest.fixture
def three() -> LegendState:
    """Panels A, B and one without a letter."""
    text = "(A) Blot. (B) Cells. Data represent the mean."
    state = LegendState(text=text, decided={}, suggested={}, labels=frozenset(LABELS))
    starts = [0, text.index("(B)"), text.index("Data")]
    return edit_legend(state, edit("set_panels", starts=starts))[0]


def markers(state: LegendState) -> list[str]:
    return [panel.marker for panel in state.panels]


def test_a_panel_is_named_and_gets_its_printed_letter_back(three: LegendState) -> None:
    named, _ = edit_legend(three, edit("set_panels", panel=10, name="  C "))
    assert markers(named) == ["A", "C", ""]
    back, _ = edit_legend(named, edit("set_panels", panel=10, name=""))
    assert markers(back) == ["A", "B", ""]


def test_an_imported_panel_can_be_named() -> None:
    state = legend(imported_panels=(Panel(0, 0, len(TEXT), "A"),))
    named, effect = edit_legend(state, edit("set_panels", panel=0, name="S1"))
    assert markers(named) == ["S1"]
    assert effect.panel_starts is None


def test_merged_panels_have_both_letters(three: LegendState) -> None:
    merged, _ = edit_legend(three, edit("set_panels", panel=0, merge=True))
    assert markers(merged) == ["A–B", ""]
    all_in_one, _ = edit_legend(merged, edit("set_panels", panel=0, merge=True))
    assert markers(all_in_one) == ["A–B"]


@pytest.mark.parametrize(
    ("first", "last", "both"),
    [
        ("1", "2", "1–2"),
        ("A", "B′", "A–B′"),
        ("i", "ii", "i–ii"),
        ("N" * 15, "M" * 15, ("N" * 15 + "–" + "M" * 15)[:MAX_NAME]),
    ],
)
def test_merged_panels_have_both_names(
    three: LegendState, first: str, last: str, both: str
) -> None:
    named, _ = edit_legend(three, edit("set_panels", panel=0, name=first))
    named, _ = edit_legend(named, edit("set_panels", number=2, panel=10, name=last))
    merged, _ = edit_legend(named, edit("set_panels", number=3, panel=0, merge=True))
    assert markers(merged) == [both, ""]


def test_a_removed_panel_takes_its_name_along(three: LegendState) -> None:
    named, _ = edit_legend(three, edit("set_panels", panel=10, name="X"))
    removed, _ = edit_legend(named, edit("set_panels", panel=10, remove=True))
    assert markers(removed) == ["A", ""]
    assert removed.panel_names == {}


def test_names_are_undone_and_stored(three: LegendState) -> None:
    merged, effect = edit_legend(three, edit("set_panels", panel=0, merge=True))
    stored = Effect.from_json(effect.as_json())
    assert stored == effect
    undone = advance(merged, inverse(stored))
    assert markers(undone) == ["A", "B", ""]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"panel": 3, "name": "A"}, "No panel begins there"),
        ({"panel": "0", "name": "A"}, "No panel begins there"),
        ({"panel": 0, "name": "A" * 21}, "at most 20 characters"),
        ({"panel": 0, "name": "…"}, "a letter or number"),
        ({"panel": 0}, "a letter or number"),
        ({"panel": 21, "merge": True}, "last panel"),
        ({"panel": 0, "name": ""}, "changes nothing"),
    ],
)
def test_panel_edits_that_make_no_sense_are_refused(
    three: LegendState, arguments: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(OperationError, match=sentence):
        edit_legend(three, edit("set_panels", **arguments))
