"""Every command of the key bindings, by its key and by its button: both do the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import pytest
from playwright.sync_api import Error, Page

from annotator.accounts.models import User
from annotator.corpus.models import Document
from annotator.review.screen.keymap import COMMANDS, Command
from tests.annotator.review.conftest import MakeLegend
from tests.e2e.conftest import OpenAs
from tests.e2e.screen import SURE, address, decided, ready, saved

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

#: Entities in two panels.
SUGGESTED: Final = (*SURE, ("inhibitor", "SMALL_MOLECULE", 0.9))
#: Keys without which a command has nothing to do.
PREPARED: Final = {
    "undo": ["1"],
    "redo": ["1", "z"],
    "previous": ["ArrowRight"],
    "previousPanel": ["ArrowDown"],
    "startRight": ["f"],
    "endLeft": ["f"],
}
#: A click on the text does the first, and the palette of selected words has the second (tests of
#: panels press it). The others have a button where there is something to take,
#: which the tests of memory and of identifiers press.
ELSEWHERE: Final = {"escape", "panelStart", "takeMemory", "takeIdentifier"}
#: Commands whose button has another attribute than ``data-command``.
BUTTONS: Final = {
    "label": "[data-label=SMALL_MOLECULE]",
    "controlled": "[data-role=CONTROLLED_VAR]",
    "measured": "[data-role=MEASURED_VAR]",
    "context": "[data-role=BORING]",
}
SHOWN: Final = """() => ({
    entity: document.getElementById("entity-surface")?.textContent,
    place: document.getElementById("entity-place")?.textContent,
    said: document.getElementById("said")?.textContent,
    dialogs: [...document.querySelectorAll("dialog[open]")].map((each) => each.id),
    page: document.documentElement.className,
    fields: [...document.querySelectorAll("#search, #panel-menu")].map((each) => each.hidden),
    cursor: document.querySelectorAll(".cursor").length,
})"""

Outcome = dict[str, Any]
Do = Callable[[Page, Command], None]


def outcome(page: Page, document: Document) -> Outcome:
    """What the page shows, and what the database holds."""
    document.refresh_from_db()
    return {
        **page.evaluate(SHOWN),
        "decided": decided(document),
        "state": document.state,
        "is here": page.url.endswith(address(document)),
    }


def settled(page: Page, document: Document) -> Outcome:
    """The outcome once nothing has changed for a moment."""
    last: Outcome = {}
    since = time.monotonic()
    while not last or time.monotonic() - since < 0.3:
        page.wait_for_timeout(30)
        try:
            now = outcome(page, document)
        except Error:  # another page comes up
            now = {}
        if now != last:
            last, since = now, time.monotonic()
    return last


def press(page: Page, command: Command) -> None:
    page.keyboard.press(command.keys[0])


def click(page: Page, command: Command) -> None:
    selector = BUTTONS.get(command.name, f"[data-command={command.name}]")
    page.locator(selector).filter(visible=True).first.click()


def changes(page: Page, document: Document, command: Command, do: Do) -> Outcome:
    """Return what the command changed, on a legend of its own."""
    page.goto(address(document))
    ready(page)
    for key in PREPARED.get(command.name, []):
        page.keyboard.press(key)
        saved(page)
    before = settled(page, document)
    do(page, command)
    now = settled(page, document)
    return {name: value for name, value in now.items() if value != before[name]}


def test_each_command_does_the_same_by_key_and_by_mouse(
    make_legend: MakeLegend, open_as: OpenAs, curator: User
) -> None:
    page = open_as(curator, "/")
    different, idle = {}, []
    for command in COMMANDS:
        if command.name in ELSEWHERE:
            continue
        by_key = changes(page, make_legend(suggested=SUGGESTED), command, press)
        by_mouse = changes(page, make_legend(suggested=SUGGESTED), command, click)
        if by_key != by_mouse:
            different[command.name] = (by_key, by_mouse)
        if not by_key:
            idle.append(command.name)
    assert different == {}
    assert idle == [], "a command that does nothing is not compared"
