"""Where models differ: partial scores, errors, and how sure a difference is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_engine.align import Labelled
from ner_engine.scoring.comparison import (
    Counts,
    counts_of,
    errors_of,
    match_entities,
    paired_bootstrap,
    partial_scores,
    worse_texts,
)
from ner_engine.scoring.metrics import score

ranges = st.builds(
    lambda start, length, label: Labelled(start, start + length, label),
    st.integers(0, 20),
    st.integers(1, 6),
    st.sampled_from(["CELL", "GENEPROD"]),
)
texts_of_ranges = st.lists(
    st.tuples(st.lists(ranges, max_size=6), st.lists(ranges, max_size=6)), max_size=4
)


def test_an_overlap_of_the_same_label_counts_in_part() -> None:
    gold = [[Labelled(0, 8, "CELL"), Labelled(10, 13, "GENEPROD")]]
    predicted = [[Labelled(0, 4, "CELL"), Labelled(10, 13, "CELL")]]
    found = partial_scores(gold, predicted)
    assert found.micro.n_correct == 1
    assert found.micro.n_predicted == 2
    assert found.micro.support == 2
    assert found.by_label["CELL"].recall == 1.0
    assert found.by_label["GENEPROD"].recall == 0.0


def test_one_long_entity_stands_for_one_other_alone() -> None:
    gold = [[Labelled(0, 3, "CELL"), Labelled(4, 7, "CELL")]]
    assert partial_scores(gold, [[Labelled(0, 7, "CELL")]]).micro.n_correct == 1


@given(texts_of_ranges)
def test_partial_scores_are_never_below_strict_ones(
    texts: list[tuple[list[Labelled], list[Labelled]]],
) -> None:
    gold, predicted = [left for left, _ in texts], [right for _, right in texts]
    partial, strict = partial_scores(gold, predicted), score(gold, predicted)
    for label, value in strict.by_label.items():
        assert partial.by_label[label].n_correct >= value.n_correct
        assert partial.by_label[label].n_predicted == value.n_predicted
        assert partial.by_label[label].support == value.support
    assert partial_scores(gold, gold).micro.n_correct == strict.micro.support


@given(st.lists(ranges, max_size=6), st.lists(ranges, max_size=6))
def test_pairs_overlap_and_use_nobody_twice(
    gold: list[Labelled], predicted: list[Labelled]
) -> None:
    left, right = sorted(set(gold)), sorted(set(predicted))
    found = match_entities(left, right)
    assert all(a.start < b.end and b.start < a.end for a, b in found)
    assert len({a for a, _ in found}) == len({b for _, b in found}) == len(found)
    assert {a for a, b in found if a == b} == set(left) & set(right)


def test_errors_are_told_apart_by_what_is_wrong() -> None:
    text = "Bax in HeLa cells and p53 blot"
    gold = [Labelled(0, 3, "GENEPROD"), Labelled(7, 17, "CELL"), Labelled(22, 25, "GENEPROD")]
    predicted = [Labelled(0, 3, "CELL"), Labelled(7, 11, "CELL"), Labelled(26, 30, "EXP_ASSAY")]
    found = errors_of([text], [gold], [predicted])
    assert dict(found.confusion) == {
        ("GENEPROD", "CELL"): 1,
        ("CELL", "CELL"): 1,
        ("GENEPROD", ""): 1,
        ("", "EXP_ASSAY"): 1,
    }
    assert dict(found.boundaries) == {("CELL", "ends"): 1}
    assert dict(found.missed) == {("GENEPROD", "p53"): 1}
    assert dict(found.invented) == {("EXP_ASSAY", "blot"): 1}
    assert found.as_json()["missed"] == [{"label": "GENEPROD", "surface": "p53", "count": 1}]


def test_a_clear_difference_is_told_from_one_that_chance_makes() -> None:
    papers = [f"10.1/{index // 5}" for index in range(100)]
    good, bad = [Counts(9, 10, 10)] * 100, [Counts(7, 10, 10)] * 100
    clear = paired_bootstrap(papers, bad, good)
    assert clear.measured == pytest.approx(0.2)
    assert clear.low > 0
    assert clear.fraction_worse == 0
    assert clear.n_groups == 20
    mixed = [Counts(9, 10, 10) if index % 10 < 5 else Counts(7, 10, 10) for index in range(100)]
    turned = [Counts(7, 10, 10) if index % 10 < 5 else Counts(9, 10, 10) for index in range(100)]
    chance = paired_bootstrap(papers, mixed, turned)
    assert chance.measured == pytest.approx(0)
    assert chance.low < 0 < chance.high


def test_the_same_papers_give_the_same_interval() -> None:
    one = paired_bootstrap(["a", "b"], [Counts(1, 2, 3)] * 2, [Counts(2, 2, 3)] * 2)
    assert one == paired_bootstrap(["a", "b"], [Counts(1, 2, 3)] * 2, [Counts(2, 2, 3)] * 2)
    assert paired_bootstrap([], [], []).measured == 0
    with pytest.raises(ValueError, match="one entry per text"):
        paired_bootstrap(["a"], [], [])


def test_legends_that_got_worse_come_worst_first() -> None:
    old = [Counts(2, 2, 2), Counts(1, 1, 2), Counts(1, 2, 2)]
    new = [Counts(0, 1, 2), Counts(2, 2, 2), Counts(1, 3, 2)]
    assert worse_texts(old, new) == [(0, 3), (2, 1)]
    assert counts_of(
        [Labelled(0, 1, "A"), Labelled(2, 3, "B")], [Labelled(0, 1, "A")], "A"
    ) == Counts(1, 1, 1)
