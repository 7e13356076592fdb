"""The project's memory on the screen: what it speaks against is struck out and left out."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from annotator.accounts.models import User
from annotator.corpus.models import Document
from annotator.review.editing.services import apply_operation
from annotator.review.models import MemoryEntry, Operation
from tests.annotator.review.conftest import MakeLegend
from tests.e2e.conftest import OpenAs
from tests.e2e.screen import SURE, address, decided, inside, mark, ready, saved

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def accept_with(document: Document, actor: User, *edits: dict[str, object]) -> None:
    """Make the edits, then accept the legend."""
    for base, edit in enumerate([*edits, {"kind": "accept_legend"}]):
        operation = {"id": str(uuid4()), "base_revision": base, **edit}
        apply_operation(document_id=document.pk, actor=actor, operation=operation)


@pytest.fixture
def remembered(make_legend: MakeLegend, curator: User) -> Document:
    """A legend after three in which Bax was rejected and MEFs made a tissue."""
    for _ in range(3):
        reject = {"kind": "reject", "entity": "s0"}
        relabel = {"kind": "relabel", "entity": "s2", "arguments": {"label": "TISSUE"}}
        accept_with(make_legend(suggested=SURE), curator, reject, relabel)
    return make_legend(suggested=SURE)


@pytest.fixture
def page(remembered: Document, open_as: OpenAs, curator: User) -> Page:
    return ready(open_as(curator, address(remembered)))


def test_what_it_speaks_against_is_left_out_and_listed(page: Page, remembered: Document) -> None:
    expect(mark(page, "s0")).to_have_class(re.compile(r"\bremembered reject\b"))
    expect(mark(page, "s2")).to_have_attribute("data-tag", re.compile("→"))
    expect(page.locator("#entity-surface")).to_have_text("Bax")  # the first to look at
    says = "Rejected 3 times in this project, never kept."
    expect(page.locator("#entity-memory-says")).to_have_text(says)
    expect(page.locator("#accept-words")).to_have_text("Accept 1, leave out 2, next")
    assert not Operation.objects.filter(document=remembered).exists()
    assert Axe().run(page).response["violations"] == []
    page.keyboard.press("Shift+Enter")
    saved(page)
    assert decided(remembered) == [("Bak", "GENEPROD", "")]
    row = Operation.objects.get(document=remembered)
    assert row.arguments["remembered"] == ["s0", "s2"]


def test_one_key_takes_each_proposal(page: Page, remembered: Document) -> None:
    page.keyboard.press("j")
    expect(mark(page, "s0")).to_have_count(0)
    expect(page.locator("#entity-memory-take")).to_have_text("Relabel to tissue")
    page.keyboard.press("j")
    expect(page.locator("#entity-memory")).to_be_hidden()
    saved(page)
    assert decided(remembered) == [("MEFs", "TISSUE", "")]
    page.keyboard.press("j")
    expect(page.locator("#notice")).to_contain_text("proposes nothing for this entity")


def test_a_button_takes_it_and_keeping_is_one_press(page: Page, remembered: Document) -> None:
    page.keyboard.press("Space")
    expect(mark(page, "s0")).to_have_class(re.compile(r"\bdecided\b"))
    inside(page, "s2").click()
    page.get_by_role("button", name="Relabel to tissue").click()
    saved(page)
    assert decided(remembered) == [("Bax", "GENEPROD", ""), ("MEFs", "TISSUE", "")]


def test_a_page_leaves_out_no_more_than_it_shows(
    make_legend: MakeLegend, open_as: OpenAs, curator: User
) -> None:
    document = make_legend(suggested=SURE)
    page = ready(open_as(curator, address(document)))
    MemoryEntry.objects.create(
        project=document.project, surface="Bax", label="GENEPROD", proposal="reject", by_hand=True
    )
    page.keyboard.press("Shift+Enter")
    saved(page)
    assert ("Bax", "GENEPROD", "") in decided(document)
