"""The legend's HTML: the text to the character, each word with its index, each entity as marks that
are well nested."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings

from annotator.corpus.models import Label
from annotator.review.editing.edits import edit_legend
from annotator.review.editing.legend import Entity, LegendState
from annotator.review.editing.panels import Panel
from annotator.review.screen.blocks import blocks, touched_blocks
from annotator.review.screen.facts import entity_facts
from tests.annotator.review.editing.legends import TEXT, edit, found, legend
from tests.annotator.review.editing.test_sessions import legends

LABELS = {
    code: Label(code=code, name=code.title(), short=code[:2], hue="blue")
    for code in (
        "GENEPROD",
        "CELL",
        "SMALL_MOLECULE",
        "TISSUE",
        "ORGANISM",
        "SUBCELLULAR",
        "EXP_ASSAY",
        "DISEASE",
    )
}


@dataclass
class Seen(HTMLParser):
    """What a browser reads: the text, the text of each word by index, and of each entity by key;
    fails on crossed elements."""

    text: str = ""
    words: dict[int, str] = field(default_factory=dict)
    entities: dict[str, str] = field(default_factory=dict)
    steps: list[tuple[int, int, int]] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    stack: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=False)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.stack.append((tag, found))
        if "data-tag" in found:
            self.tags.append(str(found["data-tag"]))
        if "data-w" in found:
            index = int(str(found["data-w"]))
            self.steps.append(
                (index, int(found.get("data-c") or 0), len(self.words.get(index, "")))
            )

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        for _, facts in self.stack:
            if "data-w" in facts:
                index = int(str(facts["data-w"]))
                self.words[index] = self.words.get(index, "") + data
            if "data-e" in facts:
                key = str(facts["data-e"])
                self.entities[key] = self.entities.get(key, "") + data

    def handle_entityref(self, name: str) -> None:
        self.handle_data({"amp": "&", "lt": "<", "gt": ">"}[name])

    def handle_charref(self, name: str) -> None:
        self.handle_data(chr(int(name)))


def seen(state: LegendState) -> Seen:
    reader = Seen()
    for block in blocks(state, LABELS):
        reader.feed(block.html)
    reader.close()
    assert reader.stack == []
    return reader


@settings(max_examples=200, deadline=None)
@given(legends())
def test_the_blocks_hold_the_text_to_the_character(
    state: LegendState,
) -> None:
    page = seen(state)
    assert page.text == state.text
    pieces = {index: state.text[word.start : word.end] for index, word in enumerate(state.words)}
    assert page.words == {index: piece for index, piece in pieces.items() if not piece.isspace()}
    assert page.entities == {entity.key: state.surface(entity) for entity in state.entities}
    assert all(step == before for _, step, before in page.steps)


def test_panels_are_blocks_and_text_outside_them_has_no_letter() -> None:
    at = TEXT.index("(B)")
    state = legend(
        "Title. " + TEXT,
        imported_panels=(Panel(0, 7, 7 + at - 1, "A"), Panel(1, 7 + at, 7 + len(TEXT), "B")),
    )
    assert [
        (block.marker, state.text[block.start : block.end]) for block in blocks(state, LABELS)
    ] == [
        ("", "Title. "),
        ("A", TEXT[:at]),
        ("B", TEXT[at:]),
    ]


def test_marks_say_label_role_and_certainty_without_colour() -> None:
    suggested = (
        found("s1", "Bax", role="CONTROLLED_VAR", score=0.9),
        found("s2", "Bak", score=0.3),
        found("s3", "MEFs", "CELL", role="BORING", score=0.9),
    )
    state = legend(suggested=suggested)
    state, _ = edit_legend(state, edit("accept", entity="s1"))
    html = blocks(state, LABELS)[0].html
    assert '<mark class="e decided" data-e="s1" data-hue="blue" data-tag="GE▲"' in html
    assert 'data-spoken="geneprod, controlled variable: ">' in html
    assert '<mark class="e suggested low" data-e="s2"' in html
    assert '<mark class="e suggested context" data-e="s3" data-hue="blue" data-tag="CE○"' in html
    assert 'data-spoken="cell, context, suggestion: ">' in html


def test_the_outer_of_nested_entities_is_drawn_below() -> None:
    text = "Bax inhibitor peptide"
    nested = (
        Entity("s1", 0, 21, "SMALL_MOLECULE"),
        Entity("s2", 0, 13, "SMALL_MOLECULE"),
        Entity("s3", 0, 3, "GENEPROD"),
    )
    html = blocks(legend(text, suggested=nested), LABELS)[0].html
    assert 'class="e suggested depth-2" data-e="s1"' in html
    assert 'class="e suggested depth-1 shift-1" data-e="s2"' in html
    assert 'class="e suggested shift-2" data-e="s3"' in html


def test_crossing_entities_are_drawn_in_pieces() -> None:
    state = legend(
        "one two three", suggested=(Entity("s1", 0, 7, "CELL"), Entity("s2", 4, 13, "TISSUE"))
    )
    page = seen(state)
    assert page.entities == {"s1": "one two", "s2": "two three"}
    assert page.tags == ["CE", "TI"]


def test_a_key_from_a_file_cannot_break_out_of_its_attribute() -> None:
    key = '"><script>alert(1)</script>'
    page = seen(legend(suggested=(replace(found("x", "Bax"), key=key),)))
    assert page.text == TEXT


def test_an_edit_redraws_the_blocks_it_touched_and_no_others() -> None:
    at = TEXT.index("(B)")
    state = legend(
        suggested=(found("s1", "Bax"), found("s2", "Bak", nth=1)),
        imported_panels=(Panel(0, 0, at, "A"), Panel(1, at, len(TEXT), "B")),
    )
    after, _ = edit_legend(state, edit("relabel", entity="s2", label="CELL"))
    assert [block.marker for block in touched_blocks(state, after, blocks(after, LABELS))] == ["B"]
    everywhere, _ = edit_legend(state, edit("propagate", entity="s1"))
    assert [
        block.marker for block in touched_blocks(state, everywhere, blocks(everywhere, LABELS))
    ] == ["A", "B"]


def test_facts_of_an_entity_name_the_runner_up_and_count() -> None:
    entity = found(
        "s1", "Bax", score=0.5449, attributes={"runner_up": "CELL", "runner_up_score": 0.21}
    )
    facts = entity_facts(legend(suggested=(entity,)), entity)
    assert facts["score"] == 0.545
    assert facts["low"] is True
    assert facts["runnerUp"] == "CELL"
    assert facts["runnerUpScore"] == 0.21
    assert facts["occurrences"] == 3


@pytest.mark.parametrize(("mode", "looks"), [("sweep", True), ("decide", False)])
def test_only_what_accepting_rejects_looks_left_out(mode: str, looks: bool) -> None:
    entity = Entity("s1", 0, 3, "GENEPROD", score=0.4)
    state = replace(legend("Bax moves.", suggested=(entity,)), mode=mode, threshold=0.5)
    assert ("left-out" in blocks(state, LABELS)[0].html) is looks
    assert entity_facts(state, entity)["leftOut"] is looks
