"""What waits: sheets while the server is away, edits after their page was closed, take-overs."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from annotator.accounts.models import User
from annotator.review.editing.leases import claim_lease
from annotator.review.models import Operation
from tests.annotator.review.conftest import MakeLegend, Operate
from tests.e2e.conftest import OpenAs
from tests.e2e.screen import SURE, Screen, address, mark, ready, saved, seen

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def leave_an_edit(page: Page) -> None:
    """Reject the entity in focus while the server is away."""
    page.route("**/operations/", lambda route: route.abort())
    page.keyboard.press("x")
    expect(page.locator("#save-state")).to_have_text("1 waiting")


def test_a_sheet_says_the_server_is_away_and_asks_again(screen: Screen) -> None:
    _, page = screen
    page.route("**/compare/", lambda route: route.abort())
    page.keyboard.press("v")
    expect(page.locator("#sheet").get_by_role("alert")).to_contain_text("does not answer")
    page.unroute("**/compare/")
    expect(page.locator("#sheet .compare")).to_be_visible()
    expect(page.locator(".sheet-away")).to_have_count(0)


def test_a_sheet_that_is_refused_says_so(screen: Screen) -> None:
    _, page = screen
    page.route("**/comments/*", lambda route: route.fulfill(status=403, body="no"))
    page.keyboard.press("q")
    expect(page.locator("#sheet").get_by_role("alert")).to_contain_text("cannot show this")


def test_edits_of_a_closed_page_are_sent_from_any_page(screen: Screen) -> None:
    document, page = screen
    leave_an_edit(page)
    page.goto("/keys/")
    notice = page.locator("#waiting-edits")
    expect(notice).to_contain_text("1 edit waits in this browser. The server does not answer.")
    expect(notice.get_by_role("link")).to_have_attribute("href", address(document))
    page.unroute("**/operations/")
    expect(notice).to_contain_text("are saved")
    assert Operation.objects.get(document=document).kind == "reject"


def test_a_page_says_nothing_where_no_edit_waits(open_as: OpenAs, curator: User) -> None:
    page = open_as(curator, "/keys/")
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator("#waiting-edits")).to_be_hidden()


def test_taking_over_and_applying_is_one_step(
    make_legend: MakeLegend, operate: Operate, open_as: OpenAs, curator: User, reviewer: User
) -> None:
    document = make_legend(suggested=SURE)
    page = ready(open_as(curator, address(document)))
    claim_lease(document=document, actor=reviewer, take_over=True)
    operate(document, "accept", actor=reviewer, entity="s1")
    page.keyboard.press("x")
    expect(page.locator("#merge")).to_be_visible()
    seen(page)
    page.get_by_role("button", name="Take over and apply my edits").click()
    expect(page.locator("#merge")).to_be_hidden()
    saved(page)
    expect(mark(page, "s1")).to_have_class(re.compile("decided"))
    expect(page.locator("#merge")).to_be_hidden()
    done = Operation.objects.filter(document=document).order_by("revision")
    assert list(done.values_list("kind", "actor__username")) == [
        ("accept", "reviewer"),
        ("reject", "curator"),
    ]


def test_a_second_label_on_the_same_words_says_replaced(screen: Screen) -> None:
    _, page = screen
    page.locator('[data-w="3"]').dblclick()
    page.keyboard.press("4")
    expect(page.locator("#notice")).to_contain_text(
        "replaced the label of “Bax”: cell instead of gene product"
    )


@pytest.mark.parametrize("width", [360, 700])
def test_versions_fit_with_the_names_of_three_models(
    width: int, make_legend: MakeLegend, open_as: OpenAs, curator: User
) -> None:
    document = make_legend(suggested=SURE)
    name = "organisation/a-long-name-of-a-model"
    document.layers.update(source=f"{name}-panels + {name}-entities + {name}-roles")
    page = ready(open_as(curator, address(document), width=width))
    page.keyboard.press("Space")
    saved(page)
    page.keyboard.press("v")
    expect(page.locator("#compare-old")).to_be_visible()
    assert page.locator("#sheet").evaluate("e => e.scrollWidth - e.clientWidth") <= 0


def test_screen_readers_hear_the_label_with_the_word(screen: Screen) -> None:
    _, page = screen
    client = page.context.new_cdp_session(page)
    nodes = client.send("Accessibility.getFullAXTree")["nodes"]
    names = [node.get("name", {}).get("value", "").strip() for node in nodes]
    assert "gene product, suggestion:" in names
    assert "GP" not in names
