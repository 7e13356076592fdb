"""Platt scaling: it fits, it keeps the order of scores, and it survives odd outcomes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_engine.scoring.platt import MAX_INTERCEPT, MAX_SLOPE, MIN_SLOPE, Platt, fit

SCORES = st.floats(0, 1)


def sampled(scaling: Platt, n: int = 20_000, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and outcomes that are right as often as ``scaling`` says."""
    random = np.random.default_rng(seed)
    scores = random.uniform(0.3, 0.999, n)
    return scores, random.uniform(size=n) < scaling.probabilities(scores)


def test_the_identity_changes_nothing() -> None:
    assert Platt(1, 0).probability(0.83) == pytest.approx(0.83)


@pytest.mark.parametrize("true", [Platt(0.6, -0.5), Platt(1.8, 0.4)])
def test_a_known_scaling_is_found_again(true: Platt) -> None:
    found = fit(*sampled(true))
    assert found.slope == pytest.approx(true.slope, abs=0.05)
    assert found.intercept == pytest.approx(true.intercept, abs=0.08)


@given(st.floats(MIN_SLOPE, MAX_SLOPE), st.floats(-MAX_INTERCEPT, MAX_INTERCEPT), SCORES, SCORES)
def test_a_higher_score_never_counts_less(
    slope: float, intercept: float, first: float, second: float
) -> None:
    scaling = Platt(slope, intercept)
    low, high = sorted((first, second))
    assert 0 <= scaling.probability(low) <= scaling.probability(high) <= 1


@given(SCORES, st.floats(MIN_SLOPE, 5), st.floats(-5, 5))
def test_one_score_and_many_agree(score: float, slope: float, intercept: float) -> None:
    scaling = Platt(slope, intercept)
    assert scaling.probabilities(np.array([score]))[0] == pytest.approx(scaling.probability(score))


@given(st.lists(st.tuples(SCORES, st.booleans()), min_size=1, max_size=40))
def test_any_outcomes_give_a_rising_scaling(outcomes: list[tuple[float, bool]]) -> None:
    scores, right = map(np.array, zip(*outcomes, strict=True))
    found = fit(scores, right)
    assert MIN_SLOPE <= found.slope <= MAX_SLOPE
    assert abs(found.intercept) <= MAX_INTERCEPT


def test_scores_that_rank_backwards_give_the_precision() -> None:
    scores = np.repeat([0.9, 0.6], 1000)
    right = np.concatenate((np.arange(1000) < 300, np.arange(1000) < 700))
    found = fit(scores, right)
    assert found.slope == MIN_SLOPE
    assert found.probability(0.8) == pytest.approx(0.5, abs=0.01)


def test_outcomes_all_right_give_no_certainty() -> None:
    found = fit(np.full(8, 0.9), np.ones(8, dtype=bool))
    assert found.probability(0.9) == pytest.approx(0.9, abs=0.01)
