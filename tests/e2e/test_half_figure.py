"""The figure at half of the screen, with the box of the panel in focus."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from annotator.accounts.models import User
from annotator.corpus.figures import put_box, store_figure
from annotator.corpus.models import Document
from tests.annotator.review.conftest import MakeLegend
from tests.e2e.conftest import OpenAs
from tests.e2e.screen import SURE, address, ready, until, width_of_content

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def pictured(make_legend: MakeLegend, curator: User, reviewer: User) -> Document:
    document = make_legend(suggested=SURE)
    stream = io.BytesIO()
    Image.new("RGB", (1200, 600), "white").save(stream, "PNG")
    stream.seek(0)
    store_figure(document=document, file=stream, actor=reviewer)
    panel = document.segments.first()
    assert panel
    box = {"x": 0.5, "y": 0.1, "width": 0.4, "height": 0.8}
    put_box(document=document, panel=panel.start, box=box, base_revision=0, actor=curator)
    return document


def frame_of(page: Page) -> Any:
    frame = page.locator(".figure-frame")
    expect(frame).to_be_visible()
    return frame.bounding_box()


def test_a_key_shows_the_figure_at_half_of_the_screen(
    pictured: Document, open_as: OpenAs, curator: User
) -> None:
    page = ready(open_as(curator, address(pictured)))
    expect(page.locator(".figure-frame")).to_be_visible()
    page.keyboard.press("h")
    expect(page.locator("#figure-half")).to_have_attribute("aria-pressed", "true")
    assert frame_of(page)["width"] > 560
    expect(page.locator(".figure-box.focus")).to_be_visible()
    page.reload()
    ready(page)
    assert frame_of(page)["width"] > 560
    page.locator("#figure-half").click()
    expect(page.locator("#figure-half")).to_have_attribute("aria-pressed", "false")
    assert frame_of(page)["width"] < 400


def test_a_narrow_window_shows_the_figure_above_the_text(
    pictured: Document, open_as: OpenAs, curator: User
) -> None:
    page = ready(open_as(curator, address(pictured), width=360, height=740))
    expect(page.locator(".figure-frame")).to_be_hidden()
    page.locator("#figure-half").click()
    box = frame_of(page)
    assert box["x"] >= 0
    assert box["y"] + box["height"] <= 740 / 2 + 60
    text = page.locator(".block-text").first.bounding_box()
    assert text
    assert text["y"] >= box["y"] + box["height"]
    assert width_of_content(page) <= 360


def test_a_legend_without_a_figure_says_so(
    make_legend: MakeLegend, open_as: OpenAs, curator: User
) -> None:
    page = ready(open_as(curator, address(make_legend(suggested=SURE))))
    page.keyboard.press("h")
    expect(page.locator("#notice")).to_contain_text("This legend has no image.")


def test_the_handles_move_with_the_text(pictured: Document, open_as: OpenAs, curator: User) -> None:
    page = ready(open_as(curator, address(pictured)))
    expect(page.locator(".figure-frame")).to_be_visible()
    page.keyboard.press("h")
    distance = """() => Math.abs(
        document.querySelector(".handle:not([hidden])").getBoundingClientRect().top
        - document.querySelector("mark.focus").getBoundingClientRect().bottom)"""
    until(page, f"() => ({distance})() < 16")
