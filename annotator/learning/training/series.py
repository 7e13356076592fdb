"""Training series: several short trainings in one job, for label errors or a learning curve.

The child process stores each finished training in the series' folder, so a series that stopped is
resumed after it. ``label_errors`` and ``learning_curve`` interpret the results.
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
from annotator.datasets.snapshots.services import verify_snapshot
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
from annotator.learning.training.plan import refuse_unusable_base
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
#: The options of each kind, beside recipe and hyperparameters.
OPTIONS: Final[Mapping[str, frozenset[str]]] = {
    SeriesKind.LABEL_ERRORS: frozenset({"folds", "max_steps", "seed"}),
    SeriesKind.LEARNING_CURVE: frozenset({"shares", "max_steps", "seed"}),
}
#: Turns the engine's result of each kind into what the series stores.
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
    """Enqueue a job that searches a snapshot for label errors, or draws its learning curve.

    Without a ``base``, a curve starts from the serving model, and a search from its first ancestor.
    Raises ``PermissionDenied``; ``UserError`` if an argument is not permitted;
    ``JobConflictError`` while another series of the project is unfinished.
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
    """Return the new row of a series whose job is not enqueued yet. Raises as ``start_series``."""
    require(actor, project, Action.TRAIN)
    if kind not in SeriesKind.values:
        raise UserError(
            f"There is no series of kind “{kind}”; there are {', '.join(SeriesKind.values)}."
        )
    if snapshot.project_id != project.pk or not snapshot.is_ready:
        raise UserError("Choose a finished snapshot of this project.")
    if unknown := sorted(options.keys() - OPTIONS[kind]):
        known = ", ".join(sorted(OPTIONS[kind]))
        raise UserError(f"There is no option {unknown[0]} here; there are {known}.")
    task = recipe_named(recipe).task
    base = base or _default_base(project, kind)
    refuse_unusable_base(base, project)
    check_series(
        program=kind,
        recipe=recipe,
        base=base.path,
        settings=engine_settings(task, snapshot, hyperparameters),
        options=options,
    )
    return TrainingSeries.objects.create(
        project=project,
        snapshot=snapshot,
        base=base,
        kind=kind,
        recipe=recipe,
        hyperparameters=dict(hyperparameters),
        options=dict(options),
        created_by=user_of(actor),
    )


def _default_base(project: Project, kind: str) -> ModelVersion:
    serving = serving_model(project)
    return first_ancestor(serving) if kind == SeriesKind.LABEL_ERRORS else serving


def first_ancestor(model: ModelVersion) -> ModelVersion:
    """Return the first model of the line, which learned no error of the project's legends."""
    while model.parent is not None:
        model = model.parent
    return model


def enqueue_series(*, series: TrainingSeries, actor: Actor) -> TrainingSeries:
    """Enqueue a job that starts or resumes the series.

    Raises ``PermissionDenied``; ``UserError`` if the series is done or running;
    ``JobConflictError`` while another of the project is unfinished.
    """
    require(actor, series.project, Action.TRAIN)
    if series.is_done:
        raise UserError("This series is done already.")
    if series.is_at_work:
        raise UserError("This series is running already.")
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
    """Stop the series after its current step; finished trainings stay, and it can be resumed.

    Raises ``PermissionDenied``.
    """
    require(actor, series.project, Action.TRAIN)
    if series.job is not None and not series.job.is_final:
        request_cancel(job=series.job, actor=actor)


@dataclass
class SeriesRun:
    """One job of a series."""

    series: TrainingSeries
    job: JobRun
    part: str = ""

    def complete(self) -> dict[str, Any]:
        """Run the trainings that are not finished yet, store the result, return the job's.

        Finished trainings of a series that stops or fails stay for its next job.
        """
        series, snapshot = self.series, self.series.snapshot
        TrainingSeries.objects.filter(pk=series.pk).update(job=self.job.job)
        wait_for_place(series.folder, self.job)
        _remove_leftovers_of_others(series)
        remove_leftovers_of_ended_runs()
        verify_snapshot(snapshot=snapshot)
        verify_model(series.base)
        self._refuse_without_space()
        self.job.report(message="Starting the training process")
        Supervisor(self._command(), series.folder, self.job, self._on_event).train()
        result = json.loads((series.out / "result.json").read_text(encoding="utf-8"))
        result = _FINISH[series.kind](series, result)
        with transaction.atomic():
            self.job.hold()
            TrainingSeries.objects.filter(pk=series.pk).update(
                result=result, finished_at=timezone.now()
            )
        log.info("series_done", series=series.pk, kind=series.kind)
        return {"series": series.pk, "kind": series.kind, "snapshot": snapshot.number}

    def _refuse_without_space(self) -> None:
        series = self.series
        hyperparameters = checked_hyperparameters(series.recipe, series.hyperparameters)
        n_parameters = find_base(series.base.path).n_parameters
        needed = DiskSpace.of_run(n_parameters, hyperparameters)
        no_model = DiskSpace(needed.runs, 0)  # the models of a series are not registered
        refuse_without_space(no_model, taken=bytes_in(series.out))

    def _command(self) -> list[str]:
        series = self.series
        task = recipe_named(series.recipe).task
        return engine.series_command(
            program=series.kind,
            recipe=series.recipe,
            data=data_of(series.snapshot, task),
            base=series.base.path,
            out=series.out,
            settings=engine_settings(task, series.snapshot, series.hyperparameters),
            options=self._options(),
        )

    def _options(self) -> dict[str, Any]:
        """Return the options with the similarity above which texts must share a fold.

        It is that of the snapshot's rules, or of the start of a resumed series.
        """
        series = self.series
        if series.kind != SeriesKind.LABEL_ERRORS:
            return dict(series.options)
        rules = series.snapshot.rules
        started = series.out / "series.json"
        if started.is_file():
            rules = json.loads(started.read_text(encoding="utf-8"))
        return {**series.options, "near_duplicate": rules.get("near_duplicate", THRESHOLD)}

    def _on_event(self, event: Event) -> None:
        kind = event.get("event")
        if kind in ("part", "part_done"):
            self.part = f"{event['number']} of {event['parts']}"
            end = " is done" if kind == "part_done" else ""
            self.job.report(message=f"Training {self.part}{end}")
        elif kind == "step":
            step, steps = event["step"], event["steps"]
            message = f"Training {self.part}, step {step} of {steps} in all"
            self.job.report(done=step, total=steps, message=message)
        elif kind == "looking":
            done, total = f"{event['done']:,}", f"{event['of']:,}"
            self.job.report(message=f"Reading with training {self.part}: {done} of {total} panels")


def _remove_leftovers_of_others(series: TrainingSeries) -> None:
    """Remove checkpoints and data of other series of the project and kind, not their results."""
    others = TrainingSeries.objects.filter(project=series.project, kind=series.kind)
    for other in others.exclude(pk=series.pk):
        for name in ("run", "data"):
            for folder in other.out.glob(f"*/{name}"):
                shutil.rmtree(folder, ignore_errors=True)
