"""Measure how long a curator waits in Chromium, at full size.

``python -m bench.screen [ARCHIVE] [--rounds N]`` imports the SourceData archive, its tags as
suggestions, and a legend of 5,000 words with 500 entities into a temporary SQLite database, serves
it with Django's development server, and opens review pages in Chromium. "Open" is the time from the
navigation until the screen takes keys, "with the next" until the following legend was fetched too.
"Edit seen" is the time from a key press to the frame that shows the edit, "edit answered" until the
server's answer is drawn. The aims: the long legend open within 1 s and an edit of it answered
within 150 ms; a usual legend open with the next within 300 ms.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.common import (
    ROOT,
    add_archive,
    archive_of,
    argument_parser,
    machine,
    print_head,
    print_row,
    run_in_new_site,
    set_up_site,
)

if TYPE_CHECKING:
    from annotator.corpus.models import Document, Project

WORDS, ENTITIES = 5000, 500
_EDIT = """() => new Promise((done) => {
  const begun = performance.now();
  const key = document.querySelector("mark.focus")?.dataset.tag?.startsWith("CE") ? "5" : "4";
  document.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  let seen = 0;
  const look = () => {
    seen ||= performance.now() - begun;
    const isSaved = document.getElementById("save-state").textContent === "saved";
    const isDone = isSaved && !document.querySelector("mark.pending");
    isDone ? done([seen, performance.now() - begun]) : requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})"""
_OPENED = """() => new Promise((done) => {
  const next = JSON.parse(document.getElementById("facts").textContent).urls.next;
  const look = () => {
    const isNext = (each) => next && each.name.endsWith(next) && each.responseEnd;
    const fetched = performance.getEntriesByType("resource").find(isNext);
    fetched || !next ? done(fetched ? fetched.responseEnd : 0) : setTimeout(look, 5);
  };
  look();
})"""
_READY = """() => { new MutationObserver(() => {
  const isReady = document.documentElement.classList.contains("scripted");
  if (isReady && !window.readyAt) window.readyAt = performance.now();
}).observe(
  document.documentElement ?? document, { attributes: true, childList: true, subtree: true }
); }"""


def long_legend(project: Project) -> Document:
    """Import and return a legend of WORDS words; every tenth is a suggested entity."""
    from annotator.accounts.actors import SYSTEM
    from annotator.corpus.imports import import_documents
    from annotator.corpus.models import Document
    from ner_engine import schema

    words, spans, at = [], [], 0
    for number in range(WORDS):
        word = "with"
        if number % 10 == 0:
            word = f"gene{number}"
            spans.append(schema.Span(at, at + len(word), "GENEPROD", word, score=0.9))
        words.append(word)
        at += len(word) + 1
    text = " ".join(words) + "."
    panels = tuple(
        schema.Segment(len(text) * part // 8, len(text) * (part + 1) // 8, marker="ABCDEFGH"[part])
        for part in range(8)
    )
    document = schema.Document(
        id="long", text=text, doi="10.1000/long", segments=panels, suggestions=tuple(spans)
    )
    import_documents(
        project=project,
        documents=[document],
        source_format="jsonl",
        labels="suggestions",
        actor=SYSTEM,
    )
    assert len(spans) == ENTITIES
    return Document.objects.get(external_id="long")


def usual_legends(project: Project, n: int) -> list[Document]:
    from annotator.corpus.models import Document

    tagged = (
        Document.objects.filter(project=project, layers__spans__isnull=False)
        .distinct()
        .order_by("n_words", "pk")
        .defer("text")
    )
    middle = tagged.count() // 2
    return list(tagged[middle : middle + n])


@contextmanager
def served() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-W",
        "ignore",
        "manage.py",
        "runserver",
        "--noreload",
        f"127.0.0.1:{port}",
    ]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def look(page: Any, address: str) -> tuple[float, float, float, float]:
    """Return the milliseconds until page, next page, edit and answer are there (see above)."""
    page.goto(address)
    page.wait_for_selector("html.scripted")
    whole = page.evaluate(_OPENED)
    ready = page.evaluate("() => window.readyAt")
    seen, answered = page.evaluate(_EDIT)
    return ready, max(ready, whole), seen, answered


def main() -> int:
    parser = argument_parser(__doc__)
    add_archive(parser)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    archive = archive_of(parser, args)
    if args.child:
        measure(archive, args.rounds)
        return 0
    return run_in_new_site(
        "bench.screen",
        str(archive),
        "--rounds",
        str(args.rounds),
        SD_DEBUG="1",
        DJANGO_ALLOW_ASYNC_UNSAFE="true",
    )


def cells_of(measured: Sequence[Sequence[float]]) -> list[str]:
    """Return median and 90th percentile of each time, measured once a round."""
    cells = []
    for times in zip(*measured, strict=True):
        ninetieth = statistics.quantiles(times, n=10)[-1]
        cells.append(f"{statistics.median(times):.0f} ({ninetieth:.0f})")
    return cells


def measure(archive: Path, rounds: int) -> None:
    set_up_site()
    from django.conf import settings
    from django.test import Client
    from playwright.sync_api import sync_playwright

    from bench.review import fill

    project, curator = fill(archive)
    legends = {
        f"{WORDS:,} words, {ENTITIES} entities": [long_legend(project)] * rounds,
        "usual legends": usual_legends(project, rounds),
    }
    client = Client()
    client.force_login(curator)
    print(f"SQLite, Chromium, {machine()}, {rounds} rounds; ms: median (90 %)")
    print_head("legend", "open", "with the next", "edit seen", "edit answered")
    with served() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        context = browser.new_context(viewport={"width": 1400, "height": 900})
        context.add_init_script(f"({_READY})()")
        context.add_cookies(
            [
                {
                    "name": settings.SESSION_COOKIE_NAME,
                    "value": client.cookies[settings.SESSION_COOKIE_NAME].value,
                    "url": url,
                }
            ]
        )
        page = context.new_page()
        for name, documents in legends.items():
            addresses = [
                f"{url}/projects/{project.slug}/review/{document.pk}/" for document in documents
            ]
            look(page, addresses[0])
            measured = [look(page, address) for address in addresses]
            print_row([name, *cells_of(measured)])
        browser.close()


if __name__ == "__main__":
    raise SystemExit(main())
