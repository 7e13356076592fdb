"""SourceData XML: figures annotated by EMBO's curators (Liechti et al. 2017, Nature Methods).

One figure is one document, and its panels are segments. A panel that repeats the text of an
earlier one is kept once. The text is title, label and panels, joined by one space, with white
space collapsed as in the public data sets.

``public_form=True`` reads like the public converter: the parts are joined without a space,
repeated panels are kept, and nothing is trimmed.
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
#: In sd-nlp, a panel is an example if its text is longer than this and it has a curated tag.
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
    """A curated tag, or a tag that a machine suggested, at offsets into the text of its panel."""

    start: int
    end: int
    attributes: Mapping[str, str]
    is_suggestion: bool


@dataclass
class _Panel:
    """A panel and its tags. ``aliases`` are the ids of later panels with the same text."""

    id: str
    text: str
    tags: list[_Tag]
    image: str
    aliases: list[str] = field(default_factory=list)


def read(
    stream: IO[bytes], *, name: str, report: Report, public_form: bool = False
) -> Iterator[Document]:
    """Yield the figures of one file.

    A file that is not SourceData XML is refused and named in ``report``. A figure without text is
    left out with a note.

    Counts: files, figures, figures_without_panels, figures_without_text, panels,
    panels_without_text, panels_repeated, panels_qualifying (examples of sd-nlp), tags,
    tags_without_text, tags_with_white_space_at_an_end, ``gold:LABEL`` for each label
    (``gold:none`` for tags without one), pretags, pretags_without_text, tags_on_repeats_merged
    (moved to the panel that is kept), tags_on_repeats_dropped (that panel has them), the same for
    pretags, documents, refused.
    """
    report.counts["files"] += 1
    try:
        root = parse_xml(stream, name)
        _check_root(root, name)
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
    """Return the root of an untrusted file, parsed without entities, network and huge trees.

    Raise ``FormatError`` if the file is empty, larger than ``MAX_FILE_BYTES``, not well-formed,
    declares entities, or has a DOCTYPE without ``allow_doctype``.
    """
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
            f"the XML is not well-formed ({error}); correct it or export it again", where=name
        ) from error
    info = root.getroottree().docinfo
    internal = info.internalDTD
    if internal is not None and list(internal.iterentities()):  # type: ignore[union-attr]
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


def _check_root(root: etree._Element, name: str) -> None:
    if root.tag != "article":
        raise FormatError("this is not a SourceData file (its root is not <article>)", where=name)
    if root.find("front") is not None:
        raise FormatError(
            "this is a publisher's article, not a SourceData file; read it as jats", where=name
        )


def _figure(
    figure: etree._Element, doi: str, figure_id: str, report: Report, *, public_form: bool
) -> Document:
    title = _plain(figure.find("title"), public_form)
    label = _plain(figure.find("label"), public_form)
    _count_panels(figure, report)
    all_panels = []
    for element in _outermost_panels(figure):
        all_panels.append(_panel(element, report, public_form=public_form))
    panels = all_panels if public_form else _without_repeats(all_panels, report)
    text, starts = _join(
        [title, label, *(panel.text for panel in panels)], "" if public_form else " "
    )
    segments: list[Segment] = []
    gold: list[Span] = []
    suggestions: list[Span] = []
    used: set[str] = set()
    for number, (panel, start) in enumerate(zip(panels, starts[2:], strict=True)):
        if not panel.text and not public_form:
            continue
        segments.append(_segment(panel, start, number))
        for tag in panel.tags:
            if tag.end > tag.start:
                spans = suggestions if tag.is_suggestion else gold
                spans.append(_span(tag, text, start, used))
    empty = []
    for panel in all_panels:
        if not panel.text:
            empty.append(panel.id)
    return Document(
        id=figure_id,
        text=text,
        doi=doi,
        title=title,
        label=label,
        image=_image(figure.find("graphic")),
        segments=tuple(segments),
        gold=tuple(gold),
        suggestions=tuple(suggestions),
        attributes={"panels_without_text": empty} if empty else {},
    )


def _outermost_panels(figure: etree._Element) -> list[etree._Element]:
    """Return the panels that lie in no other panel, because the outer one includes their text."""
    panels = []
    for element in figure.iter("sd-panel"):
        if next(element.iterancestors("sd-panel"), None) is None:
            panels.append(element)
    return panels


def _image(graphic: etree._Element | None) -> str:
    return "" if graphic is None else (graphic.get("href") or "")


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
    """Return the parts as one text, and the start of each. Empty parts get no separator."""
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
    image = _image(next(element.iter("graphic"), None))
    return _Panel(element.get("panel_id") or "", text, tags, image)


def _walk(
    element: etree._Element, pieces: list[str], tags: list[_Tag], length: int, *, public_form: bool
) -> int:
    """Append the text of ``element`` to ``pieces`` and its tags to ``tags``.

    ``length`` is the length of the text so far. Return its new length.
    """
    length = _append(pieces, element.text, length, public_form=public_form)
    for child in element:
        start = length
        if isinstance(child.tag, str):
            length = _walk(child, pieces, tags, length, public_form=public_form)
            if child.tag in {"sd-tag", "sd-pretag"}:
                is_suggestion = child.tag == "sd-pretag"
                tags.append(_Tag(start, length, _attributes(child.attrib), is_suggestion))
        length = _append(pieces, child.tail, length, public_form=public_form)
    return length


def _append(pieces: list[str], text: str | None, length: int, *, public_form: bool) -> int:
    """Append ``text`` with white space collapsed and return the new length.

    The public converter collapsed white space within a text node, but not across mark-up.
    """
    if not text:
        return length
    text = collapse_white_space(text)
    if text.startswith(" ") and pieces and pieces[-1].endswith(" ") and not public_form:
        text = text[1:]
    if text:
        pieces.append(text)
    return length + len(text)


def _attributes(attributes: Any) -> dict[str, str]:
    """Return the attributes that have a value; SourceData writes None for a missing one."""
    present = {}
    for key, value in attributes.items():
        if value and value != "None":
            present[str(key)] = str(value)
    return present


def _count_tag(tag: _Tag, text: str, report: Report) -> None:
    surface = text[tag.start : tag.end]
    if tag.is_suggestion:
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
    """Return the label of sd-nlp for a tag, "" if it has none."""
    if tag.is_suggestion:
        words = tag.attributes.get("class", "").split()
        return next((_LABEL_OF_TYPE[word] for word in words if word in _LABEL_OF_TYPE), "")
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
    """Return ``name``, with a number after it if the figure already uses it."""
    unique, number = name, 2
    while unique in used:
        unique, number = f"{name}~{number}", number + 1
    used.add(unique)
    return unique


def _segment(panel: _Panel, offset: int, number: int) -> Segment:
    printed = _MARKER.match(panel.text)
    return Segment(
        offset,
        offset + len(panel.text),
        panel.id,
        marker=printed.group(1).upper() if printed else _letter(number),
        aliases=tuple(panel.aliases),
        image=panel.image,
    )


def _letter(number: int) -> str:
    """Return A for 0, Z for 25, AA for 26."""
    last = chr(ord("A") + number % 26)
    return last if number < 26 else chr(ord("A") + number // 26 - 1) + last


def _without_repeats(panels: list[_Panel], report: Report) -> list[_Panel]:
    """Return the panels, each text once.

    The id of a repeat becomes an alias of the first panel with this text. Tags that only the
    repeat has move to that panel.
    """
    unique: dict[str, _Panel] = {}
    for panel in panels:
        first = unique.get(panel.text) if panel.text else None
        if first is None:
            unique[panel.text or f"\0{panel.id}{len(unique)}"] = panel
            continue
        first.aliases.append(panel.id)
        new = _tags_of_repeat(panel, first, report)
        if new:
            tags = sorted([*first.tags, *new], key=lambda tag: (tag.start, -tag.end))
            unique[panel.text] = replace(first, tags=tags)
    return list(unique.values())


def _tags_of_repeat(repeat: _Panel, first: _Panel, report: Report) -> list[_Tag]:
    """Return the tags of ``repeat`` that ``first`` does not have, and count all of them."""
    known = {(tag.start, tag.end, tag.is_suggestion) for tag in first.tags}
    new = []
    for tag in repeat.tags:
        if tag.end == tag.start:
            continue
        is_known = (tag.start, tag.end, tag.is_suggestion) in known
        kind = "pretags" if tag.is_suggestion else "tags"
        report.counts[f"{kind}_on_repeats_{'dropped' if is_known else 'merged'}"] += 1
        if not is_known:
            new.append(tag)
    return new
