"""Uploaded pictures: decoded within limits and encoded again.

An uploaded file is never stored itself. Its first frame is decoded within limits, turned upright,
put on a white background, reduced to ``LONG_SIDE`` and encoded as WebP without any metadata. See
docs/decisions/0008.
"""

from __future__ import annotations

import io
import struct
import threading
import zlib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import PurePosixPath
from typing import IO, Final

from PIL import Image, ImageOps

from annotator.common.errors import UserError

#: Suffixes of picture files, the best first. Of several files of one figure the best is used;
#: journals add small GIFs for lists.
SUFFIXES: Final = (".tif", ".tiff", ".png", ".webp", ".jpg", ".jpeg", ".bmp", ".gif")
MAX_BYTES: Final = 64 * 1024**2
MAX_PIXELS: Final = 80_000_000
LONG_SIDE: Final = 4096
MEDIA_TYPE: Final = "image/webp"
_FORMATS: Final = ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP")
#: A drawing is encoded without loss unless that takes more bytes; then it is encoded like a
#: photograph, without visible loss.
_MAX_LOSSLESS_BYTES: Final = 6 * 1024**2
#: What decoders raise on files that are cut off or inconsistent.
_DECODER_ERRORS: Final = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
#: A decoded picture takes hundreds of megabytes, so a process decodes one at a time.
_one_at_a_time = threading.Lock()

Image.MAX_IMAGE_PIXELS = MAX_PIXELS


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture, ready to be stored; ``sha256`` is the hash of ``data``."""

    data: bytes
    width: int
    height: int

    @property
    def sha256(self) -> str:
        return sha256(self.data).hexdigest()


def is_picture_name(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in SUFFIXES


def read_picture(stream: IO[bytes]) -> Picture:
    """Return the picture in the stream, encoded again.

    Raise ``UserError`` if it is not a picture, too large, cut off or damaged.
    """
    data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise UserError(
            f"The image is larger than {MAX_BYTES // 1024**2} MB. Save it at a smaller size."
        )
    with _one_at_a_time:
        return _encode_again(data)


def _encode_again(data: bytes) -> Picture:
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            _check_size(image.size)
            is_photograph = image.format in ("JPEG", "MPO")
            return _encoded(_prepared(image), is_photograph=is_photograph)
    except Image.UnidentifiedImageError as error:
        raise UserError(
            "The file is not an image that can be shown. Use a PNG, JPEG, GIF, WebP, TIFF or BMP"
            " file."
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UserError(_too_many_pixels()) from error
    except _DECODER_ERRORS as error:
        raise UserError(
            "The image is damaged or cut off. Export it again from its source."
        ) from error


def _check_size(size: tuple[int, int]) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise UserError(_too_many_pixels())
    if min(size) < 1:
        raise UserError("The image has no pixels. Export it again from its source.")


def _too_many_pixels() -> str:
    return (
        f"The image has more than {MAX_PIXELS // 1_000_000} million pixels. Save it at a smaller"
        " size."
    )


def _prepared(image: Image.Image) -> Image.Image:
    """Return the image upright, opaque, in 8-bit grey or RGB, and no larger than ``LONG_SIDE``."""
    image.draft(None, (LONG_SIDE, LONG_SIDE))  # decodes a large JPEG at a smaller size
    image.load()
    flat = _flat(image)
    flat.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    # Pillow has already turned a TIFF while loading it, and removed its orientation tag.
    return ImageOps.exif_transpose(flat)


def _flat(image: Image.Image) -> Image.Image:
    """Return the image in 8-bit grey or RGB, on a white background."""
    if image.mode.startswith(("I", "F")):
        return _stretched(image)
    if image.has_transparency_data:
        transparent = image.convert("RGBA")
        page = Image.new("RGB", image.size, "white")
        page.paste(transparent, mask=transparent.getchannel("A"))
        if "exif" in image.info:
            page.info["exif"] = image.info["exif"]
        return page
    if image.mode in ("1", "L"):
        return image.convert("L")
    return image.convert("RGB")


def _stretched(image: Image.Image) -> Image.Image:
    """Return a microscope's deep greys in 256 steps, from the darkest to the brightest pixel."""
    deep = image.convert("F")
    low, high = map(float, deep.getextrema())  # type: ignore[arg-type]
    scale = 0.0
    if high > low:
        scale = 255 / (high - low)
    return deep.point(lambda value: value * scale - low * scale).convert("L")


def _encoded(image: Image.Image, *, is_photograph: bool) -> Picture:
    if not is_photograph:
        data = _webp(image, lossless=True, method=0, quality=20)
        if len(data) <= _MAX_LOSSLESS_BYTES:
            return Picture(data, *image.size)
    return Picture(_webp(image, method=2, quality=90), *image.size)


def _webp(image: Image.Image, **options: int) -> bytes:
    image.info = {}  # the encoder would write the colour profile and EXIF from here
    stream = io.BytesIO()
    image.save(stream, "WEBP", **options)
    return stream.getvalue()
