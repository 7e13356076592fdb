"""The JSON columns of training runs, series and evaluations, as types.

Each type refuses an unknown field, so that a spelling mistake is an error and no empty cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from annotator.learning.models import Evaluation, TrainingRun, TrainingSeries


class StoredDataError(ValueError):
    """A stored value lacks a field, or has one that its type does not know."""


def _checked(cls: Any, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of what is stored. Raises ``StoredDataError`` if its fields are not those."""
    known = {each.name: each for each in fields(cls)}
    for name in stored:
        if name not in known:
            raise StoredDataError(f"{cls.__name__} has no field “{name}”.")
    for name, each in known.items():
        has_default = each.default is not MISSING or each.default_factory is not MISSING
        if name not in stored and not has_default:
            raise StoredDataError(f"{cls.__name__} lacks its field “{name}”.")
    return dict(stored)


# Evaluations


@dataclass(frozen=True, slots=True)
class StoredScore:
    """The scores (0-1) of a label or an average; only the macro average has no counts."""

    precision: float
    recall: float
    f1: float
    support: int | None = None
    n_predicted: int | None = None
    n_correct: int | None = None

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        return cls(**_checked(cls, stored))

    @property
    def percent(self) -> float:
        """The F1 in percent, with one decimal."""
        return round(100 * self.f1, 1)


def _scores_by_label(stored: Mapping[str, Mapping[str, Any]]) -> dict[str, StoredScore]:
    return {label: StoredScore.from_json(score) for label, score in stored.items()}


@dataclass(frozen=True, slots=True)
class StoredScores:
    """The scores of an evaluation, those of strict spans at the top.

    ``partial`` counts an overlap with the same label as correct; None if it was not recorded.
    ``words`` are the engine's scores of words, which its model cards show.
    """

    micro: StoredScore
    macro: StoredScore
    by_label: Mapping[str, StoredScore]
    partial: StoredScores | None = None
    model: str = ""
    documents: int = 0
    seconds: float = 0.0
    eval_loss: float | None = None
    words: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return the scores. Raises ``StoredDataError`` for an unknown or a missing field."""
        values = _checked(cls, stored)
        for name in ("micro", "macro"):
            values[name] = StoredScore.from_json(values[name])
        values["by_label"] = _scores_by_label(values["by_label"])
        if values.get("partial") is not None:
            values["partial"] = cls.from_json(values["partial"])
        return cls(**values)

    @classmethod
    def of(cls, evaluation: Evaluation) -> Self:
        return cls.from_json(evaluation.scores)


# Training runs


@dataclass(frozen=True, slots=True)
class RunProgress:
    """The latest figures of a training process; None or empty before it reported them.

    ``n_resumed`` counts how often the process ended unexpectedly and was started again.
    """

    step: int | None = None
    steps: int | None = None
    epoch: float | None = None
    loss: float | None = None
    learning_rate: float | None = None
    examples_per_second: float | None = None
    seconds_left: float | None = None
    memory_bytes: int | None = None
    device: str = ""
    examples: int | None = None
    n_resumed: int = 0

    @classmethod
    def of(cls, run: TrainingRun) -> Self:
        """Return a run's progress. Raises ``StoredDataError`` for an unknown field."""
        return cls(**_checked(cls, run.progress))

    def after(self, event: Mapping[str, Any]) -> RunProgress:
        """Return the progress after an event of the training process."""
        if event.get("event") == "died":
            return replace(self, n_resumed=self.n_resumed + 1)
        reported = {each.name for each in fields(self)} & event.keys()
        return replace(self, **{name: event[name] for name in reported})

    def as_json(self) -> dict[str, Any]:
        """Return the fields that are known so far."""
        return {name: value for name, value in asdict(self).items() if value not in (None, "")}


# Training series


@dataclass(frozen=True, slots=True)
class LabelErrorCounts:
    """The entities of a label, and its label errors by kind (see ``label_errors.KINDS``)."""

    entities: int
    label: int
    boundary: int
    spurious: int
    missing: int

    @property
    def by_kind(self) -> dict[str, int]:
        """The label errors by kind."""
        counts = asdict(self)
        counts.pop("entities")
        return counts


@dataclass(frozen=True, slots=True)
class LabelErrorsResult:
    """The counts of a search for label errors.

    ``disagreements`` are the label errors, and ``legends`` the legends that have any.
    ``thresholds`` are the confidences by label from which the model is believed; ``folds`` are the
    sizes of the folds.
    """

    texts: int
    papers: int
    entities: int
    disagreements: int
    legends: int
    by_label: Mapping[str, LabelErrorCounts]
    thresholds: Mapping[str, float] = field(default_factory=dict)
    recipe: str = ""
    base: str = ""
    folds: Sequence[Mapping[str, int]] = ()

    @classmethod
    def of(cls, series: TrainingSeries) -> Self:
        """Return a search's counts. Raises ``StoredDataError`` for an unknown or missing field."""
        values = _checked(cls, series.result)
        by_label = {}
        for label, counts in values["by_label"].items():
            by_label[label] = LabelErrorCounts(**_checked(LabelErrorCounts, counts))
        values["by_label"] = by_label
        return cls(**values)


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The sizes of a curve's held-out papers; ``texts`` are their panels."""

    papers: int
    texts: int


@dataclass(frozen=True, slots=True)
class StoredPoint:
    """A training of a learning curve on a fraction (``share``, 0-1) of the papers."""

    share: float
    papers: int
    texts: int
    steps: int
    seconds: float
    micro: StoredScore
    by_label: Mapping[str, StoredScore]
    macro: StoredScore | None = None

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        values = _checked(cls, stored)
        for name in ("micro", "macro"):
            if name in values:
                values[name] = StoredScore.from_json(values[name])
        values["by_label"] = _scores_by_label(values["by_label"])
        return cls(**values)


@dataclass(frozen=True, slots=True)
class CurveResult:
    """The result of a learning curve; ``tendency`` are the figures behind its sentence."""

    points: Sequence[StoredPoint]
    held_out: HeldOut
    sentence: str
    recipe: str = ""
    base: str = ""
    tendency: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return the result. Raises ``StoredDataError`` for an unknown or a missing field."""
        values = _checked(cls, stored)
        values["points"] = [StoredPoint.from_json(point) for point in values["points"]]
        values["held_out"] = HeldOut(**_checked(HeldOut, values["held_out"]))
        return cls(**values)
