"""The commands of training series, without a worker."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from annotator.common.errors import UserError
from annotator.corpus.models import Document, Project
from annotator.datasets.models import Snapshot
from annotator.jobs.models import Job, JobState
from annotator.jobs.payloads import Payload
from annotator.learning.models import (
    ModelVersion,
    SeriesKind,
    TrainingRun,
    TrainingSeries,
)
from annotator.learning.training.series import (
    SERIES_KIND,
)
from tests.annotator.commands import run_command
from tests.annotator.datasets.conftest import long_legend
from tests.annotator.learning.training.conftest import BRIEF_SERIES, started_series

pytestmark = pytest.mark.django_db


def brief_settings() -> list[str]:
    settings = []
    for name, value in BRIEF_SERIES.items():
        settings += ["--set", f"{name}={value}"]
    return settings


@pytest.mark.slow
def test_a_search_for_label_errors_runs_without_a_worker(
    project: Project, tiny: ModelVersion, import_legends: Callable[..., list[Document]]
) -> None:
    import_legends([long_legend(number) for number in range(30)], labels="gold")
    options = ["--folds", "2", "--max-steps", "1", *brief_settings(), "--send", "3", "--json"]
    ended = run_command("label_errors", "autophagy", *options)
    assert ended.code == 0
    assert ended.err == ""
    assert ended.summary["texts"] == 30
    assert ended.summary["entities"] == 60
    n_sent = project.documents.exclude(label_error_score=None).count()
    assert ended.summary["sent"] == n_sent == min(3, ended.summary["legends"])
    series = TrainingSeries.objects.get()
    assert series.job is not None
    assert series.job.is_inline


@pytest.mark.slow
def test_an_interrupted_learning_curve_is_resumed(learned: Snapshot) -> None:
    options = ["--snapshot", "1", "--shares", "0.5,1", *brief_settings(), "--json"]
    drawn = run_command("learning_curve", "autophagy", *options)
    assert drawn.code == 0
    assert len(drawn.summary["points"]) == 2
    assert not TrainingRun.objects.exists()
    curve = TrainingSeries.objects.get(kind=SeriesKind.LEARNING_CURVE)
    TrainingSeries.objects.filter(pk=curve.pk).update(result={})
    Job.objects.filter(pk=curve.job_id).update(state=JobState.CANCELLED)
    again = run_command("learning_curve", "autophagy", *options)
    assert again.code == 0
    assert again.summary["series"] == curve.pk


def test_a_search_with_one_fold_is_refused_and_freezes_nothing(learned: Snapshot) -> None:
    n_snapshots = Snapshot.objects.count()
    refused = run_command("label_errors", "autophagy", "--folds", "1", *brief_settings())
    assert refused.code == 2
    assert "2 to 20 folds" in refused.err
    assert Snapshot.objects.count() == n_snapshots


def test_a_killed_command_is_resumed_by_the_same_settings(
    learned: Snapshot, tiny: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    turned = {"seed": 42, "max_steps": 1, "folds": 2}
    facts = {
        "kind": SeriesKind.LABEL_ERRORS,
        "recipe": "quick",
        "hyperparameters": {"precision": "fp32", "epochs": "1"},
    }
    killed = Job.objects.create(
        kind=SERIES_KIND,
        scope=learned.project.scope,
        state=JobState.RUNNING,
        is_exclusive=True,
        is_inline=True,
        heartbeat_at=timezone.now() - timedelta(days=1),
    )
    series = TrainingSeries.objects.create(
        project=learned.project, snapshot=learned, base=tiny, options=turned, job=killed, **facts
    )
    asked: list[dict[str, Any]] = []

    def noted(self: Any, *, payload: Payload, **_: Any) -> None:
        asked.append(payload.as_json())
        raise UserError("That is enough.")

    monkeypatch.setattr("annotator.jobs.commands.JobCommand.run_job", noted)
    settings = (
        "--folds",
        "2",
        "--max-steps",
        "1",
        "--set",
        "epochs=1",
        "--set",
        "precision=fp32",
        "--base",
        tiny.name,
    )
    assert (
        run_command("label_errors", "autophagy", "--snapshot", "1", *settings)
        .err.strip()
        .endswith("That is enough.")
    )
    assert asked == [{"series": series.pk}]
    assert TrainingSeries.objects.get() == series
    assert Job.objects.get(pk=killed.pk).state == JobState.FAILED


def test_a_command_does_not_delete_a_series_that_runs(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    facts = {
        "kind": SeriesKind.LABEL_ERRORS,
        "recipe": "quick",
        "options": {"folds": 2, "max_steps": 1, "seed": 42},
    }
    stopped = TrainingSeries.objects.create(
        project=learned.project, snapshot=learned, base=tiny, **facts
    )
    started_series(learned)
    refused = run_command(
        "label_errors", "autophagy", "--snapshot", "1", "--folds", "2", "--max-steps", "1"
    )
    assert refused.code == 2
    assert "waiting or running already" in refused.err
    assert TrainingSeries.objects.filter(pk=stopped.pk).exists()
