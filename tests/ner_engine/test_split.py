"""The fixed rule that puts a paper on a side."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ner_engine.split import SPLITS, split_of


@given(st.text(alphabet=st.characters(max_codepoint=126)))
def test_a_split_depends_only_on_the_papers_key(
    key: str,
) -> None:
    assert split_of(key) in SPLITS
    assert split_of(f" {key.upper()}\n") == split_of(key.lower())


def test_the_rule_never_moves() -> None:
    sides = {number: split_of(f"10.5555/paper.{number}") for number in range(30)}
    assert {number: side for number, side in sides.items() if side != "train"} == {
        17: "test",
        25: "eval",
    }


def test_about_eight_in_ten_papers_are_for_training() -> None:
    sides = Counter(split_of(f"10.5555/{number}") for number in range(10_000))
    assert [round(sides[side] / 1000) for side in SPLITS] == [8, 1, 1]
