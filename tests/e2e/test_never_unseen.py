"""Nothing is accepted unseen: double clicks, bounced and held keys, two tabs, a slow or absent
server, and suggestions that came after the page."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Route, expect

from annotator.accounts.models import User
from annotator.corpus.models import Document, DocumentState
from annotator.corpus.storing import write_suggestions
from ner_engine import schema
from tests.annotator.review.conftest import MakeLegend
from tests.e2e.conftest import OpenAs
from tests.e2e.screen import SURE, address, decided, fetched_ahead, intercept, ready, saved, seen

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Legends = tuple[list[Document], Page]
NOT_SEEN = "This legend has just opened. Check it, then press again."
NOT_USED = (
    "Look through this legend first: move the pointer over it, scroll, or press a key such as an"
    " arrow. Then accept it."
)
HELD = "This key acts once per press. Release it, then press it again."


@pytest.fixture
def legends(make_legend: MakeLegend, open_as: OpenAs, curator: User) -> Legends:
    """Three legends that wait; the first is open before a curator, the second fetched ahead."""
    documents = [make_legend(suggested=SURE) for _ in range(3)]
    page = ready(open_as(curator, address(documents[0])))
    fetched_ahead(page, documents[1])
    return documents, page


def accepted(documents: list[Document]) -> list[bool]:
    """Which of the legends are accepted, once the page has sent all that it had to send."""
    states = dict(Document.objects.values_list("pk", "state"))
    return [states[document.pk] == DocumentState.ACCEPTED for document in documents]


def assert_one_is_accepted(legends: Legends) -> None:
    """The first legend is accepted, the second is on the screen, and a notice says why it stays."""
    documents, page = legends
    expect(page.locator("#notice")).to_have_text(NOT_SEEN)
    page.wait_for_url("**" + address(documents[1]))
    saved(page)
    assert accepted(documents) == [True, False, False]


def test_a_double_click_accepts_one_legend(legends: Legends) -> None:
    _, page = legends
    page.locator("#accept-legend").dblclick()
    assert_one_is_accepted(legends)


def test_two_quick_enters_accept_one_legend(legends: Legends) -> None:
    _, page = legends
    page.evaluate("""() => {
        const enter = { key: "Enter", code: "Enter", bubbles: true };
        for (const type of ["keydown", "keyup", "keydown", "keyup"])
            document.body.dispatchEvent(new KeyboardEvent(type, enter));
    }""")
    assert_one_is_accepted(legends)


def test_a_bounced_enter_accepts_one_legend(legends: Legends) -> None:
    _, page = legends
    page.evaluate("""async () => {
        const enter = { key: "Enter", code: "Enter", bubbles: true };
        const press = () => ["keydown", "keyup"].forEach((type) =>
            document.body.dispatchEvent(new KeyboardEvent(type, enter)));
        press();
        await new Promise((resolve) => setTimeout(resolve, 120));
        press();
    }""")
    assert_one_is_accepted(legends)


def test_a_legend_is_not_accepted_before_it_was_used(legends: Legends) -> None:
    documents, page = legends
    page.locator("#accept-legend").click()
    page.wait_for_url("**" + address(documents[1]))
    fetched_ahead(page, documents[2])
    while page.locator("#notice").text_content() != NOT_USED:  # at first it says NOT_SEEN
        page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url("**" + address(documents[2]))
    saved(page)
    assert accepted(documents) == [True, True, False]


def test_a_second_tab_accepts_no_legend_that_changed(legends: Legends) -> None:
    documents, page = legends
    other = page.context.new_page()
    other.goto(address(documents[0]))
    ready(other)
    page.keyboard.press("4")
    saved(page)
    other.keyboard.press("Shift+Enter")
    expect(other.locator("#merge-sentence")).to_contain_text("Somebody changed this legend")
    assert accepted(documents) == [False, False, False]


def test_two_tabs_accept_a_legend_once(legends: Legends) -> None:
    documents, page = legends
    other = page.context.new_page()
    other.goto(address(documents[0]))
    ready(other)
    fetched_ahead(other, documents[1])
    for tab in (page, other):
        tab.keyboard.press("Enter")
        tab.wait_for_url("**" + address(documents[1]))
    saved(page)
    expect(other.locator("#elsewhere")).to_be_visible()
    assert accepted(documents) == [True, False, False]


def test_a_slow_server_accepts_one_legend(legends: Legends) -> None:
    documents, page = legends
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        waiting.append(route)

    intercept(page, hold)
    fetched_ahead(page, documents[1])
    page.keyboard.press("Enter")
    page.wait_for_url("**" + address(documents[1]))
    page.keyboard.press("Enter")
    expect(page.locator("#save-state")).to_have_text("saving")
    waiting[0].continue_()
    saved(page)
    assert accepted(documents) == [True, False, False]


def test_offline_and_online_again_accepts_one_legend(legends: Legends) -> None:
    documents, page = legends
    page.context.set_offline(True)
    page.keyboard.press("Enter")
    page.wait_for_url("**" + address(documents[1]))
    page.keyboard.press("Enter")
    expect(page.locator("#save-state")).to_have_text("1 waiting")
    page.context.set_offline(False)
    saved(page)
    assert accepted(documents) == [True, False, False]


def test_two_quick_clicks_from_the_keyboard_accept_one_legend(legends: Legends) -> None:
    documents, page = legends
    click = "document.getElementById('accept-legend').click();"
    page.evaluate(f"() => {{ {click} {click} }}")
    page.wait_for_url("**" + address(documents[1]))
    saved(page)
    assert accepted(documents) == [True, False, False]


def test_a_held_enter_accepts_one_legend_however_long_it_is_held(legends: Legends) -> None:
    documents, page = legends
    page.keyboard.down("Enter")
    page.wait_for_url("**" + address(documents[1]))
    page.keyboard.down("Enter")
    expect(page.locator("#notice")).to_have_text(HELD)
    seen(page)
    page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    saved(page)
    assert accepted(documents) == [True, False, False]


def test_a_press_begun_before_the_look_accepts_nothing(legends: Legends) -> None:
    documents, page = legends
    page.evaluate("""() => {
        document.getElementById("accept-legend").click();
        const press = new PointerEvent("pointerdown", { bubbles: true });
        document.getElementById("accept-legend").dispatchEvent(press);
    }""")
    seen(page)
    page.evaluate("""() => {
        const click = new MouseEvent("click", { bubbles: true, detail: 1 });
        document.getElementById("accept-legend").dispatchEvent(click);
    }""")
    expect(page.locator("#notice")).to_have_text(NOT_SEEN)
    saved(page)
    assert accepted(documents) == [True, False, False]


def test_legends_are_accepted_one_after_the_other_once_seen(legends: Legends) -> None:
    documents, page = legends
    page.keyboard.press("Enter")
    page.wait_for_url("**" + address(documents[1]))
    seen(page)
    page.locator("#accept-legend").click()
    page.wait_for_url("**" + address(documents[2]))
    saved(page)
    assert accepted(documents) == [True, True, False]


def test_a_late_answer_about_the_last_legend_changes_nothing(legends: Legends) -> None:
    documents, page = legends
    page.route("**/uncertain/", lambda route: None)
    page.reload()
    ready(page)
    fetched_ahead(page, documents[1])
    page.keyboard.press("ArrowRight")
    expect(page.locator("#entity-surface")).to_have_text("Bak")
    page.keyboard.press("Enter")
    page.wait_for_url("**" + address(documents[1]))
    saved(page)
    expect(page.locator("#entity-surface")).to_have_text("Bax")


def test_a_held_key_rejects_one_entity(legends: Legends) -> None:
    documents, page = legends
    for _ in range(3):
        page.keyboard.down("x")
    page.keyboard.up("x")
    saved(page)
    expect(page.locator("mark")).to_have_count(2)
    assert Document.objects.get(pk=documents[0].pk).revision == 1


def test_a_held_enter_on_a_button_accepts_one_entity(legends: Legends) -> None:
    documents, page = legends
    page.locator("#entity-accept").focus()
    for _ in range(3):
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    saved(page)
    assert decided(documents[0]) == [("Bax", "GENEPROD", "")]


def test_a_double_click_accepts_one_entity(legends: Legends) -> None:
    documents, page = legends
    page.locator("#entity-accept").dblclick()
    saved(page)
    assert decided(documents[0]) == [("Bax", "GENEPROD", "")]


def test_held_arrows_and_edges_go_on(legends: Legends) -> None:
    documents, page = legends
    for key in ("ArrowRight", "a"):
        page.keyboard.down(key)
        page.keyboard.down(key)
        page.keyboard.up(key)
    saved(page)
    assert decided(documents[0]) == [("Bak in MEFs", "CELL", "")]


def test_suggestions_newer_than_the_page_are_not_accepted_unseen(legends: Legends) -> None:
    documents, page = legends
    write_suggestions(
        batch=[(documents[0], [schema.Span(8, 11, "TISSUE", "and")])], source="another model"
    )
    page.keyboard.press("Shift+Enter")
    expect(page.locator("#merge-sentence")).to_contain_text(
        "A model has replaced the suggestions since you saw this legend."
    )
    expect(page.locator("mark")).to_have_text(["and"])
    assert accepted(documents) == [False, False, False]
    seen(page)
    page.get_by_role("button", name="Apply my edits again").click()
    expect(page.locator("#accepted-note")).to_be_visible()
    assert decided(documents[0]) == [("and", "TISSUE", "")]
