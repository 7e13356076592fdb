"""An acceptance is undone from the next legend: by the notice or Z, several back, offline too."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from annotator.accounts.models import User
from annotator.corpus.models import Document, DocumentState
from tests.annotator.review.conftest import MakeLegend, Operate
from tests.e2e.conftest import OpenAs
from tests.e2e.screen import (
    SURE,
    address,
    decided,
    fetched_ahead,
    intercept,
    press_and_go,
    ready,
    saved,
    seen,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Legends = tuple[list[Document], Page]


@pytest.fixture
def legends(make_legend: MakeLegend, open_as: OpenAs, curator: User) -> Legends:
    """Three legends that wait; the first is open before a curator, the second fetched ahead."""
    documents = [make_legend(suggested=SURE) for _ in range(3)]
    page = ready(open_as(curator, address(documents[0])))
    fetched_ahead(page, documents[1])
    return documents, page


def states(documents: list[Document]) -> list[str]:
    known = dict(Document.objects.values_list("pk", "state"))
    return [known[document.pk] for document in documents]


def accept_and_go(page: Page, following: Document) -> None:
    page.keyboard.press("Enter")
    page.wait_for_url("**" + address(following))
    seen(page)


def arrive(page: Page, document: Document) -> None:
    page.wait_for_url("**" + address(document))
    ready(page)


def test_the_notice_names_the_accepted_legend(legends: Legends) -> None:
    documents, page = legends
    expect(page.locator("#last-accepted")).to_be_hidden()
    accept_and_go(page, documents[1])
    expect(page.locator("#last-accepted")).to_contain_text("Accepted Figure 1.")
    expect(page.locator("#last-accepted-link")).to_have_attribute("href", address(documents[0]))


def test_undo_reopens_the_legend_and_returns_to_it(legends: Legends) -> None:
    documents, page = legends
    accept_and_go(page, documents[1])
    page.locator("#last-accepted").get_by_role("button", name="Undo").click()
    arrive(page, documents[0])
    expect(page.locator("#accepted-note")).to_be_hidden()
    expect(page.locator("mark.suggested")).to_have_count(len(SURE))
    assert states(documents)[0] == DocumentState.IN_REVIEW
    assert decided(documents[0]) == []


def test_z_undoes_what_was_done_here_first(legends: Legends) -> None:
    documents, page = legends
    accept_and_go(page, documents[1])
    page.keyboard.press("4")
    saved(page)
    page.keyboard.press("z")
    saved(page)
    assert decided(documents[1]) == []
    assert states(documents)[0] == DocumentState.ACCEPTED
    page.keyboard.press("z")
    arrive(page, documents[0])
    assert states(documents)[0] == DocumentState.IN_REVIEW


def test_z_goes_several_legends_back(legends: Legends) -> None:
    documents, page = legends
    accept_and_go(page, documents[1])
    fetched_ahead(page, documents[2])
    accept_and_go(page, documents[2])
    saved(page)
    page.keyboard.press("z")
    arrive(page, documents[1])
    page.keyboard.press("z")
    arrive(page, documents[0])
    expect(page.locator("#last-accepted")).to_be_hidden()
    assert DocumentState.ACCEPTED not in states(documents)


def test_acceptances_of_before_a_reload_can_be_undone(legends: Legends) -> None:
    documents, page = legends
    accept_and_go(page, documents[1])
    saved(page)
    page.reload()
    ready(page)
    page.keyboard.press("z")
    arrive(page, documents[0])
    assert states(documents)[0] == DocumentState.IN_REVIEW


def test_an_acceptance_on_its_way_is_undone_after_it(legends: Legends) -> None:
    documents, page = legends
    intercept(page, lambda route: route.abort())
    fetched_ahead(page, documents[1])
    accept_and_go(page, documents[1])
    page.keyboard.press("z")
    expect(page.locator("#save-state")).to_contain_text("2 waiting")
    page.unroute("**/operations/")
    arrive(page, documents[0])
    assert states(documents)[0] == DocumentState.IN_REVIEW


def test_a_held_z_reopens_one_legend(legends: Legends) -> None:
    documents, page = legends
    accept_and_go(page, documents[1])
    fetched_ahead(page, documents[2])
    accept_and_go(page, documents[2])
    saved(page)
    page.keyboard.down("z")
    page.keyboard.down("z")
    arrive(page, documents[1])
    page.keyboard.up("z")
    assert states(documents)[0] == DocumentState.ACCEPTED


def test_a_legend_changed_since_is_not_reopened(legends: Legends, operate: Operate) -> None:
    documents, page = legends
    accept_and_go(page, documents[1])
    saved(page)
    operate(documents[0], "reopen_legend")
    operate(documents[0], "relabel", entity="s0", label="CELL")
    page.keyboard.press("z")
    expect(page.locator("#notice")).to_contain_text("its acceptance was not undone")
    saved(page)
    assert ("Bax", "CELL", "") in decided(documents[0])


def test_the_notice_has_no_fault_that_axe_finds(legends: Legends) -> None:
    documents, page = legends
    accept_and_go(page, documents[1])
    saved(page)
    assert Axe().run(page).response["violations"] == []


def test_the_list_undoes_an_acceptance_without_script(
    make_legend: MakeLegend, open_as: OpenAs, curator: User, operate: Operate
) -> None:
    first, second = make_legend(suggested=SURE), make_legend(suggested=SURE)
    operate(first, "accept_legend")
    page = open_as(curator, f"{address(second)}?list", java_script_enabled=False)
    press_and_go(page, "Undo acceptance")
    page.wait_for_url("**" + address(first) + "?list")
    assert states([first]) == [DocumentState.IN_REVIEW]
