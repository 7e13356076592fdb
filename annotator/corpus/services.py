"""Services for projects and their members.

The services of ``imports`` are offered here too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.utils.text import slugify

from annotator.accounts.actors import Actor, user_of
from annotator.common.errors import UserError
from annotator.corpus.access import Action, require
from annotator.corpus.guideline import STARTING_GUIDELINE
from annotator.corpus.imports import import_documents, import_paths, start_import
from annotator.corpus.labels import DEFAULT_LABELS, DEFAULT_NAME, DEFAULT_VERSION
from annotator.corpus.models import Label, LabelSet, Membership, Project, Role, default_steps

if TYPE_CHECKING:
    from annotator.accounts.models import User

__all__ = [
    "add_member",
    "create_project",
    "default_label_set",
    "import_documents",
    "import_paths",
    "may_create_project",
    "refuse_to_create_project",
    "remove_member",
    "start_import",
]

RESERVED_SLUGS = frozenset({"new"})


def default_label_set() -> LabelSet:
    """Return the label set of sd-nlp version 2; the first call creates it."""
    with transaction.atomic():
        label_set, is_new = LabelSet.objects.get_or_create(
            name=DEFAULT_NAME, defaults={"version": DEFAULT_VERSION}
        )
        if is_new:
            Label.objects.bulk_create(
                Label(
                    label_set=label_set,
                    code=seed.code,
                    name=seed.name,
                    short=seed.short,
                    key=str(position),
                    hue=seed.hue,
                    takes_role=seed.takes_role,
                    guideline=seed.guideline,
                    position=position,
                )
                for position, seed in enumerate(DEFAULT_LABELS, start=1)
            )
    return label_set


def may_create_project(user: User | AnonymousUser) -> bool:
    return user.is_active and (user.is_staff or user.has_perm("corpus.add_project"))


def refuse_to_create_project(user: User | AnonymousUser) -> None:
    """Raise ``PermissionDenied`` unless the user may create projects."""
    if not may_create_project(user):
        raise PermissionDenied(
            "Only staff may create projects. Ask an administrator for permission to add projects."
        )


def create_project(
    *,
    name: str,
    slug: str = "",
    description: str = "",
    actor: Actor,
    label_set: LabelSet | None = None,
) -> Project:
    """Create a project; the user who creates it becomes its manager.

    Without a label set it gets that of sd-nlp, and the guideline that belongs to it.
    Raise ``PermissionDenied`` if the user is not staff and lacks the permission
    ``corpus.add_project``, or ``UserError`` if the name or address is not valid or already in use.
    """
    user = user_of(actor)
    if user is not None:
        refuse_to_create_project(user)
    slug = slug or slugify(name)[:80]
    if not name.strip() or not slug:
        raise UserError("A project needs a name with at least one letter or digit.")
    if slug in RESERVED_SLUGS or slugify(slug) != slug.lower():
        raise UserError(
            f'"{slug}" cannot be the address of a project. Use small letters, digits and hyphens.'
        )
    guideline = "" if label_set else STARTING_GUIDELINE
    labels = label_set or default_label_set()
    try:
        with transaction.atomic():
            project = Project.objects.create(
                name=name.strip(),
                slug=slug,
                description=description,
                label_set=labels,
                steps=default_steps(labels),
                guideline=guideline,
                created_by=user,
            )
            if user is not None:
                Membership.objects.create(project=project, user=user, role=Role.MANAGER)
    except IntegrityError as error:
        raise UserError(
            f'The address "{slug}" belongs to another project. Choose another address.'
        ) from error
    return project


def add_member(*, project: Project, user: User, role: str, actor: Actor) -> Membership:
    """Add a member to the project, or change the member's role.

    Raise ``PermissionDenied``, or ``UserError`` if the project would lose its last manager.
    """
    require(actor, project, Action.MANAGE)
    if role not in Role.values:
        raise UserError(f'"{role}" is not a role; choose one of {", ".join(Role.values)}.')
    with transaction.atomic():
        _lock(project)
        if role != Role.MANAGER:
            _refuse_to_lose_the_last_manager(project, user)
        membership, _ = Membership.objects.update_or_create(
            project=project, user=user, defaults={"role": role}
        )
    return membership


def remove_member(*, project: Project, user: User, actor: Actor) -> None:
    """Remove a member from the project; the member's decisions stay.

    Raise ``PermissionDenied``, or ``UserError`` for the last manager.
    """
    require(actor, project, Action.MANAGE)
    with transaction.atomic():
        _lock(project)
        _refuse_to_lose_the_last_manager(project, user)
        Membership.objects.filter(project=project, user=user).delete()


def _lock(project: Project) -> None:
    Project.objects.select_for_update().get(pk=project.pk)


def _refuse_to_lose_the_last_manager(project: Project, user: User) -> None:
    managers = Membership.objects.filter(project=project, role=Role.MANAGER)
    if managers.filter(user=user).exists() and not managers.exclude(user=user).exists():
        raise UserError("A project needs a manager. Give the role to another member first.")
