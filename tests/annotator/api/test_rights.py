"""Every address is tried by everybody: no token 401, a stranger 404, a member without the right
403, a member with it gets through."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import get_resolver

from annotator.accounts.models import User
from annotator.corpus.models import Document, Project
from annotator.datasets.models import Snapshot
from annotator.jobs.models import Job
from annotator.learning.models import ModelOrigin, ModelVersion, ServingModel, TrainingRun
from tests.annotator.api.conftest import Program

pytestmark = pytest.mark.django_db

EVERYBODY = frozenset({"viewer", "curator", "reviewer", "manager", "admin"})
CURATORS = EVERYBODY - {"viewer"}
REVIEWERS = CURATORS - {"curator"}
MANAGERS = REVIEWERS - {"reviewer"}


@dataclass(frozen=True)
class Door:
    """One method of one address. ``expected`` is the answer to those who may; a 400 is also past
    the door."""

    name: str
    method: str
    path: str
    may: frozenset[str]
    expected: int
    body: dict[str, Any] = field(default_factory=dict)
    is_upload: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.name}"


P = "projects/autophagy/"
DOORS = [
    Door("project", "get", P, EVERYBODY, 200),
    Door("documents", "get", f"{P}documents/", EVERYBODY, 200),
    Door("document", "get", f"{P}documents/{{document}}/", EVERYBODY, 200),
    Door("legend", "get", f"{P}legends/{{document}}/", EVERYBODY, 200),
    Door("operations", "get", f"{P}legends/{{document}}/operations/", EVERYBODY, 200),
    Door("operations", "post", f"{P}legends/{{document}}/operations/", CURATORS, 400),
    Door("lease", "post", f"{P}legends/{{document}}/lease/", CURATORS, 200, {"take_over": True}),
    Door("lease", "delete", f"{P}legends/{{document}}/lease/", CURATORS, 204),
    Door("lookup", "get", f"{P}lookup/", EVERYBODY, 200),
    Door("identifiers", "get", f"{P}identifiers/", EVERYBODY, 200),
    Door("memory", "get", f"{P}memory/", MANAGERS, 200),
    Door("memory", "post", f"{P}memory/", MANAGERS, 400),
    Door("memory-entry", "put", f"{P}memory/1/", MANAGERS, 400, {"is_off": True}),
    Door("memory-entry", "delete", f"{P}memory/1/", MANAGERS, 400),
    Door("jobs", "get", f"{P}jobs/", EVERYBODY, 200),
    Door("job", "get", f"{P}jobs/{{job}}/", EVERYBODY, 200),
    Door("job-cancel", "post", f"{P}jobs/{{job}}/cancel/", MANAGERS, 200),
    Door("imports", "post", f"{P}imports/", REVIEWERS, 202, {"files": "a legend"}, is_upload=True),
    Door("exports", "get", f"{P}exports/", REVIEWERS, 200),
    Door("exports", "post", f"{P}exports/", REVIEWERS, 202, {"format": "jsonl"}),
    Door("export-download", "get", f"{P}exports/{{job}}/download/", REVIEWERS, 404),
    Door("snapshots", "get", f"{P}snapshots/", EVERYBODY, 200),
    Door("snapshots", "post", f"{P}snapshots/", MANAGERS, 400),
    Door("pretag", "post", f"{P}pretag/", REVIEWERS, 400, {"model": "nobody"}),
    Door("models", "get", f"{P}models/", EVERYBODY, 200),
    Door("roll-back", "post", f"{P}models/roll-back/", MANAGERS, 400),
    Door("promote", "post", f"{P}models/{{model}}/promote/", MANAGERS, 400),
    Door("judge", "post", f"{P}models/{{model}}/judge/", MANAGERS, 400),
    Door("automatic-training", "get", f"{P}automatic-training/", EVERYBODY, 200),
    Door(
        "automatic-training",
        "put",
        f"{P}automatic-training/",
        MANAGERS,
        200,
        {"is_on": True, "every_panels": 200},
    ),
    Door("canary", "get", f"{P}canary/", EVERYBODY, 404),
    Door("canary", "delete", f"{P}canary/", MANAGERS, 400),
    Door("start-canary", "post", f"{P}models/{{model}}/canary/", MANAGERS, 400, {"share": 0.2}),
    Door(
        "push",
        "post",
        f"{P}models/{{model}}/push/",
        MANAGERS,
        400,
        {"repository": "us/ours", "licence": "cc-by-4.0"},
    ),
    Door("effort", "get", f"{P}effort/", EVERYBODY, 200),
    Door("promotions", "get", f"{P}promotions/", EVERYBODY, 200),
    Door("training-runs", "get", f"{P}training-runs/", EVERYBODY, 200),
    Door("training-runs", "post", f"{P}training-runs/", MANAGERS, 400),
    Door("dry-run", "post", f"{P}training-runs/dry-run/", MANAGERS, 400),
    Door("training-run", "get", f"{P}training-runs/{{run}}/", EVERYBODY, 200),
    Door("training-run-cancel", "post", f"{P}training-runs/{{run}}/cancel/", MANAGERS, 200),
]
#: Addresses outside projects: anybody who is signed in, and what they see is their own.
OPEN_TO_ALL = {"schema", "projects"}


@pytest.fixture
def people(
    project: Project,
    admin: User,
    manager: User,
    reviewer: User,
    curator: User,
    viewer: User,
    stranger: User,
) -> dict[str, User]:
    return {user.username: user for user in (admin, manager, reviewer, curator, viewer, stranger)}


@pytest.fixture
def things(project: Project, import_legends: Callable[..., list[Document]]) -> dict[str, int]:
    model = ModelVersion.objects.create(
        name="ours", origin=ModelOrigin.TRAINED, location="ours", project=project
    )
    ServingModel.objects.create(project=project, model_version=model)
    snapshot = Snapshot.objects.create(
        project=project, number=1, split_rule="test", tokenizer_version="test"
    )
    return {
        "document": import_legends(1)[0].pk,
        "job": Job.objects.create(kind="pretag", scope=project.scope).pk,
        "model": model.pk,
        "run": (
            TrainingRun.objects.create(
                project=project, snapshot=snapshot, base=model, recipe="quick"
            ).pk
        ),
    }


def knock(door: Door, program: Program, things: dict[str, int]) -> int:
    path = door.path.format(**things)
    if door.is_upload:
        upload = SimpleUploadedFile("legend.txt", f"Figure 1 {uuid.uuid4()}".encode())
        return int(program.upload(path, files=[upload]).status_code)
    arguments = [door.body] if door.method in ("post", "put") else []
    return int(getattr(program, door.method)(path, *arguments).status_code)


@pytest.mark.parametrize("door", DOORS, ids=str)
def test_each_door_opens_for_those_who_may_and_for_nobody_else(
    door: Door,
    people: dict[str, User],
    things: dict[str, int],
    program_of: Callable[[User | None], Program],
) -> None:
    answers = {name: knock(door, program_of(user), things) for name, user in people.items()}
    expected = {name: door.expected if name in door.may else 403 for name in EVERYBODY} | {
        "stranger": 404
    }
    assert answers == expected
    assert knock(door, program_of(None), things) == 401


def test_no_address_was_forgotten() -> None:
    assert set(api_names()) - OPEN_TO_ALL == {door.name for door in DOORS}


def test_open_addresses_ask_for_a_token_too(
    program_of: Callable[[User | None], Program], stranger: User
) -> None:
    for path in ("schema/", "projects/"):
        assert program_of(None).get(path).status_code == 401
        assert program_of(stranger).get(path).status_code == 200


def test_a_browser_session_needs_the_csrf_token_for_changes(
    people: dict[str, User], things: dict[str, int]
) -> None:
    from django.test import Client

    browser = Client(enforce_csrf_checks=True)
    browser.force_login(people["curator"])
    path = f"/api/v1/{P}legends/{things['document']}/lease/"
    assert browser.get(f"/api/v1/{P}").status_code == 200
    assert browser.post(path, {}, content_type="application/json").status_code == 403


def api_names() -> Iterator[str]:
    for pattern in get_resolver("annotator.api.urls").url_patterns:
        yield str(pattern.name)
