"""The comparison of a run and the gate in a browser: a worse candidate is stopped, a written reason
lets it through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.corpus.models import Document, Project
from annotator.datasets.snapshots.services import add_snapshot, build_snapshot
from annotator.learning.models import ModelOrigin, ModelVersion, RunState, TrainingRun
from annotator.learning.tagging.services import serving_model
from ner_engine import schema
from ner_engine.align import Labelled
from tests.annotator.datasets.conftest import long_legend
from tests.annotator.learning.conftest import judged_as, perfect
from tests.e2e.conftest import OpenAs
from tests.e2e.screen import assert_sound

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def worse(document: schema.Document) -> list[Labelled]:
    """Cells only, every other one by half, and the rest of the legend taken for a molecule."""
    cells = [found for found in perfect(document) if found.label == "CELL"]
    if int(document.id.removeprefix("p")) % 2:
        cells = [found._replace(end=found.end - 1) for found in cells]
    return [*cells, Labelled(len(document.text) - 10, len(document.text) - 1, "SMALL_MOLECULE")]


@pytest.fixture
def run(
    project: Project, import_legends: Callable[..., list[Document]], monkeypatch: pytest.MonkeyPatch
) -> TrainingRun:
    """One whose candidate is worse than the serving model."""
    import_legends([long_legend(number) for number in range(80)], labels="gold")
    snapshot = build_snapshot(snapshot=add_snapshot(project=project, actor=SYSTEM))
    base = serving_model(project)
    run = TrainingRun.objects.create(
        project=project, snapshot=snapshot, base=base, recipe="quick", state=RunState.SUCCEEDED
    )
    run.candidate = ModelVersion.objects.create(
        name=run.candidate_name,
        origin=ModelOrigin.TRAINED,
        location=run.candidate_name,
        project=project,
        parent=base,
    )
    run.save()
    judged_as(snapshot, base, perfect)
    judged_as(snapshot, run.candidate, worse)
    return run


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_window(
    scheme: str, run: TrainingRun, open_as: OpenAs, admin: User
) -> None:
    page = open_as(admin, "/", color_scheme=scheme, width=360 if scheme == "dark" else 1400)
    addresses = [
        reverse("admin:learning_trainingrun_change", args=[run.pk]),
        reverse("admin:learning_modelversion_change", args=[run.candidate_id]),
        reverse("admin:learning_modelversion_card", args=[run.base_id]),
        reverse("admin:learning_trainingrun_gate", args=[run.project_id]),
    ]
    for address in addresses:
        page.goto(address)
        assert_sound(page, f"{scheme}{address}")


def test_a_worse_candidate_passes_with_a_reason(
    run: TrainingRun, open_as: OpenAs, admin: User
) -> None:
    page = open_as(admin, reverse("admin:learning_trainingrun_change", args=[run.pk]))
    expect(page.locator("#difference")).to_contain_text(
        "points of micro F1 (95 % confidence interval"
    )
    expect(page.get_by_text("The candidate does not pass the gate.")).to_be_visible()
    page.locator("#promote").click()
    expect(page.locator("#promote")).to_be_visible()  # the browser asks for the reason
    assert serving_model(run.project) == run.base
    page.locator("[name=reason]").fill("Molecules are all that we look for at the moment.")
    page.locator("#promote").click()
    expect(page.get_by_text("is now the serving model").first).to_be_visible()
    page.locator("#roll-back").click()
    expect(page.get_by_text(f"{run.base} is the serving model")).to_be_visible()
    legend = page.locator("#worse-legends a").first
    href: Any = legend.get_attribute("href")
    assert run.project.slug in href
