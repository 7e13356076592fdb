"""Panels in the margin: split, merged, renamed and removed by mouse and by keys."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from annotator.accounts.models import User
from tests.annotator.review.conftest import MakeLegend
from tests.e2e.conftest import OpenAs
from tests.e2e.screen import address, inside, ready, saved, word

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
TEXT = "(A) Blot of Bax. (B) Cells with LC3. Data represent the mean."
LC3 = (("LC3", "GENEPROD", 0.9),)


@pytest.fixture
def margin(make_legend: MakeLegend, open_as: OpenAs, curator: User) -> Page:
    return ready(open_as(curator, address(make_legend(TEXT, suggested=LC3))))


def has_panels(page: Page, *names: str) -> None:
    saved(page)
    expect(page.locator(".block-marker:enabled")).to_have_text(list(names))


def test_panels_are_changed_by_mouse(margin: Page) -> None:
    word(margin, 13).dblclick()
    margin.locator("#palette").get_by_role("button", name="Panel starts here").click()
    has_panels(margin, "A", "B", "")
    margin.get_by_role("button", name="Panel without a letter").click()
    margin.get_by_role("button", name="Merge with panel B").click()
    has_panels(margin, "A", "B")
    margin.get_by_role("button", name="Panel A", exact=True).click()
    margin.get_by_role("button", name="Merge with panel B").click()
    has_panels(margin, "A–B")
    margin.get_by_role("button", name="Panel A–B").click()
    margin.get_by_label("Name").fill("S1")
    margin.get_by_role("button", name="Rename").click()
    has_panels(margin, "S1")
    margin.get_by_role("button", name="Panel S1").click()
    margin.get_by_role("button", name="Remove panel").click()
    has_panels(margin)


def test_panels_are_changed_by_keys(margin: Page) -> None:
    inside(margin, "s0").click()
    margin.keyboard.press("Shift+P")
    expect(margin.locator("#panel-menu-title")).to_have_text("Panel B")
    margin.keyboard.type("C")
    margin.keyboard.press("Enter")
    has_panels(margin, "A", "C")
    margin.keyboard.press("z")
    has_panels(margin, "A", "B")
    margin.keyboard.press("Shift+P")
    margin.get_by_role("button", name="Split before “LC3”").press("Enter")
    has_panels(margin, "A", "B", "")


def test_the_menu_of_a_panel_fits_a_narrow_window(
    make_legend: MakeLegend, open_as: OpenAs, curator: User
) -> None:
    document = make_legend(TEXT, suggested=LC3)
    page = ready(open_as(curator, address(document), width=360, height=740))
    page.get_by_role("button", name="Panel B").click()
    box = page.locator("#panel-menu").bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
