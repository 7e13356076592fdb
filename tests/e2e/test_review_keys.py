"""Every shortcut of the review screen, the sheet that lists them, and custom keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from annotator.accounts.models import User
from annotator.review.screen.keymap import COMMANDS
from tests.annotator.review.conftest import MakeLegend, Operate
from tests.e2e.conftest import OpenAs
from tests.e2e.screen import SURE, Screen, address, decided, inside, mark, ready, saved

Steps = tuple[tuple[str, str], ...]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_space_accepts_and_goes_on_and_x_rejects(screen: Screen) -> None:
    document, page = screen
    page.keyboard.press("Space")
    page.keyboard.press("x")
    saved(page)
    assert decided(document) == [("Bax", "GENEPROD", "")]
    expect(mark(page, "s0")).to_have_class("e decided")
    expect(mark(page, "s1")).to_have_count(0)
    expect(mark(page, "s2")).to_have_class("e suggested focus")


KEYS = [
    ("1", lambda: [("Bax", "SMALL_MOLECULE", "")]),
    ("8", lambda: [("Bax", "DISEASE", "")]),
    ("c", lambda: [("Bax", "GENEPROD", "CONTROLLED_VAR")]),
    ("m", lambda: [("Bax", "GENEPROD", "MEASURED_VAR")]),
    ("b", lambda: [("Bax", "GENEPROD", "BORING")]),
    ("a", lambda: [(") Bax", "GENEPROD", "")]),
    ("f", lambda: [("Bax and", "GENEPROD", "")]),
    ("Shift+S", lambda: [("ax", "GENEPROD", "")]),
    ("Shift+D", lambda: [("Ba", "GENEPROD", "")]),
    ("r", lambda: [("Bax", "GENEPROD", "")] * 3),
]


@pytest.mark.parametrize(("key", "result"), KEYS, ids=[key for key, _ in KEYS])
def test_each_editing_key_does_what_the_table_says(
    screen: Screen, key: str, result: Callable[[], list[Any]]
) -> None:
    document, page = screen
    page.keyboard.press(key)
    if key == "r":
        expect(page.locator(".match")).to_have_count(2)  # shown first
        page.keyboard.press(key)
    expect(mark(page, "s0")).to_have_class(
        "e decided context focus" if key == "b" else "e decided focus"
    )
    saved(page)
    assert decided(document) == result()


def test_arrows_and_n_move_between_entities_and_panels(screen: Screen, operate: Operate) -> None:
    _, page = screen
    focused = page.locator("mark.focus").first
    steps = [
        ("ArrowRight", "s1"),
        ("ArrowRight", "s2"),
        ("ArrowRight", "s0"),
        ("ArrowLeft", "s2"),
        ("n", "s0"),
        ("Shift+N", "s2"),
    ]
    for key, expected in steps:
        page.keyboard.press(key)
        expect(focused).to_have_attribute("data-e", expected)


def test_the_help_shows_the_shortcuts_and_keys_rest_meanwhile(screen: Screen) -> None:
    document, page = screen
    page.keyboard.press("?")
    dialog = page.locator("#help")
    expect(dialog).to_be_visible()
    assert dialog.locator("dt").count() == len(COMMANDS)
    page.set_viewport_size({"width": 1400, "height": 900})
    assert dialog.evaluate("each => each.scrollHeight <= each.clientHeight")
    page.keyboard.press("x")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert decided(document) == []
    page.keyboard.press("x")
    expect(mark(page, "s0")).to_have_count(0)


def test_the_foot_names_the_keys_that_work_now(screen: Screen) -> None:
    _, page = screen
    hints = page.locator("#hints > :not([hidden])")
    expect(hints).to_contain_text("accept")
    page.keyboard.press("e")
    expect(hints).to_contain_text("Shift+→ select")
    page.keyboard.press("Escape")
    page.keyboard.press("i")
    expect(hints).to_contain_text("Tab next match")
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(hints).to_contain_text("AltX reject")
    page.keyboard.press("Escape")
    page.keyboard.press("Shift+Enter")
    expect(page.locator("#accepted-note")).to_be_visible()
    expect(hints).to_have_text("←→ entity / find ↑↓ panel V versions Z undo")


def test_keys_typed_into_a_text_field_edit_nothing(screen: Screen) -> None:
    document, page = screen
    page.evaluate(
        "document.querySelector('main').insertAdjacentHTML('afterbegin', '<input id=field>')"
    )
    page.locator("#field").press_sequentially("xrz1 ")
    page.locator("#field").press("Enter")
    page.locator("#field").evaluate("field => field.blur()")
    page.keyboard.press("4")
    saved(page)
    document.refresh_from_db()
    assert document.revision == 1
    assert decided(document) == [("Bax", "CELL", "")]


def test_custom_keys_are_obeyed_and_printed_by_the_screen(
    screen: Screen, open_as: OpenAs, curator: User
) -> None:
    document, page = screen
    settings = open_as(curator, reverse("keys"))
    settings.locator("[name=accept]").fill("K")
    settings.locator("[name=reject]").fill("k")
    settings.get_by_role("button", name="Save keys").click()
    expect(settings.get_by_role("alert")).to_contain_text("K cannot belong to both")
    settings.locator("[name=reject]").fill("")
    settings.get_by_role("button", name="Save keys").click()
    expect(settings.locator(".toast.success")).to_contain_text("Your keys are saved")
    page.reload()
    ready(page)
    expect(page.locator("#entity-accept")).to_have_text("Accept K")
    page.keyboard.press("Space")
    page.keyboard.press("x")
    page.keyboard.press("k")
    saved(page)
    assert decided(document) == [("Bax", "GENEPROD", "")]
    settings.get_by_role("button", name="Restore default keys").click()
    page.reload()
    expect(page.locator("#entity-accept")).to_have_text("Accept Space")


STEPS = (("N", "s1"), ("Shift+N", "s0"), ("ArrowRight", "s1"), ("ArrowLeft", "s0"))
PANEL_STEPS = (("ArrowDown", "s3"), ("ArrowUp", "s0"))
LABEL_TAGS = ("SM", "GP", "SC", "CE", "TI", "OR", "AS", "DI")
NO_NINTH_LABEL = "9"
HISTORY = (("Z", 1), ("Y", 3), ("Ctrl+Z", 1), ("Ctrl+Shift+Z", 3), ("Ctrl+Z", 1), ("Ctrl+Y", 3))
ROLE_TAGS = (("C", "GP▲"), ("M", "GP●"), ("B", "GP○"))
BOUNDARIES = (
    ("A", "Bax inhibitor"),
    ("S", "inhibitor"),
    ("F", "inhibitor."),
    ("D", "inhibitor"),
    ("Shift+S", "nhibitor"),
    ("Shift+A", "inhibitor"),
    ("Shift+D", "inhibito"),
    ("Shift+F", "inhibitor"),
)
DIALOGS = {"O": "#sheet", "V": "#sheet", "Q": "#sheet", "G": "#guideline", "?": "#help"}
#: Pressed by name, here, in test_identifiers.py (T), in test_review_propagation.py (W), in
#: test_review_classes.py (Shift+X), in test_review_memory.py (J), in test_review_search.py (/), in
#: test_review_panels.py (Shift+P), in test_half_figure.py (H) or in test_review_acceptance.py (the
#: last three).
SINGLE_KEYS = {"Space", "X", "Delete", "R", "Shift+R", "W", "E", "I", "P", "U", "T", "Escape"}
SINGLE_KEYS |= {"Shift+X", "Shift+P", "J", "/", "H", "Enter", "Shift+Enter", "Backspace"}


def test_every_shortcut_is_pressed_by_a_test() -> None:
    pressed = {NO_NINTH_LABEL, *SINGLE_KEYS, *DIALOGS}
    for keys in (STEPS, PANEL_STEPS, HISTORY, ROLE_TAGS, BOUNDARIES):
        pressed.update(key for key, _ in keys)
    pressed.update(str(digit) for digit in range(1, len(LABEL_TAGS) + 1))
    assert {key for command in COMMANDS for key in command.keys} == pressed


@pytest.fixture
def two_panels(make_legend: MakeLegend, open_as: OpenAs, curator: User) -> Page:
    """Return a legend with three suggestions in panel A and one, s3, in panel B."""
    document = make_legend(suggested=(*SURE, ("inhibitor", "GENEPROD", 0.9)))
    return ready(open_as(curator, address(document)))


@pytest.mark.parametrize("steps", [STEPS, PANEL_STEPS], ids=["entities", "panels"])
def test_keys_move_the_focus(steps: Steps, two_panels: Page) -> None:
    for key, expected in steps:
        two_panels.keyboard.press(key)
        expect(two_panels.locator("mark.focus").first).to_have_attribute("data-e", expected)


def test_digits_choose_labels(two_panels: Page) -> None:
    two_panels.keyboard.press(NO_NINTH_LABEL)
    expect(mark(two_panels, "s0")).to_have_attribute("data-tag", "GP")
    for digit, tag in enumerate(LABEL_TAGS, start=1):
        two_panels.keyboard.press(str(digit))
        expect(mark(two_panels, "s0")).to_have_attribute("data-tag", tag)


def test_every_key_of_undo_and_redo_works(screen: Screen) -> None:
    _, page = screen
    page.keyboard.press("8")
    expect(page.locator(".match")).to_have_count(2)
    page.keyboard.press("R")
    expect(page.locator("mark.decided")).to_have_count(3)
    for key, n in HISTORY:
        page.keyboard.press(key.replace("Ctrl", "Control"))
        expect(page.locator("mark.decided")).to_have_count(n)


def test_a_label_without_other_occurrences_says_so(two_panels: Page) -> None:
    inside(two_panels, "s3").click()
    two_panels.keyboard.press("Shift+R")
    expect(two_panels.locator("#notice")).to_contain_text(
        "There is no other open occurrence of this string."
    )


def test_letters_choose_roles(two_panels: Page) -> None:
    inside(two_panels, "s3").click()
    for key, tag in ROLE_TAGS:
        two_panels.keyboard.press(key)
        expect(mark(two_panels, "s3")).to_have_attribute("data-tag", tag)


def test_letters_move_boundaries_by_words_and_characters(two_panels: Page) -> None:
    inside(two_panels, "s3").click()
    for key, surface in BOUNDARIES:
        two_panels.keyboard.press(key)
        expect(two_panels.locator("#entity-surface")).to_have_text(surface)


def test_e_shows_a_cursor_until_escape(two_panels: Page) -> None:
    two_panels.keyboard.press("E")
    expect(two_panels.locator(".cursor")).to_have_count(1)
    two_panels.keyboard.press("Escape")
    expect(two_panels.locator(".cursor")).to_have_count(0)


def test_i_searches_the_letters_that_follow(two_panels: Page) -> None:
    two_panels.keyboard.press("I")
    two_panels.keyboard.type("wit")
    expect(two_panels.locator("#entity-place")).to_have_text("Insert: wit")


def test_p_starts_and_removes_a_panel_at_the_focus(two_panels: Page) -> None:
    inside(two_panels, "s3").click()
    for n in (3, 2):
        two_panels.keyboard.press("P")
        expect(two_panels.locator(".block")).to_have_count(n)


@pytest.mark.parametrize(("key", "dialog"), DIALOGS.items())
def test_a_letter_opens_a_dialog_and_escape_closes_it(
    key: str, dialog: str, two_panels: Page
) -> None:
    two_panels.keyboard.press(key)
    expect(two_panels.locator(dialog)).to_be_visible()
    two_panels.keyboard.press("Escape")
    expect(two_panels.locator(dialog)).to_be_hidden()


def test_u_asks_the_reviewer_and_takes_the_question_back(two_panels: Page) -> None:
    two_panels.keyboard.press("U")
    expect(two_panels.locator("#questions")).to_be_visible()
    two_panels.keyboard.press("U")
    expect(two_panels.locator("#questions")).to_be_hidden()


@pytest.mark.parametrize("key", ["X", "Delete"])
def test_both_keys_of_rejection_reject(key: str, two_panels: Page) -> None:
    inside(two_panels, "s1").click()
    two_panels.keyboard.press(key)
    expect(mark(two_panels, "s1")).to_have_count(0)


def test_space_decides_and_shows_the_next_entity(two_panels: Page) -> None:
    inside(two_panels, "s1").click()
    two_panels.keyboard.press("Space")
    expect(mark(two_panels, "s1")).to_have_class(re.compile("decided"))
    expect(two_panels.locator("mark.focus").first).to_have_attribute("data-e", "s2")
