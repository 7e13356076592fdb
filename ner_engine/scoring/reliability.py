"""How far confidences can be trusted: stated confidence against the fraction that is right.

The expected calibration error is that of Naeini et al. 2015, "Obtaining well calibrated
probabilities using Bayesian binning", over ten bins of equal width.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

N_BINS: Final = 10
_TINY: Final = 1e-6

Confidences = NDArray[np.float64]
Outcomes = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Bin:
    """The predictions of one tenth of the scale.

    ``n`` is their number, ``confidence`` the mean of what was stated, and ``precision`` the
    fraction that is right; both are 0 in an empty bin.
    """

    n: int
    confidence: float
    precision: float


@dataclass(frozen=True, slots=True)
class Accepted:
    """The predictions with at least a stated confidence.

    ``share`` is their fraction of all predictions, ``expected`` their mean confidence, the
    expected precision, and ``precision`` the fraction of them that is right.
    """

    share: float
    expected: float
    precision: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """Stated confidence against outcomes.

    ``ece`` is the expected calibration error, ``brier`` the mean squared error, ``log_loss`` in
    nats. ``auroc`` is the probability that a right prediction has a higher confidence than a wrong
    one; 0.5 if all are right or all are wrong.
    """

    bins: tuple[Bin, ...]
    brier: float
    log_loss: float
    auroc: float

    @property
    def n(self) -> int:
        return sum(each.n for each in self.bins)

    @property
    def ece(self) -> float:
        gaps = (each.n * abs(each.confidence - each.precision) for each in self.bins)
        return sum(gaps) / max(self.n, 1)

    def as_json(self) -> dict[str, Any]:
        """Return ``{"ece", "brier", "log_loss", "auroc", "bins": [[n, stated, precision]]}``."""
        return {
            "ece": round(self.ece, 5),
            "brier": round(self.brier, 5),
            "log_loss": round(self.log_loss, 5),
            "auroc": round(self.auroc, 5),
            "bins": [
                [each.n, round(each.confidence, 5), round(each.precision, 5)] for each in self.bins
            ],
        }


def reliability(confidences: Confidences, right: Outcomes) -> Reliability:
    """Return how well ``confidences`` (0-1) foretell the outcomes ``right``."""
    places = np.minimum((confidences * N_BINS).astype(int), N_BINS - 1)
    counts = np.bincount(places, minlength=N_BINS)
    stated = np.bincount(places, weights=confidences, minlength=N_BINS) / np.maximum(counts, 1)
    hits = np.bincount(places, weights=right, minlength=N_BINS) / np.maximum(counts, 1)
    bins = zip(counts.tolist(), stated.tolist(), hits.tolist(), strict=True)
    n = max(len(right), 1)
    clipped = np.clip(confidences, _TINY, 1 - _TINY)
    losses = np.where(right, -np.log(clipped), -np.log1p(-clipped))
    return Reliability(
        bins=tuple(Bin(*each) for each in bins),
        brier=float(np.sum((confidences - right) ** 2)) / n,
        log_loss=float(losses.sum()) / n,
        auroc=auroc(confidences, right),
    )


def auroc(confidences: Confidences, right: Outcomes) -> float:
    """Return the area under the ROC curve; equal confidences count half."""
    n_right = int(right.sum())
    n_wrong = len(right) - n_right
    if not n_right or not n_wrong:
        return 0.5
    _, places, counts = np.unique(confidences, return_inverse=True, return_counts=True)
    last_ranks = np.cumsum(counts)
    mean_ranks = last_ranks - (counts - 1) / 2
    ranks_of_right = float(mean_ranks[places[right]].sum())
    return (ranks_of_right - n_right * (n_right + 1) / 2) / (n_right * n_wrong)


def accepted(confidences: Confidences, right: Outcomes, threshold: float) -> Accepted:
    """Return what accepting every prediction of at least this confidence would bring."""
    taken = confidences >= threshold
    n = int(taken.sum())
    if not n:
        return Accepted(0.0, 0.0, 0.0)
    return Accepted(n / len(right), float(confidences[taken].mean()), float(right[taken].mean()))


def expected_precision(confidences: Iterable[float]) -> float:
    """Return the expected precision of predictions: the mean of their calibrated confidences.

    It is 0 without predictions.
    """
    values = list(confidences)
    return sum(values) / len(values) if values else 0.0
