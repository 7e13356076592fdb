"""Training series: started, cancelled, resumed, refused."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.services import create_project
from annotator.datasets.models import Snapshot
from annotator.jobs.errors import JobConflictError
from annotator.jobs.models import Job, JobState
from annotator.jobs.services import request_cancel, run_job
from annotator.learning.models import (
    ModelOrigin,
    ModelVersion,
    SeriesKind,
    TrainingSeries,
)
from annotator.learning.training.child_process import read_events
from annotator.learning.training.learning_curve import curve_report
from annotator.learning.training.series import (
    SERIES_KIND,
    cancel_series,
    enqueue_series,
    first_ancestor,
    start_series,
)
from tests.annotator.conftest import WorkerProcess, wait_for
from tests.annotator.learning.training.conftest import (
    BRIEF_SERIES,
    PATIENCE,
    done_series,
    started_series,
    text_of,
)

pytestmark = pytest.mark.django_db

PAGES = "admin:learning_trainingseries"


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_search_survives_crashes_of_child_and_worker(
    start_worker: Callable[..., WorkerProcess],
    finished: Callable[..., Job],
    learned: Snapshot,
    tiny: ModelVersion,
    manager: User,
) -> None:
    first = start_worker("train")
    slow = {"epochs": 20, "batch_size": 1, "checkpoint_seconds": 1}
    Snapshot.objects.update(rules={**learned.rules, "near_duplicate": 0.6})
    series = started_series(
        learned, actor=manager, hyperparameters=slow, options={"folds": 2, "max_steps": 0}
    )

    def events(kind: str) -> list[Any]:
        return [event for event in read_events(series.folder) if event["event"] == kind]

    wait_for(lambda: events("part_done"), what="the first fold", timeout=PATIENCE, log=first.log)
    wait_for(
        lambda: any(event["part"] == "fold-2" for event in events("step")),
        what="the second fold",
        timeout=PATIENCE,
        log=first.log,
    )
    os.kill(int((series.folder / "pid").read_text()), signal.SIGKILL)
    wait_for(
        lambda: len(events("start")) == 3, what="another child", timeout=PATIENCE, log=first.log
    )
    first.kill()
    second = start_worker("train")
    job = finished(series.job, timeout=PATIENCE, log=second.log)
    assert job.state == JobState.SUCCEEDED, second.log.read_text()[-3000:]
    assert job.error == "", second.log.read_text()[-3000:]
    assert job.n_attempts == 2, second.log.read_text()[-3000:]
    assert [event["part"] for event in events("start")].count("fold-1") == 1, (
        "a finished fold is not trained again"
    )
    series.refresh_from_db()
    assert series.result["texts"] == 30
    assert series.result["entities"] == 60
    assert len(series.result["folds"]) == 2
    assert series.finished_at is not None
    assert json.loads((series.out / "series.json").read_text())["near_duplicate"] == 0.6
    assert not ModelVersion.objects.filter(origin=ModelOrigin.TRAINED).exists()
    assert not list(series.folder.rglob("*.safetensors"))


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_worker_runs_a_learning_curve(
    start_worker: Callable[..., WorkerProcess],
    finished: Callable[..., Job],
    learned: Snapshot,
    tiny: ModelVersion,
    manager: User,
) -> None:
    worker = start_worker("train")
    curve = started_series(
        learned, SeriesKind.LEARNING_CURVE, actor=manager, options={"shares": "0.5,1"}
    )
    assert finished(curve.job, timeout=PATIENCE, log=worker.log).error == ""
    curve.refresh_from_db()
    report = curve_report(curve.result)
    assert report.held_out_papers == learned.counts["test"]["papers"]
    assert report.held_out_panels == learned.counts["test"]["panels"]
    assert [point.papers for point in report.points] == [
        round(learned.counts["train"]["papers"] / 2 + 0.01),
        learned.counts["train"]["papers"],
    ]
    assert not ModelVersion.objects.filter(origin=ModelOrigin.TRAINED).exists()


@pytest.mark.slow
def test_a_cancelled_series_is_resumed_after_finished_trainings(
    learned: Snapshot, tiny: ModelVersion, manager: User
) -> None:
    series = started_series(learned, actor=manager)
    from annotator.learning.training import series as module

    real = module.SeriesRun._on_event

    def cancelled_after_the_first(self: Any, event: Any) -> None:
        real(self, event)
        if event.get("event") == "part_done":
            request_cancel(job=series.job, actor=manager)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.SeriesRun, "_on_event", cancelled_after_the_first)
        patch.setattr("annotator.jobs.runs.THROTTLE_SECONDS", 0)
        run_job(series.job.pk)
    series = TrainingSeries.objects.get(pk=series.pk)
    assert series.job.state == JobState.CANCELLED
    assert series.job.error == ""
    assert series.is_done is False
    assert series.is_at_work is False
    assert (series.out / "fold-1/result.json").is_file()
    enqueue_series(series=series, actor=manager)
    with pytest.raises(UserError, match="running already"):
        enqueue_series(series=series, actor=manager)
    series = done_series(series)
    starts = [event["part"] for event in read_events(series.folder) if event["event"] == "start"]
    assert starts.count("fold-1") == 1
    with pytest.raises(UserError, match="done already"):
        enqueue_series(series=series, actor=manager)


def test_an_orphaned_child_is_ended_before_a_series_is_resumed(
    learned: Snapshot, tiny: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    series = started_series(learned)
    from annotator.learning.training import series as module

    order: list[str] = []

    def no_more(**_: Any) -> list[str]:
        raise UserError(", ".join(order))

    monkeypatch.setattr(
        module, "wait_for_place", lambda folder, job: order.append(f"waited for {folder.name}")
    )
    monkeypatch.setattr(module, "remove_leftovers_of_ended_runs", lambda: order.append("swept"))
    monkeypatch.setattr("annotator.learning.engine.series_command", no_more)
    assert series.job is not None
    run_job(series.job.pk)
    assert Job.objects.get(pk=series.job.pk).error == f"waited for series-{series.pk}, swept"


def test_a_search_starts_from_the_first_ancestor(learned: Snapshot, tiny: ModelVersion) -> None:
    child = ModelVersion.objects.create(
        name="run-1",
        origin=ModelOrigin.TRAINED,
        location="run-1",
        project=learned.project,
        parent=tiny,
    )
    assert first_ancestor(child) == tiny
    assert started_series(learned).base == tiny


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"options": {"folds": 1}}, "2 to 20 folds"),
        ({"options": {"shares": "0.5,1"}}, "There is no option shares here"),
        ({"kind": "curve", "options": {"shares": "1"}}, "two points or more"),
        ({"kind": "curve", "recipe": "panelization", "options": {}}, "does not learn from panels"),
        ({"recipe": "geneprod-roles"}, "label errors are looked for among entities"),
        ({"recipe": "nonsense"}, "There is no recipe nonsense"),
        ({"hyperparameters": {"epochs": -1}}, "epochs must lie between"),
        ({"kind": "nonsense"}, "There is no series of kind"),
    ],
)
def test_a_series_with_impossible_settings_is_refused(
    learned: Snapshot, tiny: ModelVersion, facts: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UserError, match=re.escape(sentence)):
        started_series(learned, **facts)
    assert not TrainingSeries.objects.exists()


def test_one_series_at_a_time_and_only_by_managers(
    learned: Snapshot, tiny: ModelVersion, reviewer: User, manager: User
) -> None:
    series = started_series(learned, actor=manager)
    with pytest.raises(JobConflictError):
        started_series(learned, actor=manager)
    assert TrainingSeries.objects.get() == series
    for act in (
        lambda: started_series(learned, actor=reviewer),
        lambda: cancel_series(series=series, actor=reviewer),
    ):
        with pytest.raises(PermissionDenied):
            act()
    elsewhere = create_project(name="Elsewhere", slug="elsewhere", actor=manager)
    with pytest.raises(UserError, match="finished snapshot of this project"):
        start_series(
            project=elsewhere, snapshot=learned, kind=SeriesKind.LABEL_ERRORS, actor=manager
        )
    cancel_series(series=series, actor=manager)
    assert Job.objects.get(kind=SERIES_KIND).state == JobState.CANCELLED


@pytest.fixture
def panel(admin: User, client_of: Callable[[User], Client]) -> Client:
    return client_of(admin)


def test_a_search_is_started_and_read_on_the_admin_site(
    panel: Client, learned: Snapshot, tiny: ModelVersion
) -> None:
    page = panel.get(reverse("admin:datasets_snapshot_change", args=[learned.pk])).content.decode()
    address = reverse(f"{PAGES}_add")
    assert f"{address}?kind=label-errors&amp;snapshot={learned.pk}" in page
    assert "Search for label errors" in text_of(
        panel.get(address, {"kind": "label-errors", "snapshot": learned.pk})
    )
    asked = {"snapshot": learned.pk, "recipe": "quick", "folds": 2, "max_steps": 1, "seed": 7}
    more = "\n".join(f"{name} = {value}" for name, value in BRIEF_SERIES.items())
    answer = panel.post(f"{address}?kind=label-errors", {**asked, "more": more})
    series = TrainingSeries.objects.get()
    assert answer["Location"] == reverse(f"{PAGES}_change", args=[series.pk])
    assert series.kind == SeriesKind.LABEL_ERRORS
    assert series.options == {"folds": 2, "max_steps": 1, "seed": 7}
    part = reverse(f"{PAGES}_part", args=[series.pk])
    assert panel.get(part).status_code == 200
    assert "waiting" in text_of(panel.get(part))
    done_series(series)
    assert panel.get(part).status_code == 286
    page = text_of(panel.get(answer["Location"]))
    assert "In 30 panels of 30 papers with 60 decided entities" in page
    assert reverse("jobs:job", args=[series.job.pk])


def test_a_stopped_series_can_be_resumed_on_its_page(
    panel: Client, learned: Snapshot, tiny: ModelVersion
) -> None:
    series = started_series(learned)
    panel.post(reverse(f"{PAGES}_cancel", args=[series.pk]))
    address = reverse(f"{PAGES}_change", args=[series.pk])
    assert "Resume series" in text_of(panel.get(address))
    panel.post(reverse(f"{PAGES}_resume", args=[series.pk]))
    assert "waiting" in text_of(panel.get(address))
    assert "already" in text_of(
        panel.post(reverse(f"{PAGES}_resume", args=[series.pk]), follow=True)
    )
    assert "Label errors" in text_of(panel.get(reverse(f"{PAGES}_changelist")))
