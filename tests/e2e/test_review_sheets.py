"""Identifiers, comments and versions in a sheet over the legend."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from annotator.accounts.models import User
from annotator.corpus.models import DocumentState
from annotator.review.second_look.comments import write_comment
from tests.annotator.review.conftest import MakeLegend, Operate
from tests.e2e.conftest import OpenAs
from tests.e2e.screen import SURE, Screen, address, decided, mark, ready, saved

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_digit_takes_an_earlier_identifier(
    make_legend: MakeLegend, operate: Operate, open_as: OpenAs, curator: User
) -> None:
    told = [{"id": "12028", "name": "Bax", "taxon": "10090", "database": "NCBI gene"}]
    operate(make_legend(suggested=SURE), "set_identifiers", entity="s0", identifiers=told)
    document = make_legend(suggested=SURE)
    page = ready(open_as(curator, address(document)))
    expect(page.locator("#entity-ids")).to_be_empty()
    page.keyboard.press("o")
    expect(page.locator("#sheet")).to_contain_text("used 1 time")
    page.keyboard.press("1")
    expect(page.locator("#sheet")).to_be_hidden()
    expect(page.locator("#entity-ids")).to_have_text("BaxNCBI gene 12028")
    saved(page)
    page.keyboard.press("o")
    page.get_by_label("Id", exact=True).fill("Q0")
    page.locator("#sheet select[name=database]").select_option("UniProt")
    page.get_by_role("button", name="Add identifier").click()
    expect(page.locator("#sheet").get_by_role("alert")).to_contain_text("such as P10415")
    page.get_by_label("Id", exact=True).fill("Q07813")
    page.get_by_role("button", name="Add identifier").click()
    expect(page.locator("#entity-ids li")).to_have_count(2)
    expect(page.locator("#sheet")).to_be_hidden()
    page.keyboard.press("z")
    expect(page.locator("#entity-ids li")).to_have_count(1)


def test_question_comment_and_versions_open_by_key(
    make_legend: MakeLegend, open_as: OpenAs, curator: User
) -> None:
    document = make_legend(suggested=SURE)
    page = ready(open_as(curator, address(document)))
    page.keyboard.press("u")
    expect(page.locator("#questions")).to_have_text("1 question for the reviewer")
    page.keyboard.press("u")
    expect(page.locator("#questions")).to_be_hidden()
    page.keyboard.press("q")
    page.get_by_label("On “Bax”").fill("Is it the mouse’s?")
    page.get_by_role("radio", name="question to the reviewer").check()
    page.get_by_role("button", name="Add comment").click()
    expect(page.locator("#sheet .comment").last).to_contain_text("Is it the mouse’s?")
    expect(page.locator("#questions")).to_have_text("1 question for the reviewer")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    page.wait_for_url("**/queue/")  # nothing else waits, and this one is the reviewer's now
    document.refresh_from_db()
    assert document.state != DocumentState.ACCEPTED


def test_a_rejected_suggestion_is_restored_from_the_versions(
    screen: Screen,
) -> None:
    document, page = screen
    page.keyboard.press("x")
    page.keyboard.press("Space")
    saved(page)
    page.keyboard.press("v")
    sheet = page.locator("#sheet")
    expect(sheet).to_contain_text("1 lost")
    expect(sheet).to_contain_text("1 undecided")
    sheet.locator("tr", has_text="“Bax”").get_by_role("button").click()
    expect(sheet).to_contain_text("The change was copied into the legend")
    expect(sheet).not_to_contain_text("1 lost")
    page.keyboard.press("Escape")
    expect(mark(page, "s0")).to_have_class(re.compile("decided"))
    assert sorted(row[0] for row in decided(document)) == ["Bak", "Bax"]
    page.keyboard.press("g")
    expect(page.locator("#guideline")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("key", ["o", "q", "v", "g"])
def test_axe_finds_nothing_in_the_sheets(
    key: str, scheme: str, make_legend: MakeLegend, operate: Operate, open_as: OpenAs, curator: User
) -> None:
    operate(
        make_legend(), "set_identifiers", entity="s0", identifiers=[{"id": "12028", "name": "Bax"}]
    )
    document = make_legend()
    operate(document, "reject", entity="s1")
    operate(document, "relabel", entity="s2", label="TISSUE")
    write_comment(document_id=document.pk, actor=curator, kind="flag", text="Odd", entity="s0")
    page = ready(open_as(curator, address(document), color_scheme=scheme))
    page.keyboard.press(key)
    page.wait_for_selector("#guideline[open]" if key == "g" else "#sheet-body > *")
    results = Axe().run(page)
    assert [
        (violation["id"], violation["impact"]) for violation in results.response["violations"]
    ] == []
