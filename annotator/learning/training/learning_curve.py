"""A learning curve for its page: charts, a table, and a sentence that interprets them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from annotator.learning.evaluation.charts import Chart, curve_chart
from annotator.learning.models import TrainingSeries
from annotator.learning.stored import CurveResult, StoredPoint

_MICRO: Final = "Micro average"


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A training on a fraction of the papers.

    ``f1`` are percentages: the micro average first, then each label, None without a score.
    """

    percent: float
    papers: int
    panels: int
    steps: int
    seconds: float
    f1: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class CurveReport:
    """A learning curve.

    ``columns`` name the values of ``CurvePoint.f1``, ``supports`` count their held-out entities,
    and ``charts`` draw them.
    """

    sentence: str
    held_out_papers: int
    held_out_panels: int
    columns: Sequence[str]
    supports: Sequence[int]
    points: Sequence[CurvePoint]
    charts: Sequence[Chart]


def finish(series: TrainingSeries, result: dict[str, Any]) -> dict[str, Any]:
    """Return what the series stores of the engine's result: all of it, for it is small."""
    CurveResult.from_json(result)  # a result that pages could not read is an error now
    return result


def curve_report(stored: Mapping[str, Any]) -> CurveReport:
    """Return the report of a series' stored result."""
    result = CurveResult.from_json(stored)
    points = result.points
    labels = _labels_of(points)
    columns = [_MICRO, *labels]
    rows = [_point_of(point, labels) for point in points]
    charts = []
    for index, name in enumerate(columns):
        chart = _chart_of(name, [(row.papers, row.f1[index]) for row in rows])
        if chart is not None:
            charts.append(chart)
    return CurveReport(
        sentence=result.sentence,
        held_out_papers=result.held_out.papers,
        held_out_panels=result.held_out.texts,
        columns=columns,
        supports=_supports_of(points[-1], labels),
        points=rows,
        charts=charts,
    )


def _labels_of(points: Sequence[StoredPoint]) -> list[str]:
    """Return the labels that occur in the held-out papers."""
    labels = set()
    for point in points:
        for label, score in point.by_label.items():
            if score.support:
                labels.add(label)
    return sorted(labels)


def _point_of(point: StoredPoint, labels: Sequence[str]) -> CurvePoint:
    f1: list[float | None] = [point.micro.percent]
    for label in labels:
        score = point.by_label.get(label)
        f1.append(score.percent if score is not None else None)
    return CurvePoint(
        percent=round(100 * point.share, 1),
        papers=point.papers,
        panels=point.texts,
        steps=point.steps,
        seconds=point.seconds,
        f1=f1,
    )


def _supports_of(point: StoredPoint, labels: Sequence[str]) -> list[int]:
    supports = [point.micro.support or 0]
    for label in labels:
        score = point.by_label.get(label)
        supports.append(score.support or 0 if score is not None else 0)
    return supports


def _chart_of(name: str, scores: Sequence[tuple[int, float | None]]) -> Chart | None:
    """Return the chart of (papers, F1 in percent), None if no training has a score."""
    points = [(float(papers), f1 / 100) for papers, f1 in scores if f1 is not None]
    if not points:
        return None
    (first, low), (last, high) = points[0], points[-1]
    summary = f"{name}: F1 {low:.3f} from {first:.0f} papers, {high:.3f} from {last:.0f}."
    title = f"F1 by papers: {name}" if name == _MICRO else name
    return curve_chart(title, summary, points)
