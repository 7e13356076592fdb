"""A curator's first minutes: practice on known answers; what is disabled says why."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import expect

from annotator.accounts.models import User
from annotator.corpus.models import Project
from tests.e2e.conftest import OpenAs
from tests.e2e.screen import Screen, inside, ready, saved, seen, width_of_content

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


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
    page.keyboard.press("v")
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
