"""The steps that every change of a project's serving models shares: lock, log, re-tag."""

from __future__ import annotations

import structlog
from django.db import transaction

from annotator.accounts.actors import Actor, log_name, user_of
from annotator.corpus.models import Project
from annotator.jobs.errors import JobConflictError
from annotator.jobs.services import enqueue
from annotator.learning.models import ModelVersion, Promotion, PromotionKind
from annotator.learning.tagging.services import PRETAG_KIND, pretag_payload

log = structlog.get_logger(__name__)


def lock_project(project: Project) -> None:
    """Hold the project's row until the transaction ends, so that changes happen one by one."""
    Project.objects.select_for_update().get(pk=project.pk)


def log_change(
    project: Project,
    kind: PromotionKind,
    model: ModelVersion,
    *,
    before: ModelVersion | None,
    actor: Actor,
    reason: str,
    gate_result: str = "",
) -> Promotion:
    """Add an entry to the project's promotion log and return it."""
    promotion = Promotion.objects.create(
        project=project,
        kind=kind,
        model_version=model,
        replaced=before,
        actor=user_of(actor),
        reason=reason.strip(),
        verdict=gate_result,
    )
    log.info(
        "serving_model_changed",
        project=project.pk,
        kind=str(kind),
        actor=log_name(actor),
        task=model.task,
        model=model.name,
        before=before.name if before is not None else None,
    )
    return promotion


def retag_waiting_legends(project: Project, actor: Actor) -> None:
    """Enqueue pre-tagging with the models that serve now.

    An unfinished pre-tagging job makes this unnecessary: a pending one uses the new models
    anyway, and a running one notices the change.
    """
    try:
        with transaction.atomic():
            enqueue(
                kind=PRETAG_KIND,
                scope=project.scope,
                payload=pretag_payload(project),
                actor=actor,
            )
    except JobConflictError:
        log.info("retagging_left_to_unfinished_job", project=project.pk)
