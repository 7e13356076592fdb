"""Decode label probabilities into entities, for any label list, with or without B-."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ner_engine.align import split_tag
from ner_engine.inference.backends import Probabilities

_TINY: Final = np.float32(1e-9)

Indices = NDArray[np.int64]
Aggregation = Literal["first", "average", "max"]
#: Which tokens decide the label of a word: its first, all of them on average, or the surest.
AGGREGATIONS: Final[tuple[Aggregation, ...]] = get_args(Aggregation)


@dataclass(frozen=True, slots=True)
class WordEntity:
    """An entity from word ``first`` to word ``last`` inclusive."""

    first: int
    last: int
    label: str
    score: float
    attributes: dict[str, Any]


class LabelDecoder:
    """The meaning of a model's outputs, in the order of its label list.

    ``types`` are the entity types in that order.
    """

    def __init__(self, id2label: Sequence[str]) -> None:
        self.id2label = list(id2label)
        parts = [split_tag(tag) for tag in id2label]
        self.types = list(dict.fromkeys(label for _, label in parts if label))
        self._is_b = np.array([prefix == "B" for prefix, _ in parts])
        self._type = np.array([self.types.index(label) if label else -1 for _, label in parts])
        #: (labels, types): 1 for the labels of a type.
        self._of_type = (self._type[:, None] == np.arange(len(self.types))).astype(np.float32)
        #: The same with a last column for outside.
        self._of_kind = np.concatenate(
            (self._of_type, (self._type < 0).astype(np.float32)[:, None]), axis=1
        )
        with_b = {label for prefix, label in parts if prefix == "B"}
        #: I- of types that have a B-: only B- or I- of the same type may precede them.
        self._continues = np.array([prefix == "I" and label in with_b for prefix, label in parts])
        same_type = self._type[:, None] == self._type[None, :]
        self._may_precede = ~self._continues[None, :] | same_type

    def by_type(self, rows: Probabilities) -> tuple[Probabilities, Probabilities]:
        """Return from ``rows`` ``(words, labels)`` the probabilities by type.

        The first result is ``(words, types + 1)``, with outside last. The second ``(words, types)``
        is the part of it that is I- after a B-.
        """
        continues = (self._of_type * self._continues[:, None]).astype(np.float32)
        return rows @ self._of_kind, rows @ continues

    def pooled(
        self, rows: Probabilities, first: Indices, aggregation: Aggregation
    ) -> Probabilities:
        """Return label probabilities ``(words, labels)`` from those of tokens.

        ``first`` has the first token of each word. All tokens decide together what a word is; the
        first alone decides whether an entity starts there, because the others come after it.
        """
        if aggregation == "first" or not len(rows):
            return rows[first]
        kinds = rows @ self._of_kind
        bounds = np.append(first, len(rows))
        if aggregation == "average":
            of_words = np.add.reduceat(kinds, first, axis=0) / np.diff(bounds)[:, None]
        else:
            confidence = kinds.max(axis=1)
            surest = []
            for start, end in pairwise(bounds):
                surest.append(int(start + confidence[start:end].argmax()))
            of_words = kinds[surest]
        of_first = rows[first] + _TINY
        ratio = of_words / np.maximum(of_first @ self._of_kind, _TINY)
        pooled: Probabilities = (of_first * (ratio @ self._of_kind.T)).astype(np.float32)
        return pooled

    def best_paths(self, rows: Sequence[Probabilities]) -> list[Indices]:
        """Return for each text the most probable label ids in which no entity starts with I-.

        Types without a B- may start with I-. Choosing the best label of each word alone breaks
        entities where B- and I- are about equally likely; on legends this costs three points of F1.
        """
        paths = [each.argmax(axis=1) for each in rows]
        broken = []
        for index, path in enumerate(paths):
            if not self._is_possible(path):
                broken.append(index)
        repaired = self._viterbi([rows[index] for index in broken])
        for index, path in zip(broken, repaired, strict=True):
            paths[index] = path
        return paths

    def _is_possible(self, path: Indices) -> bool:
        if not len(path):
            return True
        starts_right = not self._continues[path[0]]
        return bool(starts_right and self._may_precede[path[:-1], path[1:]].all())

    def _viterbi(self, rows: Sequence[Probabilities]) -> list[Indices]:
        """Decode all texts at once, word by word; a text that has ended keeps its state."""
        if not rows:
            return []
        lengths = np.array([len(each) for each in rows])
        logs = np.zeros((lengths.max(), len(rows), len(self.id2label)), dtype=np.float32)
        for index, each in enumerate(rows):
            logs[: len(each), index] = np.log(each + _TINY)
        best = logs[0] + np.where(self._continues, -np.inf, 0.0)
        penalty = np.where(self._may_precede, 0.0, -np.inf).astype(np.float32)
        came_from = np.zeros(logs.shape, dtype=np.int64)
        for word in range(1, len(logs)):
            scores = best[:, :, None] + penalty
            came_from[word] = scores.argmax(axis=1)
            is_inside = (word < lengths)[:, None]
            best = np.where(is_inside, scores.max(axis=1) + logs[word], best)
        paths = []
        for index, length in enumerate(lengths):
            paths.append(_trace(came_from[:length, index], int(best[index].argmax())))
        return paths

    def entities(
        self, rows: Probabilities, path: Indices, *, scores: bool = False
    ) -> list[WordEntity]:
        """Return the entities for ``rows`` ``(words, labels)`` and the chosen label ids.

        The score is the probability of the type (B- and I- together), averaged over the words.
        """
        kind = self._type[path]
        before = np.concatenate(([-1], kind[:-1]))
        is_start = (kind >= 0) & (self._is_b[path] | (kind != before))
        starts = np.flatnonzero(is_start)
        if not len(starts):
            return []
        breaks = np.flatnonzero((kind < 0) | is_start)
        ends = np.append(breaks, len(kind))[np.searchsorted(breaks, starts, side="right")]
        by_type = np.cumsum(rows @ self._of_type, axis=0, dtype=np.float64)
        sums = np.concatenate((np.zeros((1, len(self.types))), by_type))
        means = (sums[ends] - sums[starts]) / (ends - starts)[:, None]
        entities = []
        for start, end, mean in zip(starts.tolist(), ends.tolist(), means, strict=True):
            score, attributes = self._confidence(mean, int(kind[start]), scores)
            label = self.types[kind[start]]
            entities.append(WordEntity(start, end - 1, label, score, attributes))
        return entities

    def _confidence(
        self, means: NDArray[np.float64], kind: int, scores: bool
    ) -> tuple[float, dict[str, Any]]:
        """Return the score of an entity of type ``kind``, and its attributes."""
        rounded = [round(min(max(value, 0.0), 1.0), 4) for value in means.tolist()]
        attributes: dict[str, Any] = {}
        if len(self.types) > 1:
            others = means.copy()
            others[kind] = -1
            second = int(others.argmax())
            attributes |= {"runner_up": self.types[second], "runner_up_score": rounded[second]}
        if scores:
            attributes["scores"] = dict(zip(self.types, rounded, strict=True))
        return rounded[kind], attributes


def _trace(came_from: Indices, last: int) -> Indices:
    """Return the path that ends in label ``last``, followed backwards."""
    path = np.empty(len(came_from), dtype=np.int64)
    for word in range(len(came_from) - 1, -1, -1):
        path[word] = last
        last = came_from[word, last]
    return path
