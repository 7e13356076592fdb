"""SourceData XML: figures as EMBO's curators annotated them.

One figure is one document; its panels are its segments; panels that repeat an earlier panel's text
are kept once. The text is title, label and panels joined with one space, after the data sets'
white-space rule. ``public_form=True`` reads as the public converter did: all text of the figure
joined with nothing between, repeated panels kept, nothing trimmed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import IO, Any, Final

from lxml import etree

from ner_engine.errors import FormatError
from ner_engine.formats.report import Report
from ner_engine.schema import (
    BORING,
    CONTROLLED_VAR,
    MEASURED_VAR,
    ROLE_BEARING_LABELS,
    Document,
    Segment,
    Span,
)
from ner_engine.text import collapse_white_space, trim

MAX_FILE_BYTES: Final = 64 * 1024**2
MAX_SPAN_ID: Final = 50
#: sd-nlp took a panel as an example when its text is longer than this and it has a curated tag.
EXAMPLE_MIN_CHARACTERS: Final = 80

_LABEL_OF_TYPE: Final = {
    "molecule": "SMALL_MOLECULE",
    "gene": "GENEPROD",
    "protein": "GENEPROD",
    "geneprod": "GENEPROD",
    "subcellular": "SUBCELLULAR",
    "tissue": "TISSUE",
    "organism": "ORGANISM",
    "cell": "CELL",
    "cell_type": "CELL",
    "cell_line": "CELL",
}
_LABEL_OF_CATEGORY: Final = {"assay": "EXP_ASSAY", "disease": "DISEASE"}
_VARIABLE_OF_ROLE: Final = {"intervention": CONTROLLED_VAR, "assayed": MEASURED_VAR}
_BORING_ROLES: Final = {"reporter", "normalizing", "component"}
_MARKER: Final = re.compile(r"^\W{0,2}([A-Za-z](?:\s?[-–,]\s?[A-Za-z])*|[ivx]{1,4})(?=[\s).:,\]])")


@dataclass
class _Tag:
    """A curated tag or a machine's guess, at offsets of its panel's text."""

    start: int
    end: int
    attributes: Mapping[str, str]
    is_guess: bool


@dataclass
class _Panel:
    id: str
    text: str
    tags: list[_Tag]
    image: str
    aliases: list[str] = field(default_factory=list)


def read(
    stream: IO[bytes], *, name: str, report: Report, public_form: bool = False
) -> Iterator[Document]:
    """The figures of one file. A file that is not SourceData XML is refused by name in ``report``.

    Counts: files, figures, figures_without_panels, figures_without_text (left out, a note names
    each), panels, panels_without_text, panels_repeated, panels_qualifying, tags, tags_without_text,
    tags_with_white_space_at_an_end, ``gold:LABEL`` for each label (``gold:none`` for the rest),
    pretags, pretags_without_text, tags_on_repeats_merged and tags_on_repeats_dropped (the kept
    panel has them), the same of pretags, documents, refused.
    """
    report.counts["files"] += 1
    try:
        root = parse_xml(stream, name)
        if root.tag != "article":
            raise FormatError("this is no SourceData file (its root is not <article>)", where=name)
        if root.find("front") is not None:
            raise FormatError(
                "this is a publisher's article, not a SourceData file; read it as jats", where=name
            )
    except FormatError as error:
        report.counts["refused"] += 1
        report.problem(error.where, error.message)
        return
    doi = (root.get("doi") or "").strip()
    file_name = PurePosixPath(name).name
    for position, figure in enumerate(root.iter("fig")):
        report.counts["figures"] += 1
        figure_id = figure.get("id") or f"{doi or file_name}#{position}"
        document = _figure(figure, doi, figure_id, report, public_form=public_form)
        if not doi:
            document = replace(document, attributes={**document.attributes, "paper": file_name})
        if document.text.strip():
            report.counts["documents"] += 1
            yield document
        else:
            report.counts["figures_without_text"] += 1
            report.note(f"{name}, figure {figure_id}", "the figure has no text; it was left out")


def parse_xml(stream: IO[bytes], name: str, *, allow_doctype: bool = False) -> etree._Element:
    """The root of a hostile file: no entities, no network, no huge trees. Raises
    ``FormatError``."""
    data = stream.read(MAX_FILE_BYTES + 1)
    if not data.strip():
        raise FormatError("the file is empty; export it again from its source", where=name)
    if len(data) > MAX_FILE_BYTES:
        raise FormatError(
            f"the file is larger than {MAX_FILE_BYTES // 1024**2} MB; split it", where=name
        )
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise FormatError(
            f"the XML is broken ({error}); mend it or export it again", where=name
        ) from error
    info = root.getroottree().docinfo
    internal = info.internalDTD
    if internal is not None and any(True for _ in internal.iterentities()):  # type: ignore[union-attr]
        raise FormatError(
            "the file declares entities of its own, which is refused as unsafe; remove its DOCTYPE",
            where=name,
        )
    if info.doctype and not allow_doctype:  # type: ignore[union-attr]
        raise FormatError(
            "the file declares a DOCTYPE, which is refused as unsafe; remove the declaration",
            where=name,
        )
    return root


def _figure(
    figure: etree._Element, doi: str, figure_id: str, report: Report, *, public_form: bool
) -> Document:
    title = _plain(figure.find("title"), public_form)
    label = _plain(figure.find("label"), public_form)
    _count_panels(figure, report)
    # A few panels hold another one without an id: its text is part of theirs already.
    outermost = [
        element
        for element in figure.iter("sd-panel")
        if next(element.iterancestors("sd-panel"), None) is None
    ]
    read_panels = [_panel(element, report, public_form=public_form) for element in outermost]
    panels = read_panels if public_form else _without_repeats(read_panels, report)
    text, starts = _join(
        [title, label, *(panel.text for panel in panels)], "" if public_form else " "
    )
    segments: list[Segment] = []
    spans: list[tuple[bool, Span]] = []
    used: set[str] = set()
    for number, (panel, start) in enumerate(zip(panels, starts[2:], strict=True)):
        if not panel.text and not public_form:
            continue
        segments.append(_segment(panel, start, number))
        spans += [
            (tag.is_guess, _span(tag, text, start, used))
            for tag in panel.tags
            if tag.end > tag.start
        ]
    empty = [panel.id for panel in read_panels if not panel.text]
    graphic = figure.find("graphic")
    return Document(
        id=figure_id,
        text=text,
        doi=doi,
        title=title,
        label=label,
        image="" if graphic is None else (graphic.get("href") or ""),
        segments=tuple(segments),
        gold=tuple(span for is_guess, span in spans if not is_guess),
        suggestions=tuple(span for is_guess, span in spans if is_guess),
        attributes={"panels_without_text": empty} if empty else {},
    )


def _count_panels(figure: etree._Element, report: Report) -> None:
    seen: set[str] = set()
    for panel in figure.iter("sd-panel"):
        text = collapse_white_space(_text_in(panel))
        report.counts["panels"] += 1
        report.counts["panels_without_text"] += not text.strip()
        report.counts["panels_repeated"] += text in seen
        report.counts["panels_qualifying"] += (
            len(text) > EXAMPLE_MIN_CHARACTERS and panel.find(".//sd-tag") is not None
        )
        seen.add(text)
    report.counts["figures_without_panels"] += not seen


def _join(parts: list[str], separator: str) -> tuple[str, list[int]]:
    """The parts as one text, and where each begins. Empty parts take no separator."""
    pieces: list[str] = []
    starts: list[int] = []
    length = 0
    for part in parts:
        if part and length:
            pieces.append(separator)
            length += len(separator)
        starts.append(length)
        pieces.append(part)
        length += len(part)
    return "".join(pieces), starts


def _text_in(element: etree._Element) -> str:
    return "".join(piece for piece in element.itertext() if isinstance(piece, str))


def _plain(element: etree._Element | None, public_form: bool) -> str:
    if element is None:
        return ""
    text = collapse_white_space(_text_in(element))
    return text if public_form else text.strip()


def _panel(element: etree._Element, report: Report, *, public_form: bool) -> _Panel:
    pieces: list[str] = []
    tags: list[_Tag] = []
    _walk(element, pieces, tags, 0, public_form=public_form)
    text = "".join(pieces)
    for tag in tags:
        _count_tag(tag, text, report)
    lead = 0
    if not public_form:
        stripped = text.strip(" ")
        lead = len(text) - len(text.lstrip(" "))
        text = stripped
    for tag in tags:
        start, end = max(0, tag.start - lead), min(len(text), tag.end - lead)
        tag.start, tag.end = trim(text, start, max(start, end))
    graphic = next(element.iter("graphic"), None)
    return _Panel(
        element.get("panel_id") or "",
        text,
        tags,
        "" if graphic is None else (graphic.get("href") or ""),
    )


def _walk(
    element: etree._Element, pieces: list[str], tags: list[_Tag], length: int, *, public_form: bool
) -> int:
    """Append the element's text to ``pieces`` under the white-space rule, its tags to ``tags``; the
    text's new length."""
    length = _append(pieces, element.text, length, public_form=public_form)
    for child in element:
        start = length
        if isinstance(child.tag, str):
            length = _walk(child, pieces, tags, length, public_form=public_form)
            if child.tag in {"sd-tag", "sd-pretag"}:
                tags.append(_Tag(start, length, _kept(child.attrib), child.tag == "sd-pretag"))
        length = _append(pieces, child.tail, length, public_form=public_form)
    return length


def _append(pieces: list[str], text: str | None, length: int, *, public_form: bool) -> int:
    """The public converter made runs of spaces one within a stretch of text, not across mark-up."""
    if not text:
        return length
    text = collapse_white_space(text)
    if text.startswith(" ") and pieces and pieces[-1].endswith(" ") and not public_form:
        text = text[1:]
    if text:
        pieces.append(text)
    return length + len(text)


def _kept(attributes: Any) -> dict[str, str]:
    """The attributes that say something: SourceData writes the word None for absent."""
    return {str(key): str(value) for key, value in attributes.items() if value and value != "None"}


def _count_tag(tag: _Tag, text: str, report: Report) -> None:
    surface = text[tag.start : tag.end]
    if tag.is_guess:
        report.counts["pretags"] += 1
        report.counts["pretags_without_text"] += not surface.strip()
        return
    report.counts["tags"] += 1
    if not surface:
        report.counts["tags_without_text"] += 1
    elif surface != surface.strip():
        report.counts["tags_with_white_space_at_an_end"] += 1
    report.counts[f"gold:{_label(tag) or 'none'}"] += 1


def _label(tag: _Tag) -> str:
    if tag.is_guess:
        return next(
            (
                _LABEL_OF_TYPE[word]
                for word in tag.attributes.get("class", "").split()
                if word in _LABEL_OF_TYPE
            ),
            "",
        )
    by_type = _LABEL_OF_TYPE.get(tag.attributes.get("entity_type", ""), "")
    return by_type or _LABEL_OF_CATEGORY.get(tag.attributes.get("category", ""), "")


def _role(tag: _Tag, label: str) -> str:
    role = tag.attributes.get("role", "")
    if role in _VARIABLE_OF_ROLE:
        return _VARIABLE_OF_ROLE[role] if label in ROLE_BEARING_LABELS else ""
    return BORING if role in _BORING_ROLES else ""


def _span(tag: _Tag, text: str, offset: int, used: set[str]) -> Span:
    label = _label(tag)
    start, end = tag.start + offset, tag.end + offset
    key = _unused(tag.attributes.get("id", "tag")[:MAX_SPAN_ID], used)
    return Span(
        start,
        end,
        label,
        text[start:end],
        role=_role(tag, label),
        id=key,
        attributes=tag.attributes,
    )


def _unused(name: str, used: set[str]) -> str:
    """``name``, or with a number behind it where the figure has it already."""
    unique, number = name, 2
    while unique in used:
        unique, number = f"{name}~{number}", number + 1
    used.add(unique)
    return unique


def _segment(panel: _Panel, offset: int, number: int) -> Segment:
    found = _MARKER.match(panel.text)
    marker = found.group(1).upper() if found else _letter(number)
    return Segment(
        offset, offset + len(panel.text), panel.id, marker, tuple(panel.aliases), panel.image
    )


def _letter(number: int) -> str:
    return (
        chr(ord("A") + number)
        if number < 26
        else f"{chr(ord('A') + number // 26 - 1)}{chr(ord('A') + number % 26)}"
    )


def _without_repeats(panels: list[_Panel], report: Report) -> list[_Panel]:
    """The panels, each text once; a repeat's id becomes an alias, and tags that only the repeat has
    move to the kept one."""
    kept: dict[str, _Panel] = {}
    for panel in panels:
        first = kept.get(panel.text) if panel.text else None
        if first is None:
            kept[panel.text or f"\0{panel.id}{len(kept)}"] = panel
            continue
        first.aliases.append(panel.id)
        known = {(tag.start, tag.end, tag.is_guess) for tag in first.tags}
        new: list[_Tag] = []
        for tag in panel.tags:
            is_known = (tag.start, tag.end, tag.is_guess) in known
            if tag.end > tag.start:
                report.counts[
                    f"{'pretags' if tag.is_guess else 'tags'}_on_repeats_{'dropped' if is_known else 'merged'}"  # noqa: E501
                ] += 1
                new += [] if is_known else [tag]
        if new:
            kept[panel.text] = replace(
                first, tags=sorted([*first.tags, *new], key=lambda tag: (tag.start, -tag.end))
            )
    return list(kept.values())
