"""Rights in a project. Every view, service and API call checks them here."""

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

#: What each role includes. Superusers may do everything everywhere.
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
    """Return all that the user may do in the project, by one query; empty for a stranger."""
    if not user.is_active or user.is_superuser:
        return actions_with_role(user, None)
    role = (
        Membership.objects.filter(project=project, user_id=user.pk)
        .values_list("role", flat=True)
        .first()
    )
    return actions_with_role(user, role)


def actions_with_role(user: User | AnonymousUser, role: str | None) -> frozenset[Action]:
    """Return all that the user may do in a project with that role, None for a stranger."""
    if not user.is_active:
        return frozenset()
    if user.is_superuser:
        return frozenset(Action)
    return PERMISSIONS[Role(role)] if role else frozenset()


def can(user: User | AnonymousUser, project: Project, action: Action) -> bool:
    return action in actions_of(user, project)


def require(actor: Actor | AnonymousUser, project: Project, action: Action) -> None:
    """Raise ``PermissionDenied`` unless the actor may do that in the project.

    The system may do everything. Raises ``TypeError`` if the actor is None.
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
            " the right."
        )


def project_for(user: User | AnonymousUser, slug: str, action: Action) -> Project:
    """Return the project if the user may do that in it.

    Raises ``Http404`` if the user may not see it, ``PermissionDenied`` for a member without the
    right. ``project.allowed`` holds everything the user may do.
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
    """Apply the rule of scope "project:ID": members see its jobs, managers cancel them."""
    project = Project.objects.filter(pk=int(project_id)).first() if project_id.isdecimal() else None
    return project is not None and can(
        user, project, Action.MANAGE if wants_to_cancel else Action.VIEW
    )


def place_of_project(project_id: str) -> tuple[str, str] | None:
    """Return name and address of the scope "project:ID", or None if it was removed."""
    project = (
        Project.objects.filter(pk=int(project_id)).only("name", "slug").first()
        if project_id.isdecimal()
        else None
    )
    return (
        (project.name, reverse("corpus:project", args=[project.slug]))
        if project is not None
        else None
    )
