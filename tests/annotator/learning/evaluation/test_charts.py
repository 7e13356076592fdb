"""Line charts as coordinates."""

from __future__ import annotations

import math
from typing import Any

import pytest

from annotator.learning.evaluation.charts import HEIGHT, MAX_POINTS, WIDTH, charts_of, curve_chart


def step(number: int, loss: float, total: int = 100) -> dict[str, Any]:
    return {"event": "step", "step": number, "steps": total, "loss": loss}


def evaluation(number: int, f1: float) -> dict[str, Any]:
    micro = {"precision": f1, "recall": f1, "f1": f1}
    return {"event": "eval", "step": number, "epoch": 1.0, "loss": 0.1, "micro": micro}


def points_of(line: str) -> list[tuple[float, float]]:
    pairs = [pair.split(",") for pair in line.split()]
    return [(float(x), float(y)) for x, y in pairs]


def test_a_run_without_events_has_no_charts() -> None:
    assert charts_of([]) == []


def test_a_single_loss_is_not_drawn() -> None:
    assert charts_of([step(1, 0.5)]) == []


def test_losses_that_are_no_numbers_are_skipped() -> None:
    assert charts_of([step(1, 0.5), step(2, math.nan)]) == []


def test_the_loss_chart_says_where_it_starts_and_ends() -> None:
    (chart,) = charts_of([step(1, 0.5), step(50, 0.125)])
    assert chart.title == "Training loss"
    assert chart.summary == "Loss from 0.500 at step 1 to 0.125 at step 50."
    assert chart.dots == ()


def test_the_x_axis_reaches_to_the_planned_end() -> None:
    (chart,) = charts_of([step(1, 0.5), step(50, 0.125)])
    last_x, _ = points_of(chart.line)[-1]
    middle = (chart.left + chart.right) / 2
    assert last_x == pytest.approx(middle, abs=1)


def test_many_steps_are_thinned_to_what_a_screen_shows() -> None:
    (chart,) = charts_of([step(number, 1 / number, 1000) for number in range(1, 1001)])
    assert len(points_of(chart.line)) <= MAX_POINTS


def test_a_lower_loss_lies_lower_in_the_drawing() -> None:
    (chart,) = charts_of([step(1, 0.5), step(50, 0.125)])
    (_, first), (_, last) = points_of(chart.line)
    assert first < last


def test_all_points_lie_inside_the_drawing() -> None:
    for chart in charts_of([step(1, 9.0), step(99, 0.0), evaluation(50, 0.0)]):
        for x, y in points_of(chart.line):
            assert 0 <= x <= WIDTH
            assert 0 <= y <= HEIGHT


def test_the_score_chart_names_the_best_step() -> None:
    (chart,) = charts_of([evaluation(10, 0.6), evaluation(20, 0.8), evaluation(30, 0.7)])
    assert chart.summary == "Best micro F1 0.800 at step 20."
    assert [words for _, _, words in chart.dots] == [
        "step 10: 0.600",
        "step 20: 0.800",
        "step 30: 0.700",
    ]


def test_the_axis_of_scores_begins_below_the_lowest_one() -> None:
    (chart,) = charts_of([evaluation(10, 0.61), evaluation(20, 0.8)])
    assert chart.y_ticks[0].words == "0.6"
    assert chart.y_ticks[-1].words == "1"


def test_a_learning_curve_labels_its_dots_with_papers() -> None:
    chart = curve_chart("CELL", "It rises.", [(10, 0.5), (40, 0.75)])
    assert [words for _, _, words in chart.dots] == ["papers 10: 0.500", "papers 40: 0.750"]
    assert chart.summary == "It rises."
