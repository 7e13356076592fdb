"""The events and the log of a training run, as its page shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from annotator.learning.models import TrainingRun
from annotator.learning.training.child_process import read_events

#: The number of lines that the page shows of a log, and the bytes that are read for them.
LOG_LINES: Final = 40
_LOG_BYTES: Final = 16_000


def events_of(run: TrainingRun) -> list[dict[str, Any]]:
    """Return all events that the run's training processes have written so far."""
    return read_events(Path(run.folder))


@dataclass(frozen=True, slots=True)
class EvaluationRow:
    """Scores on the validation panels at one step: micro averages (0-1) of strict spans."""

    step: int
    epoch: float
    loss: float | None
    precision: float
    recall: float
    f1: float


def evaluations_of(events: Iterable[Mapping[str, Any]]) -> list[EvaluationRow]:
    """Return the evaluations during training, one a step, in order.

    A run that resumed from a checkpoint reports some steps twice; the later report counts.
    """
    rows = {}
    for event in events:
        if event.get("event") != "eval" or "micro" not in event:
            continue
        micro = event["micro"]
        rows[event["step"]] = EvaluationRow(
            step=event["step"],
            epoch=event["epoch"],
            loss=event.get("loss"),
            precision=micro["precision"],
            recall=micro["recall"],
            f1=micro["f1"],
        )
    return [rows[step] for step in sorted(rows)]


@dataclass(frozen=True, slots=True)
class WeightAveraging:
    """The weight of the base model in the finished one, in percent.

    ``measured`` pairs each weight that was tried with its micro F1 (0-1) on the validation panels.
    """

    percent: float
    measured: Sequence[tuple[float, float]]


def weight_averaging_of(events: Iterable[Mapping[str, Any]]) -> WeightAveraging | None:
    """Return the weight averaging that the run chose last, or None if it did none."""
    chosen = None
    for event in events:
        if event.get("event") == "blend":
            measured = [(100 * weight, f1) for weight, f1 in event["micro_f1"]]
            chosen = WeightAveraging(100 * event["share_of_base"], measured)
    return chosen


def log_tail(run: TrainingRun) -> str:
    """Return the last lines of the training process's standard error, or "" if there are none."""
    path = run.folder / "train.log"
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - _LOG_BYTES))
            tail = stream.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(tail.splitlines()[-LOG_LINES:])
