"""The button that has legends tagged, and the page of models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from annotator.accounts.models import User
from annotator.corpus.models import Document, Project
from annotator.datasets.models import Snapshot, SnapshotState
from annotator.jobs.models import Job, JobState
from annotator.learning.models import (
    Evaluation,
    ModelOrigin,
    ModelVersion,
    Promotion,
    PromotionKind,
    ServingModel,
)
from annotator.learning.tagging.services import PRETAG_KIND, serving_model

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User | None], Client]
PROJECT = "/projects/autophagy/"
MODELS = f"{PROJECT}models/"


def scores(f1: float, **by_label: float) -> dict[str, Any]:
    def one(value: float) -> dict[str, float]:
        return {"precision": value, "recall": value, "f1": value, "support": 1234}

    return {
        "micro": one(f1),
        "macro": one(f1 - 0.1),
        "by_label": {label: one(value) for label, value in by_label.items()},
    }


def judge(model: ModelVersion, snapshot: Snapshot, f1: float, **by_label: float) -> Evaluation:
    return Evaluation.objects.create(
        model_version=model, snapshot=snapshot, scores=scores(f1, **by_label), micro_f1=f1
    )


@pytest.fixture
def model(project: Project) -> ModelVersion:
    return ModelVersion.objects.create(
        name="autophagy-run-7", origin=ModelOrigin.TRAINED, location="run-7", project=project
    )


@pytest.fixture
def snapshot(project: Project) -> Snapshot:
    counts = {
        side: {"papers": 12, "panels": 1345, "spans": 9} for side in ("train", "eval", "test")
    }
    return Snapshot.objects.create(
        project=project,
        number=3,
        note="after <b>round</b> 2",
        state=SnapshotState.READY,
        split_rule="x",
        tokenizer_version="x",
        counts=counts,
    )


def test_pretagging_is_started_shown_and_cancelled(
    client_of: ClientOf, reviewer: User, import_legends: Callable[..., list[Document]]
) -> None:
    import_legends(2)
    browser = client_of(reviewer)
    assert f'action="{PROJECT}pretag/"' in browser.get(PROJECT).content.decode()
    answer = browser.post(f"{PROJECT}pretag/")
    assert answer.status_code == 302
    assert answer["Location"] == PROJECT
    job = Job.objects.get(kind=PRETAG_KIND)
    page = browser.get(PROJECT).content.decode()
    assert f'hx-get="/jobs/{job.pk}/"' in page
    assert f'action="/jobs/{job.pk}/cancel/"' in page
    browser.post(f"/jobs/{job.pk}/cancel/")
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED


def test_a_second_tagging_is_refused_with_a_sentence(
    client_of: ClientOf, reviewer: User, import_legends: Callable[..., list[Document]]
) -> None:
    import_legends(1)
    browser = client_of(reviewer)
    browser.post(f"{PROJECT}pretag/")
    answer = browser.post(f"{PROJECT}pretag/", follow=True)
    assert "waiting or running already" in answer.content.decode()
    assert Job.objects.filter(kind=PRETAG_KIND).count() == 1


def test_tagging_without_a_model_is_refused_with_a_sentence(
    client_of: ClientOf,
    reviewer: User,
    import_legends: Callable[..., list[Document]],
    settings: Any,
    tmp_path: Any,
) -> None:
    import_legends(1)
    settings.DEFAULT_MODEL = str(tmp_path / "nothing")
    answer = client_of(reviewer).post(f"{PROJECT}pretag/", follow=True)
    assert answer.status_code == 200
    assert "toast error" in answer.content.decode()
    assert not Job.objects.exists()


def test_the_button_needs_the_right_and_waiting_legends(
    client_of: ClientOf,
    reviewer: User,
    curator: User,
    import_legends: Callable[..., list[Document]],
) -> None:
    import_legends(1)
    assert "Pre-tag waiting legends" not in client_of(curator).get(PROJECT).content.decode()
    assert client_of(curator).post(f"{PROJECT}pretag/").status_code == 403
    Document.objects.update(state="accepted")
    assert "Pre-tag waiting legends" not in client_of(reviewer).get(PROJECT).content.decode()
    assert client_of(reviewer).get(f"{PROJECT}pretag/").status_code == 405


def test_a_new_project_shows_its_default_model(
    client_of: ClientOf, viewer: User, project: Project
) -> None:
    page = client_of(viewer).get(MODELS).content.decode()
    assert serving_model(project).name in page
    assert "the default model" in page
    assert "has not been evaluated" in page
    assert "No model has been evaluated" in page
    assert "No model has been promoted yet" in page
    assert "/admin/" not in page


def test_models_are_compared_on_a_common_snapshot(
    client_of: ClientOf, viewer: User, project: Project, model: ModelVersion, snapshot: Snapshot
) -> None:
    first = serving_model(project)
    judge(first, snapshot, 0.7, GENEPROD=0.81, CELL=0.5)
    judge(model, snapshot, 0.725, GENEPROD=0.80, CELL=0.6)
    ServingModel.objects.create(project=project, model_version=model)
    answer = client_of(viewer).get(MODELS)
    (board,) = answer.context["scoreboards"]
    assert [column.title for column in board.columns] == ["Micro", "Macro", "Gene product", "Cell"]
    assert [(row.model, row.is_serving, [cell.f1 for cell in row.cells]) for row in board.rows] == [
        (model, True, [72.5, 62.5, 80.0, 60.0]),
        (first, False, [70.0, 60.0, 81.0, 50.0]),
    ]
    assert [cell.is_best for cell in board.rows[0].cells] == [True, True, False, True]
    page = answer.content.decode()
    assert "0.725" in page
    assert "1,345</span> panels" in page
    assert "after &lt;b&gt;round&lt;/b&gt; 2" in page


def test_evaluations_of_other_projects_are_hidden(
    client_of: ClientOf, viewer: User, project: Project, model: ModelVersion
) -> None:
    other = Project.objects.create(name="Secret", slug="secret", label_set=project.label_set)
    theirs = Snapshot.objects.create(
        project=other, number=9, state=SnapshotState.READY, split_rule="x", tokenizer_version="x"
    )
    judge(serving_model(project), theirs, 0.99, CELL=0.9)
    answer = client_of(viewer).get(MODELS)
    assert answer.context["scoreboards"] == []
    assert "0.990" not in answer.content.decode()


def test_promotions_are_listed_newest_first_with_their_reasons(
    client_of: ClientOf, viewer: User, manager: User, project: Project, model: ModelVersion
) -> None:
    first = serving_model(project)
    Promotion.objects.create(
        project=project,
        kind=PromotionKind.PROMOTED,
        model_version=model,
        replaced=first,
        actor=manager,
        reason="<i>better</i>",
    )
    Promotion.objects.create(
        project=project,
        kind=PromotionKind.ROLLED_BACK,
        model_version=first,
        replaced=model,
        actor=None,
    )
    page = client_of(viewer).get(MODELS).content.decode()
    assert page.index("rolled back<") < page.index("promoted</span>")
    assert "&lt;i&gt;better&lt;/i&gt;" in page
    assert "command line" in page


def test_staff_find_the_way_to_training(client_of: ClientOf, admin: User, project: Project) -> None:
    assert "/admin/learning/trainingrun/" in client_of(admin).get(MODELS).content.decode()


def test_a_missing_default_model_is_no_error_page(
    client_of: ClientOf, viewer: User, project: Project, settings: Any, tmp_path: Any
) -> None:
    settings.DEFAULT_MODEL = str(tmp_path / "nothing")
    answer = client_of(viewer).get(MODELS)
    assert answer.status_code == 200
    assert "toast error" in answer.content.decode()
