"""Buttons on the pages of models and runs: whom they obey, and what they say to bad input."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.corpus.models import Project
from annotator.datasets.models import SnapshotState
from annotator.jobs.models import Job
from annotator.learning.models import Canary, ModelVersion, Promotion, ServingModel
from tests.annotator.html import html_of
from tests.annotator.learning.admin.conftest import Browse, make_snapshot

pytestmark = pytest.mark.django_db


def address(page: str, pk: int) -> str:
    return reverse(f"admin:learning_modelversion_{page}", args=[pk])


def press(browser: Client, page: str, pk: int, **data: Any) -> list[str]:
    """Press a button of the models; return the messages of the page that follows."""
    answer = browser.post(address(page, pk), data, follow=True)
    assert answer.status_code == 200
    return [str(message) for message in answer.context["messages"]]


@pytest.mark.parametrize(
    "button", ["promote", "evaluate", "canary", "stop_canary", "roll_back", "switch"]
)
def test_a_button_answers_to_post_alone(button: str, browse: Browse, admin: User) -> None:
    assert browse(admin).get(address(button, 1)).status_code == 405


# Promotion


@pytest.mark.parametrize("role", ["reviewer", "curator", "viewer"])
def test_only_managers_promote(
    role: str,
    browse: Browse,
    project: Project,
    ours: ModelVersion,
    request: pytest.FixtureRequest,
) -> None:
    browser = browse(request.getfixturevalue(role))
    answer = browser.post(address("promote", ours.pk), {"project": project.pk})
    assert answer.status_code == 404
    assert not Promotion.objects.exists()


@pytest.mark.parametrize("project_id", ["", "0", "x", "-1", "²", "9" * 30])
def test_a_promotion_in_no_project_is_not_found(
    project_id: str, browse: Browse, ours: ModelVersion, manager: User
) -> None:
    answer = browse(manager).post(address("promote", ours.pk), {"project": project_id})
    assert answer.status_code == 404


def test_a_model_of_others_is_not_promoted(
    browse: Browse, project: Project, theirs: ModelVersion, manager: User
) -> None:
    answer = browse(manager).post(address("promote", theirs.pk), {"project": project.pk})
    assert answer.status_code == 403


def test_a_model_without_scores_says_what_it_needs(
    browse: Browse, project: Project, ours: ModelVersion, manager: User
) -> None:
    [message] = press(browse(manager), "promote", ours.pk, project=project.pk)
    assert "evaluat" in message.lower()
    assert not ServingModel.objects.exists()


def test_nothing_can_be_rolled_back_before_a_promotion(
    browse: Browse, project: Project, manager: User
) -> None:
    messages = press(browse(manager), "roll_back", project.pk)
    assert len(messages) == 1
    assert not Promotion.objects.exists()


@pytest.mark.parametrize("button", ["roll_back", "switch"])
def test_an_unknown_task_is_refused_with_a_sentence(
    button: str, browse: Browse, project: Project, manager: User
) -> None:
    [message] = press(browse(manager), button, project.pk, task="weather")
    assert message.endswith(".")
    assert not Promotion.objects.exists()


@pytest.mark.parametrize("button", ["roll_back", "switch"])
def test_a_project_of_others_is_left_as_it_is(
    button: str, browse: Browse, project: Project, others: Project, manager: User
) -> None:
    answer = browse(manager).post(address(button, others.pk), {"task": "panels", "is_on": "1"})
    assert answer.status_code == 404
    assert not Promotion.objects.exists()


def test_the_log_shows_promotions_of_own_projects(
    browse: Browse,
    project: Project,
    others: Project,
    ours: ModelVersion,
    theirs: ModelVersion,
    viewer: User,
) -> None:
    for each, model in ((project, ours), (others, theirs)):
        Promotion.objects.create(
            project=each, kind="promoted", model_version=model, reason="Better on cells"
        )
    page = html_of(browse(viewer).get(reverse("admin:learning_promotion_changelist")))
    assert "autophagy-run-1" in page
    assert "Better on cells" in page
    assert "yeast-run-1" not in page


# Evaluation


@pytest.mark.parametrize("role", ["reviewer", "viewer"])
def test_only_who_may_train_evaluates(
    role: str,
    browse: Browse,
    project: Project,
    ours: ModelVersion,
    request: pytest.FixtureRequest,
) -> None:
    browser = browse(request.getfixturevalue(role))
    data = {"snapshot": make_snapshot(project).pk}
    assert browser.post(address("evaluate", ours.pk), data).status_code == 404
    assert not Job.objects.exists()


def test_a_snapshot_of_others_is_not_found(
    browse: Browse, project: Project, others: Project, ours: ModelVersion, manager: User
) -> None:
    data = {"snapshot": make_snapshot(others).pk}
    assert browse(manager).post(address("evaluate", ours.pk), data).status_code == 404


def test_an_unfinished_snapshot_is_refused(
    browse: Browse, project: Project, ours: ModelVersion, manager: User
) -> None:
    snapshot = make_snapshot(project, state=SnapshotState.BUILDING)
    messages = press(browse(manager), "evaluate", ours.pk, snapshot=snapshot.pk)
    assert messages == ["Choose a finished snapshot of this project that has held-out papers."]
    assert not Job.objects.exists()


# Canaries


@pytest.mark.parametrize("percent", ["", "many", "10 %", "1/2"])
def test_a_percentage_that_is_no_number_is_refused(
    percent: str, browse: Browse, project: Project, ours: ModelVersion, manager: User
) -> None:
    messages = press(browse(manager), "canary", ours.pk, project=project.pk, percent=percent)
    assert messages == ["The percentage of legends must be a number, such as 20."]


@pytest.mark.parametrize("percent", ["0", "100", "-5", "120", "nan", "inf", "1e400"])
def test_a_percentage_out_of_range_is_refused(
    percent: str, browse: Browse, project: Project, ours: ModelVersion, manager: User
) -> None:
    messages = press(browse(manager), "canary", ours.pk, project=project.pk, percent=percent)
    assert messages == ["The percentage of legends must lie between 0 and 100, both excluded."]
    assert not Canary.objects.exists()


def test_a_canary_needs_the_right_to_promote(
    browse: Browse, project: Project, ours: ModelVersion, reviewer: User
) -> None:
    data = {"project": project.pk, "percent": "20"}
    assert browse(reviewer).post(address("canary", ours.pk), data).status_code == 403
    assert not Canary.objects.exists()


def test_a_canary_in_a_project_of_others_is_not_found(
    browse: Browse, others: Project, ours: ModelVersion, manager: User
) -> None:
    data = {"project": others.pk, "percent": "20"}
    assert browse(manager).post(address("canary", ours.pk), data).status_code == 404


def test_a_project_without_a_canary_says_so(
    browse: Browse, project: Project, manager: User
) -> None:
    messages = press(browse(manager), "stop_canary", project.pk)
    assert messages == ["No canary is running in this project."]


def test_a_canary_is_stopped_with_its_reason(
    browse: Browse, project: Project, ours: ModelVersion, shared: ModelVersion, manager: User
) -> None:
    canary = Canary.objects.create(
        project=project, model_version=ours, serving_model=shared, fraction=0.2
    )
    messages = press(browse(manager), "stop_canary", project.pk, reason="Slow")
    assert messages[0].startswith("Canary autophagy-run-1 stopped in Autophagy legends.")
    canary.refresh_from_db()
    assert canary.stopped_by == manager
    assert Promotion.objects.get().reason == "Slow"
