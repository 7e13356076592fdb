r"""Read the markup in which the demo's legends are written.

A file is a paper. Lines that begin with ``@`` name its parts, and all other lines are the text of
the part before them. README.md in this folder has all rules. In short::

    @paper 10.5555/sdc.demo.01
    @paper-title The title of the paper
    @figure 1 gold
    @title The title of the figure
    @label Figure 1
    @panel A
    (A) [[Immunoblotting|assay]] of [[HeLa|cell:b]] cells without [[ATG5|gene:c]].
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from ner_engine.errors import FormatError
from ner_engine.schema import (
    BORING,
    CONTROLLED_VAR,
    MEASURED_VAR,
    ROLE_BEARING_LABELS,
    Document,
    Segment,
    Span,
)
from ner_engine.text import collapse_white_space

#: The short names of the labels, which follow ``|``.
LABELS: Final = {
    "mol": "SMALL_MOLECULE",
    "gene": "GENEPROD",
    "sub": "SUBCELLULAR",
    "cell": "CELL",
    "tis": "TISSUE",
    "org": "ORGANISM",
    "assay": "EXP_ASSAY",
    "dis": "DISEASE",
}
#: The short names of the roles, which follow ``:``.
ROLES: Final = {"c": CONTROLLED_VAR, "m": MEASURED_VAR, "b": BORING}
#: Labels that have no role in SourceData.
ROLELESS_LABELS: Final = ("EXP_ASSAY", "DISEASE")

_FRAME = re.compile(r"@(paper|paper-title|figure|title|label|panel)(?: +(.*))?")
_FIGURE = re.compile(r"(\S+) (gold|panels)")
_PIECE = re.compile(
    r"\\u\{(?P<code>[0-9A-Fa-f]{1,6})\}"
    r"|\\(?P<escaped>[\\\[\]|@#])"
    r"|(?P<open>\[\[)"
    r"|\|(?P<kind>[a-z]+(?::[a-z])?)\]\]"
    r"|(?P<bad>\\|\]\])"
)


@dataclass
class _Part:
    """A title, label or panel of a figure while its lines are collected."""

    kind: str
    argument: str
    line: int
    lines: list[str] = field(default_factory=list)


@dataclass
class _Figure:
    """A figure while its parts are collected."""

    number: str
    gold: bool
    line: int
    parts: list[_Part] = field(default_factory=list)


@dataclass(frozen=True)
class _Marked:
    """Plain text and the spans of its markup; offsets are code points in ``text``."""

    text: str
    spans: tuple[Span, ...]


def read_paper(source: str, *, where: str) -> Iterator[Document]:
    """Yield the figures of one paper in order, each as a document with offsets in code points.

    ``source`` is the text of the file, and ``where`` its name for errors. Raise ``FormatError`` for
    anything that is not valid markup.
    """
    doi, paper_title, figures = _frame(source, where)
    seen: set[str] = set()
    for figure in figures:
        if figure.number in seen:
            raise FormatError(
                f"figure {figure.number} occurs twice; give each figure its own number",
                where=f"{where}:{figure.line}",
            )
        seen.add(figure.number)
        yield _document(figure, doi, paper_title, where)


def _frame(source: str, where: str) -> tuple[str, str, list[_Figure]]:
    """Return the paper's DOI and title, and its figures with unread parts."""
    head = {"paper": "", "paper-title": ""}
    figures: list[_Figure] = []
    for number, line in enumerate(source.split("\n"), start=1):
        _refuse_invisible(line, f"{where}:{number}")
        if line.startswith("#") or not line.strip():
            continue
        if not line.startswith("@"):
            if not figures or not figures[-1].parts:
                raise FormatError(
                    "text precedes the first @title, @label or @panel of its figure",
                    where=f"{where}:{number}",
                )
            figures[-1].parts[-1].lines.append(line)
            continue
        kind, argument = _frame_line(line, f"{where}:{number}")
        if kind in head:
            if head[kind]:
                raise FormatError(
                    f"@{kind} occurs twice; a file is one paper", where=f"{where}:{number}"
                )
            head[kind] = argument
        elif kind == "figure":
            figures.append(_figure(argument, number, where))
        elif not figures:
            raise FormatError(f"@{kind} precedes the first @figure", where=f"{where}:{number}")
        else:
            figures[-1].parts.append(_part(kind, argument, number))
    if not head["paper"] or not head["paper-title"] or not figures:
        raise FormatError(
            "a paper needs @paper with its DOI, @paper-title and at least one @figure", where=where
        )
    return head["paper"], head["paper-title"], figures


def _frame_line(line: str, where: str) -> tuple[str, str]:
    found = _FRAME.fullmatch(line.rstrip())
    if found is None:
        raise FormatError(
            "a line that begins with @ must name paper, paper-title, figure, title, label or panel",
            where=where,
        )
    return found[1], (found[2] or "").strip()


def _figure(argument: str, line: int, where: str) -> _Figure:
    found = _FIGURE.fullmatch(argument)
    if found is None:
        raise FormatError(
            "write @figure NUMBER gold, or @figure NUMBER panels where only the panels are marked",
            where=f"{where}:{line}",
        )
    return _Figure(number=found[1], gold=found[2] == "gold", line=line)


def _part(kind: str, argument: str, line: int) -> _Part:
    """Return the part; a panel's argument is its letter, that of a title or label its text."""
    if kind == "panel":
        return _Part(kind, argument, line)
    part = _Part(kind, "", line)
    if argument:
        part.lines.append(argument)
    return part


def _refuse_invisible(line: str, where: str) -> None:
    r"""Raise ``FormatError`` for an invisible character, which must be written as ``\u{…}``."""
    for char in line:
        if char != " " and unicodedata.category(char) in {"Zs", "Zl", "Zp", "Cf", "Cc"}:
            raise FormatError(
                f"write the invisible character U+{ord(char):04X} as \\u{{{ord(char):X}}}",
                where=where,
            )


def _document(figure: _Figure, doi: str, paper_title: str, where: str) -> Document:
    """Return the figure as a document: title, label and panels, joined with single spaces."""
    _check_order(figure, where)
    identifier = f"{doi.rpartition('/')[2]}-f{figure.number}"
    text, title, label = "", "", ""
    segments: list[Segment] = []
    spans: list[Span] = []
    for part in figure.parts:
        marked = _read_part(part, where)
        if text:
            text += " "
        start = len(text)
        text += marked.text
        if part.kind == "panel":
            segments.append(_segment(part, identifier, start, len(text), where))
        elif part.kind == "title":
            title = marked.text
        else:
            label = marked.text
        for span in marked.spans:
            spans.append(_moved(span, start, f"{identifier}-t{len(spans) + 1}"))
    if bool(spans) != figure.gold:
        raise FormatError(
            "a figure has tags if and only if it is marked gold", where=f"{where}:{figure.line}"
        )
    attributes = {"gold": figure.gold, "paper_title": paper_title}
    document = Document(
        id=identifier,
        text=text,
        doi=doi,
        title=title,
        label=label,
        segments=tuple(segments),
        gold=tuple(spans),
        attributes=attributes,
    )
    document.check()
    return document


def _check_order(figure: _Figure, where: str) -> None:
    kinds = [part.kind for part in figure.parts]
    if kinds[:2] != ["title", "label"] or set(kinds[2:]) != {"panel"}:
        raise FormatError(
            "a figure needs one @title, one @label and then at least one @panel",
            where=f"{where}:{figure.line}",
        )
    letters = [part.argument for part in figure.parts[2:]]
    if len(set(letters)) < len(letters):
        raise FormatError(
            "two panels of the figure have the same letter", where=f"{where}:{figure.line}"
        )


def _segment(part: _Part, identifier: str, start: int, end: int, where: str) -> Segment:
    if not part.argument:
        raise FormatError("@panel needs its letter", where=f"{where}:{part.line}")
    return Segment(
        start=start,
        end=end,
        id=f"{identifier}-{part.argument.replace(' ', '')}",
        marker=part.argument,
    )


def _moved(span: Span, by: int, identifier: str) -> Span:
    return Span(
        span.start + by, span.end + by, span.label, span.surface, role=span.role, id=identifier
    )


def _read_part(part: _Part, where: str) -> _Marked:
    """Return the part's lines as one text, in which line breaks and runs of U+0020 are one space.

    All other characters are kept.
    """
    place = f"{where}:{part.line}"
    marked = read_inline(collapse_white_space(" ".join(part.lines)).strip(" "), where=place)
    if not marked.text.strip():
        raise FormatError(f"@{part.kind} has no text", where=place)
    return marked


def read_inline(source: str, *, where: str) -> _Marked:
    r"""Return the text and the spans of ``source``.

    ``[[surface|label:role]]`` is a span, and ``\u{A0}`` a character by its code. Spans may touch,
    but not nest or overlap. Raise ``FormatError`` for an unknown label or role, a role that the
    label cannot have, a span that is empty, not closed, or begins or ends with white space, and for
    a stray ``]]`` or backslash.
    """
    pieces: list[str] = []
    spans: list[Span] = []
    length, start, at = 0, -1, 0

    def add(piece: str) -> None:
        nonlocal length
        pieces.append(piece)
        length += len(piece)

    for found in _PIECE.finditer(source):
        add(source[at : found.start()])
        at = found.end()
        if found["code"]:
            add(_character(found["code"], where))
        elif found["escaped"]:
            add(found["escaped"])
        elif found["bad"]:
            raise FormatError(
                f"a stray {found['bad']} near «{source[max(0, found.start() - 20) : at]}»",
                where=where,
            )
        elif found["open"]:
            if start >= 0:
                raise FormatError(
                    f"a span opens inside another near «{source[max(0, found.start() - 20) : at]}»",
                    where=where,
                )
            start = length
        else:
            if start < 0:
                raise FormatError(
                    f"«{found.group()}» closes a span that was never opened", where=where
                )
            spans.append(_span(start, "".join(pieces)[start:], found["kind"], where))
            start = -1
    add(source[at:])
    if start >= 0:
        raise FormatError(
            f"the span «{''.join(pieces)[start : start + 20]}» is never closed", where=where
        )
    return _Marked("".join(pieces), tuple(spans))


def _character(code: str, where: str) -> str:
    value = int(code, 16)
    if value > 0x10FFFF or 0xD800 <= value <= 0xDFFF:
        raise FormatError(f"U+{code} is not a character", where=where)
    return chr(value)


def _span(start: int, surface: str, kind: str, where: str) -> Span:
    label_name, _, role_name = kind.partition(":")
    label = LABELS.get(label_name)
    role = ROLES.get(role_name, "")
    if label is None or (role_name and not role):
        raise FormatError(
            f"«{surface}» has «{kind}»; labels are {', '.join(LABELS)}, roles {', '.join(ROLES)}",
            where=where,
        )
    if label in ROLELESS_LABELS and role:
        raise FormatError(f"«{surface}» is {label}, which has no role", where=where)
    if role and role != BORING and label not in ROLE_BEARING_LABELS:
        raise FormatError(f"«{surface}» is {label}, whose only role is b (BORING)", where=where)
    if not surface or surface != surface.strip():
        raise FormatError(
            f"the span «{surface}» is empty, or begins or ends with white space", where=where
        )
    return Span(start, start + len(surface), label, surface, role=role)
