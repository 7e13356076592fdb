"""Reliability: what was stated against what is right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_engine.scoring.reliability import (
    N_BINS,
    Accepted,
    accepted,
    auroc,
    expected_precision,
    reliability,
)

OUTCOMES = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def arrays(outcomes: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    confidences, right = zip(*outcomes, strict=True)
    return np.array(confidences, dtype=float), np.array(right, dtype=bool)


def test_ece_is_the_mean_gap_weighted_by_size() -> None:
    measured = reliability(*arrays([(0.95, True), (0.95, False), (0.25, False), (0.25, False)]))
    assert measured.ece == pytest.approx((0.45 + 0.25) / 2)


def test_brier_is_the_mean_squared_error() -> None:
    measured = reliability(*arrays([(0.8, True), (0.4, False)]))
    assert measured.brier == pytest.approx((0.04 + 0.16) / 2)


def test_log_loss_is_finite_for_a_certain_error() -> None:
    assert reliability(*arrays([(1.0, False)])).log_loss == pytest.approx(13.8, abs=0.1)


def test_certainty_lies_in_the_last_bin() -> None:
    bins = reliability(*arrays([(1.0, True), (0.0, False)])).bins
    assert len(bins) == N_BINS
    assert (bins[0].n, bins[-1].n, bins[-1].precision) == (1, 1, 1.0)


@given(OUTCOMES)
def test_every_prediction_is_in_one_bin(outcomes: list[tuple[float, bool]]) -> None:
    measured = reliability(*arrays(outcomes))
    assert measured.n == len(outcomes)
    assert 0 <= measured.ece <= 1


@given(OUTCOMES)
def test_auroc_counts_the_pairs_in_order(outcomes: list[tuple[float, bool]]) -> None:
    right = [confidence for confidence, is_right in outcomes if is_right]
    wrong = [confidence for confidence, is_right in outcomes if not is_right]
    expected = 0.5
    if right and wrong:
        wins = sum((a > b) + (a == b) / 2 for a in right for b in wrong)
        expected = wins / (len(right) * len(wrong))
    assert auroc(*arrays(outcomes)) == pytest.approx(expected)


def test_accepted_states_share_and_precision() -> None:
    outcomes = arrays([(0.95, True), (0.91, False), (0.5, False), (0.2, False)])
    assert accepted(*outcomes, 0.9) == Accepted(0.5, pytest.approx(0.93), 0.5)


def test_nothing_accepted_is_no_error() -> None:
    assert accepted(*arrays([(0.2, True)]), 0.9) == Accepted(0.0, 0.0, 0.0)


def test_expected_precision_is_the_mean_confidence() -> None:
    assert expected_precision([0.9, 0.7]) == pytest.approx(0.8)
    assert expected_precision([]) == 0
