"""Automatic training: freeze a snapshot and train on it, on a schedule or after new legends.

It ends with the evaluation of the candidate: only a person promotes it. The state of each
automatic run is in the database, and a worker advances it once a minute, so nothing is lost with
a worker and nothing starts twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, Sum
from django.db.models.functions import Greatest
from django.utils import timezone

from annotator.accounts.actors import SYSTEM, Actor, log_name, user_of
from annotator.common.errors import UserError
from annotator.corpus.access import Action, require
from annotator.corpus.models import Project
from annotator.datasets.models import Snapshot, SnapshotState
from annotator.datasets.snapshots.services import SNAPSHOT_KIND, freeze_snapshot, settle_snapshots
from annotator.jobs.errors import JobConflictError
from annotator.jobs.models import Job, Queue
from annotator.jobs.services import live_queues
from annotator.learning.models import (
    ROUND_STATES,
    AutomaticRound,
    AutomaticTraining,
    ModelVersion,
    RoundState,
    RunState,
    TrainingRun,
)
from annotator.learning.serving.promotion import gate_result_of
from annotator.learning.tagging.services import serving_model
from annotator.learning.training.plan import TrainingRequest
from annotator.learning.training.recipes import (
    DEFAULT_RECIPE,
    checked_hyperparameters,
    recipe_named,
)
from annotator.learning.training.services import TRAIN_KIND, settle_runs, start_training
from ner_engine.errors import EngineError

log = structlog.get_logger(__name__)

LOOK_EVERY: Final = timedelta(minutes=1)
#: If no worker checked for this long, none is running.
FORGOTTEN_AFTER: Final = 5 * LOOK_EVERY
_MAX_NUMBER: Final = 1_000_000
_MAX_REASON: Final = 300
_MAX_RUNS_SHOWN: Final = 20
_UNFORESEEN: Final = (
    "An unexpected error occurred; see the worker's log for details. It is tried again every"
    " minute."
)


# Settings


def settings_of(project: Project) -> AutomaticTraining:
    """Return the project's settings, an unsaved row if they were never changed."""
    row = AutomaticTraining.objects.filter(project=project).first()
    return row or AutomaticTraining(project=project)


def change_automatic_training(
    *,
    project: Project,
    actor: Actor,
    is_on: bool,
    every_panels: int | None = None,
    every_days: int | None = None,
    recipe: str = DEFAULT_RECIPE,
    hyperparameters: Mapping[str, Any] | None = None,
) -> AutomaticTraining:
    """Switch automatic training on or off, and set when and how it trains.

    Switched off, an automatic run that trains already is finished; one before its training ends.
    Raises ``PermissionDenied``, and ``UserError`` if a number, the recipe or a hyperparameter is
    not permitted.
    """
    require(actor, project, Action.MANAGE)
    _check_number("panels", every_panels)
    _check_number("days", every_days)
    if is_on and every_panels is None and every_days is None:
        raise UserError(
            "Set a number of newly accepted panels, or a number of days, after which the project"
            " trains."
        )
    checked_hyperparameters(recipe, hyperparameters or {})
    row, _ = AutomaticTraining.objects.update_or_create(
        project=project,
        defaults={
            "is_on": is_on,
            "every_panels": every_panels,
            "every_days": every_days,
            "recipe": recipe,
            "hyperparameters": dict(hyperparameters or {}),
            "changed_by": user_of(actor),
            "check_result": "",
            "checked_at": None,
        },
    )
    log.info(
        "automatic_training_changed",
        project=project.pk,
        actor=log_name(actor),
        is_on=is_on,
        every_panels=every_panels,
        every_days=every_days,
        recipe=recipe,
    )
    return row


def _check_number(unit: str, value: int | None) -> None:
    if value is None:
        return
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not is_whole or not 1 <= value <= _MAX_NUMBER:
        raise UserError(f"The number of {unit} must be a whole number from 1 on, or left out.")


# The trigger


@dataclass(frozen=True, slots=True)
class Trigger:
    """Whether a training is due, and a sentence that says why or when."""

    is_due: bool
    sentence: str


def newly_accepted(project: Project, recipe: str) -> tuple[int, datetime | None]:
    """Return the number of panels accepted since the project's last training, and its time.

    A training counts if it has the recipe's task, or was automatic; the time is that of its
    snapshot, and None if there was none.
    """
    task = recipe_named(recipe).task
    runs = project.training_runs.filter(task=task).order_by("-snapshot__created_at")
    times = [
        runs.values_list("snapshot__created_at", flat=True).first(),
        project.automatic_rounds.values_list("created_at", flat=True).first(),
    ]
    last = max((time for time in times if time is not None), default=None)
    accepted = project.documents.accepted()
    if last is not None:
        accepted = accepted.filter(accepted_at__gt=last)
    return accepted.aggregate(n=Sum(Greatest("n_panels", 1)))["n"] or 0, last


def trigger_of(settings: AutomaticTraining, *, now: datetime) -> Trigger:
    """Return whether the project's settings ask for a training now."""
    n_new, last = newly_accepted(settings.project, settings.recipe)
    since = f"since {_day(last)}" if last is not None else "so far"
    verb = "panel was" if n_new == 1 else "panels were"
    news = f"{n_new:,} {verb} newly accepted {since}"
    if settings.every_panels is not None and n_new >= settings.every_panels:
        return Trigger(True, f"{news}; the threshold is {settings.every_panels:,}.")
    due_at = None
    if settings.every_days is not None and last is not None:
        due_at = last + timedelta(days=settings.every_days)
    is_late = due_at is None or due_at <= now
    if settings.every_days is not None and n_new and is_late:
        unit = "day" if settings.every_days == 1 else "days"
        return Trigger(True, f"{news}, and it trains every {settings.every_days:,} {unit}.")
    conditions = []
    if settings.every_panels is not None:
        conditions.append(f"after {settings.every_panels - n_new:,} more")
    if settings.every_days is not None and is_late:
        conditions.append("as soon as there are any")
    elif due_at is not None:
        conditions.append(f"on {_day(due_at)} if there are any")
    return Trigger(False, f"Not due yet: {news}. It trains {' or '.join(conditions)}.")


def _day(time: datetime) -> str:
    return f"{timezone.localtime(time):%-d %B %Y}"


# The next step


def look_at_all() -> None:
    """Advance the automatic training of every project, and store the sentence for its page."""
    unfinished = AutomaticRound.objects.unfinished().filter(project=OuterRef("project"))
    rows = AutomaticTraining.objects.filter(
        Q(is_on=True) | Exists(unfinished), project__archived_at=None
    )
    for project in Project.objects.filter(pk__in=rows.values("project")):
        try:
            look_at(project)
        except Exception:
            log.exception("automatic_training_failed", project=project.pk)
            AutomaticTraining.objects.filter(project=project).update(
                check_result=_UNFORESEEN, checked_at=timezone.now()
            )


def look_at(project: Project) -> str:
    """Advance the project's automatic training by one step; return a sentence about it.

    The step starts a run that is due, or continues the unfinished one.
    """
    with transaction.atomic():
        settings = (
            AutomaticTraining.objects.select_for_update(of=("self",))
            .select_related("project__label_set")
            .filter(project=project)
            .first()
        )
        if settings is None:
            return ""
        sentence = _advance(settings)
        AutomaticTraining.objects.filter(pk=settings.pk).update(
            checked_at=timezone.now(), check_result=sentence
        )
    return sentence


def _advance(settings: AutomaticTraining) -> str:
    unfinished = (
        settings.project.automatic_rounds.unfinished()
        .select_related("snapshot__job", "run__job", "run__project")
        .first()
    )
    if unfinished is not None:
        return _continue(settings, unfinished)
    return _start(settings) if settings.is_on else ""


def _start(settings: AutomaticTraining) -> str:
    project = settings.project
    trigger = trigger_of(settings, now=timezone.now())
    if not trigger.is_due:
        return trigger.sentence
    due = f"A training is due ({trigger.sentence.rstrip('.')})"
    if obstacle := _obstacle(project):
        return f"{due}, but {obstacle}"
    try:
        serving_model(project)
        snapshot = freeze_snapshot(project=project, actor=SYSTEM, note="automatic training")
    except (UserError, EngineError, JobConflictError) as error:
        return f"{due}, but it could not start: {error}"
    reason = trigger.sentence[:_MAX_REASON]
    AutomaticRound.objects.create(project=project, reason=reason, snapshot=snapshot)
    log.info("automatic_training_started", project=project.pk, snapshot=snapshot.number)
    return f"Started: {trigger.sentence} Snapshot {snapshot.number} is being frozen."


def _obstacle(project: Project) -> str:
    """Return what keeps the project from training now and when that ends, "" if nothing does."""
    settle_runs(project=project)
    run = project.training_runs.unfinished().first()
    if run is not None:
        return f"run {run.pk} is not finished. It starts after that run."
    jobs = Job.objects.unfinished().filter(
        scope=project.scope, kind__in=[SNAPSHOT_KIND, TRAIN_KIND]
    )
    if jobs.exists():
        return "the project has an unfinished snapshot or training. It starts after that."
    return _missing_worker({str(Queue.DEFAULT), str(Queue.TRAIN)})


def _missing_worker(queues: set[str]) -> str:
    missing = sorted(queues - live_queues())
    if not missing:
        return ""
    return (
        f"no worker listens on queue “{missing[0]}”. Start one with `make worker`; the training"
        " then starts."
    )


def _continue(settings: AutomaticTraining, automatic: AutomaticRound) -> str:
    if automatic.state == RoundState.TRAINING:
        if automatic.run is None:
            return _end(automatic, RoundState.FAILED, "The training run was removed.")
        return _follow_run(automatic, automatic.run)
    if not settings.is_on:
        sentence = "It was switched off before the training started."
        return _end(automatic, RoundState.CANCELLED, sentence)
    if automatic.snapshot is None:
        sentence = "The snapshot was removed before the training started."
        return _end(automatic, RoundState.FAILED, sentence)
    return _follow_snapshot(settings, automatic, automatic.snapshot)


def _follow_snapshot(
    settings: AutomaticTraining, automatic: AutomaticRound, snapshot: Snapshot
) -> str:
    """Wait until the snapshot is frozen, then start the training."""
    settle_snapshots(project=settings.project)
    snapshot.refresh_from_db()
    if snapshot.state == SnapshotState.BUILDING:
        return _with_warning(f"Snapshot {snapshot.number} is being frozen.", Queue.DEFAULT)
    if snapshot.state == SnapshotState.FAILED:
        sentence = f"Snapshot {snapshot.number} could not be frozen: {snapshot.error}"
        return _end(automatic, RoundState.FAILED, sentence)
    return _start_run(settings, automatic, snapshot)


def _start_run(settings: AutomaticTraining, automatic: AutomaticRound, snapshot: Snapshot) -> str:
    waits = f"Snapshot {snapshot.number} is frozen; the training waits for another of the project."
    # Each attempt would use up a run's number and cancel a user's dry run, so look first.
    if Job.objects.unfinished().filter(scope=settings.project.scope, kind=TRAIN_KIND).exists():
        return waits
    request = TrainingRequest(
        project=settings.project,
        snapshot=snapshot,
        recipe=settings.recipe,
        hyperparameters=settings.hyperparameters,
    )
    try:
        run = start_training(request, actor=SYSTEM, reason=automatic.reason)
    except JobConflictError:
        return waits
    except (UserError, EngineError) as error:
        sentence = f"The training on snapshot {snapshot.number} could not start: {error}"
        return _end(automatic, RoundState.FAILED, sentence)
    ROUND_STATES.move_row(automatic, RoundState.TRAINING, run=run)
    sentence = f"Run {run.pk} was started on snapshot {snapshot.number}."
    return _with_warning(sentence, Queue.TRAIN)


def _with_warning(sentence: str, queue: Queue) -> str:
    """Return the sentence, followed by a warning if no worker listens on the queue."""
    missing = _missing_worker({str(queue)})
    return f"{sentence} But {missing}" if missing else sentence


def _follow_run(automatic: AutomaticRound, run: TrainingRun) -> str:
    settle_runs(project=run.project)
    run.refresh_from_db()
    if not run.is_final:
        sentence = f"Run {run.pk} is {run.get_state_display().lower()}."
        return _with_warning(sentence, Queue.TRAIN)
    if run.state == RunState.SUCCEEDED and run.candidate is not None:
        return _end(automatic, RoundState.SUCCEEDED, _outcome_of(run, run.candidate))
    if run.state == RunState.CANCELLED:
        return _end(automatic, RoundState.CANCELLED, f"Run {run.pk} was cancelled.")
    return _end(automatic, RoundState.FAILED, f"Run {run.pk} failed: {run.error}")


def _outcome_of(run: TrainingRun, candidate: ModelVersion) -> str:
    """Return the candidate's gate result in words; only a person can promote it."""
    result = gate_result_of(project=run.project, model_version=candidate)
    if result.has_passed:
        return (
            f"Run {run.pk} made {candidate}. {result} Compare it on the run's page, and promote it"
            " if it is better."
        )
    return f"Run {run.pk} made {candidate}, which does not pass the gate. {result}"


def _end(automatic: AutomaticRound, state: RoundState, outcome: str) -> str:
    ROUND_STATES.move_row(automatic, state, outcome=outcome, ended_at=timezone.now())
    log.info(
        "automatic_training_ended",
        project=automatic.project_id,
        round=automatic.pk,
        run=automatic.run_id,
    )
    return outcome


# The page


@dataclass(frozen=True, slots=True)
class Standing:
    """The settings, the last sentence about them, and the automatic runs, the newest first.

    ``is_forgotten`` says that no worker checked for minutes.
    """

    settings: AutomaticTraining
    rounds: list[AutomaticRound]
    is_forgotten: bool


def standing_of(*, project: Project, actor: Actor) -> Standing:
    """Return how the project trains automatically, and its runs so far.

    Raises ``PermissionDenied``.
    """
    require(actor, project, Action.VIEW)
    settings = settings_of(project)
    rounds = project.automatic_rounds.select_related("snapshot", "run__candidate")
    return Standing(settings, list(rounds[:_MAX_RUNS_SHOWN]), _is_forgotten(settings))


def _is_forgotten(settings: AutomaticTraining) -> bool:
    if not settings.is_on or settings.pk is None:
        return False
    checked_at = settings.checked_at or settings.changed_at
    return timezone.now() - checked_at > FORGOTTEN_AFTER
