"""The legend of marks below the text of a legend."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from annotator.accounts.models import User
from annotator.corpus.models import Project, ReviewMode
from tests.annotator.review.conftest import MakeLegend
from tests.e2e.conftest import OpenAs
from tests.e2e.screen import SURE, Screen, address, ready, seen, until

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_the_legend_explains_lines_and_roles(screen: Screen) -> None:
    _, page = screen
    marks = page.locator("#marks")
    for words in ("solid line", "dashed line", "dotted line", "▲ controlled variable"):
        expect(marks).to_contain_text(words)
    styles = [
        marks.locator(f".mark-sample.{line}").evaluate("e => getComputedStyle(e).borderBottomStyle")
        for line in ("solid", "dashed", "dotted")
    ]
    assert styles == ["solid", "dashed", "dotted"]


def test_the_legend_says_what_happens_to_the_rest(screen: Screen) -> None:
    _, page = screen
    expect(page.locator("#marks")).to_contain_text("The others are left out.")
    expect(page.locator("#marks")).to_contain_text("Enter Accept the legend")


def test_in_decide_mode_each_low_one_needs_a_decision(
    project: Project, make_legend: MakeLegend, open_as: OpenAs, curator: User
) -> None:
    document = make_legend(suggested=SURE)
    Project.objects.filter(pk=document.project_id).update(review_mode=ReviewMode.DECIDE)
    page = ready(open_as(curator, address(document)))
    expect(page.locator("#marks")).to_contain_text("needs your decision first")


def test_a_viewer_is_not_shown_what_enter_does(
    make_legend: MakeLegend, open_as: OpenAs, viewer: User
) -> None:
    page = open_as(viewer, address(make_legend(suggested=SURE)))
    expect(page.locator("#marks")).to_contain_text("dashed line")
    expect(page.locator("#marks")).not_to_contain_text("What you do not touch")


def test_a_closed_legend_of_marks_stays_closed(
    make_legend: MakeLegend, open_as: OpenAs, curator: User
) -> None:
    first, second = make_legend(suggested=SURE), make_legend(suggested=SURE)
    page = ready(open_as(curator, address(first)))
    page.locator("#marks > summary").click()
    expect(page.locator(".marks-list")).to_be_hidden()
    until(page, "() => localStorage.getItem('marks-closed') === '1'")
    page.locator("#legend h1").click()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"{address(second)}$"))
    seen(page)
    expect(page.locator(".marks-list")).to_be_hidden()
    page.locator("#marks > summary").click()
    expect(page.locator(".marks-list")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_marks_are_readable_at_every_width(
    scheme: str, make_legend: MakeLegend, open_as: OpenAs, curator: User
) -> None:
    document = make_legend(suggested=SURE)
    page = ready(open_as(curator, address(document), color_scheme=scheme))
    assert Axe().run(page).response["violations"] == []
    page.set_viewport_size({"width": 360, "height": 740})
    width = page.locator("#marks").evaluate("e => e.scrollWidth - e.clientWidth")
    assert width <= 0


def test_the_button_fits_a_narrow_window_whatever_it_counts(screen: Screen) -> None:
    _, page = screen
    page.set_viewport_size({"width": 360, "height": 740})
    page.locator("#accept-words").evaluate(
        "each => { each.textContent = 'Accept 1,041, leave out 1,020, next'; }"
    )
    box = page.locator("#accept-legend").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
