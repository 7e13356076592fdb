"""Take the pictures of the README from a demo of their own: ``make screenshots``.

A demo runs in a temporary folder on a free port. Its curator decides some of a legend's suggestions
(review.png); its administrator freezes a snapshot and trains on it (training.png), which takes some
minutes on a CPU. Names of pictures as arguments: only these. Pictures are written to docs/images,
or to --out. With --scheme dark and --width 360 the same pages can be looked at as others see them.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
#: A picture that a reader waits for is a bad one.
MAX_BYTES = 200_000
START_SECONDS = 240.0
TRAINING_MINUTES = 15


@dataclass(frozen=True)
class Demo:
    address: str
    passwords: dict[str, str]


@dataclass(frozen=True)
class Look:
    """How the pages are looked at."""

    width: int
    height: int
    scheme: str

    def sign_in(self, browser: Browser, demo: Demo, username: str) -> Page:
        context: BrowserContext = browser.new_context(
            viewport={"width": self.width, "height": self.height},
            color_scheme="dark" if self.scheme == "dark" else "light",
            base_url=demo.address,
        )
        page = context.new_page()
        page.goto("/accounts/login/")
        page.locator("input[name=login]").fill(username)
        page.locator("input[name=password]").fill(demo.passwords[username])
        page.locator("main button").first.click()
        page.wait_for_url(lambda url: "login" not in url)
        return page


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "pictures",
        nargs="*",
        metavar="PICTURE",
        help=f"one of {', '.join(PICTURES)} (default: all)",
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs/images")
    parser.add_argument("--width", type=int, default=1400)
    parser.add_argument("--height", type=int, default=900)
    parser.add_argument("--scheme", choices=("light", "dark"), default="light")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.pictures) - set(PICTURES):
        parser.error(
            f"there is no picture {', '.join(sorted(unknown))}; there are {', '.join(PICTURES)}"
        )
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        parser.error("Chromium is not installed (Debian: apt-get install chromium)")
    asked.out.mkdir(parents=True, exist_ok=True)
    signal.signal(
        signal.SIGTERM, lambda signum, frame: sys.exit(128 + signum)
    )  # so that the demo ends with us
    look = Look(asked.width, asked.height, asked.scheme)
    with running_demo() as demo, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        for name in asked.pictures or PICTURES:
            path = asked.out / f"{name}.png"
            path.write_bytes(with_palette(browser, PICTURES[name](browser, demo, look)))
            size = path.stat().st_size
            print(
                f"{path}: {size:,} bytes"
                + (f", more than {MAX_BYTES:,}" if size > MAX_BYTES else ""),
                flush=True,
            )
        browser.close()
    return 0


@contextmanager
def running_demo() -> Iterator[Demo]:
    """A demo in a temporary folder, ended with all that it started."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in {"DATABASE_URL", "REDIS_URL", "SD_SECRET_KEY"}
    }
    with (
        tempfile.TemporaryDirectory(prefix="sdc-") as var,
        (Path(var) / "printed").open("w+", encoding="utf-8") as printed,
    ):
        command = [sys.executable, "manage.py", "demo", "--port", "8765"]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=inherited | {"SD_VAR": var},
            stdout=printed,
            stderr=printed,
            start_new_session=True,
        )
        try:
            text = _wait_until_served(process, Path(var) / "printed")
            address = re.search(r"runs at (\S+)", text)
            assert address is not None
            lines = (Path(var) / "demo-credentials").read_text(encoding="utf-8").splitlines()
            yield Demo(
                address[1], dict(line.split(" ", 1) for line in lines if not line.startswith("#"))
            )
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
            process.wait()


def _wait_until_served(process: subprocess.Popen[bytes], printed: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while "Ctrl-C ends everything" not in (text := printed.read_text(encoding="utf-8")):
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"The demo did not start:\n{text}")
        time.sleep(0.5)
    return text


def take_review(browser: Browser, demo: Demo, look: Look) -> bytes:
    """A legend in the middle of the work: some suggestions decided, one in focus."""
    page = look.sign_in(browser, demo, "demo-curator")
    page.get_by_role("link", name="Demo: invented legends").first.click()
    page.get_by_role("link", name="Review", exact=True).click()
    page.get_by_role("link", name="Continue reviewing").click()
    page.wait_for_selector("html.scripted mark")
    for key in ("c", "m", "Space", "c", "Space"):  # gene products, which may be variables
        page.locator('mark.suggested[data-hue="blue"] [data-w]').first.click()
        page.keyboard.press(key)
    for key in ("Space", "Space", "Space"):
        page.keyboard.press(key)
    page.mouse.move(5, 400)
    expect(page.locator("#save-state")).to_have_text("saved")
    return _picture(page)


def take_training(browser: Browser, demo: Demo, look: Look) -> bytes:
    """A finished training run: what was trained, and its scores beside the current model's."""
    page = look.sign_in(browser, demo, "admin")
    page.goto("/admin/datasets/snapshot/add/")
    page.locator("[name=note]").fill("First legends decided by hand")
    page.get_by_role("button", name="Freeze snapshot").click()
    page.get_by_role("link", name="Train on").first.wait_for(timeout=60_000)
    page.goto("/admin/learning/trainingrun/add/")
    for name, value in {"epochs": "4", "learning_rate": "1e-4", "batch_size": "8"}.items():
        page.locator(f"[name={name}]").fill(value)
    page.locator("#start").click()
    page.locator("#comparison, .is-bad").first.wait_for(timeout=TRAINING_MINUTES * 60_000)
    page.reload()
    return _picture(page)


PICTURES: dict[str, Callable[[Browser, Demo, Look], bytes]] = {
    "review": take_review,
    "training": take_training,
}


def _picture(page: Page) -> bytes:
    try:
        return page.screenshot(animations="disabled")
    finally:
        page.context.close()


_PIXELS = """async (address) => {
    const image = new Image(); image.src = address; await image.decode();
    const drawn = new OffscreenCanvas(image.width, image.height).getContext("2d");
    drawn.drawImage(image, 0, 0);
    const pixels = drawn.getImageData(0, 0, image.width, image.height).data;
    let text = "";
    for (let i = 0; i < pixels.length; i += 32768) {
        text += String.fromCharCode(...pixels.subarray(i, i + 32768));
    }
    return [image.width, image.height, btoa(text)];
}"""


def with_palette(browser: Browser, png: bytes) -> bytes:
    """The picture with 256 colours, a third of the size; every other colour becomes the nearest of
    them."""
    page = browser.new_page()
    width, height, text = page.evaluate(
        _PIXELS, "data:image/png;base64," + base64.b64encode(png).decode()
    )
    page.close()
    pixels = np.frombuffer(base64.b64decode(text), dtype=np.uint8).reshape(-1, 4)[:, :3]
    colours, place, counts = np.unique(pixels, axis=0, return_inverse=True, return_counts=True)
    palette, nearest = _palette(colours.astype(np.int32), counts)
    indexes = nearest[place.reshape(-1)].reshape(height, width)
    rows = np.concatenate([np.zeros((height, 1), dtype=np.uint8), indexes], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = (
        (b"IHDR", header),
        (b"PLTE", palette.astype(np.uint8).tobytes()),
        (b"IDAT", zlib.compress(rows.tobytes(), 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)


def _palette(colours: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The most frequent colours, then those that are farthest from all before, for a swatch of few
    pixels counts too; each colour's nearest."""
    chosen = list(np.argsort(-counts)[:128])
    distances = np.stack([((colours - colours[each]) ** 2).sum(axis=1) for each in chosen], axis=1)
    while len(chosen) < 256:
        chosen.append(int(distances.min(axis=1).argmax()))
        distances = np.column_stack([distances, ((colours - colours[chosen[-1]]) ** 2).sum(axis=1)])
    return colours[chosen], distances.argmin(axis=1).astype(np.uint8)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
