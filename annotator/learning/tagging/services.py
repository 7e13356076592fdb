"""Find a project's models, know which of them serve, and start pre-tagging."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from django.conf import settings
from django.db.models import Q, QuerySet

from annotator.accounts.actors import Actor
from annotator.common.errors import UserError
from annotator.corpus.access import Action, require
from annotator.corpus.models import Project
from annotator.jobs.models import Job, JobState
from annotator.jobs.payloads import Payload
from annotator.jobs.services import enqueue
from annotator.learning.models import ModelOrigin, ModelTask, ModelVersion, ServingModel
from annotator.learning.tagging.checkpoints import inspect_model
from annotator.learning.tagging.lineup import Lineup, Stage
from ner_engine.errors import EngineError, ModelNotFoundError, UnsafeModelError
from ner_engine.registry.catalogue import BUNDLED_FOLDERS
from ner_engine.registry.steps import steps_named
from ner_engine.registry.tasks import TASKS

log = structlog.get_logger(__name__)

PRETAG_KIND: Final = "pretag"


# Registered models


@dataclass(frozen=True)
class PretagPayload(Payload):
    """The project to pre-tag, with ``model`` for entities or the models that serve (None).

    ``serving`` holds the keys of the models that served when the job was enqueued.
    """

    project: int
    model: int | None
    serving: list[int]


def register_model(*, location: str) -> ModelVersion:
    """Return the model version for the files at ``location``, registered now if they are new.

    ``location`` is bundled, a folder, or a hub name in the local cache. Changed files are another
    version. Raises ``ModelNotFoundError`` or ``UnsafeModelError``.
    """
    facts = inspect_model(location)
    origin = _origin_of(location)
    is_folder = origin == ModelOrigin.FOLDER
    model, is_new = ModelVersion.objects.get_or_create(
        name=f"{facts.name}-{facts.sha256[:8]}",
        defaults={
            "origin": origin,
            "location": str(Path(location).resolve()) if is_folder else location,
            "task": facts.task,
            "labels": list(facts.labels),
            "weights_sha256": facts.sha256,
        },
    )
    if is_new:
        log.info("model_registered", model=model.name, origin=model.origin)
    return model


def _origin_of(location: str) -> ModelOrigin:
    if location in BUNDLED_FOLDERS:
        return ModelOrigin.BUNDLED
    return ModelOrigin.FOLDER if Path(location).is_dir() else ModelOrigin.HUB


def find_model(*, name: str, project: Project) -> ModelVersion:
    """Return the model that a person names: by its version's name, or as in ``register_model``.

    Raises ``UserError`` if the project may not use it, and ``EngineError`` if it cannot be read.
    """
    known = ModelVersion.objects.usable_in(project).filter(name=name).first()
    if known is not None:
        return known
    if ModelVersion.objects.filter(name=name).exists():
        raise UserError(
            f'The model "{name}" is retired or belongs to another project. Choose another.'
        )
    return register_model(location=name)


# Serving models


def serving_model(project: Project) -> ModelVersion:
    """Return the model that tags the project's entities: the promoted one, else the default model.

    Raises ``EngineError`` if the default model (SD_DEFAULT_MODEL) cannot be found.
    """
    row = (
        ServingModel.objects.filter(project=project, task=ModelTask.ENTITIES)
        .select_related("model_version")
        .first()
    )
    if row is not None and row.model_version is not None:
        return row.model_version
    return default_model(ModelTask.ENTITIES)


def default_model(task: ModelTask) -> ModelVersion:
    """Return the model of a task in projects without a promoted one (SD_DEFAULT_MODEL etc.).

    Raises ``EngineError`` if none is set, it cannot be found, or it is a model of another task.
    """
    location = default_location(task)
    if not location:
        raise ModelNotFoundError(f"no model is set for {task.label}")
    model = register_model(location=location)
    if model.task != task:
        raise UnsafeModelError(
            f"{location} predicts {ModelTask(model.task).label}, so it cannot be the default model"
            f" for {task.label}"
        )
    return model


def default_location(task: ModelTask) -> str:
    """Return the location of a task's default model in the settings, "" if none is set."""
    locations = {
        ModelTask.ENTITIES: settings.DEFAULT_MODEL,
        ModelTask.PANELS: settings.DEFAULT_PANELS_MODEL,
        ModelTask.GENEPROD_ROLES: settings.DEFAULT_GENEPROD_ROLES_MODEL,
        ModelTask.SMALL_MOL_ROLES: settings.DEFAULT_SMALL_MOL_ROLES_MODEL,
    }
    return str(locations[task])


def lineup_of(project: Project) -> Lineup:
    """Return the model of each pipeline stage of the project, and its steps as stored now.

    Raises ``EngineError`` if there is none for entities; the other stages may lack one.
    """
    chosen = set(
        project.promotions.order_by().values_list("model_version__task", flat=True).distinct()
    )
    rows = ServingModel.objects.filter(project=project).select_related("model_version")
    serving = {row.task: row.model_version for row in rows}
    role_labels = set(
        project.label_set.labels.filter(takes_role=True, retired_at=None).values_list(
            "code", flat=True
        )
    )
    canary = project.canaries.running().select_related("model_version", "serving_model").first()
    stages = [_stage(task, serving, role_labels, is_chosen=task in chosen) for task in ModelTask]
    names = Project.objects.values_list("steps", flat=True).get(pk=project.pk)
    return Lineup(stages, canary, steps_named(names).names)


def _stage(
    task: ModelTask,
    serving: Mapping[str, ModelVersion | None],
    role_labels: Collection[str],
    *,
    is_chosen: bool,
) -> Stage:
    if task in serving and serving[task] is None:
        return Stage(
            task, reason="it is switched off in this project", is_off=True, is_chosen=is_chosen
        )
    label = TASKS[task].masked_label
    if label and label not in role_labels:
        return Stage(
            task, reason=f"the project has no label {label} that takes roles", is_chosen=is_chosen
        )
    if task in serving:
        return Stage(task, serving[task], is_chosen=is_chosen)
    try:
        return Stage(task, default_model(task), is_chosen=is_chosen)
    except EngineError as error:
        if not task.is_optional:
            raise
        return Stage(task, reason=str(error), is_chosen=is_chosen)


def projects_served_by(model: ModelVersion) -> QuerySet[Project]:
    """Return the active projects in which the model serves, by promotion or as the default."""
    rows = ServingModel.objects.filter(task=model.task)
    served = Q(pk__in=rows.filter(model_version=model).values("project"))
    if model.origin != ModelOrigin.TRAINED and _is_default(model):
        served |= ~Q(pk__in=rows.values("project"))
    return Project.objects.filter(served, archived_at=None)


def _is_default(model: ModelVersion) -> bool:
    try:
        return default_model(ModelTask(model.task)) == model
    except EngineError:
        if not ModelTask(model.task).is_optional:
            raise
        return False


# Pre-tagging


def start_pretagging(
    *, project: Project, actor: Actor, model_version: ModelVersion | None = None
) -> Job:
    """Enqueue a job that pre-tags every undecided legend of the project.

    Entities are predicted by ``model_version``, or by the model that serves when the job starts;
    the other stages by their serving models. Raises ``PermissionDenied``; ``UserError`` if the
    model does not predict entities; ``JobConflictError`` while such a job is unfinished.
    """
    require(actor, project, Action.TAG)
    return enqueue(
        kind=PRETAG_KIND,
        scope=project.scope,
        payload=pretag_payload(project, model_version),
        actor=actor,
    )


def pretag_payload(project: Project, model_version: ModelVersion | None = None) -> PretagPayload:
    """Return the payload of a pre-tagging job.

    ``serving`` records the models that serve now, so that the job notices a promotion. Raises
    ``UserError`` if ``model_version`` does not predict entities.
    """
    if model_version is not None and model_version.task != ModelTask.ENTITIES:
        raise UserError(
            f"{model_version.name} predicts {model_version.get_task_display()}, not entities."
            " Promote it, and legends are tagged with it too."
        )
    return PretagPayload(
        project=project.pk,
        model=model_version.pk if model_version else None,
        serving=lineup_of(project).keys,
    )


def waiting_pretagging(*, project: Project, model_version: ModelVersion | None) -> Job | None:
    """Return the pending pre-tagging job with that model (None: the serving model), if any."""
    waiting = Job.objects.filter(
        kind=PRETAG_KIND, scope=project.scope, state=JobState.PENDING
    ).first()
    wanted = model_version.pk if model_version is not None else None
    if waiting is None or PretagPayload.of(waiting).model != wanted:
        return None
    return waiting
