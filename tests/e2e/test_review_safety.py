"""Nothing is lost and nothing moves: a server that stops, text of every kind, and fingers."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page, expect

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.corpus.imports import import_documents
from annotator.corpus.models import Document, DocumentState, Project, Segment, Span
from annotator.corpus.services import create_project
from annotator.datasets.exports.services import export_dataset
from annotator.review.editing.reading import legend_state, rebuilt_state
from ner_engine import schema
from ner_engine.formats import jsonl
from ner_engine.formats.report import Report
from tests.annotator.conftest import ROOT, process_environment
from tests.annotator.review.conftest import MakeLegend
from tests.e2e.conftest import OpenAs, sign_in
from tests.e2e.screen import (
    SURE,
    address,
    decided,
    ready,
    saved,
    tap_entity,
    word,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


# A server that stops
# ------------------------------------------------------------------------------------------


class Server:
    """The site in a process of its own, on one port, to be stopped and started again."""

    def __init__(self, environment: dict[str, str]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = environment
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [
            sys.executable,
            str(ROOT / "manage.py"),
            "runserver",
            "--noreload",
            f"127.0.0.1:{self.port}",
        ]
        self.process = subprocess.Popen(
            command,
            env=self.environment,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise AssertionError("the server did not start")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def server(var: Path) -> Iterator[Server]:
    made = Server(
        process_environment(var, "redis://127.0.0.1:1/0")
        | {
            "SD_DEBUG": "1",
            "SD_SECRET_KEY": settings.SECRET_KEY,
        }
    )
    made.start()
    yield made
    made.kill()


def test_edits_made_while_the_server_is_down_are_saved_later(
    server: Server, browser: Browser, make_legend: MakeLegend, curator: User
) -> None:
    document, following = make_legend(suggested=SURE), make_legend(suggested=SURE)
    context = browser.new_context(base_url=server.url)
    sign_in(context, server.url, curator)
    page = context.new_page()
    with page.expect_response(lambda response: response.url.endswith(address(following))):
        page.goto(address(document))
        ready(page)
    page.keyboard.press("4")
    saved(page)
    server.kill()
    for key in ("n", "x", "c", "b", "Enter"):
        page.keyboard.press(key)
    page.wait_for_url("**" + address(following))  # fetched ahead: work goes on without a server
    expect(page.locator("#save-state")).to_contain_text("waiting")
    page.keyboard.press("3")
    server.start()
    expect(page.locator("#save-state")).to_have_text("saved", timeout=20_000)
    document.refresh_from_db()
    assert decided(document) == [("Bax", "CELL", ""), ("MEFs", "CELL", "BORING")]
    assert document.state == DocumentState.ACCEPTED
    assert decided(following) == [("Bax", "SUBCELLULAR", "")]
    assert rebuilt_state(document).decided == legend_state(document).decided
    context.close()


# Text of every kind
# ------------------------------------------------------------------------------------------

PIECES = (
    "😀Bax 👩\u200d👩\u200d👧 𝒳𝒴 a\u0301b\u00a0c\u2009d\r\n\te\u200bf \u05d0\u05d1\u05d2"
    " \u0645\u0631\u062d\u0628\u0627 <b>x</b> &amp; Δψm µM "
)
#: 20,000 characters; an entity at its very beginning and one at its very end.
NASTY = f"Zeta {PIECES * 400}"[:19_996] + " End"
#: The index of the last word that reads so; Playwright's own search by text takes seconds here.
LAST_WORD = """(surface) => [...document.querySelectorAll("[data-w]")]
    .findLast((word) => word.textContent === surface).dataset.w"""


@pytest.mark.slow
def test_text_of_every_kind_survives_browser_database_and_export(
    project: Project, open_as: OpenAs, curator: User, tmp_path: Path
) -> None:
    spans = [schema.Span(0, 4, "GENEPROD", "Zeta"), schema.Span(5, 9, "GENEPROD", "😀Bax")]
    import_documents(
        project=project,
        documents=[
            schema.Document(id="nasty", text=NASTY, doi="10.1000/nasty", suggestions=tuple(spans))
        ],
        source_format="jsonl",
        labels="suggestions",
        actor=SYSTEM,
    )
    document = Document.objects.get(external_id="nasty")
    Segment.objects.create(document=document, position=0, start=0, end=len(NASTY), marker="A")
    page = ready(open_as(curator, address(document)))
    assert "".join(page.locator(".block-text").all_text_contents()) == NASTY
    wanted = [
        "𝒳𝒴",
        "b",
        "c",
        "\u05d0\u05d1\u05d2",
        "\u0645\u0631\u062d\u0628\u0627",
        "x",
        "amp",
        "Δψm",
        "µM",
        "End",
    ]
    for surface in wanted:
        word(page, page.evaluate(LAST_WORD, surface)).dblclick()
        page.keyboard.press("4")
        page.keyboard.press("Escape")
        saved(page)  # until then the legend may be drawn again, and the next word with it
    found = {
        row.surface: (row.start, row.end)
        for row in Span.objects.filter(layer__kind="decided", verdict="accepted")
    }
    assert set(wanted) <= found.keys()
    assert found["End"] == (19_997, 20_000)
    page.keyboard.press("Shift+Enter")
    expect(page.locator("#accepted-note")).to_be_visible()
    document.refresh_from_db()
    assert document.text == NASTY
    stored = sorted(
        (row.start, row.end, row.label)
        for row in Span.objects.filter(layer__kind="decided", verdict="accepted")
    )
    assert {(0, 4, "GENEPROD"), (5, 9, "GENEPROD")} <= set(stored)
    _comes_back(project, stored, tmp_path)


def _comes_back(project: Project, stored: list[tuple[int, int, str]], folder: Path) -> None:
    """What was exported is what is stored, and read again into another project it still is."""
    export_dataset(project=project, format_name="jsonl", out_dir=folder / "jsonl", actor=SYSTEM)
    [path] = [path for path in (folder / "jsonl").glob("*.jsonl") if path.stat().st_size]
    with path.open("rb") as stream:
        [row] = [json.loads(line) for line in stream]
        stream.seek(0)
        [read] = list(jsonl.read(stream, name=path.name, report=Report()))
    assert row["text"] == read.text == NASTY
    assert sorted((span.start, span.end, span.label) for span in read.gold) == stored
    again = create_project(name="again", actor=SYSTEM)
    import_documents(
        project=again, documents=[read], source_format="jsonl", labels="gold", actor=SYSTEM
    )
    copy = Document.objects.get(project=again)
    assert copy.text == NASTY
    assert (
        sorted((row.start, row.end, row.label) for row in Span.objects.filter(layer__document=copy))
        == stored
    )
    export_dataset(project=project, format_name="sd-nlp", out_dir=folder / "sd-nlp", actor=SYSTEM)
    words = [
        row["words"]
        for path in sorted((folder / "sd-nlp" / "sd_figs").glob("*.jsonl"))
        for row in map(json.loads, path.open(encoding="utf-8"))
    ]
    assert [word for word in words[0] if word in ("Zeta", "End")] == ["Zeta", "End"]


# Fingers
# ------------------------------------------------------------------------------------------


SELECT_WORDS = """([first, last]) => {
    const find = (w) => document.querySelector(`[data-w="${w}"]`).firstChild;
    const [start, end] = [find(first), find(last)];
    document.getSelection().setBaseAndExtent(start, 0, end, end.length);
}"""


def test_a_finger_taps_an_entity_and_chooses_a_label(
    make_legend: MakeLegend, open_as: OpenAs, curator: User
) -> None:
    document = make_legend(suggested=SURE)
    page: Page = open_as(
        curator, address(document), width=390, height=800, has_touch=True, is_mobile=True
    )
    page.wait_for_selector("html.scripted")
    tap_entity(page, "s1")
    expect(page.locator("#entity-surface")).to_have_text("Bak")
    page.locator("#entity-labels [data-label=CELL]").tap()
    page.locator("#more-toggle").tap()
    page.locator("[data-command=endRight]").tap()
    saved(page)
    tap_entity(page, "s2")
    page.locator("#entity [data-command=reject]").tap()
    saved(page)
    assert decided(document) == [("Bak in", "CELL", "")]
    page.locator("[data-w='0']").dispatch_event(
        "pointerdown", {"pointerType": "touch", "bubbles": True}
    )
    page.evaluate(SELECT_WORDS, [14, 16])
    page.locator("#palette [data-label=GENEPROD]").tap()
    saved(page)
    assert len(decided(document)) == 2
