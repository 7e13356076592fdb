"""Edits show at once, and none is lost: offline, signed out, in two windows, or refused."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from annotator.accounts.models import User
from annotator.review.editing.leases import claim_lease
from tests.annotator.review.conftest import MakeLegend, Operate
from tests.e2e.conftest import OpenAs, sign_in
from tests.e2e.screen import SURE, Screen, address, decided, intercept, mark, ready, saved, seen

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_an_edit_is_seen_before_the_server_has_answered(screen: Screen) -> None:
    _, page = screen
    intercept(page, lambda route: route.abort())
    page.keyboard.press("4")
    expect(mark(page, "s0")).to_have_class("e decided pending focus")
    expect(mark(page, "s0")).to_have_attribute("data-tag", "CE")
    page.keyboard.press("n")
    page.keyboard.press("x")
    expect(mark(page, "s1")).to_have_class("e suggested pending gone")
    page.reload()
    ready(page)
    expect(mark(page, "s0")).to_have_attribute("data-tag", "CE")
    expect(mark(page, "s1")).to_have_class("e suggested pending gone")
    expect(page.locator("#save-state")).to_have_text("2 waiting")
    page.unroute("**/operations/")
    saved(page)
    expect(mark(page, "s1")).to_have_count(0)


def test_a_refused_edit_is_taken_back_from_the_screen(screen: Screen) -> None:
    _, page = screen
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("c")
    expect(page.locator("#notice")).to_contain_text("Only small molecules and gene products")
    expect(mark(page, "s2")).to_have_class("e suggested focus")


def test_offline_edits_survive_a_reload_and_keep_their_order(
    screen: Screen,
) -> None:
    document, page = screen
    intercept(page, lambda route: route.abort())
    page.keyboard.press("1")
    page.keyboard.press("c")
    expect(page.locator("#save-state")).to_have_text("2 waiting")
    page.reload()
    ready(page)
    expect(page.locator("#save-state")).to_have_text("2 waiting")
    page.unroute("**/operations/")
    saved(page)
    expect(mark(page, "s0")).to_have_attribute("data-tag", "SM▲")
    assert decided(document) == [("Bax", "SMALL_MOLECULE", "CONTROLLED_VAR")]


def test_an_edit_whose_answer_was_lost_is_not_made_twice(screen: Screen) -> None:
    document, page = screen
    intercept(page, lambda route: (route.fetch(), route.abort()), times=1)
    page.keyboard.press("r")
    page.keyboard.press("r")
    saved(page)
    expect(page.locator("mark.decided")).to_have_count(3)
    document.refresh_from_db()
    assert document.revision == 1


def test_edits_after_the_session_ended_are_sent_after_sign_in(
    screen: Screen, curator: User, live_server: Any
) -> None:
    document, page = screen
    page.context.clear_cookies()
    page.keyboard.press("1")
    expect(page.locator("#save-state")).to_have_text("signed out · 1 waiting")
    expect(page.locator("#sign-in")).to_be_visible()
    sign_in(page.context, live_server.url, curator)
    page.reload()
    ready(page)
    saved(page)
    assert decided(document) == [("Bax", "SMALL_MOLECULE", "")]


def test_the_second_of_two_windows_loses_nothing(
    screen: Screen, open_as: OpenAs, curator: User
) -> None:
    document, page = screen
    other = ready(open_as(curator, address(document)))
    other.keyboard.press("4")
    saved(other)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("1")
    merge = page.locator("#merge")
    expect(merge).to_be_visible()
    expect(merge.locator("#merge-mine")).to_have_text("change label “Bak”: small molecule")
    expect(merge.locator("#merge-theirs")).to_have_text("curator made “Bax” cell")
    expect(mark(page, "s0")).to_have_class("e decided")
    page.reload()
    expect(merge).to_be_visible()
    seen(page)
    merge.get_by_role("button", name="Apply my edits again").click()
    saved(page)
    expect(merge).to_be_hidden()
    assert decided(document) == [("Bax", "CELL", ""), ("Bak", "SMALL_MOLECULE", "")]


def test_a_waiting_edit_can_be_discarded(screen: Screen, operate: Operate) -> None:
    document, page = screen
    operate(document, "relabel", entity="s0", label="CELL")
    page.keyboard.press("1")
    expect(page.locator("#merge")).to_be_visible()
    seen(page)
    page.locator("#merge").get_by_role("button", name="Discard my edits").click()
    saved(page)
    assert decided(document) == [("Bax", "CELL", "")]
    page.reload()
    expect(page.locator("#merge")).to_be_hidden()


def test_a_held_legend_is_read_only_until_taken_over(
    make_legend: MakeLegend, open_as: OpenAs, curator: User, reviewer: User
) -> None:
    document = make_legend(suggested=SURE)
    claim_lease(document=document, actor=reviewer)
    page = ready(open_as(curator, address(document)))
    expect(page.locator("#lease-note")).to_contain_text("reviewer is working on this legend")
    page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_contain_text("Another user is working on this legend")
    expect(page.locator("#accept-legend")).to_have_attribute("aria-disabled", "true")
    page.keyboard.press("x")
    expect(mark(page, "s0")).to_have_count(1)
    page.get_by_role("button", name="Take over legend").click()
    expect(page.locator("#lease-note")).to_be_hidden()
    page.keyboard.press("x")
    saved(page)
    expect(mark(page, "s0")).to_have_count(0)
