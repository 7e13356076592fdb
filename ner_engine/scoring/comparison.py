"""Comparison of two models, or of a model and the gold, on the same texts.

The functions say where the two differ, by how much, and whether chance explains the difference.
They count entities; only ``errors_of`` returns parts of texts, the surfaces of wrong entities. All
raise ``ValueError`` if their arguments differ in length.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ner_engine.align import Labelled
from ner_engine.scoring.metrics import Scores, count_labels, ratio, scores_from

NOTHING: Final = ""
#: Bootstrap samples. With 2000, each end of the 95 % interval is exact to about a tenth of the
#: interval's length.
DRAWS: Final = 2000


def partial_scores(
    gold: Iterable[Iterable[Labelled]], predicted: Iterable[Iterable[Labelled]]
) -> Scores:
    """Return scores that count an entity as correct if one of its label shares a character with it.

    ``gold`` and ``predicted`` have the entities of one text per item, as in ``metrics.score``. Each
    entity is matched to one other at most, so neither a long nor a repeated one counts twice (see
    ``match_entities``).
    """
    correct: Counter[str] = Counter()
    n_predicted: Counter[str] = Counter()
    support: Counter[str] = Counter()
    for in_gold, in_prediction in zip(gold, predicted, strict=True):
        left, right = sorted(set(in_gold)), sorted(set(in_prediction))
        count_labels(left, support)
        count_labels(right, n_predicted)
        for a, b in match_entities(left, right):
            if a.label == b.label:
                correct[a.label] += 1
    return scores_from(correct, n_predicted, support)


def match_entities(
    gold: Sequence[Labelled], predicted: Sequence[Labelled]
) -> list[tuple[Labelled, Labelled]]:
    """Return pairs of a gold and a predicted entity of one text that overlap, each used once.

    The matching is greedy: equal entities first, then those with the same label, then the others;
    within each rank the larger overlap first.
    """
    candidates: list[tuple[int, int, int, int]] = []
    for i, a in enumerate(gold):
        for j, b in enumerate(predicted):
            shared = min(a.end, b.end) - max(a.start, b.start)
            if shared > 0:
                candidates.append((_rank(a, b), -shared, i, j))
    matched: list[tuple[Labelled, Labelled]] = []
    used_gold: set[int] = set()
    used_predicted: set[int] = set()
    for _, _, i, j in sorted(candidates):
        if i not in used_gold and j not in used_predicted:
            used_gold.add(i)
            used_predicted.add(j)
            matched.append((gold[i], predicted[j]))
    return sorted(matched)


def _rank(a: Labelled, b: Labelled) -> int:
    if a == b:
        return 0
    return 1 if a.label == b.label else 2


@dataclass(frozen=True, slots=True)
class Errors:
    """The errors of a model.

    ``confusion`` counts (gold label, predicted label) of matched entities; a missed or invented
    entity has "" as the other label. ``boundaries`` counts entities with the right label and a
    wrong extent, by (label, "begins" or "ends" or "both"). ``missed`` counts (label, surface) of
    unmatched gold entities, ``invented`` of unmatched predictions.
    """

    confusion: Mapping[tuple[str, str], int]
    boundaries: Mapping[tuple[str, str], int]
    missed: Mapping[tuple[str, str], int]
    invented: Mapping[tuple[str, str], int]

    def as_json(self, *, n_strings: int = 20) -> dict[str, Any]:
        """Return lists for JSON, the most frequent first, with ``n_strings`` surfaces at most."""
        return {
            "confusion": _rows(self.confusion, "gold", "predicted"),
            "edges": _rows(self.boundaries, "label", "edge"),
            "missed": _rows(self.missed, "label", "surface")[:n_strings],
            "invented": _rows(self.invented, "label", "surface")[:n_strings],
        }


def _rows(counts: Mapping[tuple[str, str], int], first: str, second: str) -> list[dict[str, Any]]:
    """Return a row for each pair of names under these keys, the most frequent first."""
    rows = []
    for names, n in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        rows.append({first: names[0], second: names[1], "count": n})
    return rows


def errors_of(
    texts: Iterable[str],
    gold: Iterable[Iterable[Labelled]],
    predicted: Iterable[Iterable[Labelled]],
) -> Errors:
    """Return the errors of ``predicted``; each argument has one item per text."""
    confusion: Counter[tuple[str, str]] = Counter()
    boundaries: Counter[tuple[str, str]] = Counter()
    missed: Counter[tuple[str, str]] = Counter()
    invented: Counter[tuple[str, str]] = Counter()
    for text, in_gold, in_prediction in zip(texts, gold, predicted, strict=True):
        left, right = sorted(set(in_gold)), sorted(set(in_prediction))
        matched = match_entities(left, right)
        for a, b in matched:
            confusion[a.label, b.label] += 1
            if a.label == b.label and a != b:
                boundaries[a.label, _wrong_boundary(a, b)] += 1
        for each in set(left) - {a for a, _ in matched}:
            confusion[each.label, NOTHING] += 1
            missed[each.label, text[each.start : each.end]] += 1
        for each in set(right) - {b for _, b in matched}:
            confusion[NOTHING, each.label] += 1
            invented[each.label, text[each.start : each.end]] += 1
    return Errors(confusion, boundaries, missed, invented)


def _wrong_boundary(a: Labelled, b: Labelled) -> str:
    if a.start == b.start:
        return "ends"
    return "begins" if a.end == b.end else "both"


@dataclass(frozen=True, slots=True)
class Difference:
    """Micro F1 of the candidate minus that of the current model, from -1 to 1.

    ``measured`` is the difference on all texts, ``low`` and ``high`` the ends of its 95 % interval.
    ``fraction_worse`` (0-1) is the fraction of bootstrap samples in which the candidate was worse.
    ``n_groups`` is the number of papers.
    """

    measured: float
    low: float
    high: float
    fraction_worse: float
    n_groups: int

    @property
    def standard_error(self) -> float:
        """The standard error: the length of the interval over twice 1.96, as for a normal."""
        return (self.high - self.low) / (2 * 1.96)

    def as_json(self) -> dict[str, float | int]:
        figures = {
            "measured": self.measured,
            "low": self.low,
            "high": self.high,
            "share_worse": self.fraction_worse,
        }
        return {name: round(value, 6) for name, value in figures.items()} | {
            "n_groups": self.n_groups
        }


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of entities of one text: correct predictions, all predictions, and gold entities."""

    n_correct: int
    n_predicted: int
    support: int

    def __add__(self, other: Counts) -> Counts:
        """Return the counts of both texts together."""
        return Counts(
            self.n_correct + other.n_correct,
            self.n_predicted + other.n_predicted,
            self.support + other.support,
        )

    @property
    def n_errors(self) -> int:
        """The number of missed and invented entities together."""
        return self.n_predicted + self.support - 2 * self.n_correct


def counts_of(
    gold: Iterable[Labelled], predicted: Iterable[Labelled], label: str | None = None
) -> Counts:
    """Return the strict counts of one text, only of ``label`` if given."""
    left = {item for item in gold if label is None or item.label == label}
    right = {item for item in predicted if label is None or item.label == label}
    return Counts(len(left & right), len(right), len(left))


def paired_bootstrap(
    groups: Sequence[str],
    current: Sequence[Counts],
    candidate: Sequence[Counts],
    *,
    draws: int = DRAWS,
    seed: int = 42,
) -> Difference:
    """Return the difference of micro F1 with its 95 % interval, by a paired bootstrap over papers.

    Each of ``draws`` samples draws as many papers as there are, with replacement, and compares both
    models on them (Efron & Tibshirani 1993; Berg-Kirkpatrick et al. 2012 for NLP). ``groups`` has
    the paper of each text. Papers are drawn instead of texts because panels of one paper resemble
    each other. The interval has the 2.5th and 97.5th percentiles of the differences.
    """
    if not len(groups) == len(current) == len(candidate):
        raise ValueError("groups, current and candidate must have one entry per text each")
    names = {name: index for index, name in enumerate(dict.fromkeys(groups))}
    totals = np.zeros((len(names), 2, 3))
    for name, old, new in zip(groups, current, candidate, strict=True):
        totals[names[name]] += [
            [old.n_correct, old.n_predicted, old.support],
            [new.n_correct, new.n_predicted, new.support],
        ]
    measured = _f1(totals.sum(axis=0))
    samples: NDArray[np.float64 | np.int64] = np.zeros((1, 0))
    if names:
        chances = np.full(len(names), 1 / len(names))
        samples = np.random.default_rng(seed).multinomial(len(names), chances, size=draws)
    values = _f1(np.einsum("dg,gmc->dmc", samples, totals))
    differences = values[:, 1] - values[:, 0]
    low, high = np.percentile(differences, [2.5, 97.5])
    return Difference(
        float(measured[1] - measured[0]),
        float(low),
        float(high),
        float((differences < 0).mean()),
        len(names),
    )


def micro_f1(counts: Iterable[Counts]) -> float:
    """Return the micro F1 (0-1) of all texts together, 0 if they have no entities."""
    total = sum(counts, Counts(0, 0, 0))
    return ratio(2 * total.n_correct, total.n_predicted + total.support)


def _f1(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return F1 over the last axis ``(correct, predicted, support)``, 0 if both last are 0."""
    both = counts[..., 1] + counts[..., 2]
    return np.divide(2 * counts[..., 0], both, out=np.zeros_like(both), where=both > 0)


def worse_texts(current: Sequence[Counts], candidate: Sequence[Counts]) -> list[tuple[int, int]]:
    """Return (index, additional errors) of the texts in which the candidate makes more errors.

    Missed and invented entities both count. The worst text comes first.
    """
    worse = []
    for index, (old, new) in enumerate(zip(current, candidate, strict=True)):
        additional = new.n_errors - old.n_errors
        if additional > 0:
            worse.append((index, additional))
    return sorted(worse, key=lambda item: (-item[1], item[0]))
