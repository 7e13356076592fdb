"""The waiting suggestions that a threshold covers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.corpus.models import Document, Layer, Project
from annotator.review.editing import services
from annotator.review.editing.reading import legend_state
from annotator.review.queue import settings as review_settings
from annotator.review.queue.settings import waiting_by_confidence
from tests.annotator.html import html_of
from tests.annotator.review.conftest import MakeLegend

ClientOf = Callable[[User | None], Client]


def brute_force(project: Project, threshold: float) -> tuple[int, int]:
    """Count the suggestions that accepting each waiting legend accepts, one by one."""
    n = n_accepted = 0
    for document in Document.objects.filter(project=project).exclude(state="accepted"):
        document.project = project
        state = replace(legend_state(document), threshold=threshold)
        for entity in state.suggested.values():
            n += 1
            n_accepted += not state.is_below(entity)
    return n, n_accepted


@pytest.mark.django_db
@pytest.mark.parametrize("mode", ["sweep", "decide"])
def test_coverage_is_what_acceptance_accepts(
    mode: str, make_legend: MakeLegend, project: Project, curator: User
) -> None:
    project.review_mode, project.threshold = mode, 0.55
    project.save()
    make_legend()
    make_legend(suggested=[("Bax", "GENEPROD", None), ("Bak", "GENEPROD", 0.9)])
    make_legend(suggested=[("Bax", "GENEPROD", 0.8999), ("MEFs", "CELL", 0.97)])
    operate_on = make_legend(suggested=[("Bax", "GENEPROD", 0.99)])
    services.accept_legend(document_id=operate_on.pk, actor=curator, base_revision=0)
    rows = waiting_by_confidence(project).rows
    assert [row.threshold for row in rows] == [0.55, 0.8, 0.85, 0.9, 0.95]
    assert [row.is_own for row in rows] == [True, False, False, False, False]
    for row in rows:
        assert (row.n, row.n_accepted) == brute_force(project, row.threshold)
        assert row.n_left == row.n - row.n_accepted


@pytest.mark.django_db
def test_expected_precision_is_the_mean_confidence(
    make_legend: MakeLegend, project: Project
) -> None:
    make_legend(suggested=[("Bax", "GENEPROD", 0.9), ("Bak", "GENEPROD", 0.96)])
    Layer.objects.update(is_calibrated=True)
    make_legend(suggested=[("Bax", "GENEPROD", 0.999), ("Bak", "GENEPROD", None)])
    waiting = waiting_by_confidence(project)
    at_90 = {row.threshold: row for row in waiting.rows}[0.9]
    assert at_90.expected_precision == pytest.approx(0.93)
    assert waiting.n_raw == 1
    assert waiting.is_raw is False


@pytest.mark.django_db
def test_a_large_project_is_counted_in_a_sample(
    make_legend: MakeLegend, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_legend()
    make_legend()
    monkeypatch.setattr(review_settings, "SAMPLE", 1)
    waiting = waiting_by_confidence(project)
    assert (waiting.n_legends, waiting.is_sample, waiting.n_suggestions) == (1, True, 3)


@pytest.mark.django_db
@pytest.mark.parametrize("is_calibrated", [True, False])
def test_the_page_speaks_of_scores_if_they_are_raw(
    is_calibrated: bool,
    make_legend: MakeLegend,
    project: Project,
    client_of: ClientOf,
    manager: User,
) -> None:
    make_legend()
    Layer.objects.update(is_calibrated=is_calibrated)
    page = html_of(client_of(manager).get(reverse("review:settings", args=[project.slug])))
    assert ("at least this likely right, percent" in page) is is_calibrated
    assert ("what has at least this score, percent" in page) is not is_calibrated
    assert ("Expected precision" in page) is is_calibrated
    assert ("which are not calibrated" in page) is not is_calibrated
