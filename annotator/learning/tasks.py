"""Tagging, training and evaluation as jobs."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import transaction
from django.urls import reverse

from annotator.common.errors import UserError
from annotator.corpus.models import Project
from annotator.datasets.models import Snapshot
from annotator.datasets.snapshots.services import verify_snapshot
from annotator.jobs.models import Job, Queue
from annotator.jobs.periodic import periodically
from annotator.jobs.registry import handles
from annotator.jobs.runs import JobRun
from annotator.learning.evaluation import effort_counting
from annotator.learning.evaluation.services import (
    EVALUATE_KIND,
    EvaluatePayload,
    evaluate_model,
    save_evaluation,
)
from annotator.learning.models import ModelVersion, TrainingRun, TrainingSeries
from annotator.learning.serving import hub
from annotator.learning.tagging.pretagging import Pretagging
from annotator.learning.tagging.services import PRETAG_KIND, PretagPayload, lineup_of
from annotator.learning.training import automatic
from annotator.learning.training.dry_run import plan_of
from annotator.learning.training.runs import Training
from annotator.learning.training.series import SERIES_KIND, SeriesPayload, SeriesRun
from annotator.learning.training.services import (
    DRY_RUN_KIND,
    TRAIN_KIND,
    DryRunPayload,
    TrainPayload,
)
from annotator.learning.training.step_timing import time_steps


@handles(PRETAG_KIND, payload=PretagPayload, queue=Queue.TAG, title="Pre-tagging", exclusive=True)
def pretag(run: JobRun, payload: PretagPayload) -> dict[str, Any]:
    """Pre-tag the project's undecided legends with the payload's model and the serving models."""
    target = Project.objects.filter(pk=payload.project).select_related("label_set").first()
    if target is None:
        raise UserError("The project was removed. Nothing was tagged.")
    serving_now = partial(lineup_of, target)
    tagging = Pretagging(target, run, serving_now)
    lineup = serving_now()
    if payload.model is None:
        return tagging.tag(lineup, lineup.keys)
    model = ModelVersion.objects.get(pk=payload.model)
    return tagging.tag(lineup.with_entities_by(model), payload.serving)


@handles(TRAIN_KIND, payload=TrainPayload, queue=Queue.TRAIN, title="Training", exclusive=True)
def train_model(run: JobRun, payload: TrainPayload) -> dict[str, Any]:
    row = (
        TrainingRun.objects.filter(pk=payload.training_run)
        .select_related("project__label_set", "snapshot__project", "base")
        .first()
    )
    if row is None:
        raise UserError("The training run was removed before it started.")
    serving = lineup_of(row.project).stage(row.task).model
    return Training(row, run, serving).complete().as_json()


@handles(DRY_RUN_KIND, payload=DryRunPayload, queue=Queue.TRAIN, title="Dry run of a training")
def time_training_steps(run: JobRun, payload: DryRunPayload) -> dict[str, Any]:
    """Time a few steps of the planned run."""
    return time_steps(plan_of(payload), run)


@handles(EVALUATE_KIND, payload=EvaluatePayload, queue=Queue.TAG, title="Evaluation")
def evaluate(run: JobRun, payload: EvaluatePayload) -> dict[str, Any]:
    """Evaluate the model, and the one that serves its stage, so that they can be compared."""
    frozen = Snapshot.objects.get(pk=payload.snapshot)
    evaluated = ModelVersion.objects.get(pk=payload.model)
    verify_snapshot(snapshot=frozen)
    serving = lineup_of(frozen.project).stage(evaluated.task).model
    models = [model for model in dict.fromkeys((evaluated, serving)) if model is not None]
    evaluations = [evaluate_model(model, frozen, run) for model in models]
    with transaction.atomic():
        run.hold()
        for evaluation in evaluations:
            save_evaluation(evaluation)
    return {"model": evaluated.name, "snapshot": frozen.number, "micro_f1": evaluations[0].micro_f1}


def _series_page(job: Job) -> str:
    series = TrainingSeries.objects.filter(job=job).first()
    if series is None:
        return ""
    return reverse("admin:learning_trainingseries_change", args=[series.pk])


@handles(
    SERIES_KIND,
    payload=SeriesPayload,
    queue=Queue.TRAIN,
    title="Training series",
    exclusive=True,
    page=_series_page,
)
def train_series(run: JobRun, payload: SeriesPayload) -> dict[str, Any]:
    row = (
        TrainingSeries.objects.filter(pk=payload.series)
        .select_related("project__label_set", "snapshot__project", "base")
        .first()
    )
    if row is None:
        raise UserError("The series was removed before it started.")
    return SeriesRun(row, run).complete()


@handles(
    effort_counting.EFFORT_KIND,
    payload=effort_counting.EffortPayload,
    title="Counting curator effort",
    exclusive=True,
)
def count_effort(run: JobRun, payload: effort_counting.EffortPayload) -> dict[str, Any]:
    target = Project.objects.filter(pk=payload.project).first()
    if target is None:
        raise UserError("The project was removed. Nothing was counted.")
    return {"legends": effort_counting.count_efforts(target, run=run)}


@handles(hub.PUSH_KIND, payload=hub.PushPayload, title="Upload to a model hub")
def push_model(run: JobRun, payload: hub.PushPayload) -> dict[str, Any]:
    return hub.push_model(
        model=ModelVersion.objects.get(pk=payload.model),
        repository=payload.repository,
        licence=payload.licence,
        is_private=payload.is_private,
        run=run,
    )


@periodically("automatic training", every=automatic.LOOK_EVERY)
def advance_automatic_training() -> None:
    automatic.look_at_all()
