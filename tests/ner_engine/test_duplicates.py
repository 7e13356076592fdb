"""Near-duplicates: every pair above the threshold and none below, whatever the texts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_engine.duplicates import SHINGLE_WORDS, THRESHOLD, ShingleIndex, join, root

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


def test_only_a_reworded_legend_is_a_duplicate() -> None:
    reworded = LEGEND.replace("HeLa", "MEF").replace("four", "six").upper()
    other = (
        "Western blot of whole-cell lysates from HeLa cells that were treated with bafilomycin A1"
        " for four hours, probed for LC3 and tubulin."
    )
    (found,) = indexed([LEGEND, reworded, other]).near_duplicates([0, 1, 1])
    assert found.number == 1
    assert found.like == 0
    assert 0.5 < found.similarity < 1


def test_texts_of_one_rank_may_be_similar() -> None:
    assert indexed([LEGEND, LEGEND, LEGEND]).near_duplicates([2, 2, 2]) == []


@pytest.mark.parametrize("text", ["", "…", " "])
def test_texts_without_words_are_similar_to_nothing(text: str) -> None:
    assert indexed([text, text]).near_duplicates([0, 1]) == []


def test_nothing_has_no_duplicates_and_each_text_needs_a_rank() -> None:
    assert ShingleIndex().near_duplicates([]) == []
    with pytest.raises(ValueError, match="1 texts have 2 ranks"):
        indexed([LEGEND]).near_duplicates([0, 1])


def numbered(first: int, n: int) -> str:
    return " ".join(f"w{number}" for number in range(first, first + n))


def test_shingles_have_three_words_and_the_threshold_is_a_half() -> None:
    assert SHINGLE_WORDS == 3
    assert THRESHOLD == 0.5


def test_a_similarity_of_exactly_a_half_is_a_near_duplicate() -> None:
    """Of six shingles in either text, three are shared."""
    (duplicate,) = indexed([numbered(0, 8), numbered(0, 5)]).near_duplicates([0, 1])
    assert duplicate.similarity == 0.5


def test_a_similarity_just_below_a_half_is_no_near_duplicate() -> None:
    """Of seven shingles in either text, three are shared."""
    assert indexed([numbered(0, 9), numbered(0, 5)]).near_duplicates([0, 1]) == []
    assert indexed([numbered(0, 9), numbered(0, 5)]).clusters() == [0, 1]


def test_three_changed_words_of_thirty_are_a_near_duplicate() -> None:
    words = numbered(0, 30).split()
    changed = ["x" if number in {5, 15, 25} else word for number, word in enumerate(words)]
    (duplicate,) = indexed([" ".join(words), " ".join(changed)]).near_duplicates([0, 1])
    assert duplicate.similarity == 19 / 37


def test_two_words_in_common_are_no_shingle() -> None:
    assert indexed(["a b c", "a b d"]).near_duplicates([0, 1], 0.01) == []


def test_case_and_punctuation_do_not_count() -> None:
    (duplicate,) = indexed(["Bax and BAK.", "bax, and (Bak)"]).near_duplicates([0, 1])
    assert duplicate.similarity == 1.0


def test_a_short_text_is_similar_only_to_itself() -> None:
    assert indexed(["Bax", "bax", "Bax Bak"]).clusters() == [0, 0, 2]


def test_a_text_that_is_left_out_makes_no_other_a_duplicate() -> None:
    chain = [numbered(0, 12), numbered(3, 12), numbered(6, 12)]
    assert [each.number for each in indexed(chain).near_duplicates([0, 1, 2])] == [1]


def test_a_chain_of_similar_texts_is_one_cluster() -> None:
    chain = [numbered(0, 12), numbered(3, 12), numbered(6, 12), numbered(50, 12)]
    assert indexed(chain).clusters() == [0, 0, 0, 3]


@given(texts)
def test_a_cluster_is_a_connected_component(rows: list[tuple[str, int]]) -> None:
    values = [text for text, _ in rows]
    parents = list(range(len(values)))
    for one, text in enumerate(values):
        for other in range(one):
            if alike(text, values[other]) >= 0.5:
                join(parents, one, other)
    assert indexed(values).clusters() == [root(parents, index) for index in range(len(values))]
