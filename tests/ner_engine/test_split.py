"""The fixed rule that assigns a paper to a split."""

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
    splits = {number: split_of(f"10.5555/paper.{number}") for number in range(30)}
    assert {number: split for number, split in splits.items() if split != "train"} == {
        17: "test",
        25: "eval",
    }


def test_about_eight_in_ten_papers_are_for_training() -> None:
    splits = Counter(split_of(f"10.5555/{number}") for number in range(10_000))
    assert [round(splits[split] / 1000) for split in SPLITS] == [8, 1, 1]
