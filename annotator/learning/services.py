"""Models of a project: which one serves, tagging with it, training the next, putting it into
service and back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from annotator.common.errors import UserError
from annotator.corpus.access import Action, require
from annotator.corpus.models import Project
from annotator.datasets.models import Snapshot
from annotator.datasets.services import verify_snapshot
from annotator.datasets.snapshots import refuse_leak
from annotator.jobs.errors import JobConflictError
from annotator.jobs.models import Job, JobState
from annotator.jobs.services import enqueue, request_cancel
from annotator.learning import engine
from annotator.learning.evaluation.comparison import Comparison, compare_evaluations
from annotator.learning.models import (
    Canary,
    Evaluation,
    ModelOrigin,
    ModelTask,
    ModelVersion,
    Promotion,
    PromotionKind,
    RunState,
    ServingModel,
    TrainingRun,
)
from annotator.learning.serving.gate import Verdict, pass_gate, verdict_on
from annotator.learning.tagging.lineup import Lineup, Step
from annotator.learning.training.runs import TEST, ancestors_of, remove_leftovers
from ner_engine.errors import EngineError, ModelNotFoundError, UnsafeModelError

if TYPE_CHECKING:
    from annotator.accounts.models import User

log = structlog.get_logger(__name__)

PRETAG_KIND: Final = "pretag"
TRAIN_KIND: Final = "train_model"
JUDGE_KIND: Final = "judge_model"
TRIAL_KIND: Final = "try_training"
DEFAULT_RECIPE: Final = "quick"


# Which model


def serving_model(project: Project) -> ModelVersion:
    """The model that tags the project's entities now: the one promoted last, else the default
    model.

    Raises ``EngineError`` where the default model (SD_DEFAULT_MODEL) is not there.
    """
    serving = (
        ServingModel.objects.filter(project=project, task=ModelTask.ENTITIES)
        .select_related("model_version")
        .first()
    )
    return (
        serving.model_version
        if serving is not None and serving.model_version is not None
        else default_model(ModelTask.ENTITIES)
    )


def default_model(task: ModelTask) -> ModelVersion:
    """The model that does a step where nobody put another into service (SD_DEFAULT_MODEL and its
    like).

    Raises ``EngineError`` where it is not there, is none for the step, or none is set.
    """
    location = default_location(task)
    if not location:
        raise ModelNotFoundError(f"no model is set for {task.label}")
    model = register_model(location=location)
    if model.task != task:
        raise UnsafeModelError(
            f"{location} tells {ModelTask(model.task).label}, so it cannot be the default model for"
            f" {task.label}"
        )
    return model


def default_location(task: ModelTask) -> str:
    """Where the settings say that the default model of a task lies; empty where the step is not to
    be done by default."""
    of_tasks = {
        ModelTask.ENTITIES: settings.DEFAULT_MODEL,
        ModelTask.PANELS: settings.DEFAULT_PANELS_MODEL,
        ModelTask.GENEPROD_ROLES: settings.DEFAULT_GENEPROD_ROLES_MODEL,
        ModelTask.SMALL_MOL_ROLES: settings.DEFAULT_SMALL_MOL_ROLES_MODEL,
    }
    return str(of_tasks[task])


def lineup_of(project: Project) -> Lineup:
    """The models of all steps. Raises ``EngineError`` where there is none for entities; without the
    others legends are tagged too."""
    chosen = set(
        project.promotions.order_by().values_list("model_version__task", flat=True).distinct()
    )
    serving = {
        row.task: row.model_version
        for row in ServingModel.objects.filter(project=project).select_related("model_version")
    }
    roles = set(
        project.label_set.labels.filter(takes_role=True, retired_at=None).values_list(
            "code", flat=True
        )
    )
    canary = project.canaries.running().select_related("model_version", "beside").first()
    return Lineup(
        [_step(task, serving, roles, is_chosen=task in chosen) for task in ModelTask], canary
    )


def _step(
    task: ModelTask,
    serving: Mapping[str, ModelVersion | None],
    role_labels: Collection[str],
    *,
    is_chosen: bool,
) -> Step:
    if task in serving and serving[task] is None:
        return Step(
            task, reason="it is switched off in this project", is_off=True, is_chosen=is_chosen
        )
    label = engine.role_label_of(task)
    if label and label not in role_labels:
        return Step(
            task, reason=f"the project has no label {label} that takes roles", is_chosen=is_chosen
        )
    if task in serving:
        return Step(task, serving[task], is_chosen=is_chosen)
    try:
        return Step(task, default_model(task), is_chosen=is_chosen)
    except EngineError as error:
        if not task.is_optional:
            raise
        return Step(task, reason=str(error), is_chosen=is_chosen)


def projects_served_by(model: ModelVersion) -> QuerySet[Project]:
    """The projects in which the model does its step now: by promotion, or because it is the default
    and nothing was promoted there."""
    chosen = ServingModel.objects.filter(task=model.task)
    served = Q(pk__in=chosen.filter(model_version=model).values("project"))
    if model.origin != ModelOrigin.TRAINED and _is_default(model):
        served |= ~Q(pk__in=chosen.values("project"))
    return Project.objects.filter(served, archived_at=None)


def _is_default(model: ModelVersion) -> bool:
    try:
        return default_model(ModelTask(model.task)) == model
    except EngineError:
        if not ModelTask(model.task).is_optional:
            raise
        return False


def register_model(*, location: str) -> ModelVersion:
    """The version for what lies at ``location`` now: bundled, a folder, or a hub name in the local
    cache. Other files are another version.

    Raises ``ModelNotFoundError`` or ``UnsafeModelError``.
    """
    facts = engine.inspect_model(location)
    origin = (
        ModelOrigin.BUNDLED
        if engine.is_bundled(location)
        else ModelOrigin.FOLDER
        if Path(location).is_dir()
        else ModelOrigin.HUB
    )
    model, is_new = ModelVersion.objects.get_or_create(
        name=f"{facts.name}-{facts.sha256[:8]}",
        defaults={
            "origin": origin,
            "location": str(Path(location).resolve()) if origin == ModelOrigin.FOLDER else location,
            "task": facts.task,
            "labels": list(facts.labels),
            "weights_sha256": facts.sha256,
        },
    )
    if is_new:
        log.info("model_registered", model=model.name, origin=model.origin)
    return model


def find_model(*, name: str, project: Project) -> ModelVersion:
    """The model a person names: a version's name, or bundled, a folder or a cached hub name. Raises
    ``UserError``, ``EngineError``."""
    known = ModelVersion.objects.usable_in(project).filter(name=name).first()
    if known is not None:
        return known
    if ModelVersion.objects.filter(name=name).exists():
        raise UserError(
            f'The model "{name}" is retired or belongs to another project. Choose another.'
        )
    return register_model(location=name)


# Pre-tagging


def start_pretagging(
    *, project: Project, actor: User | None, model_version: ModelVersion | None = None
) -> Job:
    """Have a worker tag every undecided legend, its entities with ``model_version`` or with
    whatever serves when it begins; the other steps with what serves.

    Raises ``PermissionDenied``; ``UserError`` for a model that does not tell entities;
    ``JobConflictError`` while such a job is unfinished in the project.
    """
    require(actor, project, Action.TAG)
    return enqueue(
        kind=PRETAG_KIND,
        scope=project.scope,
        arguments=pretag_arguments(project, model_version),
        actor=actor,
    )


def pretag_arguments(project: Project, model_version: ModelVersion | None = None) -> dict[str, Any]:
    """What a pre-tagging job is told. ``serving`` is what served when it was asked for, by which it
    notices a promotion. Raises ``UserError``."""
    if model_version is not None and model_version.task != ModelTask.ENTITIES:
        raise UserError(
            f"{model_version.name} tells {model_version.get_task_display()}, not entities. Put it"
            " into service, and legends are tagged with it too."
        )
    return {
        "project": project.pk,
        "model": model_version.pk if model_version else None,
        "serving": lineup_of(project).keys,
    }


def waiting_pretagging(*, project: Project, model_version: ModelVersion | None) -> Job | None:
    """The tagging with that model, or by whatever serves, that no worker has begun yet."""
    waiting = Job.objects.filter(
        kind=PRETAG_KIND, scope=project.scope, state=JobState.PENDING
    ).first()
    asked = model_version.pk if model_version is not None else None
    return waiting if waiting is not None and waiting.arguments["model"] == asked else None


# Training


def start_training(
    *,
    project: Project,
    snapshot: Snapshot,
    actor: User | None,
    recipe: str = DEFAULT_RECIPE,
    hyperparameters: Mapping[str, Any] | None = None,
    base: ModelVersion | None = None,
    reason: str = "",
) -> TrainingRun:
    """Fine-tune ``base`` on the snapshot in the background, and judge what comes out. The recipe
    says for which step it is to be.

    Where no base is given, it is what serves that step, else what serves the entities: the head is
    then new. ``reason`` says why it is started where no person does it. Raises
    ``PermissionDenied``; ``UserError`` for a snapshot that cannot be trained or judged on, a
    hyperparameter that cannot be, or a model of another project; ``JobConflictError`` while another
    training is unfinished in the project.
    """
    run = add_training_run(
        project=project,
        snapshot=snapshot,
        actor=actor,
        recipe=recipe,
        hyperparameters=hyperparameters or {},
        base=base,
    )
    cancel_trials(project=project, actor=actor)
    try:
        with transaction.atomic():
            run.job = enqueue(
                kind=TRAIN_KIND,
                scope=project.scope,
                arguments={"training_run": run.pk},
                actor=actor,
            )
            run.reason = reason[:300]
            run.save(update_fields=["job", "reason"])
    except JobConflictError:
        run.delete()
        raise
    log.info(
        "training_started",
        run=run.pk,
        project=project.pk,
        recipe=recipe,
        actor=getattr(actor, "pk", None),
    )
    return run


def add_training_run(
    *,
    project: Project,
    snapshot: Snapshot,
    actor: User | None,
    recipe: str,
    hyperparameters: Mapping[str, Any],
    base: ModelVersion | None,
) -> TrainingRun:
    """The row of a run that is still to be done. Raises as ``start_training``."""
    plan = plan_training(
        project=project,
        snapshot=snapshot,
        actor=actor,
        recipe=recipe,
        hyperparameters=hyperparameters,
        base=base,
    )
    settle_runs(project=project)
    facts = {"recipe": recipe, "task": plan.task, "hyperparameters": dict(plan.hyperparameters)}
    return TrainingRun.objects.create(
        project=project, snapshot=snapshot, base=plan.base, created_by=actor, **facts
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """A training as it would be, of which everything was checked that can be before it begins.
    ``hyperparameters`` are all of them."""

    project: Project
    snapshot: Snapshot
    recipe: str
    task: str
    base: ModelVersion
    hyperparameters: Mapping[str, Any]


def plan_training(
    *,
    project: Project,
    snapshot: Snapshot,
    actor: User | None,
    recipe: str,
    hyperparameters: Mapping[str, Any],
    base: ModelVersion | None,
) -> Plan:
    """What ``start_training`` would do. Raises as it does, but for other trainings, and changes
    nothing."""
    require(actor, project, Action.TRAIN)
    if snapshot.project_id != project.pk:
        raise UserError("The snapshot belongs to another project. Choose one of this project.")
    if not snapshot.is_ready:
        raise UserError(
            f"Snapshot {snapshot.number} is not ready. Wait for its end, or make a new one."
        )
    if not snapshot.counts[TEST]["panels"]:
        raise UserError(
            f"Snapshot {snapshot.number} holds no paper that is held out, so a new model could not"
            " be judged. Accept legends of more papers and make a new snapshot."
        )
    task = engine.task_of_recipe(recipe)
    base = base or lineup_of(project).step(task).model or serving_model(project)
    if not ModelVersion.objects.usable_in(project).filter(pk=base.pk).exists():
        raise UserError(
            f"The model {base.name} is retired or belongs to another project. Choose another base."
        )
    return Plan(
        project,
        snapshot,
        recipe,
        task,
        base,
        engine.checked_hyperparameters(recipe, hyperparameters),
    )


def cancel_trials(*, project: Project, actor: User | None) -> None:
    """Stop what is being tried out for runs of the project: somebody knows now what to start, or
    tries something else."""
    for job in Job.objects.unfinished().filter(kind=TRIAL_KIND, scope=project.scope):
        request_cancel(job=job, actor=actor)


def cancel_training(*, run: TrainingRun, actor: User | None) -> TrainingRun:
    """Stop the run; it leaves no candidate. A finished run stays as it is. Raises
    ``PermissionDenied``."""
    require(actor, run.project, Action.TRAIN)
    if run.job is not None and not run.is_final:
        request_cancel(job=run.job, actor=actor)
    settle_runs(project=run.project)
    run.refresh_from_db()
    return run


def settle_runs(*, project: Project) -> None:
    """End the runs whose job ended without them: cancelled while it waited, or given up after its
    workers died."""
    for run in (
        project.training_runs.unfinished().exclude(job=None).select_related("job", "project")
    ):
        job = run.job
        if job is None or not job.is_final:
            continue
        state = RunState.CANCELLED if job.state == JobState.CANCELLED else RunState.FAILED
        if TrainingRun.objects.filter(pk=run.pk).move(
            state, error=job.error, finished_at=timezone.now()
        ):
            remove_leftovers(run)


def start_judging(
    *, project: Project, snapshot: Snapshot, model_version: ModelVersion, actor: User | None
) -> Job:
    """Have a worker judge a model on the held-out papers of a snapshot, so that it can be compared
    and promoted. Raises ``PermissionDenied``."""
    require(actor, project, Action.TRAIN)
    if (
        snapshot.project_id != project.pk
        or not snapshot.is_ready
        or not snapshot.counts[TEST]["panels"]
    ):
        raise UserError("Choose a finished snapshot of this project that holds papers out.")
    return enqueue(
        kind=JUDGE_KIND,
        scope=project.scope,
        arguments={"snapshot": snapshot.pk, "model": model_version.pk},
        actor=actor,
    )


# Comparing


def compare(run: TrainingRun) -> Comparison | None:
    """The run's candidate beside the serving model, on the run's own held-out papers; None while
    there is no candidate.

    Once the candidate serves itself, it is held against the model it replaced.
    """
    if run.candidate is None:
        return None
    candidate = (
        Evaluation.objects.filter(model_version=run.candidate, snapshot=run.snapshot, side=TEST)
        .select_related("model_version")
        .first()
    )
    if candidate is None:
        return None
    other = _other_model(run)
    current = Evaluation.objects.filter(
        model_version=other, snapshot=run.snapshot, side=TEST
    ).first()
    return compare_evaluations(candidate, current, other)


def _other_model(run: TrainingRun) -> ModelVersion | None:
    serving = lineup_of(run.project).step(run.task).model
    if serving is None or serving != run.candidate:
        return serving
    promotion = (
        run.project.promotions.filter(model_version=serving, kind=PromotionKind.PROMOTED)
        .exclude(replaced=None)
        .first()
    )
    if promotion is not None and promotion.replaced is not None:
        return promotion.replaced
    return run.base if run.base.task == run.task else None


# Promotion


def promote(
    *, project: Project, model_version: ModelVersion, actor: User | None, reason: str = ""
) -> Promotion:
    """Put a model into service for what it tells: what is unreviewed is tagged again with it,
    decided legends stay as they are.

    It takes the place of the model that told the same, and no other's; a step that was switched off
    is on again. A model that does not pass the gate needs a written reason; what the gate said is
    logged with it. Raises ``PermissionDenied``; ``UserError`` for a model that serves already, is
    not the project's, or was never judged on held-out papers; ``LeakError`` where it learned from a
    paper it was judged on; ``GateError`` where it does not pass and there is no reason.
    """
    require(actor, project, Action.PROMOTE)
    _refuse_unusable(project, model_version)
    _refuse_unjudged(project, model_version)
    with transaction.atomic():
        _lock(project)
        step = lineup_of(project).step(model_version.task)
        if step.model == model_version:
            raise UserError(f"{model_version.name} is in service already.")
        verdict = pass_gate(model_version, _held_against(project, step), project, reason)
        return _serve(
            project,
            model_version,
            before=step.model,
            kind=PromotionKind.PROMOTED,
            actor=actor,
            reason=reason,
            verdict=str(verdict),
        )


def verdict_of(*, project: Project, model_version: ModelVersion) -> Verdict:
    """What the gate would say of promoting the model now."""
    return verdict_on(
        model_version, _held_against(project, lineup_of(project).step(model_version.task)), project
    )


def verdict_of_candidate(run: TrainingRun) -> Verdict | None:
    """What the gate would say of promoting the run's candidate now; None where it has none, or the
    candidate serves already."""
    if run.candidate is None or run.candidate == lineup_of(run.project).step(run.task).model:
        return None
    return verdict_of(project=run.project, model_version=run.candidate)


def _held_against(project: Project, step: Step) -> ModelVersion | None:
    """What a candidate must not be worse than: what does the step, or did it until it was switched
    off."""
    if not step.is_off:
        return step.model
    last = standing_promotion(project, step.task)
    try:
        return last.model_version if last is not None else default_model(step.task)
    except EngineError:
        return None


def roll_back(
    *, project: Project, actor: User | None, task: str = ModelTask.ENTITIES, reason: str = ""
) -> Promotion:
    """Take back the last promotion for that task that still stands. Raises ``PermissionDenied``;
    ``UserError`` where there is none."""
    require(actor, project, Action.PROMOTE)
    with transaction.atomic():
        _lock(project)
        if lineup_of(project).step(task).is_off:
            raise UserError(
                f"The step is switched off ({ModelTask(task).label}). Switch it on first."
            )
        last = standing_promotion(project, task)
        if last is None:
            raise UserError(
                "No promotion is left to take back: the project is served by the model it began"
                " with."
            )
        if last.replaced is None:
            raise UserError(
                f"Nothing did this step before {last.model_version}. Switch the step off, or"
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


def switch_step(
    *, project: Project, task: str, is_on: bool, actor: User | None, reason: str = ""
) -> Promotion:
    """Have the worker leave a step out from now on, or do it again. What was suggested by it stays
    until a legend is tagged again.

    Raises ``PermissionDenied``; ``UserError`` for entities, which are always tagged, for a step
    that is as asked for already or that no model can do; ``EngineError`` where the default model,
    which would do it, is not there.
    """
    require(actor, project, Action.PROMOTE)
    with transaction.atomic():
        _lock(project)
        step = lineup_of(project).step(task)
        if not step.task.is_optional:
            raise UserError("Entities are always tagged. Panels and roles can be switched off.")
        if step.is_off != is_on:
            raise UserError(
                f"The step is switched {'on' if is_on else 'off'} already ({step.task.label})."
            )
        return (
            _switch_on(project, step.task, actor, reason)
            if is_on
            else _switch_off(project, step, actor, reason)
        )


def _switch_off(project: Project, step: Step, actor: User | None, reason: str) -> Promotion:
    if step.model is None:
        raise UserError(f"There is nothing to switch off ({step.task.label}): {step.reason}.")
    ServingModel.objects.update_or_create(
        project=project, task=step.task, defaults={"model_version": None}
    )
    return _log_change(
        project, PromotionKind.SWITCHED_OFF, step.model, before=None, actor=actor, reason=reason
    )


def _switch_on(project: Project, task: ModelTask, actor: User | None, reason: str) -> Promotion:
    """By the model that was promoted last, else by the default model, whichever that is from now
    on."""
    last = standing_promotion(project, task)
    if last is None:
        model = default_model(task)
        ServingModel.objects.filter(project=project, task=task).delete()
    else:
        model = last.model_version
        ServingModel.objects.filter(project=project, task=task).update(
            model_version=model, changed_at=timezone.now()
        )
    promotion = _log_change(
        project, PromotionKind.SWITCHED_ON, model, before=None, actor=actor, reason=reason
    )
    _tag_again(project, actor)
    return promotion


# Canary


def start_canary(
    *, project: Project, model_version: ModelVersion, share: float, actor: User | None
) -> Canary:
    """Have ``share`` (0-1) of the legends that are newly tagged tagged by a candidate, to see what
    curators make of its suggestions.

    Which legends is decided by their texts and never changes. The candidate needs no passing of the
    gate for it: it does not go into service. Raises ``PermissionDenied``; ``UserError`` for a model
    that could not be promoted, does not tell entities or serves already, a share that cannot be, or
    while another canary runs; ``LeakError`` as ``promote``.
    """
    require(actor, project, Action.PROMOTE)
    _refuse_unusable(project, model_version)
    if model_version.task != ModelTask.ENTITIES:
        raise UserError(
            f"{model_version.name} tells {model_version.get_task_display()}; only models of"
            " entities can be tried on a share of legends."
        )
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
        raise UserError("The share of legends must lie between 0 and 100 %, neither none nor all.")
    _refuse_unjudged(project, model_version)
    with transaction.atomic():
        _lock(project)
        lineup = lineup_of(project)
        if lineup.entities == model_version:
            raise UserError(f"{model_version.name} is in service already.")
        if lineup.canary is not None:
            raise UserError(
                f"{lineup.canary.model_version} is being tried already. Stop that first."
            )
        facts = {
            "model_version": model_version,
            "beside": lineup.entities,
            "share": share,
            "started_by": actor,
        }
        canary = Canary.objects.create(project=project, **facts)
        told = f"{canary.percent}% of newly tagged legends"
        _log_change(
            project,
            PromotionKind.CANARY_STARTED,
            model_version,
            before=lineup.entities,
            actor=actor,
            reason=told,
        )
        _tag_again(project, actor)
    return canary


def stop_canary(*, project: Project, actor: User | None, reason: str = "") -> Canary:
    """Have all legends tagged by what serves again; what waits with suggestions of the candidate,
    too. Raises ``PermissionDenied``, ``UserError``."""
    require(actor, project, Action.PROMOTE)
    with transaction.atomic():
        _lock(project)
        stopped = _end_canary(project, actor, reason)
        if stopped is None:
            raise UserError("No candidate is being tried in the project.")
        _tag_again(project, actor)
    return stopped


def _end_canary(project: Project, actor: User | None, reason: str) -> Canary | None:
    canary: Canary | None = (
        project.canaries.running().select_related("model_version", "beside").first()
    )
    if canary is not None:
        canary.stopped_at, canary.stopped_by = timezone.now(), actor
        canary.save(update_fields=["stopped_at", "stopped_by"])
        _log_change(
            project,
            PromotionKind.CANARY_STOPPED,
            canary.model_version,
            before=None,
            actor=actor,
            reason=reason,
        )
    return canary


def standing_promotion(project: Project, task: str = ModelTask.ENTITIES) -> Promotion | None:
    """The last promotion for the task that was not taken back."""
    n_taken_back = 0
    changes = project.promotions.of_task(task).filter(
        kind__in=[PromotionKind.PROMOTED, PromotionKind.ROLLED_BACK]
    )
    for promotion in changes.select_related("model_version", "replaced").order_by("-id"):
        if promotion.kind == PromotionKind.ROLLED_BACK:
            n_taken_back += 1
        elif n_taken_back:
            n_taken_back -= 1
        else:
            return promotion
    return None


def _lock(project: Project) -> None:
    Project.objects.select_for_update().get(pk=project.pk)


def _refuse_unusable(project: Project, model: ModelVersion) -> None:
    if not ModelVersion.objects.usable_in(project).filter(pk=model.pk).exists():
        raise UserError(
            f"The model {model.name} is retired or belongs to another project. Choose another."
        )


def _refuse_unjudged(project: Project, model: ModelVersion) -> None:
    """No model goes into service on trust (an evaluation on held-out papers), or on scores that it
    could know by heart (a leak)."""
    evaluations = Evaluation.objects.filter(
        model_version=model, snapshot__project=project, side=TEST
    ).select_related("snapshot")
    judged = [
        evaluation
        for evaluation in evaluations
        if evaluation.scores.get("micro", {}).get("support")
    ]
    if not judged:
        raise UserError(
            f"{model.name} was not judged on held-out papers of this project. Judge it on a"
            " snapshot first, then promote it."
        )
    learned_from = ancestors_of(model)
    if model.origin == ModelOrigin.TRAINED and not learned_from:
        raise UserError(
            f"It is not known what {model.name} learned from, so its scores cannot be trusted."
            " Train it again on a snapshot."
        )
    snapshots = {
        snapshot.pk: snapshot
        for snapshot in [*learned_from, *(evaluation.snapshot for evaluation in judged)]
    }
    for snapshot in snapshots.values():
        verify_snapshot(snapshot=snapshot)
    for evaluation in judged:
        refuse_leak([snapshot.folder for snapshot in learned_from], evaluation.snapshot.folder)


def _serve(
    project: Project,
    model: ModelVersion,
    *,
    before: ModelVersion | None,
    kind: PromotionKind,
    actor: User | None,
    reason: str,
    verdict: str = "",
) -> Promotion:
    ServingModel.objects.update_or_create(
        project=project, task=model.task, defaults={"model_version": model}
    )
    if model.task == ModelTask.ENTITIES:
        _end_canary(project, actor, f"{model.name} was put into service")
    promotion = _log_change(
        project, kind, model, before=before, actor=actor, reason=reason, verdict=verdict
    )
    _tag_again(project, actor)
    return promotion


def _log_change(
    project: Project,
    kind: PromotionKind,
    model: ModelVersion,
    *,
    before: ModelVersion | None,
    actor: User | None,
    reason: str,
    verdict: str = "",
) -> Promotion:
    words = {"reason": reason.strip(), "verdict": verdict}
    promotion = Promotion.objects.create(
        project=project, kind=kind, model_version=model, replaced=before, actor=actor, **words
    )
    told = {
        "task": model.task,
        "model": model.name,
        "before": before.name if before is not None else None,
    }
    log.info(
        "serving_model_changed",
        project=project.pk,
        kind=str(kind),
        actor=getattr(actor, "pk", None),
        **told,
    )
    return promotion


def _tag_again(project: Project, actor: User | None) -> None:
    """Ask for new suggestions by the model that serves now. A waiting job would take it anyway; a
    running one follows by itself."""
    try:
        with transaction.atomic():
            enqueue(
                kind=PRETAG_KIND,
                scope=project.scope,
                arguments=pretag_arguments(project),
                actor=actor,
            )
    except JobConflictError:
        log.info("tagging_again_left_to_unfinished_job", project=project.pk)
