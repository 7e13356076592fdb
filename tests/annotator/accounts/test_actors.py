"""The system as an actor beside users."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from structlog.testing import capture_logs

from annotator.accounts.actors import SYSTEM, actor_of, log_name, user_of
from annotator.accounts.models import ApiToken, User
from annotator.accounts.tokens import create_token
from annotator.corpus.access import Action, require
from annotator.corpus.models import Membership, Project
from annotator.corpus.services import create_project

pytestmark = pytest.mark.django_db
NOBODY: Any = None


@pytest.mark.parametrize("action", Action)
def test_the_system_may_do_everything(action: Action, project: Project) -> None:
    require(SYSTEM, project, action)


@pytest.mark.parametrize("action", Action)
def test_a_missing_actor_is_refused(action: Action, project: Project) -> None:
    with pytest.raises(TypeError, match="An actor is a user or SYSTEM, not None"):
        require(NOBODY, project, action)


def test_anonymous_users_may_not_even_see(project: Project) -> None:
    with pytest.raises(PermissionDenied, match="You may not see this project"):
        require(AnonymousUser(), project, Action.VIEW)


def test_a_column_names_the_user(viewer: User) -> None:
    assert user_of(viewer) is viewer


def test_a_column_is_empty_for_the_system() -> None:
    assert user_of(SYSTEM) is None


@pytest.mark.parametrize("wrong", [None, 7, "system", AnonymousUser()], ids=str)
def test_only_users_and_the_system_are_actors(wrong: Any) -> None:
    with pytest.raises(TypeError, match="An actor is a user or SYSTEM"):
        user_of(wrong)


def test_an_empty_column_means_the_system() -> None:
    assert actor_of(None) is SYSTEM


def test_a_stored_user_is_the_actor(viewer: User) -> None:
    assert actor_of(viewer) is viewer


def test_the_log_names_a_user_by_key(viewer: User) -> None:
    assert log_name(viewer) == viewer.pk


def test_the_log_never_names_a_missing_actor() -> None:
    with pytest.raises(TypeError):
        log_name(NOBODY)


def test_the_log_says_that_the_system_acted(viewer: User) -> None:
    with capture_logs() as lines:
        create_token(user=viewer, name="nightly", actor=SYSTEM)
    assert [line["actor"] for line in lines if line["event"] == "api_token_created"] == ["system"]


def test_a_token_of_a_missing_actor_is_refused(viewer: User) -> None:
    with pytest.raises(TypeError):
        create_token(user=viewer, name="nightly", actor=NOBODY)
    assert not ApiToken.objects.exists()


def test_a_project_of_the_system_has_no_creator() -> None:
    assert create_project(name="Legends", actor=SYSTEM).created_by is None


def test_a_project_of_the_system_has_no_manager() -> None:
    assert not Membership.objects.filter(
        project=create_project(name="Legends", actor=SYSTEM)
    ).exists()


def test_a_missing_actor_creates_no_project() -> None:
    with pytest.raises(TypeError):
        create_project(name="Legends", actor=NOBODY)
    assert not Project.objects.exists()
