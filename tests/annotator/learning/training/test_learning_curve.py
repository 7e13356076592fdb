"""A learning curve: its points, charts and page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.datasets.models import Snapshot
from annotator.learning.models import (
    ModelVersion,
    TrainingSeries,
)
from annotator.learning.training.learning_curve import curve_report
from tests.annotator.learning.training.conftest import done_series, text_of

pytestmark = pytest.mark.django_db

PAGES = "admin:learning_trainingseries"


@pytest.fixture
def panel(admin: User, client_of: Callable[[User], Client]) -> Client:
    return client_of(admin)


def test_the_page_of_a_curve_has_charts_a_table_and_a_sentence(
    panel: Client, learned: Snapshot, tiny: ModelVersion
) -> None:
    address = reverse(f"{PAGES}_add")
    asked = {
        "snapshot": learned.pk,
        "recipe": "quick",
        "shares": "25, 50, 100 %",
        "max_steps": 1,
        "seed": 42,
        "more": "precision = fp32",
    }
    answer = panel.post(f"{address}?kind=curve", asked)
    series = TrainingSeries.objects.get()
    assert series.options["shares"] == "0.25,0.5,1"
    done_series(series)
    page = panel.get(answer["Location"])
    report = page.context["curve"]
    assert [point.percent for point in report.points] == [25.0, 50.0, 100.0]
    assert report.charts[0].line.count(",") == 3
    assert report.sentence in text_of(page)
    assert report.columns[0] == "Micro average"
    refused = panel.post(f"{address}?kind=curve", {**asked, "shares": "half"})
    assert refused.status_code == 422
    assert "Write numbers separated by commas" in text_of(refused)
    assert panel.post(f"{address}?kind=curve", {**asked, "shares": "100"}).status_code == 422


def score(f1: float, support: int = 10) -> dict[str, Any]:
    return {"precision": f1, "recall": f1, "f1": f1, "support": support}


def point(share: float, papers: int, f1: float, **by_label: dict[str, Any]) -> dict[str, Any]:
    """A training on a fraction of the papers, as the engine reports it."""
    return {
        "share": share,
        "papers": papers,
        "texts": 3 * papers,
        "steps": 7,
        "seconds": 1.5,
        "micro": score(f1, 20),
        "by_label": by_label,
    }


def result(*points: dict[str, Any]) -> dict[str, Any]:
    return {
        "points": list(points),
        "sentence": "More papers help.",
        "held_out": {"papers": 4, "texts": 12},
    }


def test_scores_are_percentages_with_the_micro_average_first() -> None:
    report = curve_report(result(point(0.5, 10, 0.612, CELL=score(0.5))))
    assert report.columns == ["Micro average", "CELL"]
    assert report.points[0].f1 == [61.2, 50.0]


def test_a_fraction_of_the_papers_is_a_percentage() -> None:
    report = curve_report(result(point(0.25, 10, 0.6)))
    assert report.points[0].percent == 25.0


def test_a_label_without_held_out_entities_has_no_column() -> None:
    report = curve_report(result(point(1.0, 10, 0.6, CELL=score(0.0, support=0))))
    assert report.columns == ["Micro average"]


def test_a_label_that_one_training_lacks_has_no_score_there() -> None:
    report = curve_report(result(point(0.5, 5, 0.4), point(1.0, 10, 0.6, CELL=score(0.5))))
    assert [row.f1[1] for row in report.points] == [None, 50.0]


def test_supports_are_those_of_the_last_training() -> None:
    report = curve_report(result(point(1.0, 10, 0.6, CELL=score(0.5, support=8))))
    assert report.supports == [20, 8]


def test_each_column_has_a_chart() -> None:
    report = curve_report(result(point(0.5, 5, 0.4), point(1.0, 10, 0.6, CELL=score(0.5))))
    assert len(report.charts) == len(report.columns)


def test_the_held_out_papers_are_counted() -> None:
    report = curve_report(result(point(1.0, 10, 0.6)))
    assert report.held_out_papers == 4
    assert report.held_out_panels == 12
