"""What pages show of a training run: its curves and scores as drawings, its evaluations as rows,
the end of its log."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final

from annotator.learning.evaluation.comparison import ComparedRow, Comparison
from annotator.learning.evaluation.effort import LabelTally, ModelEffort
from annotator.learning.models import TrainingRun
from annotator.learning.training.child_process import read_events

#: The drawing's size in its own units; the page scales it.
WIDTH: Final = 560
HEIGHT: Final = 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 10, 26
#: More points than this cannot be told apart on a screen; the steps between are averaged.
MAX_POINTS: Final = 160
LOG_LINES: Final = 40
_LOG_BYTES: Final = 16_000


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of an axis: where it lies in the drawing, and its words."""

    at: float
    words: str


@dataclass(frozen=True, slots=True)
class Chart:
    """One curve. ``line`` are the points of an SVG polyline, ``dots`` those drawn by themselves;
    ``summary`` says in words what it shows."""

    title: str
    summary: str
    line: str
    dots: tuple[tuple[float, float, str], ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]

    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    top: int = _TOP
    bottom: int = HEIGHT - _BOTTOM


@dataclass(frozen=True, slots=True)
class EvalRow:
    """How the model did on the evaluation panels at one step; micro averages of strict character
    spans."""

    step: int
    epoch: float
    loss: float | None
    precision: float
    recall: float
    f1: float


def evaluations_of(events: Iterable[Mapping[str, Any]]) -> list[EvalRow]:
    """The evaluations on the way, each step once: a run that went on from a checkpoint says some
    steps again."""
    rows = {}
    for event in events:
        if event.get("event") == "eval" and "micro" in event:
            micro = event["micro"]
            rows[event["step"]] = EvalRow(
                event["step"],
                event["epoch"],
                event.get("loss"),
                micro["precision"],
                micro["recall"],
                micro["f1"],
            )
    return [rows[step] for step in sorted(rows)]


@dataclass(frozen=True, slots=True)
class BlendFacts:
    """How much of the base is in the finished model, in percent, and micro F1 (0-1) on the
    evaluation panels by that share, where it was measured."""

    percent: float
    measured: Sequence[tuple[float, float]]


def blend_of(events: Iterable[Mapping[str, Any]]) -> BlendFacts | None:
    """What the run chose last; None where it mixed nothing."""
    found = None
    for event in events:
        if event.get("event") == "blend":
            found = BlendFacts(
                100 * event["share_of_base"], [(100 * share, f1) for share, f1 in event["micro_f1"]]
            )
    return found


def charts_of(events: Sequence[Mapping[str, Any]]) -> list[Chart]:
    """The loss over the steps, and F1 on the evaluation panels; those of which there is something
    to draw."""
    losses = {
        event["step"]: event["loss"]
        for event in events
        if event.get("event") == "step" and _is_number(event.get("loss"))
    }
    total = max((event["steps"] for event in events if event.get("event") == "step"), default=0)
    charts = []
    if len(losses) > 1:
        points = _thinned(sorted(losses.items()))
        summary = (
            f"Loss from {points[0][1]:.3f} at step {points[0][0]:.0f} to {points[-1][1]:.3f} at"
            f" step {points[-1][0]:.0f}."
        )
        charts.append(
            _chart(
                "Training loss",
                summary,
                points,
                total,
                low=0.0,
                high=max(loss for _, loss in points),
                has_dots=False,
            )
        )
    scores = [(float(row.step), row.f1) for row in evaluations_of(events)]
    if scores:
        best = max(scores, key=lambda point: point[1])
        summary = f"Best micro F1 {best[1]:.3f} at step {best[0]:.0f}."
        charts.append(
            _chart(
                "Micro F1 on the evaluation panels",
                summary,
                scores,
                total,
                low=_floor_to(min(f1 for _, f1 in scores)),
                high=1.0,
                has_dots=True,
            )
        )
    return charts


def curve_chart(title: str, summary: str, points: Sequence[tuple[float, float]]) -> Chart:
    """Scores (0-1) over numbers of papers, a dot each."""
    low = _floor_to(min(score for _, score in points))
    return _chart(
        title, summary, points, points[-1][0], low=low, high=1.0, has_dots=True, unit="papers"
    )


#: Of the bars: the height of a row with its words and two bars, in pixels; lengths are percent of
#: the page's width.
_ROW, _WORDS_AT, _FIRST_BAR_AT, _SECOND_BAR_AT = 52, 13, 20, 32


@dataclass(frozen=True, slots=True)
class ScoreBar:
    """A label, or an average: F1 of the candidate and of the current model, 0-100, and where its
    words and its bars lie."""

    row: ComparedRow
    words_at: int
    candidate_at: int
    current_at: int


@dataclass(frozen=True, slots=True)
class ScoreBars:
    """F1 by label, the candidate's above the current model's; ``summary`` says in words what is to
    be seen."""

    bars: tuple[ScoreBar, ...]
    height: int
    summary: str


def score_bars(comparison: Comparison) -> ScoreBars:
    """The bars of a comparison, the averages last."""
    rows = [*comparison.labels, *comparison.averages]
    bars = tuple(
        ScoreBar(row, top + _WORDS_AT, top + _FIRST_BAR_AT, top + _SECOND_BAR_AT)
        for top, row in zip(count(0, _ROW), rows, strict=False)
    )
    summary = f"F1 of strict spans by label. {_in_a_sentence(comparison.averages[0])}"
    fallen = [row for row in comparison.labels if row.lost]
    if fallen:
        summary += (
            f" It falls for {', '.join(f'{row.name} (by {row.lost} points)' for row in fallen)}."
        )
    return ScoreBars(bars, _ROW * len(rows), summary)


#: What became of suggestions, in the order of the bars: the column of ``LabelTally``, and its
#: words.
OUTCOMES: Final = (
    ("accepted", "accepted"),
    ("edge", "other edges"),
    ("relabelled", "another label"),
    ("rejected", "rejected"),
    ("left_out", "left out below the threshold"),
    ("added", "added by hand"),
)
_OUTCOME_ROW: Final = 40


@dataclass(frozen=True, slots=True)
class OutcomeBar:
    """A label, and what became of its suggestions as pieces (class, x, width), both in percent of
    the whole."""

    tally: LabelTally
    words_at: int
    bar_at: int
    pieces: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True, slots=True)
class OutcomeBars:
    """A bar a label, all of them last; ``summary`` says in words what is to be seen, ``outcomes``
    the classes that occur with their words."""

    bars: tuple[OutcomeBar, ...]
    height: int
    summary: str
    outcomes: tuple[tuple[str, str], ...]


def outcome_bars(effort: ModelEffort) -> OutcomeBars:
    """What became of one source's suggestions, and what was added to them."""
    rows = [*effort.labels, effort.total]
    bars = tuple(
        OutcomeBar(row, top + _WORDS_AT, top + _FIRST_BAR_AT, tuple(_pieces(row)))
        for top, row in zip(count(0, _OUTCOME_ROW), rows, strict=False)
    )
    total = effort.total
    added = (  # entities, roles or beginnings of panels
        f"{total.added:,} {'was' if total.added == 1 else 'were'} added by hand"
    )
    summary = (
        f"Of {total.suggested:,} suggestions {total.accepted:,} were accepted as they were;"
        f" {added}."
    )
    return OutcomeBars(
        bars,
        _OUTCOME_ROW * len(rows),
        summary,
        tuple(each for each in OUTCOMES if getattr(total, each[0])),
    )


def _pieces(row: LabelTally) -> Iterator[tuple[str, float, float]]:
    at = 0.0
    for name, _ in OUTCOMES:
        if width := row.share(name):
            yield name.replace("_", "-"), round(at, 2), width
            at += width


def _in_a_sentence(row: ComparedRow) -> str:
    beside = f", the current model's {row.current_percent}" if row.current else ""
    return f"{row.name} {row.candidate_percent}{beside}."


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _thinned(points: Sequence[tuple[int, float]]) -> list[tuple[float, float]]:
    size = max(1, math.ceil(len(points) / MAX_POINTS))
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(float(group[-1][0]), sum(y for _, y in group) / len(group)) for group in groups]


def _floor_to(value: float) -> float:
    """The axis begins a step of two tenths below the lowest score, so that differences can be
    seen."""
    return max(0.0, math.floor(value * 5 - 1e-9) / 5)


def _chart(
    title: str,
    summary: str,
    points: Sequence[tuple[float, float]],
    total: float,
    *,
    low: float,
    high: float,
    has_dots: bool,
    unit: str = "step",
) -> Chart:
    last = max(total, points[-1][0], 1)
    span = (high - low) or 1.0
    across = lambda x: round(_LEFT + (WIDTH - _LEFT - _RIGHT) * x / last, 1)  # noqa: E731
    up = lambda y: round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (y - low) / span, 1)  # noqa: E731
    return Chart(
        title,
        summary,
        " ".join(f"{across(x)},{up(y)}" for x, y in points),
        (
            tuple((across(x), up(y), f"{unit} {x:.0f}: {y:.3f}") for x, y in points)
            if has_dots
            else ()
        ),
        tuple(Tick(across(x), f"{x:.0f}") for x in _round_steps(0, last, 5)),
        tuple(Tick(up(y), f"{y:.2g}") for y in _round_steps(low, high, 4)),
    )


def _round_steps(low: float, high: float, wanted: int) -> list[float]:
    """About ``wanted`` round numbers from ``low`` to ``high``."""
    rough = (high - low) / wanted or 1.0
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(
        factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= rough * 0.99
    )
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def in_words(duration: timedelta) -> str:
    """Such as "42 s", "7 min" or "3 h 20 min"."""
    return in_words_of(duration.total_seconds())


def in_words_of(seconds: float) -> str:
    """The same of a number of seconds."""
    seconds = round(seconds)
    if seconds < 100:
        return f"{seconds} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def log_end(run: TrainingRun) -> str:
    """The last lines that the training process wrote to standard error; empty where there is
    none."""
    path = run.folder / "train.log"
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - _LOG_BYTES))
            tail = stream.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(tail.splitlines()[-LOG_LINES:])


def events_of(run: TrainingRun) -> list[dict[str, Any]]:
    """All that the run's training processes have said so far."""
    return read_events(Path(run.folder))
