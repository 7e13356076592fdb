"""Words found by typing: a missed word for a label (I), and a jump to any word or entity (/)."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from annotator.accounts.models import User
from annotator.corpus.models import Document
from tests.annotator.review.conftest import MakeLegend
from tests.e2e.conftest import OpenAs
from tests.e2e.screen import Screen, address, decided, mark, ready, saved

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
TEXT = (
    "(A) Bax and p5 in MEFs. (B) Levels of p53, Il-1β and Bax inhibitor in HeLa cells; Bax was"
    " stained."
)
SUGGESTED = (("Bax inhibitor", "GENEPROD", 0.9), ("MEFs", "CELL", 0.9), ("HeLa", "CELL", 0.9))


@pytest.fixture
def names(make_legend: MakeLegend, open_as: OpenAs, curator: User) -> Screen:
    document = make_legend(TEXT, suggested=SUGGESTED)
    return document, ready(open_as(curator, address(document)))


def find(page: Page, key: str, typed: str, surface: str) -> None:
    """Open the search by its key, type, and wait until the card shows what it found."""
    page.keyboard.press(key)
    page.keyboard.type(typed)
    expect(page.locator("#entity-surface")).to_have_text(surface)


def test_digits_are_part_of_a_missed_name(names: Screen) -> None:
    document, page = names
    find(page, "i", "p53", "p53")
    expect(page.locator("#search-field")).to_have_value("p53")
    expect(page.locator("#search-place")).to_have_text("1 of 1")
    page.keyboard.press("Alt+2")
    saved(page)
    assert decided(document) == [("p53", "GENEPROD", "")]
    expect(page.locator("#search")).to_be_hidden()


def test_tab_goes_on_and_then_a_digit_labels(names: Screen) -> None:
    document, page = names
    find(page, "i", "p5", "p53")
    page.keyboard.press("Tab")
    expect(page.locator("#entity-surface")).to_have_text("p5")
    page.keyboard.press("2")
    saved(page)
    assert decided(document) == [("p5", "GENEPROD", "")]


def test_several_words_are_taken_by_enter(names: Screen) -> None:
    document, page = names
    find(page, "i", "il-1", "Il-1β")
    page.keyboard.press("Enter")
    page.keyboard.press("2")
    saved(page)
    assert decided(document) == [("Il-1β", "GENEPROD", "")]


def test_a_word_inside_an_entity_can_be_labelled(names: Screen) -> None:
    document, page = names
    find(page, "i", "inhib", "inhibitor")
    page.keyboard.press("Alt+1")
    saved(page)
    assert decided(document) == [("inhibitor", "SMALL_MOLECULE", "")]


def test_a_name_can_be_pasted(names: Screen) -> None:
    _, page = names
    page.keyboard.press("i")
    page.keyboard.insert_text("Bax was")
    expect(page.locator("#entity-surface")).to_have_text("Bax was")


def test_a_jump_stays_at_the_entity_and_says_it(names: Screen) -> None:
    _, page = names
    find(page, "/", "hela", "HeLa")
    expect(page.locator("#said")).to_have_text("HeLa, Cell, Suggestion 3 of 3, match 1 of 1")
    page.keyboard.press("Enter")
    expect(page.locator("#search")).to_be_hidden()
    expect(mark(page, "s2")).to_contain_class("focus")


def test_escape_returns_to_where_a_jump_began(names: Screen) -> None:
    document, page = names
    began = page.locator("mark.focus").first.get_attribute("data-e")
    find(page, "/", "hela", "HeLa")
    page.keyboard.press("Escape")
    assert page.locator("mark.focus").first.get_attribute("data-e") == began
    page.keyboard.press("x")
    saved(page)
    expect(mark(page, "s2")).to_have_count(1)
    assert document.operations.count() == 1


def test_a_jump_to_a_plain_word_is_the_word_cursor(names: Screen) -> None:
    document, page = names
    find(page, "/", "p53", "p53")
    page.keyboard.press("Enter")
    expect(page.locator(".cursor")).to_have_text("p53")
    page.keyboard.press("2")
    saved(page)
    assert decided(document) == [("p53", "GENEPROD", "")]


def test_no_key_edits_what_a_jump_did_not_find(names: Screen) -> None:
    document, page = names
    page.keyboard.press("/")
    page.keyboard.type("zebra")
    expect(page.locator("#entity-score")).to_have_text("no word begins with this")
    page.keyboard.press("Alt+x")
    page.keyboard.press("Escape")
    page.keyboard.press("2")
    saved(page)
    assert document.operations.count() == 1


def test_the_field_fits_a_narrow_window(
    make_legend: MakeLegend, open_as: OpenAs, curator: User
) -> None:
    document: Document = make_legend(TEXT, suggested=SUGGESTED)
    page = ready(open_as(curator, address(document), width=360, height=740))
    find(page, "/", "hela", "HeLa")
    box = page.locator("#search").bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
