"""Automatic retraining: when enough was newly accepted, or in time, a project freezes a snapshot,
trains on it and has the candidate judged.

There it ends: whether the candidate goes into service is decided by a person, at the gate. All that
is under way stands in rows, and a worker looks once a minute what comes next, so that nothing is
lost with a worker and nothing is begun twice.
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
from annotator.datasets.services import SNAPSHOT_KIND, freeze_snapshot, settle_snapshots
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
#: Longer ago than this nobody looked: no worker is there to do it.
FORGOTTEN_AFTER: Final = 5 * LOOK_EVERY
_UNFORESEEN: Final = (
    "Something went wrong that nobody foresaw; the worker's log has the details. It is tried again"
    " every minute."
)


def settings_of(project: Project) -> AutomaticTraining:
    """Whether and when the project trains by itself; a row that is not saved where nobody ever set
    it."""
    return AutomaticTraining.objects.filter(project=project).first() or AutomaticTraining(
        project=project
    )


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
    """Have the project train by itself from now on, or no longer. A round that is under way is
    finished or, before its training, given up.

    Raises ``PermissionDenied``; ``UserError`` for an occasion, a recipe or a hyperparameter that
    cannot be.
    """
    require(actor, project, Action.MANAGE)
    for words, value in (("panels", every_panels), ("days", every_days)):
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1_000_000
        ):
            raise UserError(f"The number of {words} must be a whole number from 1 on, or left out.")
    if is_on and every_panels is None and every_days is None:
        raise UserError(
            "Say after how many newly accepted panels, or after how many days, the project is to"
            " train by itself."
        )
    checked_hyperparameters(recipe, hyperparameters or {})
    told: dict[str, Any] = {
        "is_on": is_on,
        "every_panels": every_panels,
        "every_days": every_days,
        "recipe": recipe,
    }
    facts = {
        **told,
        "hyperparameters": dict(hyperparameters or {}),
        "changed_by": user_of(actor),
        "said": "",
        "looked_at": None,
    }
    row, _ = AutomaticTraining.objects.update_or_create(project=project, defaults=facts)
    log.info("automatic_training_changed", project=project.pk, actor=log_name(actor), **told)
    return row


# Whether it is time


@dataclass(frozen=True, slots=True)
class Occasion:
    """Whether it is time to train, and in a sentence why, or why not yet."""

    is_due: bool
    sentence: str


def newly_accepted(project: Project, recipe: str) -> tuple[int, datetime | None]:
    """How many panels were accepted since the legends were frozen that the project last trained on,
    for that recipe's task or by itself; and when that was, None where it never did."""
    snapshots = project.training_runs.filter(task=recipe_named(recipe).task).order_by(
        "-snapshot__created_at"
    )
    times = [
        snapshots.values_list("snapshot__created_at", flat=True).first(),
        project.automatic_rounds.values_list("created_at", flat=True).first(),
    ]
    last = max((time for time in times if time is not None), default=None)
    accepted = project.documents.accepted()
    if last is not None:
        accepted = accepted.filter(accepted_at__gt=last)
    return accepted.aggregate(n=Sum(Greatest("n_panels", 1)))["n"] or 0, last


def occasion_of(settings: AutomaticTraining, *, now: datetime) -> Occasion:
    """Whether the project's rules ask for a training now."""
    n_new, last = newly_accepted(settings.project, settings.recipe)
    since = f"since {_day(last)}" if last is not None else "so far"
    found = f"{n_new:,} panel{' was' if n_new == 1 else 's were'} newly accepted {since}"
    if settings.every_panels is not None and n_new >= settings.every_panels:
        return Occasion(True, f"{found}; {settings.every_panels:,} were asked for.")
    due_at = (
        last + timedelta(days=settings.every_days)
        if settings.every_days is not None and last is not None
        else None
    )
    if settings.every_days is not None and n_new and (due_at is None or due_at <= now):
        return Occasion(
            True,
            f"{found}, and it trains every {settings.every_days:,}"
            f" day{'' if settings.every_days == 1 else 's'}.",
        )
    waits = []
    if settings.every_panels is not None:
        waits.append(f"with {settings.every_panels - n_new:,} more")
    if settings.every_days is not None:
        waits.append(
            f"on {_day(due_at)}, if anything is new"
            if due_at is not None and due_at > now
            else "as soon as anything is new"
        )
    return Occasion(False, f"Too little is new: {found}. It begins {' or '.join(waits)}.")


def _day(time: datetime) -> str:
    return f"{timezone.localtime(time):%-d %B %Y}"


# What comes next


def look_at_all() -> None:
    """Take each project that trains by itself a step further, and say on its row what came of
    it."""
    under_way = AutomaticRound.objects.unfinished().filter(project=OuterRef("project"))
    rows = AutomaticTraining.objects.filter(
        Q(is_on=True) | Exists(under_way), project__archived_at=None
    )
    for project in Project.objects.filter(pk__in=rows.values("project")):
        try:
            look_at(project)
        except Exception:
            log.exception("automatic_training_failed", project=project.pk)
            AutomaticTraining.objects.filter(project=project).update(
                said=_UNFORESEEN, looked_at=timezone.now()
            )


def look_at(project: Project) -> str:
    """Take the project a step further: begin a round where it is time, go on with one that is under
    way; what is said of it, in a sentence."""
    with transaction.atomic():
        settings = (
            AutomaticTraining.objects.select_for_update(of=("self",))
            .select_related("project__label_set")
            .filter(project=project)
            .first()
        )
        if settings is None:
            return ""
        round_ = (
            settings.project.automatic_rounds.unfinished()
            .select_related("snapshot__job", "run__job", "run__project")
            .first()
        )
        said = (
            _go_on(settings, round_)
            if round_ is not None
            else _begin(settings)
            if settings.is_on
            else ""
        )
        AutomaticTraining.objects.filter(pk=settings.pk).update(looked_at=timezone.now(), said=said)
    return said


def _begin(settings: AutomaticTraining) -> str:
    project = settings.project
    occasion = occasion_of(settings, now=timezone.now())
    if not occasion.is_due:
        return occasion.sentence
    if hindrance := _hindrance(project):
        return f"It is time ({occasion.sentence.rstrip('.')}), but {hindrance}"
    try:
        serving_model(project)
        snapshot = freeze_snapshot(project=project, actor=SYSTEM, note="automatic retraining")
    except (UserError, EngineError, JobConflictError) as error:
        return f"It is time ({occasion.sentence.rstrip('.')}), but it could not begin: {error}"
    AutomaticRound.objects.create(
        project=project, reason=occasion.sentence[:300], snapshot=snapshot
    )
    log.info("automatic_training_begun", project=project.pk, snapshot=snapshot.number)
    return f"It began: {occasion.sentence} Snapshot {snapshot.number} is being frozen."


def _hindrance(project: Project) -> str:
    """What keeps the project from training now, and when that ends; empty where nothing does."""
    settle_runs(project=project)
    run = project.training_runs.unfinished().first()
    if run is not None:
        return f"run {run.pk} is not finished. It begins once that has ended."
    if (
        Job.objects.unfinished()
        .filter(scope=project.scope, kind__in=[SNAPSHOT_KIND, TRAIN_KIND])
        .exists()
    ):
        return "the project is busy with a snapshot or a training. It begins once that has ended."
    return _unheard({str(Queue.DEFAULT), str(Queue.TRAIN)})


def _unheard(queues: set[str]) -> str:
    if missing := sorted(queues - live_queues()):
        return (
            f"no worker listens on queue “{missing[0]}”. Start one with `make worker`; it then"
            " begins by itself."
        )
    return ""


def _go_on(settings: AutomaticTraining, round_: AutomaticRound) -> str:
    if round_.state == RoundState.TRAINING:
        if round_.run is None:
            return _end(round_, RoundState.FAILED, "The training run was removed.")
        return _watch(round_, round_.run)
    if not settings.is_on:
        return _end(round_, RoundState.CANCELLED, "It was switched off before the training began.")
    if round_.snapshot is None:
        return _end(
            round_, RoundState.FAILED, "The snapshot was removed before the training began."
        )
    return _wait_for(settings, round_, round_.snapshot)


def _wait_for(settings: AutomaticTraining, round_: AutomaticRound, snapshot: Snapshot) -> str:
    """Until the snapshot is frozen; then the training begins."""
    settle_snapshots(project=settings.project)
    snapshot.refresh_from_db()
    if snapshot.state == SnapshotState.BUILDING:
        return f"Snapshot {snapshot.number} is being frozen. {_waits(Queue.DEFAULT)}".strip()
    if snapshot.state == SnapshotState.FAILED:
        sentence = f"Snapshot {snapshot.number} could not be frozen: {snapshot.error}"
        return _end(round_, RoundState.FAILED, sentence)
    return _train(settings, round_, snapshot)


def _train(settings: AutomaticTraining, round_: AutomaticRound, snapshot: Snapshot) -> str:
    waits = (
        f"Snapshot {snapshot.number} is frozen; another training of the project must end before it"
        " can begin."
    )
    if Job.objects.unfinished().filter(scope=settings.project.scope, kind=TRAIN_KIND).exists():
        return waits  # asked for every minute, it would use up a run's number each time, and stop what somebody is trying out  # noqa: E501
    try:
        run = start_training(
            TrainingRequest(
                project=settings.project,
                snapshot=snapshot,
                recipe=settings.recipe,
                hyperparameters=settings.hyperparameters,
            ),
            actor=SYSTEM,
            reason=round_.reason,
        )
    except JobConflictError:
        return waits
    except (UserError, EngineError) as error:
        sentence = f"The training on snapshot {snapshot.number} could not begin: {error}"
        return _end(round_, RoundState.FAILED, sentence)
    ROUND_STATES.move_row(round_, RoundState.TRAINING, run=run)
    return f"Run {run.pk} was started on snapshot {snapshot.number}. {_waits(Queue.TRAIN)}".strip()


def _waits(queue: Queue) -> str:
    return f"But {unheard}" if (unheard := _unheard({str(queue)})) else ""


def _watch(round_: AutomaticRound, run: TrainingRun) -> str:
    settle_runs(project=run.project)
    run.refresh_from_db()
    if not run.is_final:
        return f"Run {run.pk} is {run.get_state_display().lower()}. {_waits(Queue.TRAIN)}".strip()
    if run.state == RunState.SUCCEEDED and run.candidate is not None:
        return _end(round_, RoundState.SUCCEEDED, _judged(run, run.candidate))
    if run.state == RunState.CANCELLED:
        return _end(round_, RoundState.CANCELLED, f"Run {run.pk} was cancelled.")
    return _end(round_, RoundState.FAILED, f"Run {run.pk} failed: {run.error}")


def _judged(run: TrainingRun, candidate: ModelVersion) -> str:
    """How the candidate stands before the gate, behind which only a person can take it."""
    verdict = gate_result_of(project=run.project, model_version=candidate)
    if verdict.has_passed:
        return (
            f"Run {run.pk} made {candidate}. {verdict} Look at it on the run's page, and promote it"
            " if it is better."
        )
    return f"Run {run.pk} made {candidate}, which does not pass the gate. {verdict}"


def _end(round_: AutomaticRound, state: RoundState, outcome: str) -> str:
    ROUND_STATES.move_row(round_, state, outcome=outcome, ended_at=timezone.now())
    log.info(
        "automatic_training_ended", project=round_.project_id, round=round_.pk, run=round_.run_id
    )
    return outcome


@dataclass(frozen=True, slots=True)
class Standing:
    """What a page shows: the settings, what was said last, and the rounds so far, the newest first.
    ``is_forgotten`` where no worker looks."""

    settings: AutomaticTraining
    rounds: list[AutomaticRound]
    is_forgotten: bool


def standing_of(*, project: Project, actor: Actor) -> Standing:
    """Whether and how the project trains by itself, and what it did so far. Raises
    ``PermissionDenied``."""
    require(actor, project, Action.VIEW)
    settings = settings_of(project)
    looked = settings.looked_at or (settings.changed_at if settings.pk else None)
    rounds = list(project.automatic_rounds.select_related("snapshot", "run__candidate")[:20])
    is_forgotten = (
        settings.is_on and looked is not None and timezone.now() - looked > FORGOTTEN_AFTER
    )
    return Standing(settings, rounds, is_forgotten)
