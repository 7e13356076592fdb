"""Training runs are started, cancelled and settled."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.corpus.models import Document
from annotator.datasets.models import Snapshot
from annotator.jobs.errors import JobConflictError
from annotator.jobs.models import Job, JobState
from annotator.learning.models import ModelVersion, RunState, TrainingRun
from annotator.learning.training.plan import TrainingRequest
from annotator.learning.training.services import (
    TRAIN_KIND,
    cancel_training,
    settle_runs,
    start_training,
)
from tests.annotator.commands import run_command
from tests.annotator.learning.training.conftest import assert_failed_without_a_trace, started

pytestmark = pytest.mark.django_db

ImportLegends = Callable[..., list[Document]]


def test_one_training_of_a_project_at_a_time(
    learned: Snapshot, tiny: ModelVersion, import_legends: ImportLegends
) -> None:
    run = started(learned)
    with pytest.raises(JobConflictError):
        started(learned)
    ended = run_command("train", "autophagy", "--snapshot", 1)
    assert ended.code == 2
    assert "waiting or running already" in ended.err
    assert list(TrainingRun.objects.all()) == [run]
    assert Job.objects.filter(kind=TRAIN_KIND).count() == 1
    cancel_training(run=run, actor=SYSTEM)
    assert started(learned).state == RunState.QUEUED


def test_a_killed_command_does_not_block_the_next_training(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    dead = started(learned)
    TrainingRun.objects.filter(pk=dead.pk).move(RunState.TRAINING)
    Job.objects.filter(pk=dead.job_id).update(
        is_inline=True, state=JobState.RUNNING, heartbeat_at=timezone.now()
    )
    with pytest.raises(JobConflictError):
        started(learned)  # the command may live: it spoke a moment ago
    Job.objects.filter(pk=dead.job_id).update(heartbeat_at=timezone.now() - timedelta(hours=1))
    run = started(learned)
    assert run.state == RunState.QUEUED
    assert run.job.state == JobState.PENDING
    settle_runs(project=learned.project)
    dead.refresh_from_db()
    assert dead.state == RunState.FAILED
    assert "The command that ran this job ended early" in dead.error


def test_only_managers_train_and_cancel(
    learned: Snapshot,
    tiny: ModelVersion,
    reviewer: User,
    curator: User,
    viewer: User,
    stranger: User,
    manager: User,
) -> None:
    run = start_training(TrainingRequest(project=learned.project, snapshot=learned), actor=manager)
    for user in (reviewer, curator, viewer, stranger):
        with pytest.raises(PermissionDenied):
            start_training(TrainingRequest(project=learned.project, snapshot=learned), actor=user)
        with pytest.raises(PermissionDenied):
            cancel_training(run=run, actor=user)
    assert cancel_training(run=run, actor=manager).state == RunState.CANCELLED
    assert list(TrainingRun.objects.all()) == [run]


def test_a_run_whose_job_was_given_up_gets_its_error(learned: Snapshot, tiny: ModelVersion) -> None:
    run = started(learned)
    TrainingRun.objects.filter(pk=run.pk).move(RunState.TRAINING)
    (run.folder / "out/checkpoints").mkdir(parents=True)
    Job.objects.filter(pk=run.job_id).move(
        JobState.FAILED,
        only_from=JobState.PENDING,
        error="The worker died 3 times while doing this.",
    )
    settle_runs(project=learned.project)
    run.refresh_from_db()
    assert_failed_without_a_trace(run, "The worker died 3 times")
    assert started(learned).state == RunState.QUEUED
