"""Curator effort, canary, automatic training and a push to a hub, in a browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.corpus.models import Document, Project
from annotator.datasets.snapshots.services import add_snapshot, build_snapshot
from annotator.learning.models import (
    AutomaticRound,
    AutomaticTraining,
    Canary,
    LabelEffort,
    LegendEffort,
    ModelOrigin,
    ModelVersion,
    RunState,
    TrainingRun,
)
from annotator.learning.serving.canary import start_canary
from annotator.learning.tagging.services import serving_model
from tests.annotator.datasets.conftest import long_legend
from tests.annotator.learning.conftest import judged_as, perfect
from tests.e2e.conftest import OpenAs
from tests.e2e.screen import assert_sound
from tests.e2e.test_gate import worse

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def run(project: Project, import_legends: Callable[..., list[Document]]) -> TrainingRun:
    """One whose candidate may be tried."""
    import_legends([long_legend(number) for number in range(60)], labels="gold")
    snapshot = build_snapshot(snapshot=add_snapshot(project=project, actor=SYSTEM))
    base = serving_model(project)
    run = TrainingRun.objects.create(
        project=project,
        snapshot=snapshot,
        base=base,
        recipe="quick",
        state=RunState.SUCCEEDED,
        reason="200 are new.",
    )
    run.candidate = ModelVersion.objects.create(
        name=run.candidate_name,
        origin=ModelOrigin.TRAINED,
        location=run.candidate_name,
        project=project,
        parent=base,
    )
    run.save()
    judged_as(snapshot, base, worse)
    judged_as(snapshot, run.candidate, perfect)
    return run


def work_on(
    project: Project, import_legends: Callable[..., list[Document]], canary: Canary
) -> None:
    """Curators' work on legends of both models, as if they had accepted them."""
    for number, legend in enumerate(
        import_legends([long_legend(number) for number in range(100, 160)])
    ):
        Document.objects.filter(pk=legend.pk).update(
            state="accepted", accepted_at=timezone.now(), revision=3
        )
        is_new = legend.sha256 < canary.bound
        source = canary.model_version.name if is_new else canary.serving_model.name
        facts = {
            "n_actions": 2 + number % 4 + 3 * (not is_new),
            "seconds": 20.0 + number % 7 + 30 * (not is_new),
        }
        effort = LegendEffort.objects.create(
            document=legend, revision=3, source=source, suggested_at=timezone.now(), **facts
        )
        for label in ("GENEPROD", "CELL", "EXP_ASSAY", "SUBCELLULAR"):
            counts = {
                "accepted": 6,
                "bulk_accepted": 2,
                "boundaries_corrected": number % 3,
                "relabelled": number % 2,
                "rejected": 2 * (not is_new),
                "left_out": 1,
                "added": 1,
            }
            LabelEffort.objects.create(legend=effort, source=source, label=label, **counts)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_window(
    scheme: str,
    run: TrainingRun,
    open_as: OpenAs,
    admin: User,
    import_legends: Callable[..., list[Document]],
    settings: Any,
) -> None:
    settings.HUB_TOKEN = "hf_none"
    project = run.project
    canary = start_canary(project=project, model_version=run.candidate, fraction=0.4, actor=admin)
    work_on(project, import_legends, canary)
    AutomaticTraining.objects.create(
        project=project,
        is_on=True,
        every_panels=200,
        check_result="Not due yet: 3 panels were newly accepted so far.",
    )
    AutomaticRound.objects.create(
        project=project,
        reason="200 are new.",
        run=run,
        snapshot=run.snapshot,
        state="succeeded",
        outcome="It passes.",
        ended_at=timezone.now(),
    )
    page = open_as(admin, "/", color_scheme=scheme, width=360 if scheme == "dark" else 1400)
    addresses = [
        reverse("admin:learning_modelversion_effort", args=[project.pk]),
        reverse("admin:learning_trainingrun_automatic", args=[project.pk]),
        reverse("admin:learning_trainingrun_change", args=[run.pk]),
        reverse("admin:learning_modelversion_push", args=[run.base_id]),
        reverse("admin:index"),
    ]
    for address in addresses:
        page.goto(address)
        assert_sound(page, f"{scheme}{address}")


def test_a_canary_is_started_and_stopped_by_keyboard(
    run: TrainingRun, open_as: OpenAs, admin: User
) -> None:
    page = open_as(admin, reverse("admin:learning_trainingrun_change", args=[run.pk]))
    share = page.get_by_label("Percentage of new legends")
    share.focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("30")
    page.keyboard.press("Enter")
    expect(page.get_by_text("tags 30% of newly tagged legends")).to_be_visible()
    assert Canary.objects.running().get().fraction == 0.3
    page.locator("#stop-canary").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("stopped in")).to_be_visible()
    assert not Canary.objects.running().exists()


def test_training_by_itself_is_switched_on_from_the_first_page(
    run: TrainingRun, open_as: OpenAs, admin: User
) -> None:
    page = open_as(admin, reverse("admin:index"))
    page.get_by_role("link", name="off", exact=True).click()
    page.get_by_label("Train automatically").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Set a number of newly accepted panels")).to_be_visible()
    page.get_by_label("New accepted panels").fill("200")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("is on. A worker checks")).to_be_visible()
    assert AutomaticTraining.objects.get().every_panels == 200
