"""Precision, recall and F1 of entities, strict: an entity counts only with the same start, end and
label.

The figures equal seqeval's (``mode="strict"``, IOB2) where the entities come from IOB2 labels; see
tests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ner_engine.align import Labelled, decode, split_tag


@dataclass(frozen=True, slots=True)
class Score:
    """Shares in 0-1; ``support`` counts gold entities, ``n_predicted`` predicted ones,
    ``n_correct`` those that agree."""

    n_correct: int
    n_predicted: int
    support: int

    @property
    def precision(self) -> float:
        return self.n_correct / self.n_predicted if self.n_predicted else 0.0

    @property
    def recall(self) -> float:
        return self.n_correct / self.support if self.support else 0.0

    @property
    def f1(self) -> float:
        both = self.n_predicted + self.support
        return 2 * self.n_correct / both if both else 0.0

    def __add__(self, other: Score) -> Score:
        """Of both sets of entities together."""
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


@dataclass(frozen=True, slots=True)
class Scores:
    """By label, over all entities (micro), and the mean over labels that occur in gold or
    prediction (macro, as seqeval)."""

    by_label: dict[str, Score]

    def __add__(self, other: Scores) -> Scores:
        """Of both sets of texts together: the scores of many texts are those of their parts, one
        after the other."""
        nothing = Score(0, 0, 0)
        labels = sorted(self.by_label.keys() | other.by_label.keys())
        return Scores(
            {
                label: self.by_label.get(label, nothing) + other.by_label.get(label, nothing)
                for label in labels
            }
        )

    @property
    def micro(self) -> Score:
        values = self.by_label.values()
        return Score(
            sum(s.n_correct for s in values),
            sum(s.n_predicted for s in values),
            sum(s.support for s in values),
        )

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
        """``{"by_label": {label: score}, "micro": score, "macro": {...}}``; every score as
        ``Score.as_json``."""
        return {
            "by_label": {label: score.as_json() for label, score in sorted(self.by_label.items())},
            "micro": self.micro.as_json(),
            "macro": {name: round(value, 6) for name, value in self.macro.items()},
        }

    def table(self) -> str:
        """The scores as lines of text, a label each, for reading."""
        width = max([len("micro avg"), *map(len, self.by_label)])
        head = f"{'':{width}}  {'P':>6} {'R':>6} {'F1':>6} {'support':>8}"
        rows = [
            (label, s.precision, s.recall, s.f1, s.support)
            for label, s in sorted(self.by_label.items())
        ]
        micro, macro = self.micro, self.macro
        rows.append(("micro avg", micro.precision, micro.recall, micro.f1, micro.support))
        rows.append(("macro avg", macro["precision"], macro["recall"], macro["f1"], micro.support))
        return "\n".join(
            [
                head,
                *(
                    f"{name:{width}}  {p:6.4f} {r:6.4f} {f:6.4f} {n:8d}"
                    for name, p, r, f, n in rows
                ),
            ]
        )


def score(gold: Iterable[Iterable[Labelled]], predicted: Iterable[Iterable[Labelled]]) -> Scores:
    """Compare two lists of documents, each a list of labelled ranges. Raises ``ValueError`` where
    the lists differ in length."""
    correct: Counter[str] = Counter()
    n_predicted: Counter[str] = Counter()
    support: Counter[str] = Counter()
    for in_gold, in_prediction in zip(gold, predicted, strict=True):
        left, right = set(in_gold), set(in_prediction)
        support.update(item.label for item in left)
        n_predicted.update(item.label for item in right)
        correct.update(item.label for item in left & right)
    labels = sorted(support.keys() | n_predicted.keys())
    return Scores(
        {label: Score(correct[label], n_predicted[label], support[label]) for label in labels}
    )


def score_iob2(gold: Iterable[Sequence[str]], predicted: Iterable[Sequence[str]]) -> Scores:
    """As ``score``, from IOB2 labels, one list a sentence."""
    return score(map(_ranges, gold), map(_ranges, predicted))


def score_words(
    gold: Iterable[Sequence[str]], predicted: Iterable[Sequence[str]]
) -> tuple[Scores, float]:
    """Word by word, as reports at word level count: a word is right where its whole IOB2 label is,
    O is no class. And the accuracy over all words.

    Lists as in ``score_iob2``; scores are by entity type. Raises ``ValueError`` where lists differ
    in length.
    """
    correct: Counter[str] = Counter()
    n_predicted: Counter[str] = Counter()
    support: Counter[str] = Counter()
    n_words, n_equal = 0, 0
    for in_gold, in_prediction in zip(gold, predicted, strict=True):
        for wanted, found in zip(in_gold, in_prediction, strict=True):
            n_words += 1
            n_equal += wanted == found
            support[split_tag(wanted)[1]] += 1
            n_predicted[split_tag(found)[1]] += 1
            correct[split_tag(wanted)[1]] += wanted == found
    labels = sorted((support.keys() | n_predicted.keys()) - {""})
    by_label = {
        label: Score(correct[label], n_predicted[label], support[label]) for label in labels
    }
    return Scores(by_label), n_equal / n_words if n_words else 0.0


def _ranges(labels: Sequence[str]) -> list[Labelled]:
    return decode([(index, index + 1) for index in range(len(labels))], labels)
