"""The jobs of the learning loop: their queues, and what they say if their rows are gone."""

from __future__ import annotations

from typing import Any, cast

import pytest

from annotator.common.errors import UserError
from annotator.jobs.models import Job
from annotator.jobs.runs import JobRun
from annotator.learning import tasks
from annotator.learning.evaluation.effort_counting import EffortPayload
from annotator.learning.tagging.services import PretagPayload
from annotator.learning.training.series import SeriesPayload
from annotator.learning.training.services import DryRunPayload, TrainPayload

pytestmark = pytest.mark.django_db
#: No handler may touch its job before it has found its rows.
NO_JOB = cast(JobRun, None)
GONE = 999


def test_pretagging_of_a_removed_project_says_so() -> None:
    with pytest.raises(UserError, match=r"The project was removed. Nothing was tagged"):
        tasks.pretag(NO_JOB, PretagPayload(project=GONE, model=None, serving=[]))


def test_the_job_of_a_removed_run_says_so() -> None:
    with pytest.raises(UserError, match=r"The training run was removed before it started"):
        tasks.train_model(NO_JOB, TrainPayload(training_run=GONE))


def test_the_job_of_a_removed_series_says_so() -> None:
    with pytest.raises(UserError, match=r"The series was removed before it started"):
        tasks.train_series(NO_JOB, SeriesPayload(series=GONE))


def test_a_dry_run_of_a_removed_snapshot_says_so() -> None:
    payload = DryRunPayload(snapshot=GONE, recipe="quick", base=GONE, asked={})
    with pytest.raises(UserError, match=r"The snapshot or the model of this dry run was removed"):
        tasks.time_training_steps(NO_JOB, payload)


def test_counting_the_effort_of_a_removed_project_says_so() -> None:
    with pytest.raises(UserError, match=r"The project was removed. Nothing was counted"):
        tasks.count_effort(NO_JOB, EffortPayload(project=GONE))


def test_a_job_without_a_series_has_no_page_of_its_own() -> None:
    job: Any = Job.objects.create(kind="training_series")
    assert tasks._series_page(job) == ""
