"""The boxes of panels in a figure."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from hypothesis import given
from hypothesis import strategies as st

from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus import figures
from annotator.corpus.figures import (
    MIN_SIDE,
    StaleBoxesError,
    clean_box,
    put_box,
    remove_box,
)
from annotator.corpus.models import (
    Document,
    FigureImage,
    Layer,
    LayerKind,
)
from annotator.review.models import Lease
from ner_engine import schema
from tests.annotator.corpus.images import (
    BOX,
)

pytestmark = pytest.mark.django_db


def test_boxes_are_stored_in_the_order_of_their_panels(
    drawn: Document, starts: list[int], curator: User
) -> None:
    put_box(document=drawn, panel=starts[1], box=BOX, base_revision=0, actor=curator)
    figure = put_box(document=drawn, panel=starts[0], box=BOX, base_revision=1, actor=curator)
    assert figure.boxes == [{"panel": starts[0], **BOX}, {"panel": starts[1], **BOX}]
    assert figure.revision == 2


def test_a_box_drawn_again_replaces_the_old_one(
    drawn: Document, starts: list[int], curator: User
) -> None:
    moved = {**BOX, "x": 0.5}
    put_box(document=drawn, panel=starts[1], box=BOX, base_revision=0, actor=curator)
    figure = put_box(document=drawn, panel=starts[1], box=moved, base_revision=1, actor=curator)
    assert figure.boxes == [{"panel": starts[1], **moved}]


def test_a_removed_box_leaves_the_others(drawn: Document, starts: list[int], curator: User) -> None:
    put_box(document=drawn, panel=starts[0], box=BOX, base_revision=0, actor=curator)
    put_box(document=drawn, panel=starts[1], box=BOX, base_revision=1, actor=curator)
    figure = remove_box(document=drawn, panel=starts[0], base_revision=2, actor=curator)
    assert figure.boxes == [{"panel": starts[1], **BOX}]
    assert figure.revision == 3


def test_a_viewer_draws_no_boxes(drawn: Document, starts: list[int], viewer: User) -> None:
    with pytest.raises(PermissionDenied):
        put_box(document=drawn, panel=starts[0], box=BOX, base_revision=0, actor=viewer)


def test_a_viewer_removes_no_boxes(drawn: Document, starts: list[int], viewer: User) -> None:
    with pytest.raises(PermissionDenied):
        remove_box(document=drawn, panel=starts[0], base_revision=0, actor=viewer)


def test_a_box_on_an_older_revision_changes_nothing(
    drawn: Document, starts: list[int], curator: User, reviewer: User
) -> None:
    put_box(document=drawn, panel=starts[0], box=BOX, base_revision=0, actor=reviewer)
    Lease.objects.all().delete()
    with pytest.raises(StaleBoxesError):
        put_box(document=drawn, panel=starts[1], box=BOX, base_revision=0, actor=curator)
    assert len(FigureImage.objects.get().boxes) == 1


def test_a_box_needs_a_panel_of_the_legend_as_it_stands(
    drawn: Document, starts: list[int], curator: User
) -> None:
    with pytest.raises(UserError, match="No panel begins there"):
        put_box(document=drawn, panel=starts[0] + 1, box=BOX, base_revision=0, actor=curator)


def test_boxes_follow_the_panels_that_curators_decided(
    drawn: Document, starts: list[int], curator: User
) -> None:
    decided = [starts[0], starts[0] + 4]
    Layer.objects.create(document=drawn, kind=LayerKind.DECIDED, panel_starts=decided)
    figure = put_box(document=drawn, panel=decided[1], box=BOX, base_revision=0, actor=curator)
    assert figure.boxes == [{"panel": decided[1], **BOX}]
    with pytest.raises(UserError, match="No panel begins there"):
        put_box(document=drawn, panel=starts[1], box=BOX, base_revision=1, actor=curator)


def test_the_box_of_a_removed_panel_waits_and_can_be_removed(
    drawn: Document, starts: list[int], curator: User
) -> None:
    put_box(document=drawn, panel=starts[1], box=BOX, base_revision=0, actor=curator)
    Layer.objects.create(document=drawn, kind=LayerKind.DECIDED, panel_starts=[starts[0]])
    fresh = Document.objects.get(pk=drawn.pk)
    places = figures.places_of(fresh, fresh.figure)
    assert [(place.start, place.letter, place.is_gone) for place in places] == [
        (starts[0], "A", False),
        (starts[1], "?", True),
    ]
    assert remove_box(document=fresh, panel=starts[1], base_revision=1, actor=curator).boxes == []


def test_a_legend_without_a_picture_takes_no_boxes(
    document: Document, starts: list[int], curator: User
) -> None:
    with pytest.raises(UserError, match="no image to draw on"):
        put_box(document=document, panel=starts[0], box=BOX, base_revision=0, actor=curator)
    assert not FigureImage.objects.exists()


def test_removing_a_box_that_is_not_there_is_refused(
    drawn: Document, starts: list[int], curator: User
) -> None:
    with pytest.raises(UserError, match="no box"):
        remove_box(document=drawn, panel=starts[0], base_revision=0, actor=curator)
    assert FigureImage.objects.get().revision == 0


fractions = st.floats(0, 1)


@given(x=fractions, y=fractions, width=fractions, height=fractions)
def test_a_box_lies_in_the_image_where_it_was_drawn(
    x: float, y: float, width: float, height: float
) -> None:
    fits = x + width <= 1 and y + height <= 1 and min(width, height) > 2 * MIN_SIDE
    try:
        box = clean_box({"x": x, "y": y, "width": width, "height": height})
    except UserError:
        assert not fits
        return
    assert (
        box["x"] >= 0
        and box["x"] + box["width"] <= 1.000001
        and box["y"] >= 0
        and box["y"] + box["height"] <= 1.000001
    )
    assert all(
        abs(box[name] - value) < 0.0011
        for name, value in {"x": x, "y": y, "width": width, "height": height}.items()
    )
    assert clean_box(box) == box


anything = st.one_of(
    st.none(), st.booleans(), st.floats(), st.integers(), st.text(), st.lists(st.integers())
)


@given(st.dictionaries(st.sampled_from(["x", "y", "width", "height", "panel", "more"]), anything))
def test_whatever_is_sent_as_a_box_is_a_sound_box_or_a_sentence(sent: dict[str, Any]) -> None:
    try:
        box = clean_box(sent)
    except UserError as error:
        assert str(error).endswith(".")
        return
    assert list(box) == ["x", "y", "width", "height"] and all(
        0 <= value <= 1 for value in box.values()
    )


@pytest.mark.parametrize(
    ("text", "starts", "markers", "letters"),
    [
        ("(A) One. (B) Two.", [0, 9], ["A", "B"], ["A", "B"]),
        ("(A) One. (c) Two.", [0, 9], ["", ""], ["A", "C"]),
        ("(a, b) One. Then two. And three.", [0, 12, 22], ["", "", ""], ["A–B", "", ""]),
        ("One. Two.", [0, 5], ["", ""], ["", ""]),
    ],
)
def test_panels_have_the_letters_that_the_review_screen_shows(
    text: str, starts: list[int], markers: list[str], letters: list[str]
) -> None:
    from annotator.review.editing.panels import Panel, panels_at

    panels = [
        schema.Segment(start, len(text), "", marker)
        for start, marker in zip(starts, markers, strict=True)
    ]
    numbered = [letter or f"no. {number}" for number, letter in enumerate(letters, start=1)]
    assert figures.panel_letters(text, panels) == numbered
    imported = [
        Panel(index, panel.start, panel.end, panel.marker) for index, panel in enumerate(panels)
    ]
    assert [panel.marker for panel in panels_at(text, starts, imported, {})] == letters
