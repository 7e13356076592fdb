"""Tagging, training and judging as jobs."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import transaction

from annotator.common.errors import UserError
from annotator.corpus.models import Project
from annotator.datasets.models import Snapshot
from annotator.jobs.models import Queue
from annotator.jobs.registry import handles
from annotator.jobs.runs import JobRun
from annotator.learning import services
from annotator.learning.models import ModelVersion, TrainingRun
from annotator.learning.pretagging import Pretagging
from annotator.learning.training import Training, judge


@handles(services.PRETAG_KIND, queue=Queue.TAG, title="Pre-tagging", exclusive=True)
def pretag(run: JobRun, *, project: int, model: int | None, serving: int) -> dict[str, Any]:
    """With ``model``, else with what serves when the job begins; ``serving`` is what served when it was asked for."""
    target = Project.objects.filter(pk=project).select_related("label_set").first()
    if target is None:
        raise UserError("The project was removed. Nothing was tagged.")
    serving_now = partial(services.serving_model, target)
    chosen = ModelVersion.objects.get(pk=model) if model is not None else None
    tagging = Pretagging(target, run, serving_now)
    if chosen is None:
        chosen = serving_now()
        return tagging.tag(chosen, chosen.pk)
    return tagging.tag(chosen, serving)


@handles(services.TRAIN_KIND, queue=Queue.TRAIN, title="Training", exclusive=True)
def train_model(run: JobRun, *, training_run: int) -> dict[str, Any]:
    row = TrainingRun.objects.filter(pk=training_run).select_related("project", "snapshot__project", "base").first()
    if row is None:
        raise UserError("The training run was removed before it began.")
    return Training(row, run, services.serving_model(row.project)).complete()


@handles(services.JUDGE_KIND, queue=Queue.TAG, title="Judging")
def judge_model(run: JobRun, *, snapshot: int, model: int) -> dict[str, Any]:
    frozen, judged = Snapshot.objects.get(pk=snapshot), ModelVersion.objects.get(pk=model)
    services.verify_snapshot(snapshot=frozen)
    evaluation = judge(judged, frozen, run)
    with transaction.atomic():
        run.hold()
        if evaluation.pk is None:
            evaluation.save()
    return {"model": judged.name, "snapshot": frozen.number, "micro_f1": evaluation.micro_f1}
