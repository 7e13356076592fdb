"""The figure beside the legend: what picture is taken, who may put and see it, and where boxes of
panels may lie."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.config import environment
from annotator.corpus import figures, pictures
from annotator.corpus.figures import (
    MIN_SIDE,
    StaleBoxesError,
    clean_box,
    external_address,
    put_box,
    remove_box,
    remove_figure,
    remove_forgotten_pictures,
    store_figure,
)
from annotator.corpus.models import Document, FigureImage, Layer, LayerKind, Project
from annotator.corpus.pictures import LONG_SIDE, MAX_PIXELS, read_picture
from ner_engine import schema
from tests.annotator.html import html_of

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User | None], Client]
ImportLegends = Callable[..., list[Document]]
Commits = Any
BOX = {"x": 0.1, "y": 0.2, "width": 0.3, "height": 0.4}
RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


def image_file(
    form: str = "PNG",
    size: tuple[int, int] = (60, 40),
    colour: Any = RED,
    mode: str = "RGB",
    **options: Any,
) -> io.BytesIO:
    stream = io.BytesIO()
    Image.new(mode, size, colour).save(stream, form, **options)
    stream.seek(0)
    return stream


def half_red_half_blue(**options: Any) -> io.BytesIO:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (60, 40), RED)
    ImageDraw.Draw(image).rectangle((30, 0, 60, 40), fill=BLUE)
    stream = io.BytesIO()
    image.save(stream, **options)
    stream.seek(0)
    return stream


def reopened(picture: pictures.Picture) -> Image.Image:
    return Image.open(io.BytesIO(picture.data))


def is_near(pixel: Any, colour: tuple[int, int, int]) -> bool:
    return all(abs(one - other) < 30 for one, other in zip(pixel, colour, strict=True))


def address(name: str, document: Document) -> str:
    return reverse(f"corpus:{name}", args=[document.project.slug, document.pk])


@pytest.fixture
def document(import_legends: ImportLegends) -> Document:
    """ "Figure 1" with panels A and B."""
    return import_legends(1)[0]


@pytest.fixture
def starts(document: Document) -> list[int]:
    return [segment.start for segment in document.segments.all()]


@pytest.fixture
def drawn(document: Document, reviewer: User) -> Document:
    """A legend that has its picture."""
    store_figure(document=document, file=image_file(), actor=reviewer)
    return document


# What is taken as a picture


@pytest.mark.parametrize(
    ("form", "mode", "colour"),
    [
        ("PNG", "RGB", RED),
        ("PNG", "RGBA", (*RED, 255)),
        ("PNG", "P", 0),
        ("PNG", "LA", (7, 255)),
        ("PNG", "1", 1),
        ("PNG", "I;16", 4000),
        ("JPEG", "L", 9),
        ("JPEG", "CMYK", (0, 255, 255, 0)),
        ("GIF", "P", 0),
        ("WEBP", "RGB", RED),
        ("TIFF", "RGB", RED),
        ("TIFF", "I;16", 900),
        ("TIFF", "F", 0.5),
        ("BMP", "RGB", RED),
    ],
)
def test_every_journal_format_becomes_webp_without_metadata(
    form: str, mode: str, colour: Any
) -> None:
    picture = read_picture(image_file(form, mode=mode, colour=colour))
    again = reopened(picture)
    assert again.format == "WEBP"
    assert again.size == (60, 40)
    assert (picture.width, picture.height) == (60, 40)
    assert not again.getexif() and "icc_profile" not in again.info


def test_names_of_people_and_places_in_a_picture_are_not_kept() -> None:
    exif = Image.Exif()
    exif[0x013B] = "A. Secret Photographer"
    picture = read_picture(image_file("JPEG", exif=exif, comment=b"Secret comment"))
    assert b"Secret" not in picture.data


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_picture_that_lies_on_its_side_is_stood_upright(form: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a camera held upright: to be turned by 90 degrees
    image = reopened(read_picture(half_red_half_blue(format=form, exif=exif))).convert("RGB")
    assert image.size == (40, 60)
    assert is_near(image.getpixel((20, 5)), RED) and is_near(image.getpixel((20, 55)), BLUE)


def test_what_is_transparent_becomes_white_as_on_paper() -> None:
    image = reopened(read_picture(image_file("PNG", mode="RGBA", colour=(0, 0, 0, 0))))
    assert image.mode == "RGB" and is_near(image.getpixel((5, 5)), WHITE)


def test_deep_greys_of_a_microscope_fit_the_screens_range() -> None:
    deep = Image.new("I;16", (20, 20), 1000)
    deep.putpixel((3, 3), 3000)
    stream = io.BytesIO()
    deep.save(stream, "TIFF")
    stream.seek(0)
    image = reopened(read_picture(stream)).convert("L")
    assert image.getpixel((0, 0)) == 0
    assert image.getpixel((3, 3)) == 255


def test_a_large_picture_is_reduced_and_keeps_its_shape() -> None:
    picture = read_picture(image_file("PNG", size=(9000, 1500)))
    assert picture.width == LONG_SIDE
    assert picture.height == round(LONG_SIDE / 6)


def test_a_drawing_is_stored_exactly_by_its_content() -> None:
    first, second = (read_picture(half_red_half_blue(format="PNG")) for _ in range(2))
    assert list(reopened(first).get_flattened_data()) == list(
        Image.open(half_red_half_blue(format="PNG")).get_flattened_data()
    )
    assert first.sha256 == second.sha256


def png_that_claims(width: int, height: int) -> io.BytesIO:
    """A few bytes that say they are a picture of that size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return io.BytesIO(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 99))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(60_000, 60_000), (10_000, MAX_PIXELS // 10_000 + 1)])
def test_a_picture_that_would_fill_the_memory_is_refused_unread(
    size: tuple[int, int], recwarn: Any
) -> None:
    with pytest.raises(UserError, match="million pixels"):
        read_picture(png_that_claims(*size))


def test_a_file_of_too_many_bytes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_BYTES", 50)
    with pytest.raises(UserError, match="larger than"):
        read_picture(image_file())


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    "data", [b"", b"plain text", SVG, b"%PDF-1.7", b"<html>", b"P6 2 2 255 abcdefghijkl"], ids=repr
)
def test_what_is_no_picture_is_refused_whatever_it_is_called(data: bytes) -> None:
    with pytest.raises(UserError, match="not an image that can be shown"):
        read_picture(io.BytesIO(data))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"])
def test_a_picture_that_was_cut_off_is_refused(form: str) -> None:
    image = Image.effect_noise((80, 80), 60)
    stream = io.BytesIO()
    image.save(stream, form)
    with pytest.raises(UserError):
        read_picture(io.BytesIO(stream.getvalue()[: len(stream.getvalue()) * 2 // 3]))


@given(st.data())
def test_no_bytes_do_more_than_make_a_picture_or_a_refusal(data: Any) -> None:
    good = bytearray(
        image_file(
            data.draw(st.sampled_from(["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"])), size=(9, 7)
        ).getvalue()
    )
    for _ in range(data.draw(st.integers(0, 6))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    try:
        picture = read_picture(io.BytesIO(bytes(good)))
    except UserError:
        return
    assert reopened(picture).size == (picture.width, picture.height)
    assert max(picture.width, picture.height) <= LONG_SIDE


# Storing, replacing, removing


@pytest.mark.parametrize("who", ["viewer", "curator", "stranger"])
def test_only_those_who_may_import_put_and_remove_pictures(
    who: str, drawn: Document, request: pytest.FixtureRequest
) -> None:
    user = request.getfixturevalue(who)
    with pytest.raises(PermissionDenied):
        store_figure(document=drawn, file=image_file(colour=BLUE), actor=user)
    with pytest.raises(PermissionDenied):
        remove_figure(document=drawn, actor=user)
    assert FigureImage.objects.get().added_by.username == "reviewer"


def files_in_store() -> list[str]:
    folders = default_storage.listdir("figures")[0] if default_storage.exists("figures") else []
    return [
        f"figures/{folder}/{name}"
        for folder in folders
        for name in default_storage.listdir(f"figures/{folder}")[1]
    ]


def test_a_replaced_picture_leaves_the_store_and_the_boxes_stay(
    drawn: Document, starts: list[int], reviewer: User, django_capture_on_commit_callbacks: Commits
) -> None:
    put_box(document=drawn, panel=starts[0], box=BOX, base_revision=0, actor=reviewer)
    before = files_in_store()
    with django_capture_on_commit_callbacks(execute=True):
        figure = store_figure(
            document=drawn, file=image_file(colour=BLUE, size=(90, 30)), actor=reviewer
        )
    assert figure.width == 90
    assert figure.height == 30
    assert len(figure.boxes) == 1
    assert figure.revision == 1
    assert len(before) == 1 and files_in_store() == [figure.file.name] != before
    assert figure.sha256 in figure.file.name


def test_a_shared_picture_is_stored_until_both_legends_drop_it(
    import_legends: ImportLegends, reviewer: User, django_capture_on_commit_callbacks: Commits
) -> None:
    one, other = import_legends(2)
    names = {
        store_figure(document=each, file=image_file(), actor=reviewer).file.name
        for each in (one, other)
    }
    assert set(files_in_store()) == names and len(names) == 1
    with django_capture_on_commit_callbacks(execute=True):
        remove_figure(document=one, actor=reviewer)
    assert set(files_in_store()) == names
    with django_capture_on_commit_callbacks(execute=True):
        remove_figure(document=other, actor=reviewer)
    assert files_in_store() == []


def test_a_removed_picture_leaves_its_boxes_for_the_next_one(
    drawn: Document, starts: list[int], reviewer: User
) -> None:
    put_box(document=drawn, panel=starts[1], box=BOX, base_revision=0, actor=reviewer)
    remove_figure(document=drawn, actor=reviewer)
    with pytest.raises(UserError, match="no image"):
        remove_figure(document=drawn, actor=reviewer)
    assert store_figure(document=drawn, file=image_file(), actor=reviewer).boxes == [
        {"panel": starts[1], **BOX}
    ]


def test_pictures_of_a_deleted_project_are_removed_and_no_others(
    drawn: Document, import_legends: ImportLegends, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = files_in_store()
    default_storage.save("figures/999999/abc.webp", io.BytesIO(b"x"))
    assert remove_forgotten_pictures() == 0  # it may belong to a transaction that has not ended
    monkeypatch.setattr(figures, "_FORGOTTEN_AFTER", -figures._FORGOTTEN_AFTER)
    assert remove_forgotten_pictures() == 1
    assert files_in_store() == kept


# Boxes


def test_a_curator_draws_moves_and_removes_boxes(
    drawn: Document, starts: list[int], curator: User
) -> None:
    assert put_box(
        document=drawn, panel=starts[1], box=BOX, base_revision=0, actor=curator
    ).boxes == [{"panel": starts[1], **BOX}]
    moved = {**BOX, "x": 0.5}
    put_box(document=drawn, panel=starts[0], box=BOX, base_revision=1, actor=curator)
    figure = put_box(document=drawn, panel=starts[1], box=moved, base_revision=2, actor=curator)
    assert figure.boxes == [{"panel": starts[0], **BOX}, {"panel": starts[1], **moved}]
    figure = remove_box(document=drawn, panel=starts[0], base_revision=3, actor=curator)
    assert [box["panel"] for box in figure.boxes] == [starts[1]]
    assert figure.revision == 4


def test_a_viewer_draws_no_boxes(drawn: Document, starts: list[int], viewer: User) -> None:
    with pytest.raises(PermissionDenied):
        put_box(document=drawn, panel=starts[0], box=BOX, base_revision=0, actor=viewer)
    with pytest.raises(PermissionDenied):
        remove_box(document=drawn, panel=starts[0], base_revision=0, actor=viewer)


def test_a_box_on_an_older_revision_changes_nothing(
    drawn: Document, starts: list[int], curator: User, reviewer: User
) -> None:
    put_box(document=drawn, panel=starts[0], box=BOX, base_revision=0, actor=reviewer)
    with pytest.raises(StaleBoxesError):
        put_box(document=drawn, panel=starts[1], box=BOX, base_revision=0, actor=curator)
    assert len(FigureImage.objects.get().boxes) == 1


def test_a_box_needs_a_panel_of_the_legend_as_it_stands(
    drawn: Document, starts: list[int], curator: User
) -> None:
    with pytest.raises(UserError, match="No panel begins there"):
        put_box(document=drawn, panel=starts[0] + 1, box=BOX, base_revision=0, actor=curator)
    Layer.objects.create(
        document=drawn, kind=LayerKind.DECIDED, panel_starts=[starts[0], starts[0] + 4]
    )
    put_box(document=drawn, panel=starts[0] + 4, box=BOX, base_revision=0, actor=curator)
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
        ("(a, b) One. Then two. And three.", [0, 12, 22], ["", "", ""], ["A–B", "C", "D"]),
        ("One. Two.", [0, 5], ["", ""], ["A", "B"]),
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
    assert figures.panel_letters(text, panels) == letters
    imported = [
        Panel(index, panel.start, panel.end, panel.marker) for index, panel in enumerate(panels)
    ]
    assert [panel.marker for panel in panels_at(text, starts, imported)] == letters


# Pictures that lie elsewhere


@pytest.mark.parametrize(
    ("image", "is_shown"),
    [
        ("https://images.example.org/fig1.jpg", True),
        ("https://IMAGES.example.org/fig1.jpg?size=full", True),
        ("http://images.example.org/fig1.jpg", False),
        ("https://images.example.org.evil.example/fig1.jpg", False),
        ("https://images.example.org@evil.example/fig1.jpg", False),
        ("https://evil.example/https://images.example.org/", False),
        ("https://images.example.org:8443/fig1.jpg", False),
        ("https://images.example.org\\@evil.example/", False),
        ("https://sub.images.example.org/fig1.jpg", False),
        ("https://[::1/fig1.jpg", False),
        ("javascript:alert(1)//images.example.org", False),
        ("//images.example.org/fig1.jpg", False),
        ("fig1.jpg", False),
        ("", False),
    ],
)
def test_only_https_addresses_of_listed_hosts_are_shown(
    image: str, is_shown: bool, settings: Any
) -> None:
    settings.IMAGE_HOSTS = ["images.example.org"]
    assert external_address(image) == (image if is_shown else "")
    settings.IMAGE_HOSTS = []
    assert external_address(image) == ""


def test_a_host_that_is_none_stops_the_site_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SD_IMAGE_HOSTS", " Images.example.org, iiif.example.org ")
    assert environment.image_hosts() == ["images.example.org", "iiif.example.org"]
    for wrong in (
        "*",
        "https://images.example.org",
        "a.org; script-src *",
        "images.example.org/x",
        "localhost",
    ):
        monkeypatch.setenv("SD_IMAGE_HOSTS", wrong)
        with pytest.raises(environment.environ.ImproperlyConfigured, match="SD_IMAGE_HOSTS"):
            environment.image_hosts()


def test_an_external_picture_is_shown_by_the_browser(
    document: Document,
    starts: list[int],
    curator: User,
    viewer: User,
    client_of: ClientOf,
    settings: Any,
) -> None:
    settings.IMAGE_HOSTS = ["images.example.org"]
    Document.objects.filter(pk=document.pk).update(image="https://images.example.org/fig1.jpg")
    client_of(curator).post(address("figure_boxes", document), boxes_form(starts[0]))
    html = client_of(viewer).get(address("figure", document)).content.decode()
    assert (
        '<img src="https://images.example.org/fig1.jpg" alt="Figure 1" referrerpolicy="no-referrer"'
        ' loading="lazy"' in html
    )
    assert f'data-panel="{starts[0]}"' in html
    assert FigureImage.objects.get().file.name == ""
    assert client_of(viewer).get(address("figure_image", document)).status_code == 404


# Pages and forms


def boxes_form(panel: int, revision: int = 0, **fields: Any) -> dict[str, Any]:
    return {
        "panel": panel,
        "revision": revision,
        "x": "10",
        "y": "20",
        "width": "30",
        "height": "40",
    } | fields


def part(client: Client, method: str, url: str, fields: dict[str, Any] | None = None) -> Any:
    return getattr(client, method)(url, fields or {}, headers={"HX-Request": "true"})


@pytest.mark.parametrize(
    ("who", "status"),
    [("viewer", 200), ("curator", 200), ("manager", 200), ("admin", 200), ("stranger", 404)],
)
def test_an_image_is_served_to_members_and_runs_in_no_browser(
    who: str, status: int, drawn: Document, client_of: ClientOf, request: pytest.FixtureRequest
) -> None:
    answer = client_of(request.getfixturevalue(who)).get(address("figure_image", drawn))
    assert answer.status_code == status
    if status == 200:
        assert Image.open(io.BytesIO(answer.content)).size == (60, 40)
        assert answer["Content-Type"] == "image/webp"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Content-Security-Policy"] == "default-src 'none'"
        assert answer["Content-Disposition"].startswith("inline") and answer[
            "Cache-Control"
        ].startswith("private")


def test_the_image_of_another_project_is_not_found(
    drawn: Document, admin: User, client_of: ClientOf
) -> None:
    other = Project.objects.create(name="Other", slug="other", label_set=drawn.project.label_set)
    for name in ("figure_image", "figure"):
        assert (
            client_of(admin).get(reverse(f"corpus:{name}", args=[other.slug, drawn.pk])).status_code
            == 404
        )


def test_a_browser_that_has_the_image_is_not_sent_it_again(
    drawn: Document, viewer: User, client_of: ClientOf
) -> None:
    client = client_of(viewer)
    etag = client.get(address("figure_image", drawn))["ETag"]
    answer = client.get(address("figure_image", drawn), headers={"If-None-Match": etag})
    assert answer.status_code == 304
    assert answer.content == b""


def test_an_image_that_left_the_store_is_not_found(
    drawn: Document, viewer: User, client_of: ClientOf
) -> None:
    default_storage.delete(drawn.figure.file.name)
    assert client_of(viewer).get(address("figure_image", drawn)).status_code == 404


def test_without_a_picture_only_importers_see_a_line(
    document: Document, viewer: User, reviewer: User, client_of: ClientOf
) -> None:
    assert part(client_of(viewer), "get", address("figure", document)).content == b""
    assert (
        "This legend has no image."
        in client_of(viewer).get(address("figure", document)).content.decode()
    )
    offered = part(client_of(reviewer), "get", address("figure", document)).content.decode()
    assert offered.count("<summary>") == 1 and "Add image" in offered and "<img" not in offered
    assert (
        'id="figure"' not in client_of(viewer).get(address("document", document)).content.decode()
    )
    assert 'id="figure"' in client_of(reviewer).get(address("document", document)).content.decode()


def test_a_picture_is_uploaded_with_and_without_script(
    document: Document, reviewer: User, client_of: ClientOf
) -> None:
    client = client_of(reviewer)
    sent = SimpleUploadedFile("figure <1>.png", image_file().getvalue(), "image/png")
    answer = part(client, "post", address("figure_upload", document), {"image": sent})
    html = html_of(answer)
    assert answer.status_code == 200 and "<html" not in html and 'width="60" height="40"' in html
    assert client.get(re.findall(r'<img src="([^"]+)"', html)[0])["Content-Type"] == "image/webp"
    sent.seek(0)
    plain = client.post(address("figure_upload", document), {"image": sent})
    assert plain["Location"] == address("figure", document)
    page = html_of(client.get(plain["Location"]))
    assert "The image is saved." in page and 'width="60" height="40"' in page
    assert client.post(address("figure_remove", document))["Location"] == address(
        "figure", document
    )
    assert "<img" not in client.get(address("figure", document)).content.decode()


@pytest.mark.parametrize("data", [None, b"no image"], ids=["nothing", "no image"])
def test_a_refused_upload_returns_the_form_with_a_sentence(
    data: bytes | None, document: Document, reviewer: User, client_of: ClientOf
) -> None:
    fields = {"image": SimpleUploadedFile("a.png", data, "image/png")} if data else {}
    for answer in (
        part(client_of(reviewer), "post", address("figure_upload", document), fields),
        client_of(reviewer).post(address("figure_upload", document)),
    ):
        html = answer.content.decode()
        assert (
            answer.status_code == 422
            and 'role="alert"' in html
            and "<details" in html
            and " open>" in html
        )
    assert not FigureImage.objects.exists()


def test_boxes_are_saved_by_numbers_and_drawn_over_the_image(
    drawn: Document, starts: list[int], curator: User, viewer: User, client_of: ClientOf
) -> None:
    client = client_of(curator)
    html = html_of(
        part(client, "post", address("figure_boxes", drawn), boxes_form(starts[0], width="33,25"))
    )
    assert FigureImage.objects.get().boxes == [{"panel": starts[0], **BOX, "width": 0.3325}]
    assert (
        'x="10%" y="20%" width="33.25%" height="40%"' in html
        and 'name="revision" value="1"' in html
    )
    next_without_box = f'<option value="{starts[1]}" selected> B </option>'
    assert next_without_box in html
    read = html_of(client_of(viewer).get(address("figure", drawn)))
    assert f'data-panel="{starts[0]}"' in read
    assert "<form" not in read.split("data-figure=")[1]
    assert client.post(address("figure_boxes", drawn), {"remove": starts[0], "revision": 1})[
        "Location"
    ] == address("figure", drawn)
    assert FigureImage.objects.get().boxes == []


WRONG = [
    {"panel": 1},
    {"panel": "x"},
    {"x": ""},
    {"x": "nan"},
    {"width": "95"},
    {"height": "0"},
    {"y": "-1"},
    {"x": "1e999"},
    {"remove": "0"},
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_a_senseless_box_comes_back_with_a_sentence(
    wrong: dict[str, Any], drawn: Document, starts: list[int], curator: User, client_of: ClientOf
) -> None:
    answer = part(
        client_of(curator), "post", address("figure_boxes", drawn), boxes_form(starts[0]) | wrong
    )
    assert answer.status_code == 422 and 'role="alert"' in answer.content.decode()
    assert FigureImage.objects.get().boxes == []


def test_boxes_changed_meanwhile_are_returned(
    drawn: Document, starts: list[int], curator: User, reviewer: User, client_of: ClientOf
) -> None:
    put_box(document=drawn, panel=starts[0], box=BOX, base_revision=0, actor=reviewer)
    answer = part(client_of(curator), "post", address("figure_boxes", drawn), boxes_form(starts[1]))
    html = answer.content.decode()
    assert answer.status_code == 409 and "Somebody changed the boxes" in html
    assert f'data-panel="{starts[0]}"' in html and 'name="revision" value="1"' in html


def test_names_that_look_like_markup_are_shown_as_text(
    document: Document, reviewer: User, client_of: ClientOf
) -> None:
    document.segments.filter(position=0).update(marker="'><b>\"\\")
    Document.objects.filter(pk=document.pk).update(figure_label='<script>alert("1")</script>')
    store_figure(document=document, file=image_file(), actor=reviewer)
    html = client_of(reviewer).get(address("figure", document)).content.decode()
    assert "<script>alert" not in html and "<b>" not in html


def test_the_figure_takes_few_queries(
    drawn: Document, viewer: User, client_of: ClientOf, django_assert_max_num_queries: Any
) -> None:
    client = client_of(viewer)
    with django_assert_max_num_queries(10):
        part(client, "get", address("figure", drawn))
