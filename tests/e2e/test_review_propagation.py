"""One label for every identical string: the preview says what will change before it does."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from annotator.accounts.models import User
from annotator.corpus.models import Document, Span
from tests.annotator.review.conftest import TEXT, MakeLegend
from tests.e2e.conftest import OpenAs
from tests.e2e.screen import SURE, Screen, address, decided, inside, mark, ready, saved

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_label_is_copied_in_the_whole_paper_after_a_preview(
    make_legend: MakeLegend, open_as: OpenAs, curator: User
) -> None:
    document, other = make_legend(suggested=SURE), make_legend(suggested=SURE)
    Document.objects.update(doi="10.1000/one")
    page = ready(open_as(curator, address(document)))
    page.keyboard.press("4")
    expect(mark(page, "s0")).to_have_attribute("data-hue", "green")
    page.keyboard.press("Shift+R")
    expect(page.locator("#notice")).to_contain_text(
        "Label 2 more here and 3 in 1 other legend of this paper?"
    )
    saved(page)
    assert decided(other) == []
    page.keyboard.press("Shift+R")
    expect(page.locator("#notice")).to_contain_text("and in 1 other legend of the paper")
    assert decided(other) == [("Bax", "CELL", "")] * 3
    page.keyboard.press("z")
    saved(page)
    expect(page.locator("mark.decided")).to_have_count(1)
    assert decided(other) == []


@pytest.fixture
def with_roles(make_legend: MakeLegend, open_as: OpenAs, curator: User) -> tuple[Document, Page]:
    """Bax three times: a controlled variable, a measured variable, and without a suggestion."""
    second = ("Bax", "GENEPROD", 0.95, TEXT.index("Bax/Bak"))
    document = make_legend(suggested=(*SURE, second))
    Span.objects.filter(layer__document=document, key="s0").update(role="CONTROLLED_VAR")
    Span.objects.filter(layer__document=document, key="s3").update(role="MEASURED_VAR")
    return document, ready(open_as(curator, address(document)))


def test_the_preview_lists_labels_and_roles_and_keeps_them(with_roles: Screen) -> None:
    document, page = with_roles
    lines = page.locator("#change-list li")
    page.keyboard.press("r")
    expect(page.locator("#notice")).to_have_text(
        "Label 2 more here? Press the key again, or Enter, to apply; Escape to cancel."
    )
    expect(lines).to_have_text(
        [
            "Panel B: label kept (gene product), role kept (measured variable)",
            "Panel B: label none → gene product, role none → controlled variable",
        ]
    )
    page.keyboard.press("Escape")
    expect(page.locator("#changes")).to_be_hidden()
    page.keyboard.press("1")
    changed = "label gene product → small molecule, role kept (measured variable)"
    expect(lines.first).to_have_text(f"Panel B: {changed}")
    page.keyboard.press("r")
    expect(page.locator("mark.decided")).to_have_count(3)
    expect(page.locator("#changes")).to_be_hidden()
    saved(page)
    roles = ["CONTROLLED_VAR", "CONTROLLED_VAR", "MEASURED_VAR"]
    assert sorted(decided(document)) == [("Bax", "SMALL_MOLECULE", role) for role in roles]


def test_the_preview_names_a_role_that_does_not_fit(with_roles: Screen) -> None:
    document, page = with_roles
    page.keyboard.press("4")
    expect(page.locator("#change-list li")).to_have_text(
        [
            "Panel B: no change, as the role measured variable does not fit the label cell",
            "Panel B: label none → cell",
        ]
    )
    expect(page.locator(".match")).to_have_count(1)
    page.keyboard.press("r")
    expect(page.locator("mark.decided")).to_have_count(2)
    saved(page)
    assert decided(document) == [("Bax", "CELL", "")] * 2
    expect(mark(page, "s3")).to_have_class("e suggested")


def test_the_preview_leaves_out_what_was_rejected(with_roles: Screen) -> None:
    _, page = with_roles
    line = "Panel B: label none → gene product, role none → controlled variable"
    inside(page, "s3").click()
    page.keyboard.press("x")
    inside(page, "s0").click()
    page.keyboard.press("r")
    expect(page.locator("#change-list li")).to_have_text([line])  # still unsaved, perhaps
    saved(page)
    page.keyboard.press("Escape")
    expect(page.locator("#changes")).to_be_hidden()
    page.keyboard.press("r")
    expect(page.locator("#change-list li")).to_have_text([line])
    page.reload()
    ready(page)
    page.keyboard.press("r")
    expect(page.locator("#change-list li")).to_have_text([line])


def test_the_preview_of_the_paper_names_the_other_legends(
    with_roles: Screen, make_legend: MakeLegend
) -> None:
    _, page = with_roles
    other = make_legend(suggested=SURE)
    Document.objects.update(doi="10.1000/one")
    Span.objects.filter(layer__document=other, key="s0").update(role="BORING")
    page.keyboard.press("Shift+R")
    added = "label none → gene product, role none → controlled variable"
    expect(page.locator("#change-list li")).to_have_text(
        [
            "Panel B: label kept (gene product), role kept (measured variable)",
            f"Panel B: {added}",
            f"{other.figure_label}: label kept (gene product), role kept (context)",
            f"{other.figure_label}: {added}",
            f"{other.figure_label}: {added}",
        ]
    )
    assert Axe().run(page, context="#entity, #changes").response["violations"] == []
    page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_contain_text("and in 1 other legend of the paper")
    assert sorted(role for _, _, role in decided(other)) == ["BORING", *["CONTROLLED_VAR"] * 2]


def test_after_a_new_label_enter_still_accepts_the_legend(
    screen: Screen,
) -> None:
    document, page = screen
    page.keyboard.press("4")
    expect(page.locator(".match")).to_have_count(2)
    page.keyboard.press("Escape")
    expect(page.locator(".match")).to_have_count(0)
    page.keyboard.press("3")
    expect(page.locator(".match")).to_have_count(2)
    page.keyboard.press("Enter")
    page.wait_for_url("**/queue/")
    assert [row for row in decided(document) if row[0] == "Bax"] == [("Bax", "SUBCELLULAR", "")]


def test_w_copies_the_role_within_the_panel_after_a_preview(
    make_legend: MakeLegend, open_as: OpenAs, curator: User
) -> None:
    text = "(A) Bax and Bax. (B) Bax."
    rows = [("Bax", "GENEPROD", 0.9, at) for at in (4, 12, 21)]
    document = make_legend(text=text, suggested=rows)
    spans = Span.objects.filter(layer__document=document)
    spans.filter(key="s0").update(role="CONTROLLED_VAR")
    spans.filter(key="s1").update(role="MEASURED_VAR")
    page = ready(open_as(curator, address(document)))
    page.keyboard.press("w")
    line = "label kept (gene product), role measured variable → controlled variable"
    expect(page.locator("#change-list li")).to_have_text([f"Panel A: {line}"])
    assert decided(document) == []
    page.keyboard.press("w")
    expect(page.locator("mark.decided")).to_have_count(2)
    saved(page)
    assert decided(document) == [("Bax", "GENEPROD", "CONTROLLED_VAR")] * 2
