"""Start and stop canaries: candidates that tag a fraction of a project's new legends."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from annotator.accounts.actors import Actor, user_of
from annotator.common.errors import UserError
from annotator.corpus.access import Action, require
from annotator.corpus.models import Project
from annotator.learning.models import Canary, ModelTask, ModelVersion, PromotionKind
from annotator.learning.serving.changes import lock_project, log_change, retag_waiting_legends
from annotator.learning.serving.eligibility import refuse_unevaluated, refuse_unusable
from annotator.learning.tagging.lineup import Lineup
from annotator.learning.tagging.services import lineup_of


def start_canary(
    *, project: Project, model_version: ModelVersion, fraction: float, actor: Actor
) -> Canary:
    """Let a candidate tag a ``fraction`` (between 0 and 1) of the legends tagged from now on.

    The hash of a legend's text decides which model tags it, so the choice never changes. A canary
    need not pass the gate, because it does not become the serving model.

    Raises ``PermissionDenied``; ``UserError`` if the model could not be promoted, does not
    predict entities or serves already, if the fraction is out of range, or while another canary
    runs; ``LeakError`` as ``promote``.
    """
    require(actor, project, Action.PROMOTE)
    refuse_unusable(project, model_version)
    _refuse_other_task(model_version)
    _refuse_fraction(fraction)
    refuse_unevaluated(project, model_version)
    with transaction.atomic():
        lock_project(project)
        lineup = lineup_of(project)
        _refuse_busy(lineup, model_version)
        canary = Canary.objects.create(
            project=project,
            model_version=model_version,
            serving_model=lineup.entities,
            fraction=fraction,
            started_by=user_of(actor),
        )
        log_change(
            project,
            PromotionKind.CANARY_STARTED,
            model_version,
            before=lineup.entities,
            actor=actor,
            reason=f"{canary.percent}% of newly tagged legends",
        )
        retag_waiting_legends(project, actor)
    return canary


def _refuse_other_task(model: ModelVersion) -> None:
    if model.task != ModelTask.ENTITIES:
        raise UserError(
            f"{model.name} predicts {model.get_task_display()}. Only a model that predicts entities"
            " can be a canary."
        )


def _refuse_fraction(fraction: float) -> None:
    is_number = isinstance(fraction, int | float) and not isinstance(fraction, bool)
    if not is_number or not 0 < fraction < 1:
        raise UserError("The percentage of legends must lie between 0 and 100, both excluded.")


def _refuse_busy(lineup: Lineup, model: ModelVersion) -> None:
    if lineup.entities == model:
        raise UserError(f"{model.name} is the serving model already.")
    if lineup.canary is not None:
        raise UserError(
            f"{lineup.canary.model_version} is a running canary. Stop it before you start another."
        )


def stop_canary(*, project: Project, actor: Actor, reason: str = "") -> Canary:
    """Stop the running canary and re-tag waiting legends with the serving model.

    Raises ``PermissionDenied``, and ``UserError`` if no canary runs in the project.
    """
    require(actor, project, Action.PROMOTE)
    with transaction.atomic():
        lock_project(project)
        stopped = end_canary(project, actor, reason)
        if stopped is None:
            raise UserError("No canary is running in this project.")
        retag_waiting_legends(project, actor)
    return stopped


def end_canary(project: Project, actor: Actor, reason: str) -> Canary | None:
    """Mark the running canary as stopped, log it and return it, or return None if none runs."""
    canary: Canary | None = (
        project.canaries.running().select_related("model_version", "serving_model").first()
    )
    if canary is None:
        return None
    canary.stopped_at = timezone.now()
    canary.stopped_by = user_of(actor)
    canary.save(update_fields=["stopped_at", "stopped_by"])
    log_change(
        project,
        PromotionKind.CANARY_STOPPED,
        canary.model_version,
        before=None,
        actor=actor,
        reason=reason,
    )
    return canary
