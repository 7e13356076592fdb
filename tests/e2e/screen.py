"""What browser tests share: addresses, waiting, pointing, what stands in the database, and what
every page owes its readers."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import Locator, Page, Route, expect

from annotator.corpus.models import Document, Span

#: Suggestions of which none asks for a look of its own.
SURE = (("Bax", "GENEPROD", 0.95), ("Bak", "GENEPROD", 0.85), ("MEFs", "CELL", 0.9))
N_TAPS = 3
#: Seconds after which something that did not come is missing.
PATIENCE = 30
LONG = (
    "Loss of Bax. (A) Representative photographs of Bax/Bak MEFs treated with etoposide. MEFs were"
    " treated with 20 µM etoposide in presence of PI for the indicated times. (B) Reduced viability"
    " of Bax/Bak MEFs after exposure to etoposide. Cell viability was measured by PI staining, and"
    " expressed as a percentage of the initial value without etoposide. HeLa cells were stained"
    " with DAPI, then HeLa, HeLa and HeLa."
)
Screen = tuple[Document, Page]


def address(document: Document, name: str = "legend") -> str:
    return reverse(f"review:{name}", args=[document.project.slug, document.pk])


def ready(page: Page) -> Page:
    """The script runs, and the mouse has been seen: a hand's mouse sends many moves, of which the
    first only shows where it rests."""
    page.wait_for_selector("html.scripted")
    page.mouse.move(2, 2)
    return seen(page)


def seen(page: Page) -> Page:
    """The legend was looked at and has been on the screen long enough, so can be accepted."""
    end = time.monotonic() + PATIENCE
    while not page.locator("#legend[data-ready]").count():
        assert time.monotonic() < end, f"the legend was not ready within {PATIENCE} s"
        page.mouse.wheel(0, -1)  # which the top of the page answers by nothing
        page.wait_for_timeout(50)
    return page


def until(page: Page, function: str, arg: Any = None) -> None:
    """Wait until this JavaScript function of ``arg`` returns something true.

    ``page.wait_for_function`` asks by ``eval`` from the second time on, which our
    Content-Security-Policy forbids: it fails wherever the page is not yet done.
    """
    end = time.monotonic() + PATIENCE
    while not page.evaluate(function, arg):
        assert time.monotonic() < end, f"waited {PATIENCE} s in vain for {function}"
        page.wait_for_timeout(20)


def fetched_ahead(page: Page, document: Document) -> None:
    """Wait until the page has fetched this legend, which it will open next."""
    fetched = """path => performance.getEntriesByType("resource")
        .some(({ name, responseEnd }) => name.endsWith(path) && responseEnd > 0)"""
    until(page, fetched, address(document))


def saved(page: Page) -> None:
    expect(page.locator("#save-state")).to_have_text("saved")


def intercept(page: Page, handler: Callable[[Route], Any], *, times: int | None = None) -> None:
    """Edits on their way to the server go to ``handler``. A page that is open already may send its
    next request past it, so it is opened again."""
    page.route("**/operations/", handler, times=times)
    page.reload()
    ready(page)


def press_and_go(
    page: Page, button: str, within: Locator | None = None, *, exact: bool = False
) -> None:
    """Press a button that sends a form without script, and wait for the page that answers."""
    with page.expect_navigation():
        (within or page).get_by_role("button", name=button, exact=exact).click()


def word(page: Page, index: int) -> Locator:
    return page.locator(f'[data-w="{index}"]').first


def mark(page: Page, key: str) -> Locator:
    return page.locator(f'mark[data-e="{key}"]').first


def inside(page: Page, key: str) -> Locator:
    """The entity's first word: what a pointer hits."""
    return mark(page, key).locator("[data-w]").first


def tap_entity(page: Page, key: str) -> None:
    """Tap an entity until it has the focus and no word is selected.

    On a busy machine a tap may last as long as the press that selects a word; the next tap drops
    that selection, as it does for a curator.
    """
    for _ in range(N_TAPS):
        inside(page, key).tap()
        if is_in_focus_alone(page, key):
            return
    raise AssertionError(f"{N_TAPS} taps on {key} did not give it the focus.")


def is_in_focus_alone(page: Page, key: str) -> bool:
    try:
        expect(mark(page, key)).to_have_class(re.compile(r"\bfocus\b"))
        expect(page.locator("#entity [data-command=reject]")).to_be_enabled()
    except AssertionError:
        return False
    return True


def drag(page: Page, start: Locator, end: Locator) -> None:
    """Over words, as a hand does it: from the middle of one to the middle of another."""
    first, last = start.bounding_box(), end.bounding_box()
    assert first
    assert last
    page.mouse.move(first["x"] + first["width"] / 2, first["y"] + first["height"] / 2)
    page.mouse.down()
    page.mouse.move(last["x"] + last["width"] / 2, last["y"] + last["height"] / 2, steps=4)
    page.mouse.up()


SMALL_CONTROLS = """selector => [...document.querySelectorAll(selector)]
    .filter((each) => each.offsetParent)
    .map((each) => [each.textContent.trim(), each.getBoundingClientRect()])
    .filter(([, box]) => Math.min(box.width, box.height) < 24)
    .map(([words]) => words)"""


def small_controls(page: Page, selector: str) -> list[str]:
    """Return the words of visible controls that are too small to be hit: below 24 pixels."""
    return list(page.evaluate(SMALL_CONTROLS, selector))


def width_of_content(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth"))


def decided(document: Document) -> list[tuple[str, str, str]]:
    """What stands accepted: (surface, label, role)."""
    rows = Span.objects.filter(layer__document=document, layer__kind="decided", verdict="accepted")
    return [(row.surface, row.label, row.role) for row in rows]


def assert_sound(page: Page, name: str) -> None:
    """Axe finds nothing on a page of the panel, and its content is no wider than the window.
    ``name`` says which page it is."""
    found = Axe().run(page, context=".sdc").response["violations"]
    problems = [(each["id"], each["nodes"][0]["html"][:200]) for each in found]
    assert problems == [], f"{name}: {problems}"
    fits = page.evaluate("document.querySelector('.sdc').scrollWidth <= window.innerWidth")
    assert fits, f"{name} is wider than the window"
    if folder := os.environ.get("SD_PICTURES"):
        page.screenshot(path=f"{folder}/{name.strip('/').replace('/', '-')}.png", full_page=True)
