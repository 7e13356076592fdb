"""Possible label errors and learning curves in a browser: read, sent to review, kept or corrected;
light and dark, wide and narrow."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import Page, expect

from annotator.accounts.models import User
from annotator.learning.models import ModelVersion, SeriesKind, TrainingSeries
from tests.annotator.learning.conftest import learned, tiny, tiny_folders  # noqa: F401
from tests.annotator.learning.training.conftest import legend_named, mistaken  # noqa: F401
from tests.e2e.conftest import OpenAs
from tests.e2e.screen import seen

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PAGE = "admin:learning_trainingseries"


@pytest.fixture
def curve(mistaken: TrainingSeries, tiny: ModelVersion) -> TrainingSeries:  # noqa: F811
    def scores(f1: float) -> dict[str, Any]:
        return {"precision": f1, "recall": f1, "f1": f1, "support": 40}

    points = [
        {
            "share": share,
            "papers": papers,
            "texts": 3 * papers,
            "steps": papers,
            "seconds": 2.0,
            "micro": scores(f1),
            "macro": scores(f1),
        }
        | {"by_label": {"GENEPROD": scores(f1), "CELL": scores(f1 - 0.1)}}
        for share, papers, f1 in ((0.1, 3, 0.41), (0.25, 6, 0.52), (0.5, 12, 0.61), (1.0, 24, 0.66))
    ]
    sentence = (
        "From 12 to 24 papers micro F1 changes by +5.0 points (95 % interval +1.2 to +8.1): still"
        " rising."
    )
    result = {"held_out": {"papers": 3, "texts": 9}, "points": points, "sentence": sentence}
    facts = {
        "project": mistaken.project,
        "snapshot": mistaken.snapshot,
        "base": tiny,
        "recipe": "quick",
        "result": result,
    }
    return TrainingSeries.objects.create(
        kind=SeriesKind.LEARNING_CURVE, options={"shares": "0.1,0.25,0.5,1"}, **facts
    )


def looked_at(page: Page, address: str, context: str) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    found = Axe().run(page, context=context).response["violations"]
    problems = [(each["id"], each["nodes"][0]["html"][:200]) for each in found]
    assert problems == [], f"{address}: {problems}"
    fits = page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert fits, f"{address} is wider than the window"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_window(
    scheme: str,
    mistaken: TrainingSeries,  # noqa: F811
    curve: TrainingSeries,
    open_as: OpenAs,
    admin: User,
) -> None:
    page = open_as(admin, "/", color_scheme=scheme, width=360 if scheme == "dark" else 1400)
    starts = [
        f"{reverse(f'{PAGE}_add')}?kind={kind}&snapshot={curve.snapshot_id}"
        for kind in SeriesKind.values
    ]
    for address in [
        *(reverse(f"{PAGE}_change", args=[each.pk]) for each in (mistaken, curve)),
        *starts,
    ]:
        page.goto(address)
        looked_at(page, address, ".sdc")


def test_from_the_ranking_to_a_kept_and_a_corrected_legend(
    mistaken: TrainingSeries,  # noqa: F811
    open_as: OpenAs,
    admin: User,
) -> None:
    page = open_as(admin, reverse(f"{PAGE}_change", args=[mistaken.pk]))
    expect(page.locator("#disagreements tbody tr")).to_have_count(2)
    page.get_by_label("Legends to review").fill("2")
    page.get_by_role("button", name="Send to review").click()
    expect(page.get_by_text("2 legends sent to review.")).to_be_visible()

    project = mistaken.project
    page.goto(reverse("review:queue", args=[project.slug]) + "?show=suspicious")
    page.get_by_role("link", name="Review label errors").click()
    expect(page.locator(".label-errors")).to_contain_text(
        "HeLa: cell. The model: tissue; gives the decision 10 %."
    )
    looked_at(page, "a legend", ".label-errors")
    seen(page)
    page.get_by_role("button", name="Keep labels and open next").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".label-errors")).to_contain_text(
        "HeLa: not marked. The model: tissue, 60 % sure."
    )
    page.get_by_role("button", name="Reopen").click()
    seen(page)
    page.locator("#accept-legend").click()
    expect(
        page.get_by_text("No legend waits for review.").or_(
            page.get_by_role("heading", name="Queue")
        )
    ).to_be_visible()
    page.goto(reverse(f"{PAGE}_change", args=[mistaken.pk]))
    expect(page.locator("#outcome")).to_contain_text("0 are open.")
    assert legend_named(mistaken, "long-7").label_error_score is None
