"""Curator effort is counted once for each accepted legend and revision."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.corpus.models import Document, Layer, LayerKind, Project
from annotator.jobs.models import Job, JobState
from annotator.jobs.services import request_cancel, run_job
from annotator.learning.evaluation import effort_counting
from annotator.learning.evaluation.effort import effort_in
from annotator.learning.evaluation.effort_counting import (
    PAUSE,
    Logged,
    count_efforts,
    counting_job,
    seconds_of,
    settle_efforts,
    uncounted,
)
from annotator.learning.models import LabelEffort, LegendEffort, ModelVersion
from annotator.review.models import Operation
from tests.annotator.learning.evaluation.conftest import NOON, at

Suggested = Callable[..., list[Document]]
Edit = Callable[..., Operation]


# Time


def test_a_pause_within_a_legend_is_left_out() -> None:
    def action(actor: int, seconds: float, before: float | None) -> Logged:
        return Logged(
            actor,
            NOON + timedelta(seconds=seconds),
            None if before is None else NOON + timedelta(seconds=before),
        )

    assert (
        seconds_of(
            [action(1, 10, 0), action(1, 20, 10), action(1, 5000, 20), action(1, 5005, 5000)]
        )
        == 25
    )
    assert seconds_of([action(1, 10, 0), action(2, 100, 95)]) == 15
    assert seconds_of([action(1, 10, 0), action(2, 100, None)]) is None
    assert seconds_of([]) is None


def acted(actor: int, seconds: float, before: float | None) -> Logged:
    """Return an action so many seconds after noon; the actor's last one was at ``before``."""
    last = None if before is None else NOON + timedelta(seconds=before)
    return Logged(actor, NOON + timedelta(seconds=seconds), last)


def test_the_longest_pause_still_counts_as_work() -> None:
    longest = PAUSE.total_seconds()
    assert seconds_of([acted(1, longest, 0)]) == longest
    assert seconds_of([acted(1, longest + 1, 0)]) is None


def test_a_second_curator_after_a_pause_hides_the_time() -> None:
    assert seconds_of([acted(1, 10, 0), acted(2, 9000, 20)]) is None


def test_two_curators_add_up() -> None:
    assert seconds_of([acted(1, 10, 0), acted(2, 25, 20), acted(1, 40, 10)]) == 45


# Which legends


@pytest.mark.django_db
def test_legends_that_nobody_accepted_are_not_counted(
    project: Project, suggested: Suggested, edit: Edit
) -> None:
    (legend,) = suggested()
    edit(legend, "accept", "HeLa")
    assert not uncounted(project).exists()
    edit(legend, "accept_legend")
    assert list(uncounted(project)) == [legend]


@pytest.mark.django_db
def test_a_counted_legend_waits_no_longer(
    project: Project, suggested: Suggested, edit: Edit
) -> None:
    (legend,) = suggested()
    edit(legend, "accept_legend")
    assert count_efforts(project) == 1
    assert not uncounted(project).exists()
    assert count_efforts(project) == 0


@pytest.mark.django_db
def test_a_legend_of_a_later_revision_is_counted_again(
    project: Project, suggested: Suggested, edit: Edit
) -> None:
    (legend,) = suggested()
    edit(legend, "accept_legend")
    count_efforts(project)
    LegendEffort.objects.update(revision=0)
    assert count_efforts(project) == 1
    legend.refresh_from_db()
    assert LegendEffort.objects.get().revision == legend.revision


@pytest.mark.django_db
def test_legends_of_other_projects_are_left_alone(
    project: Project, suggested: Suggested, edit: Edit
) -> None:
    other = Project.objects.create(name="Other", slug="other", label_set=project.label_set)
    (legend,) = suggested()
    edit(legend, "accept_legend")
    assert count_efforts(other) == 0
    assert not LegendEffort.objects.exists()


# What is stored


@pytest.mark.django_db
def test_an_effort_names_the_source_of_its_suggestions(
    project: Project, suggested: Suggested, edit: Edit, tiny: ModelVersion
) -> None:
    (legend,) = suggested()
    edit(legend, "accept", "HeLa")
    edit(legend, "accept_legend")
    count_efforts(project)
    effort = LegendEffort.objects.get()
    assert effort.source == tiny.name
    assert effort.n_actions == 2
    layer = Layer.objects.current().get(document=legend, kind=LayerKind.SUGGESTED)
    assert effort.suggested_at == layer.created_at


@pytest.mark.django_db
def test_a_legend_without_suggestions_has_no_source(
    project: Project, import_legends: Callable[..., list[Document]], edit: Edit
) -> None:
    (legend,) = import_legends(1)
    edit(legend, "add", start=0, end=len("Figure"), label="TISSUE")
    edit(legend, "accept_legend")
    count_efforts(project)
    effort = LegendEffort.objects.get()
    assert effort.source == ""
    assert effort.suggested_at is None
    assert not LabelEffort.objects.exists()


@pytest.mark.django_db
def test_a_blind_legend_accepted_again_openly_has_a_source(
    project: Project, suggested: Suggested, edit: Edit, tiny: ModelVersion
) -> None:
    Project.objects.update(blind_share=1.0)
    (legend,) = suggested()
    edit(legend, "accept_legend")
    count_efforts(project)
    assert LegendEffort.objects.get().source == ""
    Project.objects.update(blind_share=0.0)
    edit(legend, "reopen_legend")
    edit(legend, "accept_legend")
    count_efforts(project)
    assert LegendEffort.objects.get().source == tiny.name


@pytest.mark.django_db
def test_labels_without_any_outcome_have_no_row(
    project: Project, suggested: Suggested, edit: Edit
) -> None:
    (legend,) = suggested()
    edit(legend, "accept_legend")
    count_efforts(project)
    labels = set(LabelEffort.objects.values_list("label", flat=True))
    assert labels == {"GENEPROD", "SMALL_MOLECULE", "CELL", "EXP_ASSAY"}


@pytest.mark.django_db
def test_an_action_of_somebody_else_starts_no_clock(
    project: Project, suggested: Suggested, edit: Edit, reviewer: User
) -> None:
    first, second = suggested(2)
    done = [
        edit(first, "accept_legend"),
        edit(second, "accept", "HeLa", actor=reviewer),
        edit(second, "accept_legend", actor=reviewer),
    ]
    at(done, 0, 10, 30)
    count_efforts(project)
    assert LegendEffort.objects.get(document=second).seconds is None


# Chunks and jobs


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count a legend at a time, and one on a page."""
    monkeypatch.setattr(effort_counting, "CHUNK", 1)
    monkeypatch.setattr(effort_counting, "AT_ONCE", 1)


@pytest.fixture
def three(suggested: Suggested, edit: Edit) -> list[Document]:
    """Three accepted legends."""
    legends = suggested(3)
    for legend in legends:
        edit(legend, "accept_legend")
    return legends


@pytest.mark.django_db
@pytest.mark.usefixtures("one_by_one")
def test_counting_stops_at_the_number_asked_for(project: Project, three: list[Document]) -> None:
    assert count_efforts(project, at_most=2) == 2
    assert uncounted(project).count() == 1


@pytest.mark.django_db
@pytest.mark.usefixtures("one_by_one")
def test_what_is_left_over_is_enqueued_once(project: Project, three: list[Document]) -> None:
    assert settle_efforts(project) == 2
    assert settle_efforts(project) == 1
    job = Job.objects.get()
    assert counting_job(project) == job
    assert job.actor is SYSTEM


@pytest.mark.django_db
def test_nothing_is_enqueued_if_a_page_counts_all(project: Project, three: list[Document]) -> None:
    assert settle_efforts(project) == 0
    assert settle_efforts(project) == 0
    assert counting_job(project) is None


@pytest.mark.django_db
@pytest.mark.usefixtures("one_by_one")
def test_a_cancelled_job_leaves_the_rest_uncounted(project: Project, three: list[Document]) -> None:
    settle_efforts(project)
    job = Job.objects.get()
    request_cancel(job=job, actor=SYSTEM)
    run_job(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED
    assert counting_job(project) is None
    assert uncounted(project).count() == 2


@pytest.mark.django_db
def test_a_job_counts_what_a_page_cannot(
    project: Project,
    suggested: Suggested,
    edit: Edit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(effort_counting, "CHUNK", 1)
    monkeypatch.setattr(effort_counting, "AT_ONCE", 1)
    for legend in suggested(3):
        edit(legend, "accept_legend")
    assert effort_in(project=project, actor=SYSTEM).n_uncounted == 2
    job = Job.objects.get(kind=effort_counting.EFFORT_KIND)
    assert effort_counting.counting_job(project) == job
    run_job(job.pk)
    job.refresh_from_db()
    assert job.state == "succeeded"
    assert job.result == {"legends": 2}
    found = effort_in(project=project, actor=SYSTEM)
    assert found.n_uncounted == 0
    assert found.models[0].total.accepted == 15


@pytest.mark.django_db
def test_counting_asks_the_database_as_often_for_many_legends(
    project: Project, import_legends: Any, reviewer: User
) -> None:
    documents = import_legends(12, labels="gold")

    def queries(counted: list[Document]) -> int:
        Document.objects.filter(pk__in=[document.pk for document in counted]).update(
            accepted_by=reviewer
        )
        with CaptureQueriesContext(connection) as asked:
            assert effort_counting.count_efforts(project) == len(counted)
        return len(asked)

    assert queries(documents[:2]) == queries(documents[2:])
