"""Names as they are compared."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.lookup.folding import GREEK, fold, foldings, is_one_edit_away

names = st.text(max_size=20)
words = st.text(alphabet="ab1", max_size=6)


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("IL-1β", "il1beta"),
        ("il 1 beta", "il1beta"),
        ("Krüppel", "kruppel"),
        ("ＨｅＬａ", "hela"),
        ("µ-opioid receptor", "muopioidreceptor"),
        ("Na+", "na+"),
        ("TGF‑β", "tgfbeta"),
        ("4′,6-diamidino-2-phenylindole", "46diamidino2phenylindole"),
        ("—", ""),
        ("", ""),
    ],
)
def test_a_name_is_folded(name: str, folded: str) -> None:
    assert fold(name) == folded


def test_a_greek_letter_may_be_a_latin_one_in_symbols() -> None:
    assert foldings("IL-1β") == ["il1beta", "il1b"]


def test_a_name_without_letters_has_no_foldings() -> None:
    assert foldings("–") == []


@given(names)
def test_folding_twice_changes_nothing(name: str) -> None:
    assert fold(fold(name)) == fold(name)


@given(names)
def test_case_does_not_matter(name: str) -> None:
    assert fold(name.casefold()) == fold(name)


@given(st.lists(names, min_size=1, max_size=4), st.sampled_from("-_ ‐‑–\u00a0\t"))
def test_hyphens_and_spaces_do_not_matter(parts: list[str], between: str) -> None:
    assert fold(between.join(parts)) == "".join(fold(part) for part in parts)


@given(st.sampled_from(sorted(GREEK)), st.text(alphabet="abc-1 ", max_size=5))
def test_greek_letters_are_spelled_out(letter: str, rest: str) -> None:
    assert fold(letter + rest) == fold(f"{GREEK[letter]} {rest}")


def distance(one: str, other: str) -> int:
    """Optimal string alignment by its definition."""
    rows = [list(range(len(other) + 1))]
    for i, a in enumerate(one, start=1):
        row = [i]
        for j, b in enumerate(other, start=1):
            best = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (a != b))
            if i > 1 and j > 1 and (a, b) == (other[j - 2], one[i - 2]):
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]


@given(words, words)
def test_one_edit_is_a_distance_of_one(one: str, other: str) -> None:
    assert is_one_edit_away(one, other) == (distance(one, other) == 1)
