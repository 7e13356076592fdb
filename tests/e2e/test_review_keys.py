"""Every shortcut of the review screen, the sheet that lists them, and keys of one's own."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from annotator.accounts.models import User
from annotator.review.screen.keymap import COMMANDS
from tests.annotator.review.conftest import MakeLegend, Operate
from tests.e2e.conftest import OpenAs
from tests.e2e.screen import SURE, Screen, address, decided, inside, mark, ready, saved

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
    page.keyboard.press("Shift+Enter")
    expect(page.locator("#accepted-note")).to_be_visible()
    expect(hints).to_have_text("←→ entity ↑↓ panel V versions Z undo")


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
    expect(settings.locator(".toast")).to_contain_text("Your keys are saved")
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


def test_every_key_of_the_table_does_what_it_says(
    make_legend: MakeLegend, open_as: OpenAs, curator: User
) -> None:
    document, following = (
        make_legend(suggested=(*SURE, ("inhibitor", "SMALL_MOLECULE", 0.9))),
        make_legend(suggested=SURE),
    )
    page = open_as(curator, address(document))
    with page.expect_response(lambda response: response.url.endswith(address(following))):
        ready(page)
    pressed = []
    focused, surface, notice = (
        page.locator("mark.focus").first,
        page.locator("#entity-surface"),
        page.locator("#notice"),
    )

    def press(*keys: str) -> None:
        for key in keys:
            pressed.append(key)
            page.keyboard.press({"Space": " "}.get(key, key))

    for key, expected in (
        ("N", "s1"),
        ("Shift+N", "s0"),
        ("ArrowRight", "s1"),
        ("ArrowLeft", "s0"),
        ("ArrowDown", "s3"),
        ("ArrowUp", "s0"),
    ):
        press(key)
        expect(focused).to_have_attribute("data-e", expected)

    press("9")  # no ninth label
    for digit, short in enumerate(("SM", "GP", "SC", "CE", "TI", "OR", "AS", "DI"), start=1):
        press(str(digit))
        expect(mark(page, "s0")).to_have_attribute("data-tag", short)
    saved(page)
    expect(page.locator(".match")).to_have_count(2)
    press("R")
    expect(page.locator("mark.decided")).to_have_count(3)
    for key, n in (
        ("Z", 1),
        ("Y", 3),
        ("Ctrl+Z", 1),
        ("Ctrl+Shift+Z", 3),
        ("Ctrl+Z", 1),
        ("Ctrl+Y", 3),
    ):
        pressed.append(key)
        page.keyboard.press(key.replace("Ctrl", "Control"))
        expect(page.locator("mark.decided")).to_have_count(n)
    saved(page)
    press("Shift+R")
    expect(notice).to_contain_text("There is no other open occurrence of this string.")

    press("ArrowDown")
    expect(surface).to_have_text("Bax")  # the first of the panel
    inside(page, "s3").click()
    for key, tag in (("C", "SM▲"), ("M", "SM●"), ("B", "SM○")):
        press(key)
        expect(mark(page, "s3")).to_have_attribute("data-tag", tag)
    steps = [("A", "Bax inhibitor"), ("S", "inhibitor"), ("F", "inhibitor."), ("D", "inhibitor")]
    steps += [
        ("Shift+S", "nhibitor"),
        ("Shift+A", "inhibitor"),
        ("Shift+D", "inhibito"),
        ("Shift+F", "inhibitor"),
    ]
    for key, expected in steps:
        press(key)
        expect(surface).to_have_text(expected)

    press("E")
    expect(page.locator(".cursor")).to_have_count(1)
    press("Escape")
    expect(page.locator(".cursor")).to_have_count(0)
    press("I")
    page.keyboard.type("wit")
    expect(page.locator("#entity-place")).to_have_text("Insert: wit")
    press("Escape")
    for n in (3, 2):
        press("P")
        expect(page.locator(".block")).to_have_count(n)
    for key, dialog in (
        ("O", "#sheet"),
        ("V", "#sheet"),
        ("Q", "#sheet"),
        ("G", "#guideline"),
        ("?", "#help"),
    ):
        press(key)
        expect(page.locator(dialog)).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator(dialog)).to_be_hidden()
    press("U")
    expect(page.locator("#questions")).to_be_visible()
    press("U")
    expect(page.locator("#questions")).to_be_hidden()

    inside(page, "s1").click()
    press("Space")
    expect(mark(page, "s1")).to_have_class(re.compile("decided"))
    expect(focused).to_have_attribute("data-e", "s2")
    press("X")
    expect(mark(page, "s2")).to_have_count(0)
    inside(page, "s1").click()
    press("Delete")
    expect(mark(page, "s1")).to_have_count(0)
    press("Shift+Enter")
    expect(page.locator("#accepted-note")).to_be_visible()
    page.get_by_role("button", name="Reopen").click()
    expect(page.locator("#accepted-note")).to_be_hidden()
    press("Enter")
    page.wait_for_url("**" + address(following))
    saved(page)
    press("Backspace")
    page.wait_for_url("**" + address(document))
    expect(page.locator("#accepted-note")).to_be_visible()
    assert {key for command in COMMANDS for key in command.keys} == set(pressed)
