"""Who may do what in a project, and how a refusal is said."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import Http404

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.corpus.access import Action, actions_of, can, project_for, require
from annotator.corpus.models import Project

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("viewer", {"view"}),
        ("curator", {"view", "review"}),
        ("reviewer", {"view", "review", "resolve", "import", "tag", "export"}),
        ("manager", {action.value for action in Action}),
        ("admin", {action.value for action in Action}),
        ("stranger", set()),
    ],
)
def test_each_role_has_its_actions(
    role: str, allowed: set[str], project: Project, request: pytest.FixtureRequest
) -> None:
    user: User = request.getfixturevalue(role)
    assert {action.value for action in actions_of(user, project)} == allowed


def test_nobody_anonymous_may_do_anything(project: Project) -> None:
    assert actions_of(AnonymousUser(), project) == frozenset()


@pytest.mark.parametrize("name", ["admin", "manager"])
def test_deactivated_users_may_do_nothing(
    name: str, project: Project, request: pytest.FixtureRequest
) -> None:
    user: User = request.getfixturevalue(name)
    user.is_active = False
    assert not can(user, project, Action.VIEW)


def test_rights_are_asked_for_by_one_query(
    project: Project, curator: User, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        actions_of(curator, project)


@pytest.mark.parametrize("action", list(Action))
def test_the_system_may_do_everything(action: Action, project: Project) -> None:
    require(SYSTEM, project, action)


def test_no_actor_is_not_every_right(project: Project) -> None:
    nobody: Any = None
    with pytest.raises(TypeError, match="a user or SYSTEM, not None"):
        require(nobody, project, Action.VIEW)


@pytest.mark.parametrize("action", list(Action))
def test_a_refusal_says_what_where_and_whom_to_ask(
    action: Action, project: Project, stranger: User
) -> None:
    with pytest.raises(PermissionDenied) as refused:
        require(stranger, project, action)
    sentence = str(refused.value)
    assert sentence.startswith("You may not ")
    assert " in Autophagy legends. Ask a manager of the project" in sentence


def test_a_page_of_a_project_knows_what_its_user_may_do(project: Project, curator: User) -> None:
    found = project_for(curator, "autophagy", Action.REVIEW)
    assert found == project
    assert found.allowed == {Action.VIEW, Action.REVIEW}


def test_a_project_of_others_is_not_found(project: Project, stranger: User) -> None:
    with pytest.raises(Http404):
        project_for(stranger, "autophagy", Action.VIEW)
    with pytest.raises(Http404):
        project_for(stranger, "nothing", Action.VIEW)


def test_members_are_told_what_they_may_not_do(project: Project, viewer: User) -> None:
    with pytest.raises(PermissionDenied, match="You may not train models in Autophagy legends"):
        project_for(viewer, "autophagy", Action.TRAIN)
