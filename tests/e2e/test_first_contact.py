"""A curator's first minutes: what is disabled says why."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.e2e.screen import Screen, saved

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


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
