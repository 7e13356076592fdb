"""Scores equal seqeval's, and mean what they say."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import accuracy_score, classification_report
from seqeval.scheme import IOB2
from sklearn.metrics import precision_recall_fscore_support

from ner_engine.align import Labelled
from ner_engine.scoring.metrics import score, score_iob2, score_words

TAGS = ["O", "B-GENEPROD", "I-GENEPROD", "B-CELL", "I-CELL", "B-TISSUE"]


def iob2(tags: list[str]) -> list[str]:
    """Valid IOB2: an I- that continues nothing becomes B-."""
    valid: list[str] = []
    for tag in tags:
        goes_on = bool(valid) and valid[-1] != "O" and valid[-1][2:] == tag[2:]
        valid.append(f"B-{tag[2:]}" if tag.startswith("I-") and not goes_on else tag)
    return valid


sentences = st.integers(1, 4).flatmap(
    lambda n: st.lists(
        st.tuples(*[st.lists(st.sampled_from(TAGS), min_size=n, max_size=n).map(iob2)] * 2),
        min_size=1,
        max_size=5,
    )
)


@given(sentences)
def test_figures_equal_seqeval_by_label_micro_and_macro(
    pairs: list[tuple[list[str], list[str]]],
) -> None:
    gold, predicted = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    ours = score_iob2(gold, predicted)
    if not ours.by_label:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = classification_report(
            gold, predicted, mode="strict", scheme=IOB2, output_dict=True, zero_division=0
        )
    for label, result in ours.by_label.items():
        expected = theirs[label]
        assert result.precision == pytest.approx(expected["precision"])
        assert result.recall == pytest.approx(expected["recall"])
        assert result.f1 == pytest.approx(expected["f1-score"])
        assert result.support == expected["support"]
    for name, key in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
        assert getattr(ours.micro, name) == pytest.approx(theirs["micro avg"][key])
        assert ours.macro[name] == pytest.approx(theirs["macro avg"][key])


@given(sentences)
def test_word_scores_equal_those_of_sklearn_and_seqeval(
    pairs: list[tuple[list[str], list[str]]],
) -> None:
    gold, predicted = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    scores, accuracy = score_words(gold, predicted)
    assert accuracy == pytest.approx(accuracy_score(gold, predicted))
    flat = [[tag for tags in lists for tag in tags] for lists in (gold, predicted)]
    for names, ours in [
        (TAGS[1:], scores.micro),
        *(([f"B-{label}", f"I-{label}"], found) for label, found in scores.by_label.items()),
    ]:
        theirs = precision_recall_fscore_support(
            *flat, labels=names, average="micro", zero_division=0
        )
        assert [ours.precision, ours.recall, ours.f1] == pytest.approx(theirs[:3])


def test_an_entity_counts_only_with_its_boundaries_and_label() -> None:
    gold = [[Labelled(0, 3, "GENEPROD"), Labelled(5, 9, "CELL")]]
    predicted = [[Labelled(0, 3, "GENEPROD"), Labelled(5, 8, "CELL"), Labelled(5, 9, "TISSUE")]]
    result = score(gold, predicted)
    assert result.micro.as_json() == {
        "precision": 0.333333,
        "recall": 0.5,
        "f1": 0.4,
        "support": 2,
        "n_predicted": 3,
        "n_correct": 1,
    }
    assert result.by_label["CELL"].f1 == 0.0
    assert result.by_label["TISSUE"].precision == 0.0


def test_the_same_entity_in_another_document_is_no_hit() -> None:
    entity = Labelled(0, 3, "GENEPROD")
    assert score([[entity], []], [[], [entity]]).micro.f1 == 0.0


def test_lists_of_different_length_are_an_error_and_not_a_score() -> None:
    with pytest.raises(ValueError, match=r"shorter|longer"):
        score([[], []], [[]])


def test_no_entities_at_all_score_zero() -> None:
    assert score([[]], [[]]).as_json()["micro"] == {
        "precision": 0.0,
        "recall": 0.0,
        "f1": 0.0,
        "support": 0,
        "n_predicted": 0,
        "n_correct": 0,
    }


def test_the_table_names_each_label_and_both_means() -> None:
    table = score([[Labelled(0, 3, "GENEPROD")]], [[Labelled(0, 3, "GENEPROD")]]).table()
    assert [line.split()[0] for line in table.splitlines()[1:]] == ["GENEPROD", "micro", "macro"]


@given(sentences, st.integers(0, 5))
def test_scores_of_parts_add_up(pairs: list[tuple[list[str], list[str]]], at: int) -> None:
    gold, predicted = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    parts = score_iob2(gold[:at], predicted[:at]) + score_iob2(gold[at:], predicted[at:])
    assert parts == score_iob2(gold, predicted)


def test_scores_of_labels_that_only_one_part_has_add_up() -> None:
    cell = score([[Labelled(0, 3, "CELL")]], [[Labelled(0, 3, "CELL")]])
    gene = score([[Labelled(0, 3, "GENEPROD")]], [[]])
    both = cell + gene
    assert list(both.by_label) == ["CELL", "GENEPROD"]
    assert both.micro.f1 == pytest.approx(2 / 3)
    assert both.macro == {"precision": 0.5, "recall": 0.5, "f1": 0.5}


def test_an_entity_given_twice_counts_once() -> None:
    twice = [[Labelled(0, 3, "CELL")] * 2]
    assert score(twice, twice).micro.support == 1


def test_lists_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        score([[]], [])
    with pytest.raises(ValueError, match="shorter"):
        score_words([["O", "O"]], [["O"]])


def test_a_table_has_a_line_for_each_label_and_average() -> None:
    table = score([[Labelled(0, 3, "CELL")]], [[Labelled(0, 3, "CELL")]]).table().splitlines()
    assert table[0].split() == ["P", "R", "F1", "support"]
    assert table[1].split() == ["CELL", "1.0000", "1.0000", "1.0000", "1"]
    assert [line.split()[:2] for line in table[2:]] == [["micro", "avg"], ["macro", "avg"]]
