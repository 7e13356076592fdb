"""The offer of present defaults to projects that are older than them.

A project keeps its settings until one of its managers takes the new ones.
"""

from __future__ import annotations

import structlog

from annotator.accounts.actors import Actor, log_name
from annotator.corpus.access import Action, require
from annotator.corpus.models import DEFAULT_THRESHOLD, Project, default_steps
from ner_engine.registry.steps import steps_named

log = structlog.get_logger(__name__)


def take_new_defaults(*, project: Project, actor: Actor) -> None:
    """Give the project the present defaults. Raises ``PermissionDenied``."""
    steps = steps_named([*project.steps, *default_steps(project.label_set)]).names
    _answer(project, actor, taken=True, threshold=DEFAULT_THRESHOLD, steps=list(steps))


def decline_new_defaults(*, project: Project, actor: Actor) -> None:
    """Keep the project's settings and offer the defaults no more. Raises ``PermissionDenied``."""
    _answer(project, actor, taken=False)


def _answer(project: Project, actor: Actor, *, taken: bool, **settings: object) -> None:
    require(actor, project, Action.MANAGE)
    Project.objects.filter(pk=project.pk).update(offers_new_defaults=False, **settings)
    project.refresh_from_db()
    log.info("new_defaults_answered", project=project.pk, actor=log_name(actor), taken=taken)
