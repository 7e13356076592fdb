"""The review pages for everybody: narrow windows, screen readers, no script."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import expect

from annotator.accounts.models import User
from annotator.corpus.models import DocumentState
from annotator.review.editing import services
from annotator.review.editing.leases import claim_lease
from tests.annotator.review.conftest import TEXT, MakeLegend
from tests.e2e.conftest import OpenAs
from tests.e2e.screen import (
    LONG,
    Screen,
    address,
    decided,
    press_and_go,
    ready,
    small_controls,
    width_of_content,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("which", ["queue", "legend", "list", "help"])
def test_axe_finds_nothing(
    which: str, scheme: str, make_legend: MakeLegend, open_as: OpenAs, curator: User
) -> None:
    document = make_legend(
        suggested=[
            ("Bax", "GENEPROD", 0.9),
            ("Bax and", "SMALL_MOLECULE", 0.4),
            ("MEFs", "CELL", 0.8),
        ]
    )
    services.apply_operation(
        document_id=document.pk,
        actor=curator,
        operation={
            "id": "6f2c1f6e-0d0f-4c0e-9f61-000000000001",
            "kind": "accept",
            "entity": "s2",
            "base_revision": 0,
        },
    )
    path = (
        reverse("review:queue", args=["autophagy"])
        if which == "queue"
        else address(document) + ("?list" if which == "list" else "")
    )
    page = open_as(curator, path, color_scheme=scheme)
    if which in ("legend", "help"):
        ready(page)
    if which == "help":
        page.keyboard.press("?")
    results = Axe().run(page)
    assert [
        (violation["id"], violation["impact"]) for violation in results.response["violations"]
    ] == []


@pytest.mark.parametrize("which", ["queue", "legend", "list"])
@pytest.mark.parametrize("width", [360, 700])
def test_pages_fit_a_narrow_window(
    which: str, width: int, make_legend: MakeLegend, open_as: OpenAs, curator: User
) -> None:
    document = make_legend(
        LONG, suggested=[("etoposide", "SMALL_MOLECULE", 0.9), ("photographs", "EXP_ASSAY", 0.5)]
    )
    path = (
        reverse("review:queue", args=["autophagy"])
        if which == "queue"
        else address(document) + ("?list" if which == "list" else "")
    )
    page = open_as(curator, path, width=width, height=740)
    assert width_of_content(page) <= width
    assert small_controls(page, "button, select, input:not([type=hidden])") == []


def test_changes_are_spoken_to_screen_readers(screen: Screen) -> None:
    _, page = screen
    said = page.locator("#said[aria-live=polite]")
    page.keyboard.press("ArrowRight")
    expect(said).to_have_text("Bak, Gene product, Suggestion 2 of 3")
    page.keyboard.press("4")
    expect(said).to_contain_text("made “Bak” cell")


def test_without_script_the_legend_is_edited_as_a_list(
    make_legend: MakeLegend, open_as: OpenAs, curator: User, reviewer: User
) -> None:
    document = make_legend()
    page = open_as(curator, address(document), java_script_enabled=False)
    page.get_by_role("link", name="edit this legend as a list").click()
    press_and_go(page, "Reject", page.locator("#entity-s1"), exact=True)
    press_and_go(page, "Copy label to all 3", page.locator("#entity-s0"))
    page.get_by_label("Text at the start").fill("deficient")
    press_and_go(page, "Add panel start")
    expect(page.get_by_text("Panel C", exact=False)).to_have_count(0)
    press_and_go(page, "Remove panel start at deficient")
    page.get_by_label("Text", exact=True).fill("deficient MEFs")
    page.locator("select[name=label]").first.select_option("Disease")
    press_and_go(page, "Add entity")
    assert sorted(decided(document)) == [
        ("Bax", "GENEPROD", ""),
        *[("Bax", "GENEPROD", "")] * 2,
        ("deficient MEFs", "DISEASE", ""),
    ]
    claim_lease(document=document, actor=reviewer, take_over=True)
    page.reload()
    press_and_go(page, "Take over legend")
    press_and_go(page, "Accept and open next")
    document.refresh_from_db()
    assert document.state == DocumentState.ACCEPTED
    assert document.text == TEXT
    assert document.n_panels == 2
