"""Several short trainings in one job: asked for, run in a child process, cancelled, gone on with.
What they are done for is ``label_errors``' and ``curves``' to say.

A part that is finished is never trained again: the child keeps it in the series' folder, whoever
started it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog
from django.db import transaction
from django.utils import timezone

from annotator.accounts.actors import Actor, log_name, user_of
from annotator.common.errors import UserError
from annotator.corpus.access import Action, require
from annotator.corpus.models import Project
from annotator.datasets.models import Snapshot
from annotator.datasets.services import verify_snapshot
from annotator.jobs.errors import JobConflictError
from annotator.jobs.payloads import Payload
from annotator.jobs.services import enqueue, request_cancel
from annotator.learning import engine
from annotator.learning.models import ModelVersion, SeriesKind, TrainingSeries
from annotator.learning.tagging.checkpoints import verify_model
from annotator.learning.tagging.services import serving_model
from annotator.learning.training import label_errors
from annotator.learning.training import learning_curve as curves
from annotator.learning.training.child_process import Event, Supervisor, wait_for_place
from annotator.learning.training.data import data_of, engine_settings
from annotator.learning.training.disk_space import (
    DiskSpace,
    bytes_in,
    refuse_without_space,
    remove_leftovers_of_ended_runs,
)
from annotator.learning.training.recipes import (
    DEFAULT_RECIPE,
    check_series,
    checked_hyperparameters,
    recipe_named,
)
from ner_engine.duplicates import THRESHOLD
from ner_engine.registry.catalogue import find_base

if TYPE_CHECKING:
    from annotator.jobs.runs import JobRun

log = structlog.get_logger(__name__)

SERIES_KIND: Final = "training_series"
#: What each kind may be asked for beside recipe and hyperparameters, and what becomes of its result
#: once the engine is done.
OPTIONS: Final[Mapping[str, frozenset[str]]] = {
    SeriesKind.LABEL_ERRORS: frozenset({"folds", "max_steps", "seed"}),
    SeriesKind.LEARNING_CURVE: frozenset({"shares", "max_steps", "seed"}),
}
_FINISH: Final[Mapping[str, Callable[[TrainingSeries, dict[str, Any]], dict[str, Any]]]] = {
    SeriesKind.LABEL_ERRORS: label_errors.finish,
    SeriesKind.LEARNING_CURVE: curves.finish,
}


@dataclass(frozen=True)
class SeriesPayload(Payload):
    """The training series to run or resume."""

    series: int


def start_series(
    *,
    project: Project,
    snapshot: Snapshot,
    kind: str,
    actor: Actor,
    recipe: str = DEFAULT_RECIPE,
    base: ModelVersion | None = None,
    hyperparameters: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> TrainingSeries:
    """Look for label errors in a snapshot, or draw its learning curve, in the background.

    Where no base is given, a search begins with the model that the one in service was first trained
    from, and a curve with the one in service. Raises ``PermissionDenied``; ``UserError`` for what
    cannot be; ``JobConflictError`` while another series is unfinished in the project.
    """
    series = add_series(
        project=project,
        snapshot=snapshot,
        kind=kind,
        actor=actor,
        recipe=recipe,
        base=base,
        hyperparameters=hyperparameters or {},
        options=options or {},
    )
    try:
        return enqueue_series(series=series, actor=actor)
    except JobConflictError:
        series.delete()
        raise


def add_series(
    *,
    project: Project,
    snapshot: Snapshot,
    kind: str,
    actor: Actor,
    recipe: str,
    base: ModelVersion | None,
    hyperparameters: Mapping[str, Any],
    options: Mapping[str, Any],
) -> TrainingSeries:
    """The row of a series that is still to be done. Raises as ``start_series``."""
    require(actor, project, Action.TRAIN)
    if kind not in SeriesKind.values:
        raise UserError(
            f"There is no series of kind “{kind}”; there are {', '.join(SeriesKind.values)}."
        )
    if snapshot.project_id != project.pk or not snapshot.is_ready:
        raise UserError("Choose a finished snapshot of this project.")
    if unknown := sorted(options.keys() - OPTIONS[kind]):
        raise UserError(
            f"There is no {unknown[0]} to be set here; there are"
            f" {', '.join(sorted(OPTIONS[kind]))}."
        )
    task = recipe_named(recipe).task
    base = base or (
        first_of(serving_model(project))
        if kind == SeriesKind.LABEL_ERRORS
        else serving_model(project)
    )
    if not ModelVersion.objects.usable_in(project).filter(pk=base.pk).exists():
        raise UserError(
            f"The model {base.name} is retired or belongs to another project. Choose another base."
        )
    told = engine_settings(task, snapshot, hyperparameters)
    check_series(program=kind, recipe=recipe, base=base.path, settings=told, options=options)
    facts = {
        "kind": kind,
        "recipe": recipe,
        "hyperparameters": dict(hyperparameters),
        "options": dict(options),
    }
    return TrainingSeries.objects.create(
        project=project, snapshot=snapshot, base=base, created_by=user_of(actor), **facts
    )


def first_of(model: ModelVersion) -> ModelVersion:
    """The model at the beginning of the line: it learned from no snapshot, so it knows nobody's
    errors by heart."""
    while model.parent is not None:
        model = model.parent
    return model


def enqueue_series(*, series: TrainingSeries, actor: Actor) -> TrainingSeries:
    """Have a worker begin with the series, or go on where it was stopped.

    Raises ``PermissionDenied``; ``UserError`` where it is done or at work; ``JobConflictError``
    while another is unfinished in the project.
    """
    require(actor, series.project, Action.TRAIN)
    if series.is_done or series.is_at_work:
        raise UserError("It is done already." if series.is_done else "It is at work already.")
    with transaction.atomic():
        series.job = enqueue(
            kind=SERIES_KIND,
            scope=series.project.scope,
            payload=SeriesPayload(series.pk),
            actor=actor,
        )
        series.save(update_fields=["job"])
    log.info(
        "series_started",
        series=series.pk,
        project=series.project_id,
        kind=series.kind,
        actor=log_name(actor),
    )
    return series


def cancel_series(*, series: TrainingSeries, actor: Actor) -> None:
    """Stop it after the step it is at; what is finished stays, and it can be gone on with. Raises
    ``PermissionDenied``."""
    require(actor, series.project, Action.TRAIN)
    if series.job is not None and not series.job.is_final:
        request_cancel(job=series.job, actor=actor)


@dataclass
class SeriesRun:
    """A series by one job."""

    series: TrainingSeries
    job: JobRun
    part: str = ""

    def _options(self) -> dict[str, Any]:
        """What was asked for; texts that the snapshot's rule calls nearly the same share a fold, in
        a series that goes on those that did."""
        if self.series.kind != SeriesKind.LABEL_ERRORS:
            return dict(self.series.options)
        begun = self.series.out / "series.json"
        rules = (
            json.loads(begun.read_text(encoding="utf-8"))
            if begun.is_file()
            else self.series.snapshot.rules
        )
        return {**self.series.options, "near_duplicate": rules.get("near_duplicate", THRESHOLD)}

    def complete(self) -> dict[str, Any]:
        """Train and look, part after part; the report. What a stopped or failed one has finished
        stays for the next."""
        series, snapshot = self.series, self.series.snapshot
        TrainingSeries.objects.filter(pk=series.pk).update(job=self.job.job)
        wait_for_place(series.folder, self.job)
        _remove_unfinished_others(series)
        remove_leftovers_of_ended_runs()
        verify_snapshot(snapshot=snapshot)
        verify_model(series.base)
        task = recipe_named(series.recipe).task
        told = engine_settings(task, snapshot, series.hyperparameters)
        complete = checked_hyperparameters(series.recipe, series.hyperparameters)
        room = DiskSpace.of_run(find_base(series.base.path).n_parameters, complete)
        refuse_without_space(DiskSpace(room.runs, 0), taken=bytes_in(series.out))
        command = engine.series_command(
            program=series.kind,
            recipe=series.recipe,
            data=data_of(snapshot, task),
            base=series.base.path,
            out=series.out,
            settings=told,
            options=self._options(),
        )
        self.job.report(message="Starting the training process")
        Supervisor(command, series.folder, self.job, self._heard).train()
        result = _FINISH[series.kind](
            series, json.loads((series.out / "result.json").read_text(encoding="utf-8"))
        )
        with transaction.atomic():
            self.job.hold()
            TrainingSeries.objects.filter(pk=series.pk).update(
                result=result, finished_at=timezone.now()
            )
        log.info("series_done", series=series.pk, kind=series.kind)
        return {"series": series.pk, "kind": series.kind, "snapshot": snapshot.number}

    def _heard(self, event: Event) -> None:
        kind = event.get("event")
        if kind in ("part", "part_done"):
            self.part = f"{event['number']} of {event['parts']}"
            self.job.report(
                message=f"Training {self.part}{' is done' if kind == 'part_done' else ''}"
            )
        elif kind == "step":
            self.job.report(
                done=event["step"],
                total=event["steps"],
                message=f"Training {self.part}, step {event['step']} of {event['steps']} in all",
            )
        elif kind == "looking":
            self.job.report(
                message=(
                    f"Training {self.part} is read with: {event['done']:,} of {event['of']:,}"
                    " panels"
                )
            )


def _remove_unfinished_others(series: TrainingSeries) -> None:
    """What series of the project and kind that did not end have left of checkpoints and data; what
    they finished stays."""
    for other in TrainingSeries.objects.filter(project=series.project, kind=series.kind).exclude(
        pk=series.pk
    ):
        for name in ("run", "data"):
            for folder in other.out.glob(f"*/{name}"):
                shutil.rmtree(folder, ignore_errors=True)
