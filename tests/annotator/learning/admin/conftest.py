"""Members of the staff, and models without files: for pages that load none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from annotator.accounts.models import User
from annotator.corpus.models import Project
from annotator.corpus.services import create_project
from annotator.datasets.models import Snapshot, SnapshotState
from annotator.learning.models import ModelOrigin, ModelVersion

Browse = Callable[[User], Client]


@pytest.fixture
def browse(client_of: Callable[[User], Client]) -> Browse:
    """``browse(user)``: the user as a member of the staff, signed in."""

    def client(user: User) -> Client:
        user.is_staff = True
        user.save()
        return client_of(user)

    return client


def make_model(project: Project | None, name: str, **facts: Any) -> ModelVersion:
    facts = {"origin": ModelOrigin.TRAINED, "location": name, **facts}
    return ModelVersion.objects.create(name=name, project=project, **facts)


def make_snapshot(project: Project, number: int = 1, **facts: Any) -> Snapshot:
    """A snapshot that is ready and has no files."""
    facts = {"state": SnapshotState.READY, "split_rule": "x", "tokenizer_version": "x", **facts}
    return Snapshot.objects.create(project=project, number=number, **facts)


@pytest.fixture
def others(admin: User) -> Project:
    """A project of which the admin alone is a member."""
    return create_project(name="Yeast legends", slug="yeast", actor=admin)


@pytest.fixture
def ours(project: Project) -> ModelVersion:
    return make_model(project, "autophagy-run-1")


@pytest.fixture
def theirs(others: Project) -> ModelVersion:
    return make_model(others, "yeast-run-1")


@pytest.fixture
def shared(db: None) -> ModelVersion:
    """A model from a hub that every project may use."""
    return make_model(None, "org/shared", origin=ModelOrigin.HUB)
