"""Compare decided entities with those of a model that has not seen them.

The probability of a decided entity under the model is the evidence for it; that of an entity the
model predicts where nothing was decided is evidence that one is missing. How sure the model must be
there is taken from the data: as sure as such models are, on average, of decided entities of that
label (confident learning: Northcutt, Jiang and Chuang 2021, for classes; here for spans).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np

from ner_engine.align import Labelled, labelled_ranges
from ner_engine.inference.tagger import Reading

#: An entity whose error score is higher by this weighs e times as much in its text.
TEMPERATURE: Final = 0.3


class Kind(StrEnum):
    """How a decided entity, or a missing one, compares with the model's."""

    AGREES = "agrees"
    LABEL = "label"
    BOUNDARY = "boundary"
    SPURIOUS = "spurious"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A place in a text: the ``decided`` entity and the ``predicted`` one; one of them may be None.

    ``probability`` is the model's for the decided entity, or for the predicted one if nothing was
    decided.
    """

    kind: Kind
    decided: Labelled | None
    predicted: Labelled | None
    probability: float

    @property
    def error_score(self) -> float:
        """How likely the decision is wrong by the model, 0-1."""
        return self.probability if self.kind == Kind.MISSING else 1.0 - self.probability

    @property
    def place(self) -> Labelled:
        """The decided entity, or the predicted one if nothing was decided."""
        place = self.decided or self.predicted
        assert place is not None
        return place

    def as_json(self) -> list[Any]:
        """Return the fields as a list."""
        return [self.kind, self.decided, self.predicted, round(self.probability, 5)]

    @classmethod
    def of_json(cls, row: Sequence[Any]) -> Comparison:
        """Return the comparison that ``as_json`` wrote."""
        kind, decided, predicted, probability = row
        return cls(
            Kind(kind),
            Labelled(*decided) if decided else None,
            Labelled(*predicted) if predicted else None,
            probability,
        )


def compare(
    decided: Iterable[Labelled], reading: Reading, types: Sequence[str]
) -> list[Comparison]:
    """Return a comparison for each decided entity, and for each predicted one that touches none.

    ``types`` are the model's labels; decided entities of other labels are left out. The comparisons
    are in order of their places.
    """
    decided = sorted(set(decided))
    predicted = labelled_ranges(reading.spans)
    comparisons = []
    for entity in decided:
        if entity.label in types and _words(entity, reading):
            probability = _probability(entity, reading, types.index(entity.label))
            comparisons.append(_compared(entity, predicted, probability))
    for span, entity in zip(reading.spans, predicted, strict=True):
        if not any(_overlap(entity, other) for other in decided):
            comparisons.append(Comparison(Kind.MISSING, None, entity, float(span.score or 0.0)))
    return sorted(comparisons, key=lambda each: each.place)


def _compared(decided: Labelled, predicted: Sequence[Labelled], probability: float) -> Comparison:
    """Compare a decided entity with the predicted one that overlaps it most."""
    nearest = max(
        predicted, key=lambda other: (other == decided, _overlap(decided, other)), default=None
    )
    if nearest is None or not _overlap(decided, nearest):
        return Comparison(Kind.SPURIOUS, decided, None, probability)
    kind = Kind.BOUNDARY
    if nearest.label != decided.label:
        kind = Kind.LABEL
    elif nearest == decided:
        kind = Kind.AGREES
    return Comparison(kind, decided, nearest, probability)


def _overlap(one: Labelled, other: Labelled) -> int:
    return max(0, min(one.end, other.end) - max(one.start, other.start))


def _words(place: Labelled, reading: Reading) -> range:
    """Return the indices of the words that share a character with the place."""
    return range(
        int(np.searchsorted(reading.ends, place.start, side="right")),
        int(np.searchsorted(reading.starts, place.end, side="left")),
    )


def _probability(decided: Labelled, reading: Reading, kind: int) -> float:
    """Return the model's probability of a decided entity.

    This is the mean probability of its label over its words, times the probabilities that the
    entity starts and ends there. Without these a boundary that is a word short would go unnoticed.
    """
    words = _words(decided, reading)
    of_label = reading.kinds[words.start : words.stop, kind]
    started_before = float(reading.inside[words.start, kind] / max(float(of_label[0]), 1e-9))
    continues = 0.0
    if words.stop < len(reading.starts):
        continues = float(reading.inside[words.stop, kind])
    starts_here, ends_here = 1.0 - min(started_before, 1.0), 1.0 - min(continues, 1.0)
    return float(of_label.mean()) * starts_here * ends_here


def thresholds_of(comparisons: Iterable[Comparison]) -> dict[str, float]:
    """Return by label the mean probability of decided entities.

    A missing entity counts as a disagreement from this probability on.
    """
    probabilities: defaultdict[str, list[float]] = defaultdict(list)
    for each in comparisons:
        if each.decided is not None:
            probabilities[each.decided.label].append(each.probability)
    thresholds = {}
    for label, values in sorted(probabilities.items()):
        thresholds[label] = sum(values) / len(values)
    return thresholds


def is_disagreement(comparison: Comparison, thresholds: Mapping[str, float]) -> bool:
    """Return whether the model disagrees; for a missing entity, whether it is sure enough."""
    if comparison.kind == Kind.MISSING:
        return comparison.probability >= thresholds.get(comparison.place.label, 1.0)
    return comparison.kind != Kind.AGREES


def text_error_score(comparisons: Sequence[Comparison], thresholds: Mapping[str, float]) -> float:
    """Return the error score of a text (0-1), 0 if it has no entities.

    This is the mean over its decided entities and its surely missing ones, weighted by
    exp(error score / ``TEMPERATURE``). It lies between the maximum, which is high for nearly every
    long text because a model is wrong and sure somewhere, and the plain mean, in which a few errors
    disappear among many right entities.
    """
    scores = []
    for each in comparisons:
        if each.kind != Kind.MISSING or is_disagreement(each, thresholds):
            scores.append(each.error_score)
    if not scores:
        return 0.0
    counted = np.array(scores)
    return float(np.average(counted, weights=np.exp(counted / TEMPERATURE)))
