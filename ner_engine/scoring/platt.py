"""Platt scaling: two numbers that turn a model's score into the probability of being right.

Platt 1999, "Probabilistic outputs for support vector machines". The score is taken as a logit, as
in Guo et al. 2017, "On calibration of modern neural networks", so slope 1 and intercept 0 change
nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Scores are rounded to four digits, so 0 and 1 stand for less than half of the last one.
_EPSILON: Final = 5e-5
#: The least slope: a higher score never gets a lower probability, even if chance says so.
MIN_SLOPE: Final = 0.01
MAX_SLOPE: Final = 20.0
MAX_INTERCEPT: Final = 50.0
_MAX_ROUNDS: Final = 100

Scores = NDArray[np.float64]
Outcomes = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Platt:
    """``probability = sigmoid(slope * logit(score) + intercept)``; the slope is above 0."""

    slope: float
    intercept: float

    def probability(self, score: float) -> float:
        """Return the probability (0-1) that a prediction with this score (0-1) is right."""
        score = min(max(score, _EPSILON), 1 - _EPSILON)
        return 1 / (1 + math.exp(-self.slope * math.log(score / (1 - score)) - self.intercept))

    def probabilities(self, scores: Scores) -> Scores:
        """Return ``probability`` of each score."""
        return _sigmoid(self.slope * _logit(scores) + self.intercept)


def fit(scores: Scores, right: Outcomes) -> Platt:
    """Return the scaling with the least log loss on these scores (0-1) and outcomes.

    The targets are Platt's: a little off 0 and 1, so that few outcomes, or outcomes that are all
    alike, give no certainty. If no slope above ``MIN_SLOPE`` fits, that slope is used.
    """
    x = _logit(scores)
    n_right = int(right.sum())
    high, low = (n_right + 1) / (n_right + 2), 1 / (len(right) - n_right + 2)
    targets = np.where(right, high, low)
    slope, intercept = _newton(x, targets)
    if not MIN_SLOPE <= slope <= MAX_SLOPE:
        slope = min(max(slope, MIN_SLOPE), MAX_SLOPE)
        intercept = _newton(np.zeros_like(x), targets, offset=slope * x)[1]
    return Platt(slope, min(max(intercept, -MAX_INTERCEPT), MAX_INTERCEPT))


def _newton(x: Scores, targets: Scores, offset: Scores | float = 0.0) -> tuple[float, float]:
    """Return slope and intercept with the least log loss, by damped Newton steps."""
    inputs = np.stack((x, np.ones_like(x)))
    weights = np.zeros(2)
    loss = _log_loss(weights @ inputs + offset, targets)
    for _ in range(_MAX_ROUNDS):
        p = _sigmoid(weights @ inputs + offset)
        curvature = (inputs * (p * (1 - p))) @ inputs.T + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, inputs @ (p - targets))
        factor = 1.0
        while factor > 1e-6:
            new = weights - factor * step
            new_loss = _log_loss(new @ inputs + offset, targets)
            if new_loss < loss:
                break
            factor /= 2
        else:
            break
        weights, loss = new, new_loss
    return float(weights[0]), float(weights[1])


def _log_loss(logits: Scores, targets: Scores) -> float:
    return float(np.sum(np.logaddexp(0, logits) - targets * logits))


def _logit(scores: Scores) -> Scores:
    clipped = np.clip(scores, _EPSILON, 1 - _EPSILON)
    return np.log(clipped / (1 - clipped))


def _sigmoid(values: Scores) -> Scores:
    return np.exp(-np.logaddexp(0, -values))
