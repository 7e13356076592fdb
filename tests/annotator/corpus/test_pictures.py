"""Pictures: which files are accepted, and how they are stored."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from annotator.common.errors import UserError
from annotator.corpus import pictures
from annotator.corpus.pictures import LONG_SIDE, MAX_PIXELS, read_picture
from tests.annotator.corpus.images import (
    BLUE,
    RED,
    WHITE,
    half_red_half_blue,
    image_file,
)


def reopened(picture: pictures.Picture) -> Image.Image:
    return Image.open(io.BytesIO(picture.data))


def is_near(pixel: Any, colour: tuple[int, int, int]) -> bool:
    return all(abs(one - other) < 30 for one, other in zip(pixel, colour, strict=True))


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
