"""A training run before it starts: the request, and the plan that the checks make of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from annotator.accounts.actors import Actor
from annotator.common.errors import UserError
from annotator.corpus.access import Action, require
from annotator.corpus.models import Project
from annotator.datasets.models import Snapshot
from annotator.learning.models import ModelVersion
from annotator.learning.tagging.services import lineup_of, serving_model
from annotator.learning.training.data import TEST
from annotator.learning.training.recipes import (
    DEFAULT_RECIPE,
    checked_hyperparameters,
    recipe_named,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRequest:
    """The request of a user, a program or automatic training.

    ``hyperparameters`` replace those of the recipe. Without a ``base``, the run starts from the
    serving model of the recipe's task; if there is none, from that of the entities, with a new
    classifier.
    """

    project: Project
    snapshot: Snapshot
    recipe: str = DEFAULT_RECIPE
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    base: ModelVersion | None = None


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """A request that passed every check, with all hyperparameters of the run."""

    project: Project
    snapshot: Snapshot
    recipe: str
    task: str
    base: ModelVersion
    hyperparameters: Mapping[str, Any]


def plan_training(request: TrainingRequest, *, actor: Actor) -> TrainingPlan:
    """Return the plan for a request, and change nothing.

    Raises ``PermissionDenied``; ``UserError`` if the snapshot is unfinished, belongs to another
    project or has no held-out papers, the base model cannot be used in the project, or a
    hyperparameter is not permitted.
    """
    project, snapshot = request.project, request.snapshot
    require(actor, project, Action.TRAIN)
    if snapshot.project_id != project.pk:
        raise UserError("The snapshot belongs to another project. Choose one of this project.")
    if not snapshot.is_ready:
        raise UserError(
            f"Snapshot {snapshot.number} is not ready. Wait until it is, or make a new one."
        )
    if not snapshot.counts_of(TEST).panels:
        raise UserError(
            f"Snapshot {snapshot.number} has no held-out papers, so a new model could not be"
            " evaluated. Accept legends of more papers and make a new snapshot."
        )
    task = recipe_named(request.recipe).task
    base = request.base or lineup_of(project).stage(task).model or serving_model(project)
    refuse_unusable_base(base, project)
    hyperparameters = checked_hyperparameters(request.recipe, request.hyperparameters)
    return TrainingPlan(project, snapshot, request.recipe, task, base, hyperparameters)


def refuse_unusable_base(base: ModelVersion, project: Project) -> None:
    """Raise ``UserError`` if the model is retired or belongs to another project."""
    if not ModelVersion.objects.usable_in(project).filter(pk=base.pk).exists():
        raise UserError(
            f"The model {base.name} is retired or belongs to another project. Choose another base."
        )
