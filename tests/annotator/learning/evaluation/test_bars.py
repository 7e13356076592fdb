"""Bar charts of scores and of curators' decisions."""

from __future__ import annotations

import pytest

from annotator.learning.evaluation.bars import outcome_bars, score_bars
from annotator.learning.evaluation.comparison import Comparison, compare_evaluations
from annotator.learning.evaluation.effort import LabelTally, ModelEffort, total_of
from annotator.learning.models import Evaluation, ModelTask


def scores(f1: float, **by_label: float) -> dict[str, object]:
    def one(value: float) -> dict[str, float]:
        return {"precision": value, "recall": value, "f1": value, "support": 10}

    return {
        "micro": one(f1),
        "macro": one(f1),
        "by_label": {label: one(value) for label, value in by_label.items()},
    }


def comparison(candidate: dict[str, object], current: dict[str, object] | None) -> Comparison:
    other = Evaluation(scores=current) if current is not None else None
    return compare_evaluations(Evaluation(scores=candidate), other, None)


def effort(*labels: LabelTally) -> ModelEffort:
    return ModelEffort(ModelTask.ENTITIES, "m", None, list(labels), total_of(labels), None)


def test_labels_come_first_and_averages_last() -> None:
    bars = score_bars(comparison(scores(0.8, GENEPROD=0.9, CELL=0.7), None))
    names = [bar.row.name for bar in bars.bars]
    assert names == ["CELL", "GENEPROD", "Micro average", "Macro average"]


def test_rows_of_bars_do_not_overlap() -> None:
    bars = score_bars(comparison(scores(0.8, GENEPROD=0.9, CELL=0.7), None))
    tops = [bar.words_at for bar in bars.bars]
    assert tops == sorted(set(tops))
    assert bars.bars[-1].current_at < bars.height


def test_the_summary_names_the_labels_that_lose() -> None:
    current = scores(0.75, CELL=0.8, GENEPROD=0.7)
    bars = score_bars(comparison(scores(0.8, CELL=0.75, GENEPROD=0.9), current))
    assert bars.summary == (
        "F1 of strict spans by label. Micro average 80.0, the current model's 75.0."
        " It falls for CELL (by 5.0 points)."
    )


def test_the_summary_of_a_lone_candidate_compares_nothing() -> None:
    bars = score_bars(comparison(scores(0.8, CELL=0.75), None))
    assert bars.summary == "F1 of strict spans by label. Micro average 80.0."


def test_pieces_of_an_outcome_bar_fill_it_without_gaps() -> None:
    tally = LabelTally("CELL", "Cell", accepted=3, boundaries_corrected=1, rejected=2, added=2)
    bar, _ = outcome_bars(effort(tally)).bars
    end = 0.0
    for piece in bar.pieces:
        assert piece.at == pytest.approx(end, abs=0.02)
        end = piece.at + piece.width
    assert end == pytest.approx(100, abs=0.1)


def test_only_outcomes_that_occur_are_explained() -> None:
    tally = LabelTally("CELL", "Cell", accepted=3, left_out=1)
    assert outcome_bars(effort(tally)).outcomes == (
        ("accepted", "accepted"),
        ("left-out", "left out"),
    )


def test_one_added_entity_is_in_the_singular() -> None:
    tally = LabelTally("CELL", "Cell", accepted=1, rejected=1, added=1)
    assert outcome_bars(effort(tally)).summary == (
        "Of 2 suggestions 1 were accepted unchanged; 1 was added by hand."
    )


def test_a_label_without_suggestions_has_an_empty_bar() -> None:
    bar, _ = outcome_bars(effort(LabelTally("CELL", "Cell"))).bars
    assert bar.pieces == ()
