"""The dry run of a training in a browser: asked for, filled in when the worker has measured, and
the launch a click from there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.corpus.models import Document, Project
from annotator.datasets.models import Snapshot
from annotator.datasets.snapshots.services import add_snapshot, build_snapshot
from annotator.jobs.models import Job, JobState
from annotator.learning.models import ModelVersion, TrainingRun
from annotator.learning.training.services import DRY_RUN_KIND
from tests.annotator.datasets.conftest import long_legend
from tests.annotator.learning.conftest import candidate_of  # noqa: F401
from tests.e2e.conftest import OpenAs
from tests.e2e.screen import assert_sound

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

#: As a worker reports it.
MEASURED = {
    "leak": "",
    "device": "cpu",
    "precision": "fp32",
    "steps": 5,
    "examples": 61,
    "seconds_per_step": 2.5,
    "n_measured": 6,
    "memory_bytes": 700_000_000,
    "seconds": 420.0,
    "parts": [["starting", 8.0], ["5 steps", 12.5]],
}


@pytest.fixture
def snapshot(
    project: Project,
    import_legends: Callable[..., list[Document]],
    candidate_of: Callable[..., ModelVersion],  # noqa: F811
) -> Snapshot:
    """The second of a project whose last run learned from the first."""
    import_legends([long_legend(number) for number in range(60)], labels="gold")
    candidate_of(build_snapshot(snapshot=add_snapshot(project=project, actor=SYSTEM)))
    import_legends([long_legend(number) for number in range(60, 80)], labels="gold")
    return build_snapshot(snapshot=add_snapshot(project=project, actor=SYSTEM))


def measured() -> Job:
    job = Job.objects.get(kind=DRY_RUN_KIND)
    Job.objects.filter(pk=job.pk).move(JobState.RUNNING, only_from=JobState.PENDING)
    Job.objects.filter(pk=job.pk).move(JobState.SUCCEEDED, result=MEASURED)
    return job


def test_a_dry_run_fills_itself_in_and_starts_the_run(
    snapshot: Snapshot, open_as: OpenAs, admin: User
) -> None:
    page = open_as(admin, f"{reverse('admin:learning_trainingrun_add')}?snapshot={snapshot.pk}")
    page.get_by_label("Epochs").fill("0.5")
    page.get_by_text("Other hyperparameters").click()
    page.get_by_label("warmup", exact=True).fill("0.2")
    page.get_by_label("warmup", exact=True).press("Enter")
    expect(page.get_by_text("Time on the worker’s device.")).to_be_visible()
    expect(page.locator("#changes")).to_contain_text("20 legends added")
    expect(page.locator("#rows")).to_contain_text("GENEPROD")
    assert not TrainingRun.objects.filter(snapshot=snapshot).exists()
    measured()
    expect(page.locator("#minutes")).to_have_text("7 min")
    page.locator("#start").click()
    expect(page.get_by_role("heading", name="on snapshot 2")).to_be_visible()
    run = TrainingRun.objects.get(snapshot=snapshot)
    assert run.hyperparameters["epochs"] == 0.5
    assert run.hyperparameters["warmup"] == 0.2
    assert run.created_by == admin


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_window(
    scheme: str, snapshot: Snapshot, open_as: OpenAs, admin: User
) -> None:
    start = f"{reverse('admin:learning_trainingrun_add')}?snapshot={snapshot.pk}"
    page = open_as(admin, start, color_scheme=scheme, width=360 if scheme == "dark" else 1400)
    page.get_by_text("Other hyperparameters").click()
    assert_sound(page, f"{scheme}-start")
    page.get_by_label("Epochs").fill("-1")
    page.locator("#dry-run").click()
    expect(page.locator("#id_epochs_error")).to_contain_text("epochs must lie between")
    assert_sound(page, f"{scheme}-refused")
    page.get_by_label("Epochs").fill("1")
    page.locator("#dry-run").click()
    expect(page.locator("#rows")).to_be_visible()
    assert_sound(page, f"{scheme}-dry-run-waits")
    measured()
    expect(page.locator("#minutes")).to_be_visible()
    assert_sound(page, f"{scheme}-dry-run")
