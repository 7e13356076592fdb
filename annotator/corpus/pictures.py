"""Uploaded pictures: decoded within limits and encoded again.

What is stored is never the file that came in: its first frame is decoded within limits, turned
upright, laid on white, reduced to ``LONG_SIDE`` and encoded as WebP without any metadata. See
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

#: Names that a picture's file may end with, the best first: of several files of one figure the
#: first is taken (journals add small GIFs for lists).
SUFFIXES: Final = (".tif", ".tiff", ".png", ".webp", ".jpg", ".jpeg", ".bmp", ".gif")
MAX_BYTES: Final = 64 * 1024**2
MAX_PIXELS: Final = 80_000_000
LONG_SIDE: Final = 4096
MEDIA_TYPE: Final = "image/webp"
_FORMATS: Final = ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP")
#: A drawing is kept to the pixel unless that takes more than this; then it is a photograph, which
#: loses nothing that the eye sees.
_MAX_LOSSLESS_BYTES: Final = 6 * 1024**2
#: What decoders raise at files that are cut off or lie.
_BROKEN: Final = (
    *(
        OSError,
        EOFError,
        SyntaxError,
        ValueError,
        TypeError,
        AttributeError,
        LookupError,
        ArithmeticError,
        MemoryError,
    ),
    *(RuntimeError, NotImplementedError, struct.error, zlib.error),
)
#: A decoded picture takes hundreds of megabytes: a process holds one at a time.
_one_at_a_time = threading.Lock()

Image.MAX_IMAGE_PIXELS = MAX_PIXELS


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture as it is stored; ``sha256`` is that of ``data``."""

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

    Raises ``UserError`` if it is no picture, too large, cut off or damaged.
    """
    data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise UserError(f"The image is larger than {MAX_BYTES // 1024**2} MB. Save it smaller.")
    with _one_at_a_time:
        return _made_anew(data)


def _made_anew(data: bytes) -> Picture:
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            _check_size(image.size)
            is_photograph = image.format in ("JPEG", "MPO")
            return _encoded(_prepared(image), is_photograph=is_photograph)
    except Image.UnidentifiedImageError as error:
        raise UserError(
            "This is no image that can be shown. Send a PNG, JPEG, GIF, WebP, TIFF or BMP file."
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UserError(_too_many_pixels()) from error
    except _BROKEN as error:
        raise UserError(
            "The image is damaged or cut off. Export it again from its source."
        ) from error


def _check_size(size: tuple[int, int]) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise UserError(_too_many_pixels())
    if min(size) < 1:
        raise UserError("The image has no pixels. Export it again from its source.")


def _too_many_pixels() -> str:
    return f"The image has more than {MAX_PIXELS // 1_000_000} million pixels. Save it smaller."


def _prepared(image: Image.Image) -> Image.Image:
    """Upright, opaque, without palette or depth that screens do not have, and no larger than
    ``LONG_SIDE``."""
    image.draft(None, (LONG_SIDE, LONG_SIDE))  # a JPEG is decoded at the size that is needed
    image.load()
    flat = _flat(image)
    flat.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    # TIFFs were turned as they were loaded, and their tag went with it.
    return ImageOps.exif_transpose(flat)


def _flat(image: Image.Image) -> Image.Image:
    """As 8-bit grey or RGB, on white like a printed page."""
    if image.mode.startswith(("I", "F")):
        return _stretched(image)
    if image.has_transparency_data:
        see_through = image.convert("RGBA")
        page = Image.new("RGB", image.size, "white")
        page.paste(see_through, mask=see_through.getchannel("A"))
        page.info = {name: image.info[name] for name in ("exif",) if name in image.info}
        return page
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _stretched(image: Image.Image) -> Image.Image:
    """Deep greys of microscopes brought to 256 steps from the darkest to the brightest that
    occurs."""
    deep = image.convert("F")
    low, high = (float(value) for value in deep.getextrema())  # type: ignore[arg-type]
    scale = 255 / (high - low) if high > low else 0.0
    return deep.point(lambda value: value * scale - low * scale).convert("L")


def _encoded(image: Image.Image, *, is_photograph: bool) -> Picture:
    if not is_photograph:
        data = _webp(image, lossless=True, method=0, quality=20)
        if len(data) <= _MAX_LOSSLESS_BYTES:
            return Picture(data, *image.size)
    return Picture(_webp(image, method=2, quality=90), *image.size)


def _webp(image: Image.Image, **options: int) -> bytes:
    image.info = {}  # the encoder would take colour profile and EXIF from here
    stream = io.BytesIO()
    image.save(stream, "WEBP", **options)
    return stream.getvalue()
