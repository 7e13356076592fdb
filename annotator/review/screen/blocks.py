"""A legend as HTML: words with their indices, entities as marks around them.

Built as plain strings, since a template's loop over thousands of words costs more than all the rest
of a request. A block is one panel (or the text before the first). The text content of all blocks,
joined, is the document's text to the character. Marks only paint: they take no width and no height,
so tagging never moves a word. Entities that overlap without nesting are drawn in pieces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from html import escape
from typing import Any, Final

from annotator.corpus.models import Label
from annotator.review.editing.legend import Entity, LegendState
from annotator.review.editing.panels import stretches
from annotator.review.memory.rule import Proposal, ProposalKind
from annotator.review.screen.roles import ROLE_NAMES, ROLE_SIGNS
from ner_engine.schema import BORING
from ner_engine.text import Word, covering

#: The most marks that are distinct below each other.
MAX_DEPTH: Final = 3


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of the legend with its panel's name and its HTML.

    ``panel`` is where the panel begins, None if the piece is no panel.
    """

    index: int
    start: int
    end: int
    marker: str
    html: str
    panel: int | None = None


@dataclass(frozen=True, slots=True)
class _Mark:
    """An entity and its drawing: ``depth`` lowers its line, ``shift`` moves its letters aside."""

    entity: Entity
    depth: int
    shift: int
    is_low: bool = False
    is_left_out: bool = False
    proposal: Proposal | None = None


def blocks(state: LegendState, labels: Mapping[str, Label]) -> list[Block]:
    """Return the whole legend in order.

    White space between two panels belongs to the one before, so that no block looks empty.
    """
    marks = [
        replace(
            mark,
            is_low=state.is_low(mark.entity),
            is_left_out=state.is_left_out(mark.entity),
            proposal=state.proposal(mark.entity),
        )
        for mark in _marks(state.entities)
    ]
    cut_blocks = []
    for index, (start, end, panel) in enumerate(stretches(state.text, state.panels)):
        html = _html(state, marks, start, end, labels)
        name, begins = (panel.marker, panel.start) if panel else ("", None)
        cut_blocks.append(Block(index, start, end, name, html, begins))
    return cut_blocks


def _marks(entities: Iterable[Entity]) -> list[_Mark]:
    """Return entities in reading order with the depth of their lines, 0 if nothing overlaps."""
    marks: list[_Mark] = []
    group: list[Entity] = []
    reach = -1
    for entity in entities:
        if entity.start >= reach:
            marks.extend(_drawn(group))
            group = []
        group.append(entity)
        reach = max(reach, entity.end)
    marks.extend(_drawn(group))
    return marks


def _drawn(group: list[Entity]) -> list[_Mark]:
    """Return the marks of overlapping entities; a longer one is drawn below the shorter ones."""
    if len(group) <= 1:
        return [_Mark(entity, 0, 0) for entity in group]
    depths: dict[str, int] = {}
    for entity in sorted(group, key=lambda entity: (entity.end - entity.start, entity.key)):
        below = []
        for other in group:
            if other.key in depths and other.overlaps(entity.start, entity.end):
                below.append(depths[other.key])
        depths[entity.key] = min(MAX_DEPTH, max(below) + 1) if below else 0
    starts: dict[int, int] = {}
    marks = []
    for entity in group:
        shift = starts.get(entity.start, 0)
        starts[entity.start] = shift + 1
        marks.append(_Mark(entity, depths[entity.key], min(shift, MAX_DEPTH)))
    return marks


def _html(
    state: LegendState, marks: list[_Mark], start: int, end: int, labels: Mapping[str, Label]
) -> str:
    """Return the HTML of ``text[start:end]``.

    A mark that another one crosses is closed and opened again.
    """
    inside = [mark for mark in marks if mark.entity.overlaps(start, end)]
    opening: dict[int, list[_Mark]] = {}
    for mark in inside:
        opening.setdefault(max(mark.entity.start, start), []).append(mark)
    boundaries = sorted({start, end, *opening, *(min(mark.entity.end, end) for mark in inside)})
    out: list[str] = []
    open_marks: list[_Mark] = []
    for boundary, after in zip(boundaries, [*boundaries[1:], end], strict=True):
        _close(out, open_marks, boundary, labels)
        for mark in opening.get(boundary, ()):
            out.append(_tag(mark, labels, is_continued=mark.entity.start < boundary))
            open_marks.append(mark)
        if after > boundary:
            _pieces(out, state.text, state.words, boundary, after)
    out.append("</mark>" * len(open_marks))
    return "".join(out)


def _close(
    out: list[str], open_marks: list[_Mark], boundary: int, labels: Mapping[str, Label]
) -> None:
    """Close the marks that end at ``boundary``; reopen those inside them that continue."""
    first = next(
        (index for index, mark in enumerate(open_marks) if mark.entity.end <= boundary), None
    )
    if first is not None:
        out.append("</mark>" * (len(open_marks) - first))
        continuing = [mark for mark in open_marks[first:] if mark.entity.end > boundary]
        del open_marks[first:]
        for mark in continuing:
            out.append(_tag(mark, labels, is_continued=True))
            open_marks.append(mark)


def _pieces(out: list[str], text: str, words: list[Word], start: int, end: int) -> None:
    """Append ``text[start:end]``: words in elements with their index, white space as it is.

    An element also says at which character of its word it begins.
    """
    at = start
    for index in covering(words, start, end):
        word = words[index]
        first, last = max(word.start, start), min(word.end, end)
        if text[first:last].isspace():
            continue
        if first > at:
            out.append(_escaped(text[at:first]))
        step = ""
        if first > word.start:
            step = f" data-c={first - word.start}"
        out.append(f"<span data-w={index}{step}>{_escaped(text[first:last])}</span>")
        at = last
    if at < end:
        out.append(_escaped(text[at:end]))


def _escaped(piece: str) -> str:
    r"""Return a piece as HTML, with ``\r`` as a reference: a parser would read it as ``\n``."""
    return escape(piece, quote=False).replace("\r", "&#13;")


def _tag(mark: _Mark, labels: Mapping[str, Label], *, is_continued: bool) -> str:
    entity = mark.entity
    label = labels.get(entity.label)
    classes = ["e", "decided" if entity.verdict else "suggested"]
    if mark.is_low:
        classes.append("low")
    if mark.is_left_out:
        classes.append("left-out")
    if mark.proposal:
        classes.append(f"remembered {mark.proposal.kind}")
    if entity.role == BORING:
        classes.append("context")
    if mark.depth:
        classes.append(f"depth-{mark.depth}")
    if mark.shift:
        classes.append(f"shift-{mark.shift}")
    if is_continued:
        letters = ""
    else:
        tag = f"{label.short if label else '··'}{ROLE_SIGNS.get(entity.role, '')}"
        tag += _sign(mark.proposal, labels)
        spoken = _spoken(entity, label, mark.proposal)
        letters = f' data-tag="{escape(tag)}" data-spoken="{escape(spoken)}"'
    left_out = ' aria-description="left out"' if mark.is_left_out and not is_continued else ""
    return (
        f'<mark class="{" ".join(classes)}" data-e="{escape(entity.key)}"'
        f' data-hue="{escape(label.hue if label else "grey")}"{letters}{left_out}>'
    )


def _sign(proposal: Proposal | None, labels: Mapping[str, Label]) -> str:
    """Return the sign of what the project's memory proposes: ✕, the new label, or ⇥."""
    if proposal is None:
        return ""
    if proposal.kind == ProposalKind.RELABEL:
        label = labels.get(proposal.value)
        return f"→{label.short if label else proposal.value}"
    return "✕" if proposal.kind == ProposalKind.REJECT else "⇥"


def _spoken(entity: Entity, label: Label | None, proposal: Proposal | None) -> str:
    """Return what screen readers say before the words: the letters and signs in full."""
    words = [label.name.lower() if label else "no label"]
    if entity.role:
        words.append(ROLE_NAMES.get(entity.role, entity.role))
    if not entity.verdict:
        words.append("suggestion")
    if proposal:
        words.append("the project’s memory speaks against it")
    return f"{', '.join(words)}: "


def touched_blocks(before: LegendState, after: LegendState, drawn: list[Block]) -> list[Block]:
    """Return the blocks of ``after`` that look different from ``before``; panels are the same."""
    old, new = _looks(before), _looks(after)
    ranges = {(start, end) for _, (start, end, *_) in old.items() ^ new.items()}
    changed_blocks = []
    for block in drawn:
        if any(start < block.end and block.start < end for start, end in ranges):
            changed_blocks.append(block)
    return changed_blocks


def _looks(state: LegendState) -> dict[str, tuple[Any, ...]]:
    looks = {}
    for entity in state.entities:
        looks[entity.key] = (
            entity.start,
            entity.end,
            entity.label,
            entity.role,
            entity.status,
            state.is_low(entity),
            state.proposal(entity),
        )
    return looks
