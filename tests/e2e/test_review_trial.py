"""The trial: ten real legends with the model's own errors, put right by single edits and by class.

The legends are those of the archive's test papers, which no model here has learned from: one a
paper, in the archive's order, the first in which curators left a panel without entities.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from annotator.accounts.models import User
from annotator.corpus.models import Document, Project, Span
from annotator.review.editing.legend import LegendState
from annotator.review.editing.reading import legend_state
from annotator.review.models import MemoryEntry
from ner_engine import schema
from ner_engine.formats import sourcedata_xml
from ner_engine.formats.report import Report
from ner_engine.inference.pipeline import Pipeline
from ner_engine.inference.tagger import load_tagger
from ner_engine.split import split_of
from ner_engine.text import covering
from tests.annotator.review.conftest import MakeLegend
from tests.e2e import trial
from tests.e2e.conftest import OpenAs
from tests.e2e.screen import address, mark, ready, saved

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.slow]
N_LEGENDS = 10
#: Keys that repeat an edit once the page has shown what they will change.
REPEATING = ("r", "Shift+R")
#: The place of a character: its left or right side, at its foot: a handle of an entity in the line
#: above may hide its head.
PLACE = """([word, at, side]) => {
    for (const piece of document.querySelectorAll(`[data-w="${word}"]`)) {
        const first = Number(piece.dataset.c ?? 0);
        const characters = [...piece.textContent];
        if (at < first || at >= first + characters.length) continue;
        const start = characters.slice(0, at - first).join("").length;
        const range = document.createRange();
        range.setStart(piece.firstChild, start);
        range.setEnd(piece.firstChild, start + characters[at - first].length);
        const box = range.getBoundingClientRect();
        return [side === "left" ? box.left + 1 : box.right - 1, box.bottom - 3];
    }
}"""

#: A place on an entity that no handle of another one hides.
FREE_PLACE = """key => {
    for (const mark of document.querySelectorAll(`mark[data-e="${key}"]`)) {
        for (const box of mark.getClientRects()) {
            for (let x = box.left + 1; x < box.right - 1; x += 2) {
                for (const y of [box.top + 3, box.top + box.height / 2, box.bottom - 3]) {
                    const under = document.elementFromPoint(x, y)?.closest("[data-e]");
                    if (under?.dataset.e === key) return [x, y];
                }
            }
        }
    }
}"""


def legends_of(archive: Path) -> Iterator[schema.Document]:
    with zipfile.ZipFile(archive) as papers:
        for name in sorted(papers.namelist()):
            with papers.open(name) as stream:
                figures = list(sourcedata_xml.read(stream, name=name, report=Report()))
            fitting = [each for each in figures if is_fitting(each)]
            if fitting:
                yield fitting[0]


def is_fitting(legend: schema.Document) -> bool:
    """Whether this is a test paper's legend with entities, and a panel without."""
    starts = [start for start, _ in truth_of(legend)]
    is_empty = [
        not any(panel.start <= start < panel.end for start in starts) for panel in legend.segments
    ]
    return split_of(legend.group) == "test" and bool(starts) and any(is_empty)


def truth_of(legend: schema.Document) -> trial.Gold:
    return {(span.start, span.end): span.label for span in legend.gold if span.label}


@pytest.fixture(scope="module")
def tagged(sourcedata_zip: Path) -> list[tuple[schema.Document, Sequence[schema.Span]]]:
    """The legends with the suggestions of the bundled model."""
    found = legends_of(sourcedata_zip)
    legends = [next(found) for _ in range(N_LEGENDS)]
    pipeline = Pipeline(entities=load_tagger("bundled"))
    texts, panels = schema.texts_of(legends), [legend.segments for legend in legends]
    spans = [each.spans for each in pipeline.run(texts, panels)]
    return list(zip(legends, spans, strict=True))


def test_ten_legends_take_two_thirds_of_the_actions(
    tagged: list[tuple[schema.Document, Sequence[schema.Span]]],
    project: Project,
    make_legend: MakeLegend,
    open_as: OpenAs,
    curator: User,
) -> None:
    Project.objects.filter(pk=project.pk).update(threshold=0)
    page = open_as(curator, "/", height=2400)
    counts: dict[bool, list[int]] = {True: [], False: []}
    for legend, spans in tagged:
        rows = [(span.surface, span.label, span.score, span.start) for span in spans]
        panels = [(panel.marker, panel.start, panel.end) for panel in legend.segments]
        for old in (True, False):
            document = make_legend(legend.text, rows, panels=panels)
            counts[old].append(put_right(page, document, truth_of(legend), old=old))
    print(f"single edits {counts[True]}, by class {counts[False]}")
    assert sum(counts[False]) <= sum(counts[True]) * 2 / 3


def put_right(page: Page, document: Document, gold: trial.Gold, *, old: bool) -> int:
    """Do what the plan says in the browser and accept the legend; return the actions it took."""
    MemoryEntry.objects.all().delete()  # each legend begins without what the others taught
    document = Document.objects.select_related("project__label_set").get(pk=document.pk)
    state = legend_state(document)
    actions = trial.plan(state, gold, old=old)
    page.goto(address(document))
    ready(page)
    for action in actions:
        if action.selected:
            select(page, state, action.selected)
            continue
        if action.on:
            point_at(page, document, state, action.on)
        elif action.key in REPEATING:
            saved(page)
            expect(page.locator("#changes")).to_be_visible()
        page.keyboard.press(action.key)
    page.keyboard.press("Shift+Enter")
    expect(page.locator("#accepted-note")).to_be_visible()
    saved(page)
    rows = Span.objects.filter(layer__document=document, layer__kind="decided", verdict="accepted")
    decided = {
        (start, end): label for start, end, label in rows.values_list("start", "end", "label")
    }
    assert decided == dict(gold)
    return len(actions) + 1


def leave(page: Page) -> None:
    """Take the pointer off the legend, until nothing lies over its words."""
    page.mouse.move(2, 2)
    expect(page.locator(".hover-bar")).to_be_hidden()


def point_at(page: Page, document: Document, state: LegendState, here: trial.Range) -> None:
    """Move the pointer to an entity, which then has the frame; ``state`` is the legend's first."""
    leave(page)
    saved(page)  # the answer to an addition gives it the frame; a hand points later than that
    keys = {(each.start, each.end): each.key for each in state.suggested.values()}
    if here not in keys:
        document.refresh_from_db()
        keys = {(each.start, each.end): each.key for each in legend_state(document).entities}
    key = keys[here]
    x, y = page.evaluate(FREE_PLACE, key)
    page.mouse.move(x, y)
    page.mouse.move(x + 1, y)
    expect(mark(page, key)).to_have_class(re.compile(r"\bfocus\b"))


def select(page: Page, state: LegendState, here: trial.Range) -> None:
    """Double-click a word, drag over several, or with Alt drag to the character."""
    leave(page)
    saved(page)  # a hand is slower than the answer, which would be drawn under this one's drag
    words = state.words
    covered = covering(words, *here)
    first, last = words[covered.start], words[covered.stop - 1]
    start = page.evaluate(PLACE, [covered.start, here[0] - first.start, "left"])
    end = page.evaluate(PLACE, [covered.stop - 1, here[1] - 1 - last.start, "right"])
    is_exact = here != (first.start, last.end)
    if len(covered) == 1 and not is_exact:
        page.mouse.dblclick((start[0] + end[0]) / 2, start[1])
        return
    page.mouse.move(*start)
    if is_exact:
        page.keyboard.down("Alt")
    page.mouse.down()
    page.mouse.move(*end, steps=4)
    page.mouse.up()
    if is_exact:
        page.keyboard.up("Alt")
