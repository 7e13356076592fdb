"""A learning curve as people see it: a drawing with its table, and a sentence that says what it
suggests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from annotator.learning.evaluation.charts import Chart, curve_chart
from annotator.learning.models import TrainingSeries


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A training on a part of the papers. ``f1`` are hundredths: of the micro average first, then
    of each label, None where there is none."""

    percent: float
    papers: int
    panels: int
    steps: int
    seconds: float
    f1: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class CurveReport:
    """``columns`` name what ``CurvePoint.f1`` holds; ``charts`` draw the same, the micro average
    first. ``supports`` count held-out entities."""

    sentence: str
    held_out_papers: int
    held_out_panels: int
    columns: Sequence[str]
    supports: Sequence[int]
    points: Sequence[CurvePoint]
    charts: Sequence[Chart]


def finish(series: TrainingSeries, result: dict[str, Any]) -> dict[str, Any]:
    """What is kept of the engine's result: all of it; it is small."""
    return result


def curve_report(result: Mapping[str, Any]) -> CurveReport:
    """The curve for its page."""
    points = result["points"]
    last = points[-1]
    labels = sorted(
        {
            label
            for point in points
            for label, score in point["by_label"].items()
            if score["support"]
        }
    )
    columns = ["Micro average", *labels]
    rows = [
        CurvePoint(
            round(100 * point["share"], 1),
            point["papers"],
            point["texts"],
            point["steps"],
            point["seconds"],
            [
                _percent(point["micro"]),
                *(_percent(point["by_label"].get(label)) for label in labels),
            ],
        )
        for point in points
    ]
    supports = [
        last["micro"]["support"],
        *(last["by_label"].get(label, {}).get("support", 0) for label in labels),
    ]
    charts = [
        _chart_of(name, [(row.papers, row.f1[index]) for row in rows])
        for index, name in enumerate(columns)
    ]
    held_out = result["held_out"]
    return CurveReport(
        result["sentence"],
        held_out["papers"],
        held_out["texts"],
        columns,
        supports,
        rows,
        [chart for chart in charts if chart],
    )


def _percent(score: Mapping[str, Any] | None) -> float | None:
    return round(100 * score["f1"], 1) if score else None


def _chart_of(name: str, found: Sequence[tuple[int, float | None]]) -> Chart | None:
    points = [(float(papers), f1 / 100) for papers, f1 in found if f1 is not None]
    if not points:
        return None
    (first, low), (last, high) = points[0], points[-1]
    summary = f"{name}: F1 {low:.3f} from {first:.0f} papers, {high:.3f} from {last:.0f}."
    return curve_chart(
        f"F1 by papers: {name}" if name == "Micro average" else name, summary, points
    )
