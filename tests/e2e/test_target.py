"""What the card and the frame show is what a key changes, whatever keys, pointer and server do."""

from __future__ import annotations

import random
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from annotator.accounts.models import User
from annotator.corpus.models import Document
from tests.annotator.review.conftest import MakeLegend
from tests.e2e.conftest import OpenAs
from tests.e2e.screen import SURE, address, decided, inside, mark, ready, saved, word

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
STEPS = 60
WORDS = "Bax Bak Atg5 Atg7 p62 LC3 Parp Casp3 Mfn1 Opa1"
TEXT = f"(A) {WORDS}. (B) cells with none of these in them."
SUGGESTED = [(surface, "GENEPROD", 0.9) for surface in WORDS.split()]
#: Keys that change the target, and keys that only move it.
CHANGING = ("Space", "1", "2", "4", "5", "c", "m", "b", "f", "d")
MOVING = ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "n", "Shift+N", "Escape")
SHOWN = """() => ({
    card: document.getElementById("entity").hidden
        ? null : document.getElementById("entity-surface").textContent,
    place: document.getElementById("entity-place").textContent,
    frame: document.querySelector("mark.focus")?.dataset.e ?? null,
    framed: [...document.querySelectorAll("mark.focus [data-w]")].map((e) => e.textContent),
})"""
#: Notes each edit when it is queued, before the server has answered; waiting ones are stored again.
RECORD = """() => {
    window.made = [];
    const known = new Set();
    const store = Storage.prototype.setItem;
    Storage.prototype.setItem = function (name, value) {
        const isNew = name.startsWith("sd-curator.edit.") && !known.has(name);
        if (isNew) window.made.push(JSON.parse(value).operation);
        known.add(name);
        return store.call(this, name, value);
    };
}"""
#: The middle of each mark on the page, and of the words after the last one.
PLACES = """() => [...document.querySelectorAll("mark, .block:last-child .block-text")].map((e) => {
    const { x, y, width, height } = e.getBoundingClientRect();
    return [x + width / 2, y + height / 2];
})"""
MADE = "() => window.made.splice(0)"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_what_the_card_shows_is_what_is_changed(
    seed: int, make_legend: MakeLegend, open_as: OpenAs, curator: User
) -> None:
    """Random keys, moves of the pointer, and answers that come at once, late, or when let go."""
    document = make_legend(text=TEXT, suggested=SUGGESTED)
    page = ready(open_as(curator, address(document)))
    rng = random.Random(seed)
    waiting: list[Route] = []
    is_over = False

    def answer(route: Route) -> Any:
        if is_over:
            route.continue_()
        else:
            waiting.append(route)

    page.route("**/operations/", answer)
    page.reload()
    ready(page)
    page.evaluate(RECORD)
    seen = 0
    for step in range(STEPS):
        action = rng.choice(("move", "move", "key", "key", "key", "walk", "answer", "answer"))
        if action == "move":
            _move(page, rng)
        elif action == "walk":
            page.keyboard.press(rng.choice(MOVING))
        elif action == "answer" and waiting:
            waiting.pop(0).continue_()
        elif action == "key":
            seen += _press(page, rng.choice(CHANGING), f"seed {seed}, step {step}")
    is_over = True
    for route in waiting:
        route.continue_()
    saved(page)
    assert seen > STEPS / 8  # edits were made, so that something was compared


def _move(page: Page, rng: random.Random) -> None:
    """A hand's move: to a mark, to a plain word, or beside the legend."""
    x, y = rng.choice([*page.evaluate(PLACES), [2, 2]])
    page.mouse.move(x, y, steps=2)


def _press(page: Page, key: str, where: str) -> int:
    """Press the key; the edit it makes must be of the entity that card and frame showed."""
    shown = page.evaluate(SHOWN)
    page.evaluate(MADE)
    page.keyboard.press(key)
    made = [each for each in page.evaluate(MADE) if each.get("entity")]
    ids = {each["id"] for each in made}
    assert len(ids) <= 1, where
    for each in made[:1]:
        assert each["entity"] == shown["frame"], f"{where}: {key} with {shown} made {each}"
        assert shown["card"] == " ".join(shown["framed"]), f"{where}: {shown}"
    return len(ids)


@pytest.fixture
def screen(make_legend: MakeLegend, open_as: OpenAs, curator: User) -> tuple[Document, Page]:
    document = make_legend(suggested=SURE)
    return document, ready(open_as(curator, address(document)))


Screen = tuple[Document, Page]


def test_frame_and_card_follow_the_pointer(screen: Screen) -> None:
    _document, page = screen
    inside(page, "s2").hover()
    expect(page.locator("#entity-surface")).to_have_text("MEFs")
    expect(page.locator("mark.focus")).to_have_attribute("data-e", "s2")


def test_off_all_marks_the_chosen_entity_is_meant_again(screen: Screen) -> None:
    _document, page = screen
    inside(page, "s2").hover()
    page.mouse.move(2, 2)
    expect(page.locator("#entity-surface")).to_have_text("Bax")
    expect(page.locator("mark.focus")).to_have_attribute("data-e", "s0")


def test_a_key_beats_a_pointer_that_rests(screen: Screen) -> None:
    document, page = screen
    inside(page, "s2").hover()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#entity-surface")).to_have_text("Bak")
    page.keyboard.press("4")
    saved(page)
    assert decided(document) == [("Bak", "CELL", "")]


def test_an_added_entity_is_the_target_under_a_resting_pointer(screen: Screen) -> None:
    document, page = screen
    inside(page, "s0").hover()
    page.keyboard.press("i")
    page.keyboard.type("inh")
    expect(page.locator("#entity-surface")).to_have_text("inhibitor")
    page.keyboard.press("Enter")
    page.keyboard.press("1")
    saved(page)
    expect(page.locator("#entity-surface")).to_have_text("inhibitor")
    page.keyboard.press("7")
    saved(page)
    labels = {surface: label for surface, label, _ in decided(document)}
    assert labels.keys() == {"inhibitor"}
    assert labels["inhibitor"] != "SMALL_MOLECULE"


def test_no_key_changes_an_entity_while_words_are_selected(screen: Screen) -> None:
    document, page = screen
    word(page, 16).dblclick()
    expect(page.locator("#entity-place")).to_have_text("Selected words")
    page.keyboard.press("x")
    expect(page.locator("#notice")).to_contain_text("Words are selected.")
    saved(page)
    expect(mark(page, "s0")).to_have_count(1)
    assert decided(document) == []


def test_the_identifier_sheet_is_of_the_entity_shown(screen: Screen) -> None:
    _document, page = screen
    inside(page, "s2").hover()
    expect(page.locator("#entity-surface")).to_have_text("MEFs")
    page.keyboard.press("o")
    expect(page.locator("#sheet-title")).to_contain_text("MEFs")
