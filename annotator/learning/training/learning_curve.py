"""A learning curve for its page: charts, a table, and a sentence that interprets them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from annotator.learning.evaluation.charts import Chart, curve_chart
from annotator.learning.models import TrainingSeries

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
    return result


def curve_report(result: Mapping[str, Any]) -> CurveReport:
    """Return the report of a series' stored result."""
    points = result["points"]
    labels = _labels_of(points)
    columns = [_MICRO, *labels]
    rows = [_point_of(point, labels) for point in points]
    charts = []
    for index, name in enumerate(columns):
        chart = _chart_of(name, [(row.papers, row.f1[index]) for row in rows])
        if chart is not None:
            charts.append(chart)
    return CurveReport(
        sentence=result["sentence"],
        held_out_papers=result["held_out"]["papers"],
        held_out_panels=result["held_out"]["texts"],
        columns=columns,
        supports=_supports_of(points[-1], labels),
        points=rows,
        charts=charts,
    )


def _labels_of(points: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the labels that occur in the held-out papers."""
    labels = set()
    for point in points:
        labels |= {label for label, score in point["by_label"].items() if score["support"]}
    return sorted(labels)


def _point_of(point: Mapping[str, Any], labels: Sequence[str]) -> CurvePoint:
    by_label = point["by_label"]
    return CurvePoint(
        percent=round(100 * point["share"], 1),
        papers=point["papers"],
        panels=point["texts"],
        steps=point["steps"],
        seconds=point["seconds"],
        f1=[_percent(point["micro"]), *(_percent(by_label.get(label)) for label in labels)],
    )


def _supports_of(point: Mapping[str, Any], labels: Sequence[str]) -> list[int]:
    by_label = point["by_label"]
    return [
        point["micro"]["support"],
        *(by_label.get(label, {}).get("support", 0) for label in labels),
    ]


def _percent(score: Mapping[str, Any] | None) -> float | None:
    return round(100 * score["f1"], 1) if score else None


def _chart_of(name: str, scores: Sequence[tuple[int, float | None]]) -> Chart | None:
    """Return the chart of (papers, F1 in percent), None if no training has a score."""
    points = [(float(papers), f1 / 100) for papers, f1 in scores if f1 is not None]
    if not points:
        return None
    (first, low), (last, high) = points[0], points[-1]
    summary = f"{name}: F1 {low:.3f} from {first:.0f} papers, {high:.3f} from {last:.0f}."
    title = f"F1 by papers: {name}" if name == _MICRO else name
    return curve_chart(title, summary, points)
