"""Automatic retraining: it begins when enough is new, says why not when it does not, and ends at
the gate."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.models import Document, Project
from annotator.datasets.models import Snapshot, SnapshotState
from annotator.datasets.snapshots.services import add_snapshot, build_snapshot
from annotator.jobs import periodic
from annotator.jobs.models import Job, JobState, PeriodicWork, Worker
from annotator.jobs.services import request_cancel, run_job
from annotator.learning import tasks
from annotator.learning.models import (
    AutomaticRound,
    AutomaticTraining,
    ModelVersion,
    Promotion,
    RoundState,
    RunState,
    ServingModel,
    TrainingRun,
)
from annotator.learning.training import automatic
from annotator.learning.training.automatic import (
    change_automatic_training,
    look_at,
    look_at_all,
    newly_accepted,
)
from tests.annotator.commands import run_command
from tests.annotator.conftest import WorkerProcess, wait_for
from tests.annotator.datasets.conftest import long_legend
from tests.annotator.learning.conftest import BRIEF

pytestmark = pytest.mark.django_db
ImportLegends = Callable[..., list[Document]]
PATIENCE = 400


@pytest.fixture
def listening(db: None) -> Worker:
    """A worker that listens on every queue, as far as rows tell, however long the test takes."""
    return Worker.objects.create(
        name="w", queues=["default", "tag", "train"], seen_at=timezone.now() + timedelta(hours=1)
    )


@pytest.fixture
def thirty(project: Project, import_legends: ImportLegends, tiny: ModelVersion) -> Project:
    """A project in which thirty panels of as many papers are accepted."""
    import_legends([long_legend(number) for number in range(30)], labels="gold")
    return project


def switch_on(project: Project, **facts: Any) -> AutomaticTraining:
    return change_automatic_training(
        project=project, actor=SYSTEM, is_on=True, hyperparameters=BRIEF, **facts
    )


def frozen_by(round_: AutomaticRound) -> Snapshot:
    """The round's snapshot after a worker froze it."""
    run_job(round_.snapshot.job_id)
    snapshot = Snapshot.objects.get(pk=round_.snapshot_id)
    assert snapshot.state == SnapshotState.READY
    return snapshot


def test_automatic_training_is_off_by_default(thirty: Project, listening: Worker) -> None:
    look_at_all()
    assert look_at(thirty) == ""
    change_automatic_training(project=thirty, actor=SYSTEM, is_on=False, every_panels=1)
    look_at_all()
    assert Snapshot.objects.count() == 0
    assert AutomaticRound.objects.count() == 0


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_workers_train_on_enough_new_panels_and_promote_nothing(
    thirty: Project,
    start_worker: Callable[..., WorkerProcess],
    tiny: ModelVersion,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    switch_on(thirty, every_panels=30)
    worker = start_worker()

    def look_again_soon() -> bool:
        PeriodicWork.objects.update(due_at=timezone.now())
        return AutomaticRound.objects.filter(ended_at__isnull=False).exists()

    wait_for(look_again_soon, what="the round to end", timeout=PATIENCE, log=worker.log)
    round_ = AutomaticRound.objects.get()
    run = round_.run
    assert run.state == RunState.SUCCEEDED, run.error
    assert run.created_by is None, run.error
    assert run.job.created_by is None, run.error
    reason = "30 panels were newly accepted so far; the threshold is 30."
    assert run.reason == reason
    assert round_.reason == reason
    assert run.base == tiny
    assert run.hyperparameters["epochs"] == 1
    assert run.candidate is not None
    assert f"Run {run.pk} made {run.candidate}" in round_.outcome
    assert "gate" in round_.outcome
    assert Promotion.objects.count() == 0
    assert ServingModel.objects.count() == 0
    assert "Not due yet: 0 panels were newly accepted since" in look_at(thirty)
    assert AutomaticRound.objects.count() == 1


def test_panels_accepted_since_the_last_training_are_counted(
    thirty: Project, import_legends: ImportLegends, tiny: ModelVersion
) -> None:
    assert newly_accepted(thirty, "quick") == (30, None)
    snapshot = build_snapshot(snapshot=add_snapshot(project=thirty, actor=SYSTEM))
    assert newly_accepted(thirty, "quick") == (30, None)
    TrainingRun.objects.create(
        project=thirty, snapshot=snapshot, base=tiny, recipe="quick", state=RunState.FAILED
    )
    assert newly_accepted(thirty, "quick") == (0, snapshot.created_at)
    assert newly_accepted(thirty, "panelization") == (30, None)
    import_legends(2, labels="gold")
    assert newly_accepted(thirty, "quick")[0] == 4


def test_it_says_how_much_is_missing(thirty: Project, listening: Worker) -> None:
    switch_on(thirty, every_panels=50)
    assert (
        look_at(thirty)
        == "Not due yet: 30 panels were newly accepted so far. It trains after 20 more."
    )
    row = AutomaticTraining.objects.get()
    assert (
        row.check_result
        == "Not due yet: 30 panels were newly accepted so far. It trains after 20 more."
    )
    assert (row.checked_at is not None) is True


def test_after_days_it_trains_if_anything_is_new(
    thirty: Project, import_legends: ImportLegends, listening: Worker
) -> None:
    switch_on(thirty, every_days=7, every_panels=100)
    assert look_at(thirty).startswith(
        "Started: 30 panels were newly accepted so far, and it trains every 7 days."
    )
    AutomaticRound.objects.update(
        state=RoundState.CANCELLED,
        ended_at=timezone.now(),
        created_at=timezone.now() - timedelta(days=6),
    )
    Document.objects.update(accepted_at=timezone.now() - timedelta(days=30))
    Job.objects.update(state=JobState.SUCCEEDED)
    assert "0 panels were newly accepted since" in look_at(thirty)
    import_legends([long_legend(50)], labels="gold")
    said = look_at(thirty)
    assert "1 panel was newly accepted since" in said
    assert "It trains after 99 more or on" in said
    AutomaticRound.objects.update(created_at=timezone.now() - timedelta(days=8))
    assert look_at(thirty).startswith("Started: 1 panel was newly accepted since")
    assert AutomaticRound.objects.count() == 2


def test_it_waits_while_the_project_is_busy_and_says_for_what(
    thirty: Project, listening: Worker, tiny: ModelVersion
) -> None:
    snapshot = build_snapshot(snapshot=add_snapshot(project=thirty, actor=SYSTEM))
    run = TrainingRun.objects.create(
        project=thirty,
        snapshot=snapshot,
        base=tiny,
        recipe="panelization",
        task="panels",
        state=RunState.TRAINING,
    )
    switch_on(thirty, every_panels=30)
    assert f"run {run.pk} is not finished. It starts after that run." in look_at(thirty)
    TrainingRun.objects.update(state=RunState.CANCELLED)
    job = Job.objects.create(kind="freeze_snapshot", scope=thirty.scope)
    assert "the project has an unfinished snapshot or training" in look_at(thirty)
    assert AutomaticRound.objects.count() == 0
    request_cancel(job=job, actor=SYSTEM)
    assert look_at(thirty).startswith("Started: ")


def test_without_a_worker_it_does_not_start_and_names_the_queue(
    thirty: Project, listening: Worker
) -> None:
    switch_on(thirty, every_panels=30)
    Worker.objects.update(queues=["default", "tag"])
    assert "but no worker listens on queue “train”. Start one" in look_at(thirty)
    Worker.objects.update(seen_at=timezone.now() - timedelta(minutes=3))
    assert "no worker listens on queue “default”" in look_at(thirty)
    assert Snapshot.objects.count() == 0


def test_a_snapshot_that_fails_ends_the_automatic_run(thirty: Project, listening: Worker) -> None:
    switch_on(thirty, every_panels=30)
    look_at(thirty)
    round_ = AutomaticRound.objects.get()
    request_cancel(job=round_.snapshot.job, actor=SYSTEM)
    said = look_at(thirty)
    assert (
        said == "Snapshot 1 could not be frozen: The snapshot was cancelled before it was complete."
    )
    assert AutomaticRound.objects.get().outcome == said
    assert "0 panels were newly accepted since" in look_at(thirty)
    assert AutomaticRound.objects.count() == 1


def test_a_cancelled_or_failed_run_ends_the_automatic_run(
    thirty: Project, listening: Worker
) -> None:
    switch_on(thirty, every_panels=30)
    assert "Snapshot 1 is being frozen" in look_at(thirty)
    assert look_at(thirty) == "Snapshot 1 is being frozen."
    frozen_by(AutomaticRound.objects.get())
    run_pk = TrainingRun.objects.count()
    assert "was started on snapshot 1" in look_at(thirty)
    run = TrainingRun.objects.get()
    assert run_pk == 0
    assert run.reason == AutomaticRound.objects.get().reason
    assert look_at(thirty) == f"Run {run.pk} is waiting."
    request_cancel(job=run.job, actor=SYSTEM)
    assert look_at(thirty) == f"Run {run.pk} was cancelled."
    TrainingRun.objects.update(state=RunState.FAILED, error="The disk is full.")
    AutomaticRound.objects.update(state=RoundState.TRAINING, ended_at=None)
    assert look_at(thirty) == f"Run {run.pk} failed: The disk is full."


def test_a_training_that_cannot_start_ends_the_automatic_run(
    thirty: Project, listening: Worker, tiny: ModelVersion
) -> None:
    switch_on(thirty, every_panels=30)
    look_at(thirty)
    frozen_by(AutomaticRound.objects.get())
    other = Job.objects.create(kind="train_model", scope=thirty.scope, is_exclusive=True)
    tried = Job.objects.create(kind="try_training", scope=thirty.scope)
    assert "the training waits for another" in look_at(thirty)
    tried.refresh_from_db()
    assert tried.state == JobState.PENDING, "waiting stops nobody's dry run"
    assert TrainingRun.objects.count() == 0
    assert AutomaticRound.objects.get().ended_at is None
    other.delete()
    AutomaticTraining.objects.update(recipe="gone")
    assert (
        look_at(thirty)
        == "The training on snapshot 1 could not start: There is no recipe gone; there are "
        + look_at_recipes()
    )
    assert AutomaticRound.objects.get().ended_at is not None


def look_at_recipes() -> str:
    from annotator.learning.training.recipes import recipes

    return f"{', '.join(recipes())}."


def test_switched_off_it_stops_before_the_training_only(thirty: Project, listening: Worker) -> None:
    switch_on(thirty, every_panels=30)
    look_at(thirty)
    change_automatic_training(project=thirty, actor=SYSTEM, is_on=False)
    look_at_all()
    outcome = AutomaticRound.objects.get().outcome
    assert outcome == "It was switched off before the training started."
    assert TrainingRun.objects.count() == 0


def test_an_error_in_one_project_does_not_stop_the_others(
    thirty: Project, listening: Worker, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    from annotator.corpus.services import create_project

    other = create_project(name="Zebrafish", slug="zebrafish", actor=manager)
    for project in (thirty, other):
        switch_on(project, every_panels=50)
    looked = automatic.look_at

    def look(project: Project) -> str:
        if project == thirty:
            raise ZeroDivisionError
        return looked(project)

    monkeypatch.setattr(automatic, "look_at", look)
    look_at_all()
    assert "unexpected error" in AutomaticTraining.objects.get(project=thirty).check_result
    assert "It trains after 50 more" in AutomaticTraining.objects.get(project=other).check_result


def test_impossible_settings_are_refused_by_the_database_too(
    thirty: Project, manager: User, reviewer: User
) -> None:
    for facts in (
        {},
        {"every_panels": 0},
        {"every_days": -1},
        {"every_panels": True},
        {"every_panels": 1.5},
    ):
        with pytest.raises(UserError, match=r"Set a number of newly|must be a whole number"):
            switch_on(thirty, **facts)
    with pytest.raises(UserError, match="no recipe"):
        switch_on(thirty, every_panels=1, recipe="slow")
    with pytest.raises(UserError, match="no hyperparameter warmth"):
        change_automatic_training(
            project=thirty, actor=manager, is_on=True, every_panels=1, hyperparameters={"warmth": 3}
        )
    with pytest.raises(PermissionDenied):
        change_automatic_training(project=thirty, actor=reviewer, is_on=False)
    with pytest.raises(IntegrityError), transaction.atomic():
        AutomaticTraining.objects.create(project=thirty, is_on=True)
    assert AutomaticTraining.objects.count() == 0


# What comes round


def test_of_many_workers_one_checks_and_failures_are_retried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = []
    monkeypatch.setattr(periodic, "_works", {})

    @periodic.periodically("a", every=timedelta(hours=1))
    def work() -> None:
        done.append("a")
        raise RuntimeError

    assert periodic.run_due_work() == ["a"]
    assert periodic.run_due_work() == []
    PeriodicWork.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    assert periodic.run_due_work() == ["a"]
    assert done == ["a", "a"]
    assert (PeriodicWork.objects.get().due_at > timezone.now()) is True


def test_workers_know_of_automatic_training() -> None:
    assert periodic._works["automatic training"] == (
        automatic.LOOK_EVERY,
        tasks.advance_automatic_training,
    )


# In the panel, and by programs


def test_a_manager_switches_it_on_and_reads_the_outcome(
    thirty: Project, listening: Worker, admin: User, client_of: Callable[[User], Client]
) -> None:
    panel, address = (
        client_of(admin),
        reverse("admin:learning_trainingrun_automatic", args=[thirty.pk]),
    )
    page = panel.get(address).content.decode()
    assert "Training runs are started by hand." in page
    refused = panel.post(address, {"is_on": "on", "recipe": "quick"})
    assert refused.status_code == 422
    assert "Set a number of newly accepted panels" in refused.content.decode()
    refused = panel.post(
        address,
        {"is_on": "on", "recipe": "quick", "every_panels": "30", "hyperparameters": "epochs"},
    )
    assert "is not a hyperparameter" in refused.content.decode()
    asked = {
        "is_on": "on",
        "recipe": "quick",
        "every_panels": "30",
        "hyperparameters": "epochs = 1",
    }
    assert panel.post(address, asked)["Location"] == address
    assert AutomaticTraining.objects.get().hyperparameters == {"epochs": "1"}
    look_at_all()
    page = panel.get(address).content.decode()
    assert "30 panels were newly accepted so far; the threshold is 30." in page
    assert "freezing a snapshot" in page
    assert "epochs = 1" in page
    first = panel.get(reverse("admin:index")).content.decode()
    assert address in first
    assert "Started: 30 panels were newly accepted" in first
    assert (
        address
        in panel.get(reverse("admin:corpus_project_change", args=[thirty.pk])).content.decode()
    )


def test_a_viewers_page_has_no_link_that_would_refuse_them(
    project: Project, viewer: User, client_of: Callable[[User], Client]
) -> None:
    viewer.is_staff = True
    viewer.save()
    panel, address = (
        client_of(viewer),
        reverse("admin:learning_trainingrun_automatic", args=[project.pk]),
    )
    assert panel.get(address).status_code == 403
    answer = panel.get(reverse("admin:corpus_project_change", args=[project.pk]))
    assert answer.status_code == 200
    assert address not in answer.content.decode()


def test_the_page_says_when_no_worker_looks(
    thirty: Project, admin: User, client_of: Callable[[User], Client]
) -> None:
    switch_on(thirty, every_panels=30)
    panel, address = (
        client_of(admin),
        reverse("admin:learning_trainingrun_automatic", args=[thirty.pk]),
    )
    assert "No worker has checked for minutes" not in panel.get(address).content.decode()
    AutomaticTraining.objects.update(changed_at=timezone.now() - timedelta(minutes=6))
    assert "No worker has checked for minutes" in panel.get(address).content.decode()


def test_the_page_of_an_automatic_run_says_why(
    thirty: Project, listening: Worker, admin: User, client_of: Callable[[User], Client]
) -> None:
    switch_on(thirty, every_panels=30)
    look_at(thirty)
    frozen_by(AutomaticRound.objects.get())
    look_at(thirty)
    page = (
        client_of(admin)
        .get(reverse("admin:learning_trainingrun_change", args=[TrainingRun.objects.get().pk]))
        .content.decode()
    )
    assert "<dt>Automatic training</dt>" in page
    assert "the threshold is 30" in page


def test_a_command_switches_it_and_looks(thirty: Project, listening: Worker) -> None:
    ended = run_command(
        "automatic_training",
        thirty.slug,
        "--on",
        "--panels",
        40,
        "--set",
        "epochs=1",
        "--look",
        "--json",
    )
    assert ended.code == 0
    assert ended.summary["is_on"] is True
    assert ended.summary["every_panels"] == 40
    assert "It trains after 10 more" in ended.summary["said"]
    assert run_command("automatic_training", thirty.slug, "--on").code == 2
    assert "is on." in run_command("automatic_training", thirty.slug).out
    assert (
        run_command("automatic_training", thirty.slug, "--off", "--json").summary["is_on"] is False
    )
