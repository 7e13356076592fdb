"""Where models differ: partial scores, errors, and how sure a difference is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_engine.align import Labelled
from ner_engine.scoring.comparison import (
    Counts,
    Difference,
    counts_of,
    errors_of,
    match_entities,
    micro_f1,
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
def test_matched_entities_overlap_and_are_used_once(
    gold: list[Labelled], predicted: list[Labelled]
) -> None:
    left, right = sorted(set(gold)), sorted(set(predicted))
    found = match_entities(left, right)
    assert all(a.start < b.end and b.start < a.end for a, b in found)
    assert len({a for a, _ in found}) == len({b for _, b in found}) == len(found)
    assert {a for a, b in found if a == b} == set(left) & set(right)


def test_errors_are_counted_by_their_kind() -> None:
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


def test_a_clear_difference_is_not_chance() -> None:
    papers = [f"10.1/{index // 5}" for index in range(100)]
    good, bad = [Counts(9, 10, 10)] * 100, [Counts(7, 10, 10)] * 100
    clear = paired_bootstrap(papers, bad, good)
    assert clear.measured == pytest.approx(0.2)
    assert clear.low > 0
    assert clear.fraction_worse == 0
    assert clear.n_groups == 20


def test_a_difference_by_chance_has_zero_in_its_interval() -> None:
    papers = [f"10.1/{index // 5}" for index in range(100)]
    good, bad = [Counts(9, 10, 10)] * 5, [Counts(7, 10, 10)] * 5
    chance = paired_bootstrap(papers, (good + bad) * 10, (bad + good) * 10)
    assert chance.measured == pytest.approx(0)
    assert chance.low < 0 < chance.high


def test_the_same_papers_give_the_same_interval() -> None:
    one = paired_bootstrap(["a", "b"], [Counts(1, 2, 3)] * 2, [Counts(2, 2, 3)] * 2)
    assert one == paired_bootstrap(["a", "b"], [Counts(1, 2, 3)] * 2, [Counts(2, 2, 3)] * 2)


def test_no_papers_have_no_difference() -> None:
    none = paired_bootstrap([], [], [])
    assert none.measured == none.low == none.high == 0
    assert none.n_groups == 0


def test_each_text_needs_a_paper_and_two_counts() -> None:
    with pytest.raises(ValueError, match="one entry per text"):
        paired_bootstrap(["a"], [], [])


def test_one_paper_has_an_interval_of_one_point() -> None:
    one = paired_bootstrap(["a", "a"], [Counts(1, 2, 2)] * 2, [Counts(2, 2, 2)] * 2)
    assert one.measured == one.low == one.high == 0.5
    assert one.standard_error == 0


def test_a_difference_is_stored_under_its_published_keys() -> None:
    stored = Difference(1 / 3, 0.1, 0.5, 0.25, 7).as_json()
    assert stored == {
        "measured": 0.333333,
        "low": 0.1,
        "high": 0.5,
        "share_worse": 0.25,
        "n_groups": 7,
    }


def test_the_standard_error_is_that_of_a_normal_interval() -> None:
    assert Difference(0, -0.196, 0.196, 0.5, 9).standard_error == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("predicted", "boundary"),
    [((5, 17), "begins"), ((7, 11), "ends"), ((8, 18), "both")],
)
def test_a_wrong_boundary_is_named(predicted: tuple[int, int], boundary: str) -> None:
    gold = Labelled(7, 17, "CELL")
    errors = errors_of(["x" * 20], [[gold]], [[Labelled(*predicted, "CELL")]])
    assert errors.boundaries == {("CELL", boundary): 1}
    assert errors.as_json()["edges"] == [{"label": "CELL", "edge": boundary, "count": 1}]


def test_an_equal_entity_is_matched_before_a_longer_overlap() -> None:
    gold = [Labelled(0, 10, "CELL"), Labelled(2, 5, "GENEPROD")]
    predicted = [Labelled(0, 9, "GENEPROD"), Labelled(2, 5, "GENEPROD")]
    assert match_entities(gold, predicted) == [
        (gold[0], predicted[0]),
        (gold[1], predicted[1]),
    ]


def test_micro_f1_is_over_all_texts() -> None:
    assert micro_f1([Counts(1, 1, 2), Counts(0, 1, 0)]) == 0.5
    assert micro_f1([]) == 0.0


def test_legends_that_got_worse_come_worst_first() -> None:
    old = [Counts(2, 2, 2), Counts(1, 1, 2), Counts(1, 2, 2)]
    new = [Counts(0, 1, 2), Counts(2, 2, 2), Counts(1, 3, 2)]
    assert worse_texts(old, new) == [(0, 3), (2, 1)]


def test_counts_may_be_those_of_one_label() -> None:
    gold = [Labelled(0, 1, "A"), Labelled(2, 3, "B")]
    assert counts_of(gold, [Labelled(0, 1, "A")], "A") == Counts(1, 1, 1)
    assert counts_of(gold, [Labelled(0, 1, "A")]) == Counts(1, 1, 2)


def test_errors_are_missed_and_invented_entities() -> None:
    assert Counts(1, 3, 2).n_errors == 3
    assert Counts(2, 2, 2).n_errors == 0
    assert Counts(0, 4, 0).n_errors == 4
    assert Counts(0, 0, 4).n_errors == 4


def test_counts_of_two_texts_add_up() -> None:
    assert Counts(1, 3, 2) + Counts(10, 30, 20) == Counts(11, 33, 22)
