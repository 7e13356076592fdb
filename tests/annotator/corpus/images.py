"""Images for the tests of figures."""

from __future__ import annotations

import io
from typing import Any

from django.core.files.storage import default_storage
from PIL import Image, ImageDraw

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


def files_in_store() -> list[str]:
    folders = default_storage.listdir("figures")[0] if default_storage.exists("figures") else []
    return [
        f"figures/{folder}/{name}"
        for folder in folders
        for name in default_storage.listdir(f"figures/{folder}")[1]
    ]
