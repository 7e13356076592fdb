"""Two models, or one and the gold, on the same texts: where they differ, by how much, and whether
the difference is more than chance.

Everything here counts; nothing holds or returns a text but for the surfaces in ``missed_strings``.
Errors of a call with lists of different length are ``ValueError``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ner_engine.align import Labelled
from ner_engine.scoring.metrics import Score, Scores

NOTHING: Final = ""
#: Draws of the bootstrap: the ends of a 95 % interval then lie within about a tenth of its width of
#: their place.
DRAWS: Final = 2000


def partial_scores(
    gold: Iterable[Iterable[Labelled]], predicted: Iterable[Iterable[Labelled]]
) -> Scores:
    """As ``metrics.score``, an entity counting as found where one of the same label shares a
    character with it.

    Each entity stands for one of the other side at most, so neither a long nor a doubled one counts
    twice.
    """
    correct: Counter[str] = Counter()
    n_predicted: Counter[str] = Counter()
    support: Counter[str] = Counter()
    for in_gold, in_prediction in zip(gold, predicted, strict=True):
        left, right = sorted(set(in_gold)), sorted(set(in_prediction))
        support.update(item.label for item in left)
        n_predicted.update(item.label for item in right)
        correct.update(a.label for a, b in pairs(left, right) if a.label == b.label)
    labels = sorted(support.keys() | n_predicted.keys())
    return Scores(
        {label: Score(correct[label], n_predicted[label], support[label]) for label in labels}
    )


def pairs(
    gold: Sequence[Labelled], predicted: Sequence[Labelled]
) -> list[tuple[Labelled, Labelled]]:
    """Who stands for whom, each at most once: equal ones first, then the same label and overlap,
    then overlap alone, the larger overlap first."""
    ways: list[tuple[int, int, int, int]] = []
    for i, a in enumerate(gold):
        for j, b in enumerate(predicted):
            shared = min(a.end, b.end) - max(a.start, b.start)
            if shared > 0:
                rank = 0 if a == b else 1 if a.label == b.label else 2
                ways.append((rank, -shared, i, j))
    found: list[tuple[Labelled, Labelled]] = []
    taken: tuple[set[int], set[int]] = (set(), set())
    for _, _, i, j in sorted(ways):
        if i not in taken[0] and j not in taken[1]:
            taken[0].add(i)
            taken[1].add(j)
            found.append((gold[i], predicted[j]))
    return sorted(found)


@dataclass(frozen=True, slots=True)
class Errors:
    """What a model does wrong. ``confusion`` counts (gold label, predicted label) of entities that
    overlap, "" standing for none on that side.

    ``edges`` counts by label the entities found with the right label and another extent: (label,
    "begins" or "ends" or "both"). ``missed`` counts (label, surface) of gold entities that nothing
    overlaps, ``invented`` those of predictions that overlap nothing.
    """

    confusion: Mapping[tuple[str, str], int]
    edges: Mapping[tuple[str, str], int]
    missed: Mapping[tuple[str, str], int]
    invented: Mapping[tuple[str, str], int]

    def as_json(self, *, n_strings: int = 20) -> dict[str, Any]:
        """Lists for JSON, the most frequent first; at most ``n_strings`` strings missed and
        invented."""
        return {
            "confusion": [
                {"gold": gold, "predicted": predicted, "count": n}
                for (gold, predicted), n in _most(self.confusion)
            ],
            "edges": [
                {"label": label, "edge": edge, "count": n} for (label, edge), n in _most(self.edges)
            ],
            "missed": [
                {"label": label, "surface": surface, "count": n}
                for (label, surface), n in _most(self.missed)[:n_strings]
            ],
            "invented": [
                {"label": label, "surface": surface, "count": n}
                for (label, surface), n in _most(self.invented)[:n_strings]
            ],
        }


def _most(counts: Mapping[tuple[str, str], int]) -> list[tuple[tuple[str, str], int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def errors_of(
    texts: Iterable[str],
    gold: Iterable[Iterable[Labelled]],
    predicted: Iterable[Iterable[Labelled]],
) -> Errors:
    """Confusion, wrong edges, and the strings that were missed or invented."""
    confusion: Counter[tuple[str, str]] = Counter()
    edges: Counter[tuple[str, str]] = Counter()
    missed: Counter[tuple[str, str]] = Counter()
    invented: Counter[tuple[str, str]] = Counter()
    for text, in_gold, in_prediction in zip(texts, gold, predicted, strict=True):
        left, right = sorted(set(in_gold)), sorted(set(in_prediction))
        matched = pairs(left, right)
        confusion.update((a.label, b.label) for a, b in matched)
        edges.update((a.label, _edge(a, b)) for a, b in matched if a.label == b.label and a != b)
        for each in set(left) - {a for a, _ in matched}:
            confusion[each.label, NOTHING] += 1
            missed[each.label, text[each.start : each.end]] += 1
        for each in set(right) - {b for _, b in matched}:
            confusion[NOTHING, each.label] += 1
            invented[each.label, text[each.start : each.end]] += 1
    return Errors(confusion, edges, missed, invented)


def _edge(a: Labelled, b: Labelled) -> str:
    return (
        "both"
        if a.start != b.start and a.end != b.end
        else "begins"
        if a.start != b.start
        else "ends"
    )


@dataclass(frozen=True, slots=True)
class Difference:
    """Micro F1 of the candidate minus that of the current model, -1 to 1: as measured, and the ends
    of its 95 % interval.

    ``share_worse`` is the share of draws in which the candidate was worse; ``n_groups`` papers were
    drawn from.
    """

    measured: float
    low: float
    high: float
    share_worse: float
    n_groups: int

    @property
    def standard_error(self) -> float:
        """Half the interval's length, over the 1.96 standard errors that it has to either side."""
        return (self.high - self.low) / (2 * 1.96)

    def as_json(self) -> dict[str, float | int]:
        figures = {
            "measured": self.measured,
            "low": self.low,
            "high": self.high,
            "share_worse": self.share_worse,
        }
        return {name: round(value, 6) for name, value in figures.items()} | {
            "n_groups": self.n_groups
        }


@dataclass(frozen=True, slots=True)
class Counts:
    """Entities of one text: rightly predicted, predicted, and in the gold."""

    n_correct: int
    n_predicted: int
    support: int

    def __add__(self, other: Counts) -> Counts:
        """Of both texts together."""
        return Counts(
            self.n_correct + other.n_correct,
            self.n_predicted + other.n_predicted,
            self.support + other.support,
        )

    @property
    def n_errors(self) -> int:
        """Missed and invented entities together."""
        return self.n_predicted + self.support - 2 * self.n_correct


def counts_of(
    gold: Iterable[Labelled], predicted: Iterable[Labelled], label: str | None = None
) -> Counts:
    """Strict counts of one text, of one label where given."""
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
    """The difference of micro F1 and how sure it is, by drawing papers anew with replacement, the
    same ones for both models.

    ``groups`` names the paper of each text: panels of a paper resemble each other, so papers are
    what is drawn.
    """
    if not len(groups) == len(current) == len(candidate):
        raise ValueError("groups, current and candidate must have one entry a text each")
    names = {name: index for index, name in enumerate(dict.fromkeys(groups))}
    totals = np.zeros((len(names), 2, 3))
    for name, old, new in zip(groups, current, candidate, strict=True):
        totals[names[name]] += [
            [old.n_correct, old.n_predicted, old.support],
            [new.n_correct, new.n_predicted, new.support],
        ]
    measured = _f1(totals.sum(axis=0))
    drawn = (
        np.random.default_rng(seed).multinomial(
            len(names), np.full(len(names), 1 / max(len(names), 1)), size=draws
        )
        if names
        else np.zeros((1, 0))
    )
    values = _f1(np.einsum("dg,gmc->dmc", drawn, totals))
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
    """Of all texts together; 0 where there is nothing."""
    total = sum(counts, Counts(0, 0, 0))
    return 2 * total.n_correct / both if (both := total.n_predicted + total.support) else 0.0


def _f1(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """F1 over the last axis ``(correct, predicted, support)``; 0 where there is nothing."""
    both = counts[..., 1] + counts[..., 2]
    return np.divide(2 * counts[..., 0], both, out=np.zeros_like(both), where=both > 0)


def worsened(current: Sequence[Counts], candidate: Sequence[Counts]) -> list[tuple[int, int]]:
    """(index, additional errors) of the texts in which the candidate makes more errors, missed and
    invented together; the worst first."""
    found = [
        (index, new.n_errors - old.n_errors)
        for index, (old, new) in enumerate(zip(current, candidate, strict=True))
    ]
    return sorted(
        ((index, more) for index, more in found if more > 0), key=lambda item: (-item[1], item[0])
    )
