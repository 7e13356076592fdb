"""The figure beside the legend in Chromium: uploaded, zoomed, panned, its panels boxed by mouse and
by keys."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect

from annotator.accounts.models import User
from annotator.corpus.figures import put_box, store_figure
from annotator.corpus.models import Document, FigureImage
from annotator.review.models import Lease
from tests.e2e.conftest import OpenAs
from tests.e2e.screen import small_controls, width_of_content

CONTROLS = "button, select, summary, input:not([type=hidden]), a"
FIGURE_CONTROLS = f".figure :is({CONTROLS})"
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def address(document: Document, name: str = "figure") -> str:
    return reverse(f"corpus:{name}", args=[document.project.slug, document.pk])


@pytest.fixture
def document(import_legends: Callable[..., list[Document]]) -> Document:
    """ "Figure 1" with panels A and B."""
    return import_legends(1)[0]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """Two panels side by side: bars, and a curve."""
    image = Image.new("RGB", (1200, 600), "white")
    pen = ImageDraw.Draw(image)
    for index, height in enumerate((120, 260, 340, 200, 430)):
        pen.rectangle((90 + 90 * index, 540 - height, 150 + 90 * index, 540), fill=(60, 110, 190))
    pen.line(
        [(680 + 20 * step, 540 - step * step * 0.7) for step in range(25)],
        fill=(190, 50, 50),
        width=6,
    )
    for left in (60, 660):
        pen.line([(left, 40), (left, 540), (left + 500, 540)], fill="black", width=4)
    path = tmp_path / "figure 1.png"
    image.save(path)
    return path


@pytest.fixture
def drawn(document: Document, picture: Path, reviewer: User) -> Document:
    with picture.open("rb") as stream:
        store_figure(document=document, file=stream, actor=reviewer)
    return document


def starts(document: Document) -> list[int]:
    return [segment.start for segment in document.segments.all()]


def until(page: Page, condition: str) -> None:
    """Until the expression holds; the page's security policy lets nothing be evaluated in it by a
    loop of its own."""
    end = time.monotonic() + 10
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(30)


def loaded(page: Page) -> Page:
    until(
        page,
        "Boolean(document.querySelector('.figure.scripted img')?.naturalWidth &&"
        " document.querySelector('.figure-stage').style.width)",
    )
    return page


def stage_width(page: Page) -> float:
    return float(
        page.locator(".figure-stage").evaluate("stage => stage.getBoundingClientRect().width")
    )


def drag(
    page: Page,
    start: tuple[float, float],
    end: tuple[float, float],
    *,
    within: str = ".figure-stage",
) -> None:
    """From one point to another, each in fractions of the image (or of the frame)."""
    page.locator(within).scroll_into_view_if_needed()
    box: Any = page.locator(within).bounding_box()
    (x, y), (to_x, to_y) = (
        (box["x"] + box["width"] * px, box["y"] + box["height"] * py) for px, py in (start, end)
    )
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(to_x, to_y, steps=5)
    page.mouse.up()


def boxes_of(document: Document) -> dict[int, tuple[float, ...]]:
    """Box by panel, rounded to percents."""
    figure = FigureImage.objects.get(document=document)
    return {
        box["panel"]: tuple(round(100 * box[side]) for side in ("x", "y", "width", "height"))
        for box in figure.boxes
    }


def problems_of(page: Page) -> list[tuple[str, str]]:
    return [
        (each["id"], each["nodes"][0]["html"][:200])
        for each in Axe().run(page).response["violations"]
    ]


def test_a_figure_is_uploaded_zoomed_and_boxed_for_good(
    document: Document, picture: Path, open_as: OpenAs, reviewer: User
) -> None:
    page = open_as(reviewer, address(document, "document"))
    page.locator("summary", has_text="Add image").click()
    page.get_by_label("Image:").set_input_files(picture)
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text("The image is saved.")).to_be_visible()
    width = stage_width(loaded(page))
    page.get_by_role("button", name="Zoom in").click()
    assert stage_width(page) == pytest.approx(1.5 * width, abs=1)
    page.get_by_role("button", name="Fit").click()
    assert stage_width(page) == pytest.approx(width, abs=1)

    a, b = starts(document)
    page.locator("summary", has_text="Panel boxes").click()
    page.get_by_role("button", name="Draw box").click()
    drag(page, (0.02, 0.05), (0.48, 0.95))
    expect(page.locator(f'[data-panel="{a}"]')).to_have_count(1)
    expect(page.get_by_label("Panel", exact=True)).to_have_value(str(b))
    expect(page.get_by_role("button", name="Draw box")).to_have_attribute(
        "aria-pressed", "true"
    )  # on to the next panel at once
    drag(page, (0.98, 0.95), (0.52, 0.05))
    expect(page.locator(f'[data-panel="{b}"]')).to_have_count(1)
    expect(page.get_by_role("button", name="Draw box")).to_have_attribute("aria-pressed", "false")
    assert boxes_of(document) == {a: (2, 5, 46, 90), b: (52, 5, 46, 90)}

    page.reload()
    loaded(page)
    shown: Any = page.locator(f'[data-panel="{b}"] .figure-line').bounding_box()
    stage: Any = page.locator(".figure-stage").bounding_box()
    assert (shown["x"] - stage["x"]) / stage["width"] == pytest.approx(0.52, abs=0.02)


def test_the_panel_in_focus_is_named_lit_up_and_brought_near(
    drawn: Document, open_as: OpenAs, curator: User
) -> None:
    a, b = starts(drawn)
    put_box(
        document=drawn,
        panel=b,
        box={"x": 0.6, "y": 0.1, "width": 0.3, "height": 0.3},
        base_revision=0,
        actor=curator,
    )
    page = loaded(open_as(curator, address(drawn)))
    width = stage_width(page)

    def focus(start: int) -> None:
        page.evaluate(
            "start => document.dispatchEvent(new CustomEvent('panel-focus', { detail: { start"
            " } }))",
            start,
        )

    focus(b)
    expect(page.locator(".figure .card-title")).to_have_text("Figure 1 · panel B")
    expect(page.locator(f'[data-panel="{b}"]')).to_have_class("figure-box focus")
    assert stage_width(page) > 2 * width
    frame: Any = page.locator(".figure-frame").bounding_box()
    lit: Any = page.locator(f'[data-panel="{b}"] .figure-line').bounding_box()
    assert frame["x"] <= lit["x"] and lit["x"] + lit["width"] <= frame["x"] + frame["width"]
    assert frame["y"] <= lit["y"] and lit["y"] + lit["height"] <= frame["y"] + frame["height"]
    focus(a)  # which has no box
    expect(page.locator(".figure .card-title")).to_have_text("Figure 1 · panel A")
    assert stage_width(page) == pytest.approx(width, abs=1)


def test_wheel_drag_and_keys_move_the_figure(
    drawn: Document, open_as: OpenAs, viewer: User
) -> None:
    page = loaded(open_as(viewer, address(drawn)))
    frame = page.locator(".figure-frame")
    width = stage_width(page)
    frame.hover()
    page.mouse.wheel(0, -400)
    assert stage_width(page) == pytest.approx(
        width, abs=1
    )  # the page scrolls until the figure has the focus
    frame.focus()
    for _ in range(2):
        page.keyboard.press("+")
    assert stage_width(page) == pytest.approx(2.25 * width, abs=2)
    before = frame.evaluate("frame => frame.scrollLeft")
    frame.evaluate(
        "frame => frame.addEventListener('scrollend', () => { frame.dataset.rests = 'yes' })"
    )
    page.keyboard.press("ArrowRight")
    expect(frame).to_have_attribute("data-rests", "yes")  # the browser scrolls smoothly
    assert frame.evaluate("frame => frame.scrollLeft") > before
    before = frame.evaluate("frame => frame.scrollLeft")
    drag(page, (0.3, 0.5), (0.4, 0.5), within=".figure-frame")
    assert frame.evaluate("frame => frame.scrollLeft") == pytest.approx(
        before - 0.1 * frame.evaluate("frame => frame.offsetWidth"), abs=3
    )
    page.mouse.wheel(0, -200)
    until(page, f"document.querySelector('.figure-stage').offsetWidth > {2.4 * width}")
    page.keyboard.press("0")
    assert stage_width(page) == pytest.approx(width, abs=1)


def test_zooming_keeps_what_is_under_the_pointer(
    drawn: Document, open_as: OpenAs, viewer: User
) -> None:
    page = loaded(open_as(viewer, address(drawn)))
    box: Any = page.locator(".figure-frame").bounding_box()
    x, y = box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.4
    where = """([x, y]) => {
        const stage = document.querySelector('.figure-stage').getBoundingClientRect();
        return [(x - stage.x) / stage.width, (y - stage.y) / stage.height];
    }"""
    page.locator(".figure-frame").focus()
    page.mouse.move(x, y)
    before = page.evaluate(where, [x, y])
    page.mouse.wheel(0, -500)
    until(page, "document.querySelector('.figure-frame').style.overflow === 'auto'")
    assert page.evaluate(where, [x, y]) == pytest.approx(before, abs=0.01)


def test_boxes_are_made_by_keys_alone_and_escape_ends_drawing(
    drawn: Document, open_as: OpenAs, curator: User
) -> None:
    page = loaded(open_as(curator, address(drawn)))
    page.locator("summary", has_text="Panel boxes").focus()
    page.keyboard.press("Enter")
    for name, value in (("left", "10"), ("top", "20"), ("width", "30"), ("height", "40")):
        page.get_by_label(name, exact=True).fill(value)
    page.keyboard.press("Enter")
    expect(page.get_by_text("The box is saved.")).to_be_visible()
    loaded(page)  # the part that was sent again has its script again
    a, _ = starts(drawn)
    assert boxes_of(drawn) == {a: (10, 20, 30, 40)}
    page.get_by_label("Panel", exact=True).select_option(str(a))
    expect(page.get_by_label("top", exact=True)).to_have_value("20.00")
    page.get_by_role("button", name="Draw box").click()
    page.locator(".figure-frame").focus()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Draw box")).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="Remove the box of panel A").click()
    expect(page.get_by_text("The box is removed.")).to_be_visible()
    assert boxes_of(drawn) == {}


def test_a_box_on_an_old_revision_returns_the_newer_boxes(
    drawn: Document, open_as: OpenAs, curator: User, reviewer: User
) -> None:
    a, b = starts(drawn)
    page = loaded(open_as(curator, address(drawn)))
    page.locator("summary", has_text="Panel boxes").click()
    put_box(
        document=drawn,
        panel=b,
        box={"x": 0.5, "y": 0, "width": 0.5, "height": 1},
        base_revision=0,
        actor=reviewer,
    )
    Lease.objects.all().delete()
    page.get_by_role("button", name="Draw box").click()
    drag(page, (0.02, 0.05), (0.48, 0.95))
    expect(page.get_by_role("alert")).to_contain_text("Somebody changed the boxes")
    expect(page.locator(f'[data-panel="{b}"]')).to_have_count(1)
    loaded(page)
    drag(page, (0.02, 0.05), (0.48, 0.95))
    expect(page.locator(f'[data-panel="{a}"]')).to_have_count(1)
    assert sorted(boxes_of(drawn)) == [a, b]


def test_a_picture_that_is_not_there_any_more_takes_no_room(
    drawn: Document, open_as: OpenAs, viewer: User
) -> None:
    Path(FigureImage.objects.get().file.path).unlink()
    page = open_as(viewer, address(drawn, "document"))
    expect(page.locator(".figure-frame")).to_be_hidden()
    expect(page.locator(".card", has=page.locator(".figure"))).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
def test_nothing_hinders_anybody(
    scheme: str, width: int, drawn: Document, open_as: OpenAs, reviewer: User, tmp_path: Path
) -> None:
    a, b = starts(drawn)
    for number, panel in enumerate((a, b)):
        put_box(
            document=drawn,
            panel=panel,
            box={"x": 0.02 + number / 2, "y": 0.05, "width": 0.46, "height": 0.9},
            base_revision=number,
            actor=reviewer,
        )
    for name in ("figure", "document"):
        page = loaded(open_as(reviewer, address(drawn, name), width=width, color_scheme=scheme))
        page.evaluate(
            "start => document.dispatchEvent(new CustomEvent('panel-focus', { detail: { start"
            " } }))",
            b,
        )
        for summary in page.locator(".figure summary").all():
            summary.click()
        page.screenshot(path=tmp_path / f"{name}-{scheme}-{width}.png", full_page=True)
        assert problems_of(page) == []
        assert width_of_content(page) <= width
        assert small_controls(page, FIGURE_CONTROLS) == []


def test_everything_works_without_script(
    document: Document, picture: Path, open_as: OpenAs, reviewer: User
) -> None:
    page = open_as(reviewer, address(document, "document"), java_script_enabled=False)
    page.locator("summary", has_text="Add image").click()
    page.get_by_label("Image:").set_input_files(picture)
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text("The image is saved.")).to_be_visible()
    page.locator("summary", has_text="Panel boxes").click()
    for name, value in (("left", "10"), ("top", "20"), ("width", "30"), ("height", "40")):
        page.get_by_label(name, exact=True).fill(value)
    page.get_by_role("button", name="Save box").click()
    expect(page.get_by_text("The box is saved.")).to_be_visible()
    expect(page.get_by_role("button", name="Draw box")).to_be_hidden()
    assert list(boxes_of(document).values()) == [(10, 20, 30, 40)]
