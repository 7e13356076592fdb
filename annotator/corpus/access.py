"""Permissions in a project. Every view, service and API call checks them here."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.urls import reverse

from annotator.accounts.actors import System
from annotator.corpus.models import Membership, Project, Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from annotator.accounts.actors import Actor
    from annotator.accounts.models import User


class Action(StrEnum):
    VIEW = "view"
    REVIEW = "review"
    RESOLVE = "resolve"
    IMPORT = "import"
    TAG = "tag"
    EXPORT = "export"
    TRAIN = "train"
    PROMOTE = "promote"
    MANAGE = "manage"


_VIEWER: Final = frozenset({Action.VIEW})
_CURATOR: Final = _VIEWER | {Action.REVIEW}
_REVIEWER: Final = _CURATOR | {Action.RESOLVE, Action.IMPORT, Action.TAG, Action.EXPORT}

#: The actions that each role may do. Superusers may do everything in every project.
PERMISSIONS: Final[Mapping[Role, frozenset[Action]]] = MappingProxyType(
    {
        Role.VIEWER: _VIEWER,
        Role.CURATOR: _CURATOR,
        Role.REVIEWER: _REVIEWER,
        Role.MANAGER: frozenset(Action),
    }
)

_REFUSALS: Final[Mapping[Action, str]] = MappingProxyType(
    {
        Action.VIEW: "see this project",
        Action.REVIEW: "review legends",
        Action.RESOLVE: "answer questions on legends",
        Action.IMPORT: "import legends",
        Action.TAG: "pre-tag legends",
        Action.EXPORT: "export legends",
        Action.TRAIN: "train models",
        Action.PROMOTE: "promote models",
        Action.MANAGE: "change members and settings",
    }
)


def actions_of(user: User | AnonymousUser, project: Project) -> frozenset[Action]:
    """Return the actions that the user may do in the project; none for a stranger.

    This takes one query.
    """
    if not user.is_active or user.is_superuser:
        return actions_with_role(user, None)
    role = (
        Membership.objects.filter(project=project, user_id=user.pk)
        .values_list("role", flat=True)
        .first()
    )
    return actions_with_role(user, role)


def actions_with_role(user: User | AnonymousUser, role: str | None) -> frozenset[Action]:
    """Return the actions that a user with that role may do; a stranger has the role None."""
    if not user.is_active:
        return frozenset()
    if user.is_superuser:
        return frozenset(Action)
    if role is None:
        return frozenset()
    return PERMISSIONS[Role(role)]


def can(user: User | AnonymousUser, project: Project, action: Action) -> bool:
    return action in actions_of(user, project)


def require(actor: Actor | AnonymousUser, project: Project, action: Action) -> None:
    """Raise ``PermissionDenied`` unless the actor may do the action in the project.

    The system may do everything. Raise ``TypeError`` if the actor is None.
    """
    if actor is None:
        raise TypeError("An actor is a user or SYSTEM, not None.")
    if not isinstance(actor, System):
        refuse_unless(actions_of(actor, project), project, action)


def refuse_unless(allowed: frozenset[Action], project: Project, action: Action) -> None:
    """Raise ``PermissionDenied`` unless the action is among those allowed in the project."""
    if action not in allowed:
        raise PermissionDenied(
            f"You may not {_REFUSALS[action]} in {project.name}. Ask a manager of the project for"
            " permission."
        )


def project_for(user: User | AnonymousUser, slug: str, action: Action) -> Project:
    """Return the project if the user may do the action in it.

    ``project.allowed`` holds all actions that the user may do. Raise ``Http404`` if the user may
    not see the project, or ``PermissionDenied`` if a member may not do the action.
    """
    project = Project.objects.select_related("label_set").filter(slug=slug).first()
    allowed = actions_of(user, project) if project is not None else frozenset()
    if project is None or Action.VIEW not in allowed:
        raise Http404("There is no such project.")
    if action not in allowed:
        require(user, project, action)
    project.allowed = allowed
    return project


def may_touch_jobs_of(user: User | AnonymousUser, project_id: str, wants_to_cancel: bool) -> bool:
    """Return whether the user may see or cancel jobs of the scope "project:ID".

    Members may see them, and managers may cancel them.
    """
    project = _project_of_scope(project_id)
    if project is None:
        return False
    if wants_to_cancel:
        return can(user, project, Action.MANAGE)
    return can(user, project, Action.VIEW)


def place_of_project(project_id: str) -> tuple[str, str] | None:
    """Return name and address of the scope "project:ID", or None if the project was removed."""
    project = _project_of_scope(project_id)
    if project is None:
        return None
    return project.name, reverse("corpus:project", args=[project.slug])


def _project_of_scope(project_id: str) -> Project | None:
    if not project_id.isdecimal():
        return None
    return Project.objects.filter(pk=int(project_id)).first()
