"""Line charts of a training run and of learning curves, as coordinates for an SVG template."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from annotator.learning.evaluation.run_report import evaluations_of

#: The size of a drawing in its own units; the page scales it.
WIDTH: Final = 560
HEIGHT: Final = 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 10, 26
#: The largest number of points that a screen can show; steps between them are averaged.
MAX_POINTS: Final = 160

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: its place in the drawing, and its text."""

    at: float
    words: str


@dataclass(frozen=True, slots=True)
class Chart:
    """One curve: the points of an SVG polyline, labelled dots, and a summary in words."""

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


def charts_of(events: Sequence[Mapping[str, Any]]) -> list[Chart]:
    """Return the charts of the training loss and of F1 on the validation panels.

    A chart without data is left out.
    """
    steps = [event for event in events if event.get("event") == "step"]
    total = max((event["steps"] for event in steps), default=0)
    charts = [_loss_chart(steps, total), _score_chart(events, total)]
    return [chart for chart in charts if chart is not None]


def _loss_chart(steps: Sequence[Mapping[str, Any]], total: float) -> Chart | None:
    losses = {event["step"]: event["loss"] for event in steps if _is_number(event.get("loss"))}
    if len(losses) < 2:
        return None
    points = _thinned(sorted(losses.items()))
    (first, loss_at_first), (last, loss_at_last) = points[0], points[-1]
    return _chart(
        "Training loss",
        f"Loss from {loss_at_first:.3f} at step {first:.0f} to {loss_at_last:.3f} at step"
        f" {last:.0f}.",
        points,
        _Axes(last=total, low=0.0, high=max(loss for _, loss in points)),
    )


def _score_chart(events: Sequence[Mapping[str, Any]], total: float) -> Chart | None:
    scores = [(float(row.step), row.f1) for row in evaluations_of(events)]
    if not scores:
        return None
    step, best = max(scores, key=lambda point: point[1])
    return _chart(
        "Micro F1 on the validation panels",
        f"Best micro F1 {best:.3f} at step {step:.0f}.",
        scores,
        _Axes(last=total, low=_lower_end(scores), high=1.0),
        dots_in="step",
    )


def curve_chart(title: str, summary: str, points: Sequence[Point]) -> Chart:
    """Return a chart of scores (0-1) over numbers of papers, with a dot for each point."""
    axes = _Axes(last=points[-1][0], low=_lower_end(points), high=1.0)
    return _chart(title, summary, points, axes, dots_in="papers")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _thinned(points: Sequence[tuple[int, float]]) -> list[Point]:
    """Return at most ``MAX_POINTS`` points, each the mean of a group of neighbours."""
    size = max(1, math.ceil(len(points) / MAX_POINTS))
    thinned = []
    for start in range(0, len(points), size):
        group = points[start : start + size]
        mean = sum(y for _, y in group) / len(group)
        thinned.append((float(group[-1][0]), mean))
    return thinned


def _lower_end(points: Sequence[Point]) -> float:
    """Return the multiple of 0.2 below the lowest score, so that differences can be seen."""
    lowest = min(score for _, score in points)
    return max(0.0, math.floor(lowest * 5 - 1e-9) / 5)


@dataclass(frozen=True, slots=True)
class _Axes:
    """The values at the ends of the axes; x begins at 0."""

    last: float
    low: float
    high: float

    def x(self, value: float) -> float:
        """Return the place of a value on the x axis."""
        return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * value / self.last, 1)

    def y(self, value: float) -> float:
        """Return the place of a value on the y axis."""
        height = HEIGHT - _TOP - _BOTTOM
        span = (self.high - self.low) or 1.0
        return round(HEIGHT - _BOTTOM - height * (value - self.low) / span, 1)


def _chart(
    title: str, summary: str, points: Sequence[Point], axes: _Axes, *, dots_in: str = ""
) -> Chart:
    """Return the chart; ``dots_in`` is the unit in the labels of dots, "" for no dots."""
    axes = _Axes(max(axes.last, points[-1][0], 1), axes.low, axes.high)
    places = [(axes.x(x), axes.y(y)) for x, y in points]
    dots: list[tuple[float, float, str]] = []
    if dots_in:
        for (left, top), (x, y) in zip(places, points, strict=True):
            dots.append((left, top, f"{dots_in} {x:.0f}: {y:.3f}"))
    return Chart(
        title,
        summary,
        line=" ".join(f"{left},{top}" for left, top in places),
        dots=tuple(dots),
        x_ticks=tuple(Tick(axes.x(x), f"{x:.0f}") for x in _round_numbers(0, axes.last, 5)),
        y_ticks=tuple(Tick(axes.y(y), f"{y:.2g}") for y in _round_numbers(axes.low, axes.high, 4)),
    )


def _round_numbers(low: float, high: float, n: int) -> list[float]:
    """Return about ``n`` round numbers from ``low`` to ``high``."""
    rough = (high - low) / n or 1.0
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(
        factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= rough * 0.99
    )
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]
