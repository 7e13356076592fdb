"""One action for a class of errors: reject the same, reject a panel, move the same boundaries."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from annotator.accounts.models import User
from annotator.corpus.models import Document, Span
from tests.annotator.review.conftest import MakeLegend
from tests.e2e.conftest import OpenAs
from tests.e2e.screen import Screen, address, decided, inside, mark, ready, saved

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
TEXT = (
    "Title of Bak. (A) ATGs and Atg5fl in HeLa with ATGs. (B) Atg5fl and ATGs, Atg5fl again; Bax."
)


def _suggested() -> list[tuple[str, str, float, int]]:
    rows = []
    for surface in ("Bak", "ATGs", "Atg5fl", "HeLa", "Bax"):
        at = TEXT.find(surface)
        while at >= 0:
            rows.append((surface, "CELL" if surface == "HeLa" else "GENEPROD", 0.9, at))
            at = TEXT.find(surface, at + 1)
    return sorted(rows, key=lambda row: row[3])


@pytest.fixture
def genes(make_legend: MakeLegend, open_as: OpenAs, curator: User) -> Screen:
    """s0 Bak in the title; A: s1 ATGs, s2 Atg5fl, s3 HeLa, s4 ATGs; B: s5 Atg5fl, s6 ATGs,
    s7 Atg5fl, s8 Bax."""
    first, second = TEXT.index("(A)"), TEXT.index("(B)")
    panels = [("A", first, second), ("B", second, len(TEXT))]
    document = make_legend(TEXT, _suggested(), panels=panels)
    return document, ready(open_as(curator, address(document)))


def open_keys(page: Page) -> set[str]:
    script = "marks => [...new Set(marks.map(mark => mark.dataset.e))]"
    return set(page.locator("mark.suggested:not(.gone)").evaluate_all(script))


def lines(page: Page) -> list[str]:
    return page.locator("#change-list li").all_inner_texts()


def rejected(document: Document) -> list[str]:
    rows = Span.objects.filter(layer__document=document, verdict="rejected").order_by("start")
    return list(rows.values_list("surface", flat=True))


def test_after_x_r_rejects_the_same_and_one_undo_brings_it_back(genes: Screen) -> None:
    document, page = genes
    inside(page, "s1").hover()
    page.keyboard.press("x")
    expect(page.locator("#notice")).to_contain_text(
        "Rejected “ATGs”. “Same everywhere” rejects 2 more here too."
    )
    assert lines(page) == ["Panel A: suggestion rejected", "Panel B: suggestion rejected"]
    expect(page.locator("#hints > :not([hidden])")).to_contain_text("reject these too")
    page.keyboard.press("r")
    expect(page.locator("#changes")).to_be_hidden()
    saved(page)
    assert rejected(document) == ["ATGs"] * 3
    assert open_keys(page) == {"s0", "s2", "s3", "s5", "s7", "s8"}
    page.keyboard.press("z")
    saved(page)
    assert rejected(document) == ["ATGs"]


def test_after_x_another_entity_under_the_pointer_is_meant_by_r(genes: Screen) -> None:
    document, page = genes
    inside(page, "s1").hover()
    page.keyboard.press("x")
    expect(page.locator("#changes")).to_be_visible()
    inside(page, "s5").hover()
    expect(page.locator("#changes")).to_be_hidden()
    page.keyboard.press("r")
    expect(page.locator("#notice")).to_contain_text("Label 2 more here?")
    saved(page)
    assert rejected(document) == ["ATGs"]


def test_after_x_shift_r_rejects_in_the_paper_after_a_preview(
    genes: Screen, make_legend: MakeLegend
) -> None:
    document, page = genes
    other = make_legend(TEXT, _suggested())
    Document.objects.update(doi="10.1000/one")
    inside(page, "s1").hover()
    page.keyboard.press("x")
    page.keyboard.press("Shift+R")
    expect(page.locator("#notice")).to_contain_text(
        "Reject 2 more here and 3 in 1 other legend of this paper?"
    )
    assert rejected(other) == []
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("#notice")).to_contain_text("and in 1 other legend of the paper")
    assert rejected(other) == rejected(document) == ["ATGs"] * 3


def test_shift_x_rejects_the_panel_and_nothing_else(genes: Screen) -> None:
    document, page = genes
    inside(page, "s3").hover()
    page.keyboard.press("Space")
    inside(page, "s1").hover()
    page.keyboard.press("Shift+X")
    expect(page.locator("#notice")).to_contain_text("rejected 3 suggestions of panel A")
    saved(page)
    assert rejected(document) == ["ATGs", "Atg5fl", "ATGs"]
    assert decided(document) == [("HeLa", "CELL", "")]
    assert open_keys(page) == {"s0", "s5", "s6", "s7", "s8"}


def test_the_text_before_the_first_panel_is_a_panel_of_its_own(genes: Screen) -> None:
    document, page = genes
    inside(page, "s0").click()
    page.get_by_role("button", name="reject panel").click()
    expect(page.locator("#notice")).to_contain_text("rejected 1 suggestion outside of panels")
    saved(page)
    assert rejected(document) == ["Bak"]


def test_r_moves_the_same_boundary_everywhere(genes: Screen) -> None:
    document, page = genes
    inside(page, "s2").click()
    for _ in "fl":
        page.keyboard.press("Shift+D")
    expect(page.locator("#change-list li")).to_have_text(["Panel B: becomes “Atg5”"] * 2)
    expect(page.locator("#notice")).to_contain_text("“Same everywhere” moves 2 more here too.")
    page.keyboard.press("r")
    expect(page.locator("#changes")).to_be_hidden()
    saved(page)
    assert decided(document) == [("Atg5", "GENEPROD", "")] * 3
    expect(mark(page, "s5")).to_have_text("Atg5")
    page.keyboard.press("z")
    saved(page)
    assert decided(document) == [("Atg5", "GENEPROD", "")]
