"""Start, cancel and settle training runs.

A training run passes through these files, each with one input and one output:

1. ``training/plan.py``: ``TrainingRequest`` -> ``TrainingPlan``
2. ``training/services.py``: request -> ``TrainingRun``, a row in state QUEUED with its job
3. ``tasks.py``: the job's payload -> the row, handed to a worker
4. ``training/runs.py``: ``TrainingRun`` -> its candidate, a ``ModelVersion``
5. ``training/child_process.py``: the engine's command -> events, and a model on disk
6. ``evaluation/services.py``: ``ModelVersion`` and ``Snapshot`` -> ``Evaluation``
7. ``serving/gate.py``: the evaluations of two models -> ``GateResult``
8. ``serving/promotion.py``: ``ModelVersion`` -> ``Promotion``
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import structlog
from django.db import transaction
from django.utils import timezone

from annotator.accounts.actors import Actor, log_name, user_of
from annotator.corpus.access import Action, require
from annotator.corpus.models import Project
from annotator.jobs.errors import JobConflictError
from annotator.jobs.models import Job, JobState
from annotator.jobs.payloads import Payload
from annotator.jobs.services import enqueue, request_cancel
from annotator.learning.models import RunState, TrainingRun
from annotator.learning.training.plan import TrainingRequest, plan_training
from annotator.learning.training.runs import remove_leftovers

log = structlog.get_logger(__name__)

TRAIN_KIND: Final = "train_model"
#: The stored kind of a dry run's job; its value is older than its name.
DRY_RUN_KIND: Final = "try_training"
_MAX_REASON: Final = 300


@dataclass(frozen=True)
class TrainPayload(Payload):
    """The training run to do or resume."""

    training_run: int


@dataclass(frozen=True)
class DryRunPayload(Payload):
    """The planned run to try; ``asked`` are the hyperparameters that a user set."""

    snapshot: int
    recipe: str
    base: int
    asked: dict[str, str]


def start_training(request: TrainingRequest, *, actor: Actor, reason: str = "") -> TrainingRun:
    """Enqueue a job that fine-tunes a model on a snapshot and evaluates the candidate.

    ``reason`` says why automatic training started it. Raises as ``plan_training``, and
    ``JobConflictError`` while another run of the project is unfinished.
    """
    project = request.project
    run = add_training_run(request, actor=actor)
    cancel_dry_runs(project=project, actor=actor)
    try:
        with transaction.atomic():
            run.job = enqueue(
                kind=TRAIN_KIND,
                scope=project.scope,
                payload=TrainPayload(run.pk),
                actor=actor,
            )
            run.reason = reason[:_MAX_REASON]
            run.save(update_fields=["job", "reason"])
    except JobConflictError:
        run.delete()
        raise
    log.info(
        "training_started",
        run=run.pk,
        project=project.pk,
        recipe=run.recipe,
        actor=log_name(actor),
    )
    return run


def add_training_run(request: TrainingRequest, *, actor: Actor) -> TrainingRun:
    """Return the new row of a run whose job is not enqueued yet. Raises as ``plan_training``."""
    plan = plan_training(request, actor=actor)
    settle_runs(project=plan.project)
    return TrainingRun.objects.create(
        project=plan.project,
        snapshot=plan.snapshot,
        base=plan.base,
        recipe=plan.recipe,
        task=plan.task,
        hyperparameters=dict(plan.hyperparameters),
        created_by=user_of(actor),
    )


def cancel_dry_runs(*, project: Project, actor: Actor) -> None:
    """Cancel the project's unfinished dry runs: their results are no longer waited for."""
    for job in Job.objects.unfinished().filter(kind=DRY_RUN_KIND, scope=project.scope):
        request_cancel(job=job, actor=actor)


def cancel_training(*, run: TrainingRun, actor: Actor) -> TrainingRun:
    """Stop the run without a candidate; a finished run stays as it is.

    Raises ``PermissionDenied``.
    """
    require(actor, run.project, Action.TRAIN)
    if run.job is not None and not run.is_final:
        request_cancel(job=run.job, actor=actor)
    settle_runs(project=run.project)
    run.refresh_from_db()
    return run


def settle_runs(*, project: Project) -> None:
    """End the runs whose job ended without them.

    Such a job was cancelled while it waited, or given up after its workers died.
    """
    unfinished = project.training_runs.unfinished().exclude(job=None)
    for run in unfinished.select_related("job", "project"):
        job = run.job
        if job is None or not job.is_final:
            continue
        state = RunState.CANCELLED if job.state == JobState.CANCELLED else RunState.FAILED
        moved = TrainingRun.objects.filter(pk=run.pk).move(
            state, error=job.error, finished_at=timezone.now()
        )
        if moved:
            remove_leftovers(run)
