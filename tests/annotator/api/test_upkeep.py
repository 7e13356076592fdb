"""Curator effort, automatic training, canaries and hubs through the API."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from annotator.accounts.models import User
from annotator.corpus.models import Document, Project
from annotator.corpus.storing import write_suggestions
from annotator.jobs.models import Job
from annotator.learning.models import AutomaticTraining, ModelOrigin, ModelVersion
from annotator.review.editing.services import apply_operation
from ner_engine.schema import Span
from tests.annotator.api.conftest import Program

pytestmark = pytest.mark.django_db
ProgramOf = Callable[[User | None], Program]
P = "projects/autophagy/"


def test_a_program_reads_what_became_of_suggestions(
    project: Project,
    program_of: ProgramOf,
    viewer: User,
    curator: User,
    import_legends: Callable[..., list[Document]],
) -> None:
    (legend,) = import_legends(1)
    at = legend.text.index("HeLa")
    write_suggestions(
        batch=[(legend, [Span(at, at + 4, "CELL", "HeLa", "", 0.9)])], source="model-7"
    )
    operation = {"id": str(uuid.uuid4()), "kind": "accept_legend", "base_revision": 0}
    apply_operation(document_id=legend.pk, actor=curator, operation=operation)
    answer = program_of(viewer).get(f"{P}effort/")
    assert answer.status_code == 200, answer.content
    (model,) = answer.json()["models"]
    assert model["model"] == "model-7"
    assert model["task"] == "entities"
    assert model["work"]["n_legends"] == 1
    (cells,) = model["labels"]
    assert cells["code"] == "CELL"
    assert cells["suggested"] == 1
    assert cells["accepted"] == 1
    assert cells["bulk_accepted"] == cells["swept"] == 1
    assert cells["accepted_percent"] == 100.0


def test_a_program_has_a_project_train_by_itself(
    project: Project, program_of: ProgramOf, manager: User
) -> None:
    program = program_of(manager)
    assert program.get(f"{P}automatic-training/").json()["is_on"] is False
    asked = {"is_on": True, "every_panels": 200, "hyperparameters": {"epochs": 2}}
    answer = program.put(f"{P}automatic-training/", asked)
    assert answer.status_code == 200, answer.content
    facts = answer.json()
    assert facts["every_panels"] == 200
    assert facts["every_days"] is None
    assert facts["hyperparameters"] == {"epochs": 2}
    assert facts["rounds"] == []
    refused: Any = program.put(f"{P}automatic-training/", {"is_on": True})
    assert refused.status_code == 400
    assert "Set a number of newly" in refused.json()["detail"]
    assert AutomaticTraining.objects.get().changed_by == manager


def test_a_refused_canary_says_why(project: Project, program_of: ProgramOf, manager: User) -> None:
    program = program_of(manager)
    model = ModelVersion.objects.create(
        name="ours", origin=ModelOrigin.TRAINED, location="ours", project=project
    )
    assert program.get(f"{P}canary/").status_code == 404
    refused = program.post(f"{P}models/{model.pk}/canary/", {"share": 0.2})
    assert refused.status_code == 400
    assert "has no evaluation" in refused.json()["detail"]
    assert program.post(f"{P}models/{model.pk}/canary/", {"share": 3}).status_code == 400
    assert program.post(f"{P}models/{model.pk}/canary/", {"fraction": 3}).status_code == 400
    assert program.post(f"{P}models/{model.pk}/canary/", {}).status_code == 400


def test_a_program_cannot_give_away_what_is_not_there(
    project: Project, program_of: ProgramOf, manager: User
) -> None:
    model = ModelVersion.objects.create(
        name="ours", origin=ModelOrigin.TRAINED, location="ours", project=project
    )
    refused = program_of(manager).post(
        f"{P}models/{model.pk}/push/", {"repository": "us/ours", "licence": "mit"}
    )
    assert refused.status_code == 400
    assert Job.objects.count() == 0
