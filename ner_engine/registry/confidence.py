"""The calibration of a model's confidence: a file of numbers beside its weights.

``calibration.json`` comes with a model, so anybody may have written it. It is read as data, checked
number by number, and refused as a whole if anything in it is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from ner_engine.errors import UnsafeModelError
from ner_engine.registry.checkpoint_files import weights_sha256
from ner_engine.registry.side_files import read_side_file, write_side_file
from ner_engine.scoring.platt import MAX_INTERCEPT, MAX_SLOPE, Platt
from ner_engine.scoring.reliability import N_BINS, Bin, Reliability

FILE: Final = "calibration.json"
FORMAT: Final = 1
METHOD: Final = "platt"
_ADVICE: Final = "fit it again with `python -m ner_engine calibrate`, or delete the file"


@dataclass(frozen=True, slots=True)
class FittedOn:
    """The texts of a calibration: their name, SHA-256, and numbers.

    ``predictions`` counts the entities that the model predicted in them; each is right or wrong.
    """

    data: str
    sha256: str
    papers: int
    texts: int
    predictions: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """The scaling of a model's scores, and its reliability before and after.

    ``by_label`` has labels with a scaling of their own; all others use ``overall``. ``after`` is
    cross-fitted: each paper is scaled by the numbers fitted on the others. ``log_loss`` has the
    held-out log loss of each way that was compared. ``steps`` are the steps after decoding that the
    predictions went through. ``weights_sha256`` is that of the weights.
    """

    weights_sha256: str
    fitted_on: FittedOn
    overall: Platt
    by_label: Mapping[str, Platt] = field(default_factory=dict)
    steps: tuple[str, ...] = ()
    log_loss: Mapping[str, float] = field(default_factory=dict)
    before: Reliability | None = None
    after: Reliability | None = None

    def confidence(self, label: str, score: float) -> float:
        """Return the probability (0-1) that a prediction with this label and score is right."""
        return round(self.by_label.get(label, self.overall).probability(score), 4)

    def sentence(self) -> str:
        """Return in words what the calibration was fitted on, and what it brought."""
        facts = self.fitted_on
        start = (
            f"confidence calibrated on {facts.predictions:,} predictions in {facts.texts:,} texts"
            f" of {facts.papers:,} papers"
        )
        if self.before is None or self.after is None:
            return start
        return (
            f"{start}: calibration error {self.before.ece:.3f} before, {self.after.ece:.3f} after"
        )

    def as_json(self) -> dict[str, Any]:
        """Return the content of the file."""
        value: dict[str, Any] = {
            "format": FORMAT,
            "method": METHOD,
            "weights_sha256": self.weights_sha256,
            "fitted_on": {
                "data": self.fitted_on.data,
                "sha256": self.fitted_on.sha256,
                "papers": self.fitted_on.papers,
                "texts": self.fitted_on.texts,
                "predictions": self.fitted_on.predictions,
            },
            "steps": list(self.steps),
            "overall": _numbers(self.overall),
            "by_label": {label: _numbers(each) for label, each in sorted(self.by_label.items())},
            "held_out_log_loss": {name: round(loss, 5) for name, loss in self.log_loss.items()},
        }
        if self.before is not None and self.after is not None:
            value["reliability"] = {"before": self.before.as_json(), "after": self.after.as_json()}
        return value


def write_calibration(folder: Path, calibration: Calibration) -> None:
    """Write the file of the model folder completely or not at all."""
    write_side_file(folder / FILE, calibration.as_json())


def carry_over(source: Path, target: Path) -> None:
    """Write the calibration of the model in ``source`` into ``target``, a copy of that model.

    The copy has other bytes, but predicts the same within rounding. A calibration that cannot be
    read raises ``UnsafeModelError``; without one, nothing happens.
    """
    calibration = read_calibration(source.name, source)
    if calibration is not None:
        write_calibration(target, replace(calibration, weights_sha256=weights_sha256(target)))


def read_calibration(name: str, folder: Path) -> Calibration | None:
    """Return the calibration of the model ``name`` in ``folder``, or None if it has none.

    Raise ``UnsafeModelError`` if the file cannot be read, or belongs to other weights.
    """
    calibration = read_side_file(name, folder / FILE, _parsed, advice=_ADVICE)
    if calibration is None:
        return None
    if calibration.weights_sha256 != weights_sha256(folder):
        raise UnsafeModelError(f"{name}: its {FILE} was fitted on other weights; {_ADVICE}")
    return calibration


def _numbers(scaling: Platt) -> dict[str, float]:
    return {"slope": round(scaling.slope, 6), "intercept": round(scaling.intercept, 6)}


def _parsed(value: Mapping[str, Any]) -> Calibration:
    if value["format"] != FORMAT or value["method"] != METHOD:
        raise ValueError(f"format {value['format']} with method {value['method']} is unknown")
    facts, tables = value["fitted_on"], value.get("reliability") or {}
    return Calibration(
        weights_sha256=str(value["weights_sha256"]),
        fitted_on=FittedOn(
            data=str(facts["data"]),
            sha256=str(facts["sha256"]),
            papers=_count(facts["papers"]),
            texts=_count(facts["texts"]),
            predictions=_count(facts["predictions"]),
        ),
        overall=_scaling(value["overall"]),
        by_label={str(label): _scaling(each) for label, each in value["by_label"].items()},
        steps=tuple(str(step) for step in value["steps"]),
        log_loss={
            str(name): _number(loss, 0, math.inf)
            for name, loss in value["held_out_log_loss"].items()
        },
        before=_reliability(tables["before"]) if tables else None,
        after=_reliability(tables["after"]) if tables else None,
    )


def _scaling(value: Mapping[str, Any]) -> Platt:
    slope = _number(value["slope"], 0, MAX_SLOPE)
    if not slope:
        raise ValueError("a slope must be above 0, or a higher score would not count more")
    return Platt(slope, _number(value["intercept"], -MAX_INTERCEPT, MAX_INTERCEPT))


def _reliability(value: Mapping[str, Any]) -> Reliability:
    bins = tuple(
        Bin(_count(n), _number(confidence, 0, 1), _number(precision, 0, 1))
        for n, confidence, precision in value["bins"]
    )
    if len(bins) != N_BINS:
        raise ValueError(f"a reliability table must have {N_BINS} rows")
    return Reliability(
        bins=bins,
        brier=_number(value["brier"], 0, 1),
        log_loss=_number(value["log_loss"], 0, math.inf),
        auroc=_number(value["auroc"], 0, 1),
    )


def _number(value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{str(value)[:40]} is not a number")
    if not (math.isfinite(value) and low <= value <= high):
        raise ValueError(f"{value} does not lie between {low} and {high}")
    return float(value)


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{str(value)[:40]} is not a number of things")
    return value
