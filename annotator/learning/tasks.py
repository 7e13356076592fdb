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
from annotator.learning.training import Training, judge, keep


@handles(services.PRETAG_KIND, queue=Queue.TAG, title="Pre-tagging", exclusive=True)
def pretag(run: JobRun, *, project: int, model: int | None, serving: list[int]) -> dict[str, Any]:
    """Entities by ``model``, else as the other steps by what serves when the job begins; ``serving`` is what served when it was asked for."""
    target = Project.objects.filter(pk=project).select_related("label_set").first()
    if target is None:
        raise UserError("The project was removed. Nothing was tagged.")
    serving_now = partial(services.lineup_of, target)
    tagging = Pretagging(target, run, serving_now)
    lineup = serving_now()
    if model is None:
        return tagging.tag(lineup, lineup.keys)
    return tagging.tag(lineup.with_entities_by(ModelVersion.objects.get(pk=model)), serving)


@handles(services.TRAIN_KIND, queue=Queue.TRAIN, title="Training", exclusive=True)
def train_model(run: JobRun, *, training_run: int) -> dict[str, Any]:
    row = TrainingRun.objects.filter(pk=training_run).select_related("project__label_set", "snapshot__project", "base").first()
    if row is None:
        raise UserError("The training run was removed before it began.")
    return Training(row, run, services.lineup_of(row.project).step(row.task).model).complete()


@handles(services.JUDGE_KIND, queue=Queue.TAG, title="Judging")
def judge_model(run: JobRun, *, snapshot: int, model: int) -> dict[str, Any]:
    """The model, and what does its step now, so that the two can be compared."""
    frozen, judged = Snapshot.objects.get(pk=snapshot), ModelVersion.objects.get(pk=model)
    services.verify_snapshot(snapshot=frozen)
    serving = services.lineup_of(frozen.project).step(judged.task).model
    evaluations = [judge(each, frozen, run) for each in dict.fromkeys((judged, serving)) if each is not None]
    with transaction.atomic():
        run.hold()
        for evaluation in evaluations:
            keep(evaluation)
    return {"model": judged.name, "snapshot": frozen.number, "micro_f1": evaluations[0].micro_f1}
