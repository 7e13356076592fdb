"""Entities are added, changed and undone on the review screen, by mouse and by keys."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from annotator.accounts.models import User
from annotator.corpus.models import Span
from tests.annotator.review.conftest import TEXT, MakeLegend
from tests.e2e.conftest import OpenAs
from tests.e2e.screen import LONG, Screen, address, decided, drag, inside, mark, ready, saved, word

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_words_are_added_by_dragging_and_a_click_on_a_label(screen: Screen) -> None:
    document, page = screen
    drag(page, word(page, 16), word(page, 17))
    palette = page.locator("#palette")
    expect(palette).to_be_visible()
    palette.get_by_role("button", name="Disease").click()
    saved(page)
    expect(palette).to_be_hidden()
    assert decided(document) == [("deficient MEFs", "DISEASE", "")]
    expect(page.locator("mark.focus").first).to_have_text("deficient MEFs")


def test_a_drag_snaps_to_words_and_with_alt_keeps_to_characters(screen: Screen) -> None:
    document, page = screen
    box = word(page, 16).bounding_box()
    assert box
    y = box["y"] + box["height"] / 2
    for alt in (False, True):
        if alt:
            page.keyboard.down("Alt")
        page.mouse.move(box["x"] + 1, y)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.5, y, steps=4)
        page.mouse.up()
        if alt:
            page.keyboard.up("Alt")
        page.keyboard.press("8")
        saved(page)
        expect(page.locator("#palette")).to_be_hidden()
    whole, part = sorted((surface for surface, *_ in decided(document)), key=len, reverse=True)
    assert whole == "deficient"
    assert whole.startswith(part)
    assert 2 <= len(part) < len(whole)


def test_a_double_click_takes_a_word_and_escape_drops_it(screen: Screen) -> None:
    document, page = screen
    word(page, 20).dblclick()
    expect(word(page, 20)).to_have_class("selected")
    page.keyboard.press("Escape")
    expect(page.locator("#palette")).to_be_hidden()
    word(page, 20).dblclick()
    page.keyboard.press("1")
    saved(page)
    assert decided(document) == [("inhibitor", "SMALL_MOLECULE", "")]


def test_words_are_added_by_keys_alone(screen: Screen) -> None:
    document, page = screen
    for key in ("e", "ArrowRight", "ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight", "7"):
        page.keyboard.press(key)
    saved(page)
    assert decided(document) == [("Bak in MEFs", "EXP_ASSAY", "")]
    assert page.locator(".cursor").count() == 0


def test_a_missed_word_is_inserted_by_typing_its_beginning(screen: Screen) -> None:
    """Of the words that begin with “b” those outside entities come first: Bax/Bak after the second
    panel, and the last Bax."""
    document, page = screen
    for key in ("i", "b", "a"):
        page.keyboard.press(key)
    expect(page.locator(".match")).to_have_text(["Bax", "Bak", "Bax", "Bak", "Bax"])
    expect(page.locator("#search-place")).to_have_text("3 of 5")
    expect(page.locator("#entity-place")).to_have_text("Insert: ba")
    page.keyboard.press("k")
    expect(page.locator(".match")).to_have_text(["Bak", "Bak"])
    page.keyboard.press("Backspace")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("1")
    saved(page)
    assert decided(document) == [("Bax", "SMALL_MOLECULE", "")]
    assert Span.objects.get(layer__document=document, verdict="accepted").start == TEXT.rindex(
        "Bax"
    )
    for key in ("i", "d", "Enter", "Shift+ArrowRight", "4"):
        page.keyboard.press(key)
    saved(page)
    assert sorted(decided(document)) == [
        ("Bax", "SMALL_MOLECULE", ""),
        ("deficient MEFs", "CELL", ""),
    ]
    page.keyboard.press("i")
    page.keyboard.press("Escape")
    page.keyboard.press("x")
    saved(page)
    expect(page.locator(".match")).to_have_count(0)
    assert decided(document) == [("Bax", "SMALL_MOLECULE", "")]


def test_edges_are_dragged_by_their_handles(screen: Screen) -> None:
    document, page = screen
    inside(page, "s1").click()
    handle = page.locator('.handle[data-edge="end"]').bounding_box()
    target = word(page, 7).bounding_box()
    assert handle
    assert target
    assert min(handle["width"], handle["height"]) >= 24
    page.mouse.move(handle["x"] + 12, handle["y"] + 12)
    page.mouse.down()
    page.mouse.move(target["x"] + target["width"] / 2, target["y"] + target["height"], steps=5)
    page.mouse.up()
    saved(page)
    assert decided(document) == [("Bak in MEFs", "GENEPROD", "")]


@pytest.mark.parametrize("key", ["", "Alt"])
def test_a_handle_stops_where_the_panel_ends(key: str, screen: Screen) -> None:
    document, page = screen
    inside(page, "s1").click()
    handle = page.locator('.handle[data-edge="end"]').bounding_box()
    beyond = page.locator('.block[data-block="1"] [data-w]').nth(5).bounding_box()
    assert handle
    assert beyond
    page.mouse.move(handle["x"] + 12, handle["y"] + 12)
    page.mouse.down()
    if key:
        page.keyboard.down(key)
    page.mouse.move(beyond["x"] + 4, beyond["y"] + beyond["height"], steps=5)
    page.mouse.up()
    if key:
        page.keyboard.up(key)
    saved(page)
    assert decided(document) == [("Bak in MEFs.", "GENEPROD", "")]


def test_with_alt_a_handle_drags_by_character(screen: Screen) -> None:
    document, page = screen
    inside(page, "s0").click()
    handle = page.locator('.handle[data-edge="start"]').bounding_box()
    bax = inside(page, "s0").bounding_box()
    assert handle
    assert bax
    page.mouse.move(handle["x"] + 12, handle["y"] + 12)
    page.keyboard.down("Alt")
    page.mouse.down()
    page.mouse.move(bax["x"] + bax["width"] * 0.42, bax["y"] + bax["height"], steps=5)
    page.mouse.up()
    page.keyboard.up("Alt")
    saved(page)
    assert decided(document) == [("ax", "GENEPROD", "")]
    handle = page.locator('.handle[data-edge="end"]').bounding_box()
    target = word(page, 5).bounding_box()
    assert handle
    assert target
    page.mouse.move(handle["x"] + 12, handle["y"] + 12)
    page.mouse.down()
    page.mouse.move(target["x"] + target["width"] / 2, target["y"] + target["height"], steps=5)
    page.mouse.up()
    saved(page)
    assert decided(document) == [("ax and Bak", "GENEPROD", "")]


def test_keys_act_on_the_entity_under_a_moved_pointer(screen: Screen) -> None:
    document, page = screen
    page.mouse.move(5, 5)
    inside(page, "s2").hover()
    page.keyboard.press("5")
    saved(page)
    assert decided(document) == [("MEFs", "TISSUE", "")]
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("4")
    saved(page)
    assert decided(document) == [("Bak", "CELL", ""), ("MEFs", "TISSUE", "")]


def test_everything_in_the_side_panel_works_by_mouse(screen: Screen) -> None:
    document, page = screen
    side = page.locator("#entity")
    side.get_by_role("button", name="Cell", exact=True).click()
    side.get_by_role("button", name="Next entity").click()
    side.get_by_role("button", name="Measured").click()
    side.get_by_role("button", name="Move end one word right").click()
    saved(page)
    side.get_by_role("button", name="Next entity").click()
    side.get_by_role("button", name="Reject X").click()
    saved(page)
    assert decided(document) == [("Bax", "CELL", ""), ("Bak in", "GENEPROD", "MEASURED_VAR")]
    page.get_by_role("button", name="Undo").filter(visible=True).click()
    saved(page)
    expect(mark(page, "s2")).to_be_visible()
    assert page.evaluate("document.activeElement === document.body")


def test_a_resting_mouse_is_offered_to_accept_and_reject(screen: Screen) -> None:
    document, page = screen
    inside(page, "s1").hover()
    bar = page.locator(".hover-bar")
    bar.get_by_role("button", name="Accept").click()
    inside(page, "s2").hover()
    bar.get_by_role("button", name="Reject").click()
    saved(page)
    assert decided(document) == [("Bak", "GENEPROD", "")]
    for button in bar.get_by_role("button").all():
        box = button.bounding_box() or {"width": 24, "height": 24}
        assert min(box["width"], box["height"]) >= 24


def test_undo_and_redo_reach_back_over_a_reload(screen: Screen) -> None:
    document, page = screen
    for key in ("r", "r", "1"):
        page.keyboard.press(key)
    saved(page)
    page.reload()
    ready(page)
    page.keyboard.press("z")
    page.keyboard.press("Control+z")
    saved(page)
    assert decided(document) == []
    page.keyboard.press("y")
    page.keyboard.press("Control+Shift+Z")
    saved(page)
    assert sorted(decided(document)) == [
        ("Bax", "GENEPROD", ""),
        ("Bax", "GENEPROD", ""),
        ("Bax", "SMALL_MOLECULE", ""),
    ]


def test_p_starts_and_removes_a_panel_at_the_cursor(screen: Screen) -> None:
    document, page = screen
    for key in ("e", "ArrowRight", "p"):
        page.keyboard.press(key)
    expect(page.locator(".block")).to_have_count(3)
    saved(page)
    page.keyboard.press("p")
    expect(page.locator(".block")).to_have_count(2)
    document.refresh_from_db()
    assert document.n_panels == 2


def test_tagging_moves_no_word(make_legend: MakeLegend, open_as: OpenAs, curator: User) -> None:
    document = make_legend(
        LONG,
        suggested=[
            ("etoposide", "SMALL_MOLECULE", 0.9),
            ("photographs", "EXP_ASSAY", 0.5),
            ("Bax/Bak", "GENEPROD", 0.9),
        ],
    )
    page = ready(open_as(curator, address(document)))
    where = (
        "[...document.querySelectorAll('.block-text')].map((block) =>"
        " block.getBoundingClientRect().toJSON())"
    )
    places = """[...new Set([...document.querySelectorAll('[data-w]')]
        .map((piece) => piece.dataset.w))].map((w) => {
            const box = document.querySelector(`[data-w="${w}"]`).getBoundingClientRect();
            return [Number(w), box.left, box.top];
        })"""
    before = page.evaluate(where), page.evaluate(places)
    for keys in (
        ["Space"],
        ["c"],
        ["f", "f", "Shift+D", "Shift+D"],
        ["n", "x"],
        ["e", "Shift+ArrowRight", "Shift+ArrowDown", "3"],
        ["r"],
        ["z"],
    ):
        for key in keys:
            page.keyboard.press(key)
        saved(page)
        assert page.evaluate(where) == before[0]
        moved = [
            (then, now)
            for then, now in zip(before[1], page.evaluate(places), strict=True)
            if then != pytest.approx(now, abs=0.05)
        ]
        assert moved == [], f"after {keys}"


NASTY = (
    "(A) 😀Bax 👩‍👩‍👧 a\u0301b\u00a0c\u2009d\r\n\te\u200bf \u05d0\u05d1\u05d2 <b>x</b> &amp;"
    " Δψm end"
)


def test_offsets_survive_nasty_text_from_screen_to_database(
    make_legend: MakeLegend, open_as: OpenAs, curator: User
) -> None:
    document = make_legend(NASTY, suggested=None)
    page = ready(open_as(curator, address(document)))
    assert "".join(page.locator(".block-text").all_text_contents()) == NASTY
    wanted = ["Bax", "b", "c", "\u05d0\u05d1\u05d2", "x", "amp", "Δψm", "end"]
    for surface in wanted:
        page.locator("[data-w]").filter(has_text=surface).filter(visible=True).last.dblclick()
        page.keyboard.press("4")
        saved(page)
    rows = Span.objects.filter(layer__document=document)
    assert {row.surface for row in rows} >= {"Bax", "\u05d0\u05d1\u05d2", "Δψm", "end", "amp"}
    assert all(NASTY[row.start : row.end] == row.surface for row in rows)
