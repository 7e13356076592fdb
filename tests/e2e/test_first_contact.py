"""A curator's first minutes: a tour; practice on known answers; what is disabled says why."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import expect

from annotator.accounts.models import User
from annotator.corpus.models import Project
from tests.annotator.review.conftest import MakeLegend
from tests.e2e.conftest import OpenAs
from tests.e2e.screen import (
    SURE,
    Screen,
    address,
    decided,
    fetched_ahead,
    inside,
    ready,
    saved,
    seen,
    small_controls,
    width_of_content,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


# The tour
# ------------------------------------------------------------------------------------------


def test_the_tour_opens_once_and_again_from_the_menu(
    make_legend: MakeLegend, open_as: OpenAs, curator: User
) -> None:
    url = address(make_legend(suggested=SURE))
    page = ready(open_as(curator, url, tour=True))
    tour = page.locator("#tour")
    expect(tour).to_contain_text("Tour, step 1 of 5")
    expect(page.locator("#legend .blocks")).to_have_class(re.compile("tour-target"))
    with page.expect_response("**/preferences/tour/"):
        tour.get_by_role("button", name="Skip tour").click()
    expect(tour).to_be_hidden()
    page.reload()
    ready(page)
    expect(tour).to_be_hidden()
    page.locator(".menu > summary").click()
    page.get_by_role("button", name="Tour of the review screen").click()
    expect(tour).to_be_visible()
    expect(page.locator("#tour-title")).to_be_focused()


def test_the_tour_is_done_by_keys_and_keeps_none_from_the_legend(
    make_legend: MakeLegend, open_as: OpenAs, curator: User
) -> None:
    document = make_legend(suggested=SURE)
    page = ready(open_as(curator, address(document), tour=True))
    page.keyboard.press("4")
    saved(page)
    assert decided(document) == [("Bax", "CELL", "")]
    page.locator("#tour-next").focus()
    for step in range(2, 6):
        page.keyboard.press("Enter")
        expect(page.locator("#tour-title")).to_have_text(f"Tour, step {step} of 5")
        expect(page.locator(".tour-target")).to_have_count(1)
    page.keyboard.press("x")  # belongs to the tour while it has the focus
    expect(page.get_by_role("link", name="Practise on a legend")).to_be_visible()
    with page.expect_response("**/preferences/tour/"):
        page.keyboard.press("Enter")
    expect(page.locator("#tour")).to_be_hidden()
    expect(page.locator("#legend")).to_be_focused()
    assert decided(document) == [("Bax", "CELL", "")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_tour_fits_a_narrow_window_without_faults(
    scheme: str, make_legend: MakeLegend, open_as: OpenAs, curator: User
) -> None:
    url = address(make_legend(suggested=SURE))
    page = ready(open_as(curator, url, tour=True, width=360, color_scheme=scheme))
    expect(page.locator("#tour-title")).to_be_in_viewport()
    for _ in range(4):
        assert width_of_content(page) <= 360
        page.locator("#tour-next").click()
    assert small_controls(page, "#tour button") == []
    assert Axe().run(page).response["violations"] == []


def test_the_tour_goes_on_with_the_next_legend(
    make_legend: MakeLegend, open_as: OpenAs, curator: User
) -> None:
    first, second = make_legend(suggested=SURE), make_legend(suggested=SURE)
    page = open_as(curator, address(first), tour=True)
    ready(page)
    fetched_ahead(page, second)
    page.locator("#tour-next").click()
    page.keyboard.press("Enter")
    page.wait_for_url("**" + address(second))
    expect(page.locator("#tour-title")).to_have_text("Tour, step 2 of 5")


# Practice
# ------------------------------------------------------------------------------------------


def practice_url(project: Project) -> str:
    return reverse("review:practice", args=[project.slug])


def test_practice_is_corrected_accepted_and_compared(
    project: Project, open_as: OpenAs, curator: User
) -> None:
    page = ready(open_as(curator, practice_url(project)))
    for entity, key in (("s0", "x"), ("s4", "d"), ("s5", "b"), ("s9", "2"), ("s11", "Space")):
        inside(page, entity).click()
        page.keyboard.press(key)
    page.locator("[data-w]").get_by_text("HeLa", exact=True).nth(1).dblclick()
    page.keyboard.press("4")
    saved(page)
    expect(page.get_by_role("button", name="Comment Q")).to_be_disabled()
    page.keyboard.press("q")
    expect(page.locator("#notice")).to_contain_text("The practice legend has no comments")
    page.keyboard.press("Enter")
    page.wait_for_url("**/practice/result/")
    expect(page.get_by_text("13 of 13 entities are right.")).to_be_visible()
    assert Axe().run(page).response["violations"] == []
    page.get_by_role("button", name="Practise again").click()
    ready(page)
    expect(page.locator("mark.suggested").first).to_be_visible()


def test_practice_fits_a_narrow_window_without_faults(
    project: Project, open_as: OpenAs, curator: User
) -> None:
    page = ready(open_as(curator, practice_url(project), width=360, color_scheme="dark"))
    assert Axe().run(page).response["violations"] == []
    assert width_of_content(page) <= 360
    page.keyboard.press("ArrowRight")
    seen(page)
    page.keyboard.press("Enter")
    page.wait_for_url("**/practice/result/")
    expect(page.get_by_role("heading", name="Missed")).to_be_visible()
    assert Axe().run(page).response["violations"] == []
    assert width_of_content(page) <= 360


# What is disabled
# ------------------------------------------------------------------------------------------


def test_a_disabled_button_says_why_by_mouse_and_by_key(screen: Screen) -> None:
    _, page = screen
    undo = page.get_by_role("button", name="Undo Z")
    expect(undo).to_be_disabled()
    expect(undo).to_have_accessible_description("There is nothing to undo.")
    undo.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_have_text("There is nothing to undo.")
    page.keyboard.press("4")
    saved(page)
    expect(undo).to_be_enabled()
    expect(undo).to_have_accessible_description("")


def test_buttons_of_an_accepted_legend_say_why_they_are_disabled(screen: Screen) -> None:
    _, page = screen
    page.keyboard.press("Shift+Enter")
    expect(page.locator("#accepted-note")).to_be_visible()
    label = page.locator("#entity-labels [data-label=CELL]")
    expect(label).to_be_disabled()
    label.click(force=True)
    expect(page.locator("#notice")).to_have_text("This legend is accepted. Reopen it to edit it.")
    assert Axe().run(page).response["violations"] == []


def test_a_role_that_the_label_cannot_have_says_why(screen: Screen) -> None:
    _, page = screen
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#entity-surface")).to_have_text("MEFs")
    expect(page.locator("[data-role=MEASURED_VAR]")).to_have_accessible_description(
        "Entities with this label are neither varied nor measured; they can be context."
    )
