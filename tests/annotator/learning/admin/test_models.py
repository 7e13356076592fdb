"""Models in the admin: which are listed, and what their pages offer to whom."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.models import User
from annotator.corpus.models import Project
from annotator.datasets.models import SnapshotState
from annotator.learning.evaluation.recorder import FORM
from annotator.learning.models import (
    Evaluation,
    ModelOrigin,
    ModelVersion,
    ServingModel,
    TrainingRun,
)
from tests.annotator.html import html_of
from tests.annotator.learning.admin.conftest import Browse, make_model, make_snapshot
from tests.annotator.learning.conftest import scores

pytestmark = pytest.mark.django_db
LIST = "admin:learning_modelversion_changelist"


def address_of(model: ModelVersion, page: str = "change") -> str:
    return reverse(f"admin:learning_modelversion_{page}", args=[model.pk])


def evaluate(model: ModelVersion, project: Project, number: int = 1, f1: float = 0.8) -> Evaluation:
    """Scores of the model on a new snapshot of the project."""
    return Evaluation.objects.create(
        model_version=model,
        snapshot=make_snapshot(project, number),
        scores=scores(f1),
        micro_f1=f1,
    )


# The list


def test_shared_models_and_those_of_own_projects_are_listed(
    browse: Browse, ours: ModelVersion, theirs: ModelVersion, shared: ModelVersion, viewer: User
) -> None:
    page = html_of(browse(viewer).get(reverse(LIST)))
    assert "autophagy-run-1" in page
    assert "org/shared" in page
    assert "yeast-run-1" not in page


def test_superusers_see_the_models_of_every_project(
    browse: Browse, ours: ModelVersion, theirs: ModelVersion, admin: User
) -> None:
    page = html_of(browse(admin).get(reverse(LIST)))
    assert "autophagy-run-1" in page
    assert "yeast-run-1" in page


def test_the_list_names_visible_projects_that_a_model_serves(
    browse: Browse, project: Project, others: Project, shared: ModelVersion, viewer: User
) -> None:
    for each in (project, others):
        ServingModel.objects.create(project=each, model_version=shared)
    page = html_of(browse(viewer).get(reverse(LIST)))
    assert "Autophagy legends" in page
    assert "Yeast legends" not in page


def test_the_list_shows_the_latest_score_on_a_visible_snapshot(
    browse: Browse, project: Project, others: Project, shared: ModelVersion, viewer: User
) -> None:
    evaluate(shared, project, f1=0.61)
    evaluate(shared, project, number=2, f1=0.72)
    evaluate(shared, others, f1=0.93)
    page = html_of(browse(viewer).get(reverse(LIST)))
    assert "0.720 on autophagy snapshot 2" in page
    assert "0.610" not in page
    assert "0.930" not in page


# The page of a model


def test_a_model_of_others_does_not_open(
    browse: Browse, ours: ModelVersion, theirs: ModelVersion, manager: User
) -> None:
    browser = browse(manager)
    assert browser.get(address_of(ours)).status_code == 200
    assert browser.get(address_of(theirs)).status_code == 403


def test_scores_on_snapshots_of_others_are_not_shown(
    browse: Browse, project: Project, others: Project, shared: ModelVersion, viewer: User
) -> None:
    own = evaluate(shared, project)
    evaluate(shared, others)
    context = browse(viewer).get(address_of(shared)).context
    assert [evaluation for evaluation, _ in context["evaluations"]] == [own]


def test_a_trained_model_leads_to_its_run(
    browse: Browse, project: Project, ours: ModelVersion, shared: ModelVersion, viewer: User
) -> None:
    run = TrainingRun.objects.create(
        project=project,
        snapshot=make_snapshot(project),
        base=shared,
        recipe="quick",
        candidate=ours,
    )
    page = html_of(browse(viewer).get(address_of(ours)))
    assert reverse("admin:learning_trainingrun_change", args=[run.pk]) in page


@pytest.mark.parametrize(
    ("role", "may_push", "may_download"),
    [
        ("admin", True, True),
        ("manager", True, True),
        ("reviewer", False, True),
        ("curator", False, False),
        ("viewer", False, False),
    ],
)
def test_a_model_leaves_the_site_by_right(
    role: str,
    may_push: bool,
    may_download: bool,
    browse: Browse,
    ours: ModelVersion,
    request: pytest.FixtureRequest,
) -> None:
    context = browse(request.getfixturevalue(role)).get(address_of(ours)).context
    assert context["may_push"] is may_push
    assert context["may_download"] is may_download


def test_a_model_from_a_hub_is_fetched_there(
    browse: Browse, shared: ModelVersion, admin: User
) -> None:
    context = browse(admin).get(address_of(shared)).context
    assert context["may_push"] is False
    assert context["may_download"] is False


@pytest.mark.parametrize(("role", "may_push"), [("admin", True), ("manager", False)])
def test_shared_models_are_pushed_by_superusers_alone(
    role: str, may_push: bool, browse: Browse, project: Project, request: pytest.FixtureRequest
) -> None:
    model = make_model(None, "folder", origin=ModelOrigin.FOLDER)
    context = browse(request.getfixturevalue(role)).get(address_of(model)).context
    assert context["may_push"] is may_push
    assert context["may_download"] is True


# What can be done with it


def offered(browse: Browse, model: ModelVersion, user: User) -> list[str]:
    """Return the snapshots on which the page offers to evaluate the model."""
    form = browse(user).get(address_of(model)).context["evaluate_form"]
    if form is None:
        return []
    return [str(snapshot) for snapshot in form.fields["snapshot"].queryset]


def test_a_model_is_evaluated_on_ready_snapshots_of_its_project(
    browse: Browse, project: Project, others: Project, ours: ModelVersion, admin: User
) -> None:
    make_snapshot(project, 1)
    make_snapshot(project, 2, state=SnapshotState.FAILED)
    make_snapshot(others, 1)
    assert offered(browse, ours, admin) == ["autophagy snapshot 1"]


def test_a_shared_model_is_evaluated_where_one_may_train(
    browse: Browse, project: Project, others: Project, shared: ModelVersion, manager: User
) -> None:
    make_snapshot(project, 1)
    make_snapshot(others, 1)
    assert offered(browse, shared, manager) == ["autophagy snapshot 1"]


def test_who_may_not_train_is_offered_no_evaluation(
    browse: Browse, project: Project, ours: ModelVersion, reviewer: User
) -> None:
    make_snapshot(project)
    assert offered(browse, ours, reviewer) == []


def test_a_complete_evaluation_is_not_offered_again(
    browse: Browse, project: Project, ours: ModelVersion, manager: User
) -> None:
    complete = evaluate(ours, project, 1)
    evaluate(ours, project, 2)
    Evaluation.objects.filter(pk=complete.pk).update(findings={"form": FORM})
    assert offered(browse, ours, manager) == ["autophagy snapshot 2"]


def promotable(browse: Browse, model: ModelVersion, user: User) -> list[str]:
    found = browse(user).get(address_of(model)).context["promotable"]
    return [project.slug for project, _ in found]


def test_a_model_is_promoted_where_it_was_evaluated(
    browse: Browse, project: Project, others: Project, shared: ModelVersion, admin: User
) -> None:
    assert promotable(browse, shared, admin) == []
    evaluate(shared, project)
    assert promotable(browse, shared, admin) == ["autophagy"]


def test_who_may_not_promote_is_offered_no_promotion(
    browse: Browse, project: Project, ours: ModelVersion, reviewer: User
) -> None:
    evaluate(ours, project)
    assert promotable(browse, ours, reviewer) == []


def test_a_retired_model_is_not_promoted(
    browse: Browse, project: Project, ours: ModelVersion, manager: User
) -> None:
    evaluate(ours, project)
    ModelVersion.objects.filter(pk=ours.pk).update(retired_at=timezone.now())
    assert promotable(browse, ours, manager) == []


def test_a_model_is_not_promoted_where_it_serves(
    browse: Browse, project: Project, ours: ModelVersion, manager: User
) -> None:
    evaluate(ours, project)
    ServingModel.objects.create(project=project, model_version=ours)
    assert promotable(browse, ours, manager) == []


# Its card and its files


def test_a_model_without_files_says_why_there_is_no_card(
    browse: Browse, ours: ModelVersion, viewer: User
) -> None:
    context = browse(viewer).get(address_of(ours, "card")).context
    assert context["card"] == ""
    assert context["problem"]


def test_the_card_of_a_model_of_others_does_not_open(
    browse: Browse, project: Project, theirs: ModelVersion, manager: User
) -> None:
    browser = browse(manager)
    assert browser.get(address_of(theirs, "card")).status_code == 403
    assert browser.get(address_of(theirs, "download")).status_code == 403


def test_a_download_needs_the_right_to_export(
    browse: Browse, ours: ModelVersion, curator: User
) -> None:
    assert browse(curator).get(address_of(ours, "download")).status_code == 403


def test_a_model_from_a_hub_says_how_to_download_it(
    browse: Browse, shared: ModelVersion, manager: User
) -> None:
    answer = browse(manager).get(address_of(shared, "download"), follow=True)
    assert [str(message) for message in answer.context["messages"]] == [
        "org/shared comes from a hub. Download it there: `hf download org/shared`."
    ]
