"""Promote models, roll promotions back, and switch optional pipeline stages off and on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from annotator.common.errors import UserError
from annotator.corpus.access import Action, require
from annotator.corpus.models import Project
from annotator.learning.models import (
    ModelTask,
    ModelVersion,
    Promotion,
    PromotionKind,
    ServingModel,
    TrainingRun,
)
from annotator.learning.serving.canary import end_canary
from annotator.learning.serving.changes import lock_project, log_change, retag_waiting_legends
from annotator.learning.serving.eligibility import refuse_unevaluated, refuse_unusable
from annotator.learning.serving.gate import GateResult, gate_result, pass_gate
from annotator.learning.tagging.lineup import Stage
from annotator.learning.tagging.services import default_model, lineup_of
from ner_engine.errors import EngineError

if TYPE_CHECKING:
    from annotator.accounts.actors import Actor


# Promotion


def promote(
    *, project: Project, model_version: ModelVersion, actor: Actor, reason: str = ""
) -> Promotion:
    """Make a model the serving model of its task, and re-tag waiting legends with it.

    Decided legends stay as they are, and so do the serving models of other tasks. A stage that was
    switched off is switched on again. A model that does not pass the gate needs an override
    reason; the gate result is logged with the promotion.

    Raises ``PermissionDenied``; ``UserError`` if the model serves already, cannot be used in the
    project, or has no evaluation on held-out papers; ``LeakError`` if it was trained on a paper
    it was evaluated on; ``GateError`` if it does not pass the gate and no reason is given.
    """
    require(actor, project, Action.PROMOTE)
    refuse_unusable(project, model_version)
    refuse_unevaluated(project, model_version)
    with transaction.atomic():
        lock_project(project)
        stage = lineup_of(project).stage(model_version.task)
        if stage.model == model_version:
            raise UserError(f"{model_version.name} is the serving model already.")
        result = pass_gate(model_version, _reference_model(project, stage), project, reason)
        return _serve(
            project,
            model_version,
            before=stage.model,
            kind=PromotionKind.PROMOTED,
            actor=actor,
            reason=reason,
            result=str(result),
        )


def gate_result_of(*, project: Project, model_version: ModelVersion) -> GateResult:
    """Return the gate result of promoting the model now."""
    stage = lineup_of(project).stage(model_version.task)
    return gate_result(model_version, _reference_model(project, stage), project)


def candidate_gate_result(run: TrainingRun, *, stage: Stage | None = None) -> GateResult | None:
    """Return the gate result of the run's candidate.

    None if the run has no candidate, or if the candidate serves already. ``stage`` is the run's
    stage if the caller knows it.
    """
    if run.candidate is None:
        return None
    stage = stage or lineup_of(run.project).stage(run.task)
    if run.candidate == stage.model:
        return None
    return gate_result(run.candidate, _reference_model(run.project, stage), run.project)


def _reference_model(project: Project, stage: Stage) -> ModelVersion | None:
    """Return the model that the gate compares a candidate with.

    That is the serving model or, if the stage is switched off, the one that served last.
    """
    if not stage.is_off:
        return stage.model
    last = standing_promotion(project, stage.task)
    if last is not None:
        return last.model_version
    try:
        return default_model(stage.task)
    except EngineError:
        return None


def _serve(
    project: Project,
    model: ModelVersion,
    *,
    before: ModelVersion | None,
    kind: PromotionKind,
    actor: Actor,
    reason: str,
    result: str = "",
) -> Promotion:
    ServingModel.objects.update_or_create(
        project=project, task=model.task, defaults={"model_version": model}
    )
    if model.task == ModelTask.ENTITIES:
        end_canary(project, actor, f"{model.name} was promoted")
    promotion = log_change(
        project, kind, model, before=before, actor=actor, reason=reason, gate_result=result
    )
    retag_waiting_legends(project, actor)
    return promotion


# Rolling back


def roll_back(
    *, project: Project, actor: Actor, task: str = ModelTask.ENTITIES, reason: str = ""
) -> Promotion:
    """Undo the last promotion of the task that was not rolled back yet.

    Raises ``PermissionDenied``, and ``UserError`` if there is nothing to roll back to.
    """
    require(actor, project, Action.PROMOTE)
    with transaction.atomic():
        lock_project(project)
        if lineup_of(project).stage(task).is_off:
            raise UserError(
                f"The stage {ModelTask(task).label} is switched off. Switch it on first."
            )
        last = standing_promotion(project, task)
        if last is None:
            raise UserError(
                "There is no promotion to roll back: the project uses its default model."
            )
        if last.replaced is None:
            raise UserError(
                f"No model served this stage before {last.model_version}. Switch the stage off, or"
                " promote another model."
            )
        return _serve(
            project,
            last.replaced,
            before=last.model_version,
            kind=PromotionKind.ROLLED_BACK,
            actor=actor,
            reason=reason,
        )


def standing_promotion(project: Project, task: str = ModelTask.ENTITIES) -> Promotion | None:
    """Return the last promotion of the task that was not rolled back, or None."""
    n_rolled_back = 0
    changes = project.promotions.of_task(task).filter(
        kind__in=[PromotionKind.PROMOTED, PromotionKind.ROLLED_BACK]
    )
    for promotion in changes.select_related("model_version", "replaced").order_by("-id"):
        if promotion.kind == PromotionKind.ROLLED_BACK:
            n_rolled_back += 1
        elif n_rolled_back:
            n_rolled_back -= 1
        else:
            return promotion
    return None


# Optional stages


def switch_stage(
    *, project: Project, task: str, is_on: bool, actor: Actor, reason: str = ""
) -> Promotion:
    """Switch an optional pipeline stage on or off; existing suggestions stay until re-tagging.

    Raises ``PermissionDenied``; ``UserError`` for entities, which are always tagged, for a stage
    that is in that state already, and for one without a model; ``EngineError`` if the default
    model that would serve is missing.
    """
    require(actor, project, Action.PROMOTE)
    with transaction.atomic():
        lock_project(project)
        stage = lineup_of(project).stage(task)
        if not stage.task.is_optional:
            raise UserError("Entities are always tagged. Panels and roles can be switched off.")
        if stage.is_off != is_on:
            state = "on" if is_on else "off"
            raise UserError(f"The stage {stage.task.label} is switched {state} already.")
        if is_on:
            return _switch_on(project, stage.task, actor, reason)
        return _switch_off(project, stage, actor, reason)


def _switch_off(project: Project, stage: Stage, actor: Actor, reason: str) -> Promotion:
    if stage.model is None:
        raise UserError(f"There is nothing to switch off ({stage.task.label}): {stage.reason}.")
    ServingModel.objects.update_or_create(
        project=project, task=stage.task, defaults={"model_version": None}
    )
    return log_change(
        project, PromotionKind.SWITCHED_OFF, stage.model, before=None, actor=actor, reason=reason
    )


def _switch_on(project: Project, task: ModelTask, actor: Actor, reason: str) -> Promotion:
    """Serve the model that was promoted last, or follow the default model if none was."""
    last = standing_promotion(project, task)
    if last is None:
        model = default_model(task)
        ServingModel.objects.filter(project=project, task=task).delete()
    else:
        model = last.model_version
        ServingModel.objects.filter(project=project, task=task).update(
            model_version=model, changed_at=timezone.now()
        )
    promotion = log_change(
        project, PromotionKind.SWITCHED_ON, model, before=None, actor=actor, reason=reason
    )
    retag_waiting_legends(project, actor)
    return promotion
