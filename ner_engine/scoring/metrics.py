"""Strict precision, recall and F1: an entity is correct if start, end and label all agree.

For entities from IOB2 labels the figures equal those of seqeval with ``mode="strict"`` and IOB2;
tests compare the two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ner_engine.align import Labelled, decode, split_tag


def ratio(part: float, whole: float) -> float:
    """Return ``part / whole``, 0 if the whole is 0."""
    if not whole:
        return 0.0
    return part / whole


@dataclass(frozen=True, slots=True)
class Score:
    """Precision, recall and F1 (0-1), from numbers of entities.

    ``support`` is the number of gold entities, ``n_predicted`` of predictions, and ``n_correct``
    of correct predictions. A ratio over nothing is 0.
    """

    n_correct: int
    n_predicted: int
    support: int

    @property
    def precision(self) -> float:
        return ratio(self.n_correct, self.n_predicted)

    @property
    def recall(self) -> float:
        return ratio(self.n_correct, self.support)

    @property
    def f1(self) -> float:
        return ratio(2 * self.n_correct, self.n_predicted + self.support)

    def __add__(self, other: Score) -> Score:
        """Return the score of both sets of entities together."""
        return Score(
            self.n_correct + other.n_correct,
            self.n_predicted + other.n_predicted,
            self.support + other.support,
        )

    def as_json(self) -> dict[str, float | int]:
        return {
            "precision": round(self.precision, 6),
            "recall": round(self.recall, 6),
            "f1": round(self.f1, 6),
            "support": self.support,
            "n_predicted": self.n_predicted,
            "n_correct": self.n_correct,
        }


_NO_ENTITIES: Final = Score(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores by label, over all entities (micro), and as the mean over labels (macro).

    As in seqeval, the macro average is over the labels that occur in the gold or the predictions.
    """

    by_label: dict[str, Score]

    def __add__(self, other: Scores) -> Scores:
        """Return the scores of both sets of texts together."""
        by_label: dict[str, Score] = {}
        for label in sorted(self.by_label.keys() | other.by_label.keys()):
            by_label[label] = self.by_label.get(label, _NO_ENTITIES) + other.by_label.get(
                label, _NO_ENTITIES
            )
        return Scores(by_label)

    @property
    def micro(self) -> Score:
        return sum(self.by_label.values(), _NO_ENTITIES)

    @property
    def macro(self) -> dict[str, float]:
        values = list(self.by_label.values())
        n = len(values) or 1
        return {
            "precision": sum(s.precision for s in values) / n,
            "recall": sum(s.recall for s in values) / n,
            "f1": sum(s.f1 for s in values) / n,
        }

    def as_json(self) -> dict[str, Any]:
        """Return ``{"by_label": {label: score}, "micro": score, "macro": {...}}``.

        Each score is that of ``Score.as_json``.
        """
        return {
            "by_label": {label: score.as_json() for label, score in sorted(self.by_label.items())},
            "micro": self.micro.as_json(),
            "macro": {name: round(value, 6) for name, value in self.macro.items()},
        }

    def table(self) -> str:
        """Return the scores as lines of text, one per label, for reading."""
        width = max([len("micro avg"), *map(len, self.by_label)])
        head = f"{'':{width}}  {'P':>6} {'R':>6} {'F1':>6} {'support':>8}"
        rows = []
        for label, s in sorted(self.by_label.items()):
            rows.append((label, s.precision, s.recall, s.f1, s.support))
        micro, macro = self.micro, self.macro
        rows.append(("micro avg", micro.precision, micro.recall, micro.f1, micro.support))
        rows.append(("macro avg", macro["precision"], macro["recall"], macro["f1"], micro.support))
        lines = [f"{name:{width}}  {p:6.4f} {r:6.4f} {f:6.4f} {n:8d}" for name, p, r, f, n in rows]
        return "\n".join([head, *lines])


def score(gold: Iterable[Iterable[Labelled]], predicted: Iterable[Iterable[Labelled]]) -> Scores:
    """Return the strict scores of ``predicted``.

    Both arguments have one item per text: its entities. An entity given twice counts once. Raise
    ``ValueError`` if the arguments differ in length.
    """
    correct: Counter[str] = Counter()
    n_predicted: Counter[str] = Counter()
    support: Counter[str] = Counter()
    for in_gold, in_prediction in zip(gold, predicted, strict=True):
        left, right = set(in_gold), set(in_prediction)
        count_labels(left, support)
        count_labels(right, n_predicted)
        count_labels(left & right, correct)
    return scores_from(correct, n_predicted, support)


def scores_from(correct: Counter[str], n_predicted: Counter[str], support: Counter[str]) -> Scores:
    """Return the scores from counts by label; the label "", which stands for none, is left out."""
    by_label = {}
    for label in sorted((support.keys() | n_predicted.keys()) - {""}):
        by_label[label] = Score(correct[label], n_predicted[label], support[label])
    return Scores(by_label)


def count_labels(entities: Iterable[Labelled], counts: Counter[str]) -> None:
    """Add the labels of the entities to ``counts``."""
    for entity in entities:
        counts[entity.label] += 1


def score_iob2(gold: Iterable[Sequence[str]], predicted: Iterable[Sequence[str]]) -> Scores:
    """Return the strict scores of ``predicted``; each item is the IOB2 labels of one text."""
    return score(map(_ranges, gold), map(_ranges, predicted))


def score_words(
    gold: Iterable[Sequence[str]], predicted: Iterable[Sequence[str]]
) -> tuple[Scores, float]:
    """Return the scores of single words by entity type, and the accuracy (0-1) over all words.

    A word is correct if its whole IOB2 label is; O is not a class. The arguments are those of
    ``score_iob2``. Raise ``ValueError`` if lists differ in length.
    """
    correct: Counter[str] = Counter()
    n_predicted: Counter[str] = Counter()
    support: Counter[str] = Counter()
    n_words, n_equal = 0, 0
    for in_gold, in_prediction in zip(gold, predicted, strict=True):
        for expected, label in zip(in_gold, in_prediction, strict=True):
            n_words += 1
            n_equal += expected == label
            support[split_tag(expected)[1]] += 1
            n_predicted[split_tag(label)[1]] += 1
            correct[split_tag(expected)[1]] += expected == label
    return scores_from(correct, n_predicted, support), ratio(n_equal, n_words)


def _ranges(labels: Sequence[str]) -> list[Labelled]:
    return decode([(index, index + 1) for index in range(len(labels))], labels)
