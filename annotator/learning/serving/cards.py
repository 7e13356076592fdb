"""Model cards as pages.

A card is a file in the model's folder, which anybody may have written. It is parsed into plain
pieces of text, and pages escape each of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, NamedTuple

from django.utils.html import conditional_escape, format_html

from annotator.learning.models import ModelVersion
from annotator.learning.serving.archives import CARD
from annotator.learning.tagging.checkpoints import inspect_model

_MAX_CHARACTERS: Final = 200_000
_INLINE: Final = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\(([^)\s]+)\)")
_HEADING: Final = re.compile(r"(#{1,6})\s+(.*)")
_FRONT_MATTER: Final = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_FENCE: Final = "```"


class Piece(NamedTuple):
    """A piece of a line: ``kind`` is "text", "code" or "strong"."""

    kind: str
    text: str

    @property
    def html(self) -> str:
        """The piece as HTML, its text escaped."""
        if self.kind == "text":
            return conditional_escape(self.text)
        return format_html("<{0}>{1}</{0}>", self.kind, self.text)


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a card: "heading" of a ``level`` 1-6, "text", "code", "list" or "table".

    A list has a row for each item; the first row of a table is its head.
    """

    kind: str
    rows: Sequence[Sequence[Sequence[Piece]]]
    level: int = 0

    @property
    def template(self) -> str:
        """The template that shows the block."""
        return f"admin/learning/card/{self.kind}.html"

    @property
    def pieces(self) -> Sequence[Piece]:
        """The pieces of a block with a single row and cell."""
        return self.rows[0][0]


def card_of(model: ModelVersion) -> list[Block]:
    """Return the card in the model's folder, or no blocks if there is none.

    Raises ``EngineError`` if the folder is missing.
    """
    path = inspect_model(model.path).folder / CARD
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", errors="replace") as stream:
        return blocks_of(stream.read(_MAX_CHARACTERS))


def blocks_of(markdown: str) -> list[Block]:
    """Return the blocks of a text in the Markdown of model cards; unknown markup stays as it is."""
    blocks: list[Block] = []
    fenced: list[str] | None = None
    paragraph: list[str] = []
    text = _FRONT_MATTER.sub("", markdown.replace("\r\n", "\n"))
    for line in [*text.split("\n"), ""]:
        if line.startswith(_FENCE):
            blocks += _paragraph(paragraph)
            paragraph = []
            if fenced is not None:
                blocks.append(_code(fenced))
            fenced = [] if fenced is None else None
        elif fenced is not None:
            fenced.append(line)
        elif not line.strip() or (heading := _HEADING.fullmatch(line)):
            blocks += _paragraph(paragraph)
            paragraph = []
            if line.strip() and heading:
                blocks.append(Block("heading", [[_pieces(heading[2])]], len(heading[1])))
        else:
            paragraph.append(line)
    if fenced is not None:
        blocks.append(_code(fenced))
    return blocks


def _code(lines: Sequence[str]) -> Block:
    return Block("code", [[[Piece("code", "\n".join(lines))]]])


def _paragraph(lines: Sequence[str]) -> Iterator[Block]:
    """Yield the blocks of lines without a blank one: runs of text, list items or table rows."""
    for kind, group in groupby(lines, _kind):
        if kind == "table":
            yield Block(kind, [_cells(line) for line in group if set(line) - set("|-: ")])
        elif kind == "list":
            yield Block(kind, [[_pieces(line.strip()[2:])] for line in group])
        else:
            yield Block(kind, [[_pieces(" ".join(line.strip() for line in group))]])


def _kind(line: str) -> str:
    start = line.lstrip()
    if start.startswith("|"):
        return "table"
    if start.startswith(("- ", "* ")):
        return "list"
    return "text"


def _cells(line: str) -> list[list[Piece]]:
    return [_pieces(cell.strip()) for cell in line.strip().strip("|").split("|")]


def _pieces(text: str) -> list[Piece]:
    """Return a line without its marks; a link becomes its words and, in brackets, its address."""
    pieces, end = [], 0
    for match in _INLINE.finditer(text):
        pieces.append(Piece("text", text[end : match.start()]))
        pieces.append(_marked(*match.groups()))
        end = match.end()
    pieces.append(Piece("text", text[end:]))
    return [piece for piece in pieces if piece.text]


def _marked(code: str | None, strong: str | None, words: str | None, address: str | None) -> Piece:
    if code:
        return Piece("code", code)
    if strong:
        return Piece("strong", strong)
    return Piece("text", f"{words} ({address})")
