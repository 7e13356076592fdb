"""Models of a project: which one serves, tagging with it, training the next, putting it into
service and back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from annotator.accounts.actors import Actor, log_name, user_of
from annotator.common.errors import UserError
from annotator.corpus.access import Action, require
from annotator.corpus.models import Project
from annotator.datasets.models import Snapshot
from annotator.jobs.errors import JobConflictError
from annotator.jobs.models import Job, JobState
from annotator.jobs.services import enqueue, request_cancel
from annotator.learning.models import (
    ModelOrigin,
    ModelTask,
    ModelVersion,
    RunState,
    ServingModel,
    TrainingRun,
)
from annotator.learning.tagging.checkpoints import inspect_model
from annotator.learning.tagging.lineup import Lineup, Step
from annotator.learning.training.recipes import checked_hyperparameters, recipe_named
from annotator.learning.training.runs import TEST, remove_leftovers
from ner_engine.errors import EngineError, ModelNotFoundError, UnsafeModelError
from ner_engine.registry.catalogue import BUNDLED_FOLDERS
from ner_engine.registry.tasks import TASKS

log = structlog.get_logger(__name__)

PRETAG_KIND: Final = "pretag"
TRAIN_KIND: Final = "train_model"
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
    label = TASKS[task].masked_label
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
    facts = inspect_model(location)
    origin = (
        ModelOrigin.BUNDLED
        if location in BUNDLED_FOLDERS
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
    *, project: Project, actor: Actor, model_version: ModelVersion | None = None
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
    actor: Actor,
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
        actor=log_name(actor),
    )
    return run


def add_training_run(
    *,
    project: Project,
    snapshot: Snapshot,
    actor: Actor,
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
        project=project, snapshot=snapshot, base=plan.base, created_by=user_of(actor), **facts
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
    actor: Actor,
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
    task = recipe_named(recipe).task
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
        checked_hyperparameters(recipe, hyperparameters),
    )


def cancel_trials(*, project: Project, actor: Actor) -> None:
    """Stop what is being tried out for runs of the project: somebody knows now what to start, or
    tries something else."""
    for job in Job.objects.unfinished().filter(kind=TRIAL_KIND, scope=project.scope):
        request_cancel(job=job, actor=actor)


def cancel_training(*, run: TrainingRun, actor: Actor) -> TrainingRun:
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
