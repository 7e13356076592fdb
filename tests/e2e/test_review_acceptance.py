"""Legends are accepted by Enter, after the suggestions that need a decision."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from annotator.accounts.models import User
from annotator.corpus.models import DocumentState, Project
from tests.annotator.review.conftest import MakeLegend
from tests.e2e.conftest import OpenAs
from tests.e2e.screen import SURE, Screen, address, decided, fetched_ahead, ready, saved

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_enter_accepts_and_opens_the_prefetched_legend(
    make_legend: MakeLegend, open_as: OpenAs, curator: User
) -> None:
    first, second = make_legend(suggested=SURE), make_legend(suggested=SURE)
    page = open_as(curator, address(first))
    with page.expect_response(lambda response: response.url.endswith(address(second))):
        ready(page)
    page.evaluate("window.isSameDocument = true")
    page.keyboard.press("Enter")
    page.wait_for_url("**" + address(second))
    assert page.evaluate("window.isSameDocument")
    saved(page)  # the next legend was there before the answer was
    expect(page.locator(".bar-progress")).to_contain_text("1 accepted")
    first.refresh_from_db()
    assert first.state == DocumentState.ACCEPTED
    page.keyboard.press("x")
    saved(page)
    expect(page.locator("mark")).to_have_count(2)
    page.keyboard.press("Backspace")
    page.wait_for_url("**" + address(first))
    expect(page.locator("#accepted-note")).to_be_visible()
    page.wait_for_selector("html.scripted")  # the page was loaded again
    page.get_by_role("button", name="Reopen").click()
    expect(page.locator("#accepted-note")).to_be_hidden()


def test_shift_enter_accepts_and_stays(
    screen: Screen,
) -> None:
    document, page = screen
    page.keyboard.press("Shift+Enter")
    expect(page.locator("#accepted-note")).to_be_visible()
    page.keyboard.press("z")
    expect(page.locator("#accepted-note")).to_be_hidden()
    page.keyboard.press("Enter")
    page.wait_for_url("**/queue/")
    document.refresh_from_db()
    assert document.state == DocumentState.ACCEPTED


def test_n_goes_to_uncertain_suggestions_first(
    make_legend: MakeLegend, open_as: OpenAs, curator: User
) -> None:
    document = make_legend(
        suggested=(("Bax", "GENEPROD", 0.95), ("Bak", "GENEPROD", 0.6), ("MEFs", "CELL", 0.7))
    )
    page = ready(open_as(curator, address(document)))
    focused = page.locator("mark.focus").first
    expect(focused).to_have_attribute("data-e", "s1")
    for key, expected in (("n", "s2"), ("n", "s1"), ("Space", "s2"), ("x", "s0")):
        page.keyboard.press(key)
        expect(focused).to_have_attribute("data-e", expected)


def test_where_each_doubt_needs_a_decision_enter_leads_to_it(
    make_legend: MakeLegend, open_as: OpenAs, curator: User
) -> None:
    document = make_legend()
    Project.objects.update(review_mode="decide", threshold=0.8)
    page = ready(open_as(curator, address(document)))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_contain_text("1 unsure suggestion needs a decision")
    expect(page.locator("mark.focus").first).to_have_attribute("data-e", "s1")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.wait_for_url("**/queue/")
    assert len(decided(document)) == 3


def test_suggestions_below_the_threshold_are_left_out(
    make_legend: MakeLegend, open_as: OpenAs, curator: User
) -> None:
    document = make_legend()
    Project.objects.update(threshold=0.6)
    page = ready(open_as(curator, address(document)))
    page.keyboard.press("Enter")
    page.wait_for_url("**/queue/")
    assert decided(document) == [("Bax", "GENEPROD", ""), ("MEFs", "CELL", "")]


def test_what_enter_will_do_is_said_before_and_after(
    make_legend: MakeLegend, open_as: OpenAs, curator: User
) -> None:
    documents = [make_legend() for _ in range(2)]
    Project.objects.update(threshold=0.6)
    page = ready(open_as(curator, address(documents[0])))
    words = page.locator("#accept-words")
    expect(words).to_have_text("Accept 2, leave out 1, next")
    expect(page.locator("mark.left-out")).to_have_attribute("data-e", "s1")
    page.keyboard.press("x")
    expect(words).to_have_text("Accept 2, next")
    page.keyboard.press("z")
    expect(words).to_have_text("Accept 2, leave out 1, next")
    assert Axe().run(page).response["violations"] == []
    fetched_ahead(page, documents[1])
    page.keyboard.press("Enter")
    page.wait_for_url("**" + address(documents[1]))
    expect(page.locator("#last-left-out")).to_have_text("Left out 1: “Bak”.")


def test_a_mark_that_is_accepted_is_left_out_no_more(
    make_legend: MakeLegend, open_as: OpenAs, curator: User
) -> None:
    document = make_legend()
    Project.objects.update(threshold=0.6)
    page = ready(open_as(curator, address(document)))
    expect(page.locator("#entity-place")).to_have_text("Suggestion 2 of 3, will be left out")
    page.keyboard.press("Space")
    expect(page.locator("mark.left-out")).to_have_count(0)
    expect(page.locator("#accept-words")).to_have_text("Accept 3, next")


def test_marks_that_are_left_out_look_so_in_forced_colours(
    make_legend: MakeLegend, open_as: OpenAs, curator: User
) -> None:
    document = make_legend()
    Project.objects.update(threshold=0.6)
    page = ready(open_as(curator, address(document), forced_colors="active"))
    styles = page.evaluate("""() => ["s0", "s1"].map((key) => {
        const mark = document.querySelector(`[data-e=${key}]`);
        const { borderBottomStyle, color } = getComputedStyle(mark);
        return [borderBottomStyle, color];
    })""")
    assert styles[1][0] == "double"
    assert styles[0] != styles[1]
    assert styles[0][1] != styles[1][1]
