"""Tagging, training and judging as jobs."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import transaction
from django.urls import reverse

from annotator.common.errors import UserError
from annotator.corpus.models import Project
from annotator.datasets.models import Snapshot
from annotator.datasets.services import verify_snapshot
from annotator.jobs.models import Job, Queue
from annotator.jobs.periodic import periodically
from annotator.jobs.registry import handles
from annotator.jobs.runs import JobRun
from annotator.learning.evaluation import effort
from annotator.learning.evaluation.services import EVALUATE_KIND, evaluate_model, save_evaluation
from annotator.learning.models import ModelVersion, TrainingRun, TrainingSeries
from annotator.learning.serving import hub
from annotator.learning.tagging.pretagging import Pretagging
from annotator.learning.tagging.services import PRETAG_KIND, lineup_of
from annotator.learning.training import automatic
from annotator.learning.training.dry_run import plan_of
from annotator.learning.training.runs import Training
from annotator.learning.training.series import SERIES_KIND, SeriesRun
from annotator.learning.training.services import DRY_RUN_KIND, TRAIN_KIND
from annotator.learning.training.step_timing import time_steps


@handles(PRETAG_KIND, queue=Queue.TAG, title="Pre-tagging", exclusive=True)
def pretag(run: JobRun, *, project: int, model: int | None, serving: list[int]) -> dict[str, Any]:
    """Entities by ``model``, else as the other steps by what serves when the job begins;
    ``serving`` is what served when it was asked for."""
    target = Project.objects.filter(pk=project).select_related("label_set").first()
    if target is None:
        raise UserError("The project was removed. Nothing was tagged.")
    serving_now = partial(lineup_of, target)
    tagging = Pretagging(target, run, serving_now)
    lineup = serving_now()
    if model is None:
        return tagging.tag(lineup, lineup.keys)
    return tagging.tag(lineup.with_entities_by(ModelVersion.objects.get(pk=model)), serving)


@handles(TRAIN_KIND, queue=Queue.TRAIN, title="Training", exclusive=True)
def train_model(run: JobRun, *, training_run: int) -> dict[str, Any]:
    row = (
        TrainingRun.objects.filter(pk=training_run)
        .select_related("project__label_set", "snapshot__project", "base")
        .first()
    )
    if row is None:
        raise UserError("The training run was removed before it began.")
    serving = lineup_of(row.project).step(row.task).model
    return Training(row, run, serving).complete().as_json()


@handles(DRY_RUN_KIND, queue=Queue.TRAIN, title="Dry run of a training")
def try_training(run: JobRun, **arguments: Any) -> dict[str, Any]:
    """A few steps of the run that ``arguments`` describe (see ``dryrun.dry_run_arguments``)."""
    return time_steps(plan_of(arguments), run)


@handles(EVALUATE_KIND, queue=Queue.TAG, title="Judging")
def judge_model(run: JobRun, *, snapshot: int, model: int) -> dict[str, Any]:
    """The model, and what does its step now, so that the two can be compared."""
    frozen, judged = Snapshot.objects.get(pk=snapshot), ModelVersion.objects.get(pk=model)
    verify_snapshot(snapshot=frozen)
    serving = lineup_of(frozen.project).step(judged.task).model
    models = [model for model in dict.fromkeys((judged, serving)) if model is not None]
    evaluations = [evaluate_model(model, frozen, run) for model in models]
    with transaction.atomic():
        run.hold()
        for evaluation in evaluations:
            save_evaluation(evaluation)
    return {"model": judged.name, "snapshot": frozen.number, "micro_f1": evaluations[0].micro_f1}


def _series_page(job: Job) -> str:
    series = TrainingSeries.objects.filter(job=job).first()
    return (
        reverse("admin:learning_trainingseries_change", args=[series.pk])
        if series is not None
        else ""
    )


@handles(
    SERIES_KIND,
    queue=Queue.TRAIN,
    title="Short trainings in a row",
    exclusive=True,
    page=_series_page,
)
def train_series(run: JobRun, *, series: int) -> dict[str, Any]:
    row = (
        TrainingSeries.objects.filter(pk=series)
        .select_related("project__label_set", "snapshot__project", "base")
        .first()
    )
    if row is None:
        raise UserError("The series was removed before it began.")
    return SeriesRun(row, run).complete()


@handles(effort.EFFORT_KIND, title="Counting what curators' work tells", exclusive=True)
def count_effort(run: JobRun, *, project: int) -> dict[str, Any]:
    target = Project.objects.filter(pk=project).first()
    if target is None:
        raise UserError("The project was removed. Nothing was counted.")
    return {"legends": effort.count_efforts(target, run=run)}


@handles(hub.PUSH_KIND, title="Giving a model to a hub")
def push_model(
    run: JobRun, *, model: int, repository: str, licence: str, is_private: bool
) -> dict[str, Any]:
    given = ModelVersion.objects.get(pk=model)
    return hub.push_model(
        model=given, repository=repository, licence=licence, is_private=is_private, run=run
    )


@periodically("automatic training", every=automatic.LOOK_EVERY)
def train_by_itself() -> None:
    automatic.look_at_all()
