"""Near-duplicates: every pair above the threshold and none below, whatever the texts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_engine.duplicates import SHINGLE_WORDS, ShingleIndex

LEGEND = (
    "HeLa cells that express the reporter were treated with bafilomycin A1 for four hours, fixed,"
    " stained with an antibody against LC3 and counted by two people who did not know the"
    " treatment."
)


def shingles(text: str) -> set[tuple[str, ...]]:
    found = re.findall(r"[^\W_]+", text.casefold())
    found += [""] * (SHINGLE_WORDS - len(found)) if found else []
    return {tuple(found[at : at + SHINGLE_WORDS]) for at in range(len(found) - SHINGLE_WORDS + 1)}


def alike(one: str, other: str) -> float:
    mine, theirs = shingles(one), shingles(other)
    return len(mine & theirs) / len(mine | theirs) if mine | theirs else 0.0


def indexed(texts: list[str]) -> ShingleIndex:
    index = ShingleIndex()
    for text in texts:
        index.add(text)
    return index


texts = st.lists(
    st.tuples(
        st.lists(st.sampled_from(["a", "b", "c", "d", "é", "Ω"]), max_size=12).map(" ".join),
        st.integers(0, 2),
    ),
    max_size=12,
)


@given(texts, st.floats(0.05, 1.0))
def test_every_pair_across_ranks_is_found_and_no_other(
    rows: list[tuple[str, int]], threshold: float
) -> None:
    found = indexed([text for text, _ in rows]).near_duplicates(
        [rank for _, rank in rows], threshold
    )
    out = {each.number for each in found}
    assert len(out) == len(found)
    for each in found:
        (text, rank), (other, other_rank) = rows[each.number], rows[each.like]
        assert rank > other_rank
        assert each.like not in out
        assert each.similarity == alike(text, other) >= threshold
    left = [row for number, row in enumerate(rows) if number not in out]
    assert not [
        1
        for text, rank in left
        for other, other_rank in left
        if rank > other_rank and alike(text, other) >= threshold
    ]


def test_a_legend_with_a_few_other_words_is_found_and_one_of_another_experiment_is_not() -> None:
    reworded = LEGEND.replace("HeLa", "MEF").replace("four", "six").upper()
    other = (
        "Western blot of whole-cell lysates from HeLa cells that were treated with bafilomycin A1"
        " for four hours, probed for LC3 and tubulin."
    )
    (found,) = indexed([LEGEND, reworded, other]).near_duplicates([0, 1, 1])
    assert found.number == 1
    assert found.like == 0
    assert 0.5 < found.similarity < 1


def test_texts_of_one_rank_may_be_alike() -> None:
    assert indexed([LEGEND, LEGEND, LEGEND]).near_duplicates([2, 2, 2]) == []


@pytest.mark.parametrize("text", ["", "…", " "])
def test_texts_without_words_are_like_nothing(text: str) -> None:
    assert indexed([text, text]).near_duplicates([0, 1]) == []


def test_nothing_has_no_duplicates_and_each_text_needs_a_rank() -> None:
    assert ShingleIndex().near_duplicates([]) == []
    with pytest.raises(ValueError, match="1 texts have 2 ranks"):
        indexed([LEGEND]).near_duplicates([0, 1])
