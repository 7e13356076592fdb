"""JATS XML, the format of PubMed Central and publishers: figure captions, without entities.

Each ``fig`` with a ``caption`` is one document, even if only its label has text. The text is
label, title and paragraphs as the page shows them, joined by one space, with white space collapsed
as in the public data sets. Files attached to a caption, and paragraphs with only a DOI, are not
part of the legend.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.entities import html5
from pathlib import PurePosixPath
from typing import IO, Final

from lxml import etree

from ner_engine.errors import FormatError
from ner_engine.formats.report import Report
from ner_engine.formats.sourcedata_xml import parse_xml
from ner_engine.schema import Document
from ner_engine.text import collapse_white_space

_XLINK_HREF: Final = "{http://www.w3.org/1999/xlink}href"
#: Elements whose text is not part of a legend: attached files, identifiers, and alternative forms
#: of a formula or picture.
_LEFT_OUT: Final = frozenset(
    {
        "supplementary-material",
        "media",
        "object-id",
        "tex-math",
        "alt-text",
        "long-desc",
        "permissions",
        "graphic",
        "fn",
    }
)
_BLOCKS: Final = frozenset(
    {
        "p",
        "title",
        "subtitle",
        "list",
        "list-item",
        "disp-formula",
        "disp-quote",
        "sec",
        "def-item",
        "break",
    }
)
_ONLY_A_DOI: Final = re.compile(
    r"(?:doi:?\s*)?(?:https?://(?:dx\.)?doi\.org/)?10\.\d{4,9}/\S+", re.IGNORECASE
)


def read(stream: IO[bytes], *, name: str, report: Report) -> Iterator[Document]:
    """Yield the figures of one article that have a caption.

    The id of a document is ``DOI#figure id``, or ``file name#figure id`` without a DOI. A file
    that is not a JATS article is refused and named in ``report``.

    Counts: files, figures, figures_without_caption, documents, refused.
    """
    report.counts["files"] += 1
    try:
        root = parse_xml(stream, name, allow_doctype=True)
        article = root if _local(root) == "article" else next(root.iter("{*}article"), None)
        if article is None:
            raise FormatError("this is not a JATS article (it has no <article>)", where=name)
    except FormatError as error:
        report.counts["refused"] += 1
        report.problem(error.where, error.message)
        return
    doi = _doi(article)
    paper = doi or PurePosixPath(name).name
    for position, figure in enumerate(article.iter("{*}fig"), start=1):
        report.counts["figures"] += 1
        figure_id = figure.get("id") or str(position)
        try:
            document = _figure(figure, f"{paper}#{figure_id}", doi, paper)
        except FormatError as error:
            report.counts["refused"] += 1
            report.problem(f"{name}, figure {figure_id}", error.message)
            continue
        if document is None:
            report.counts["figures_without_caption"] += 1
            continue
        report.counts["documents"] += 1
        yield document


def _figure(figure: etree._Element, document_id: str, doi: str, paper: str) -> Document | None:
    """Return the document of a figure, None if its caption is missing or empty."""
    caption = figure.find("{*}caption")
    if caption is None:
        return None
    title = _legend(caption.find("{*}title"))
    label = _legend(figure.find("{*}label"))
    text = " ".join(part for part in (label, title, *_paragraphs(caption)) if part)
    if not text:
        return None
    return Document(
        id=document_id,
        text=text,
        doi=doi,
        title=title,
        label=label,
        image=_image(figure),
        attributes={} if doi else {"paper": paper},
    )


def _paragraphs(caption: etree._Element) -> Iterator[str]:
    """Yield the texts of a caption after its title, without those that are only a DOI."""
    for child in caption:
        if not isinstance(child.tag, str) or _local(child) == "title":
            continue
        text = _legend(child)
        if text and not _ONLY_A_DOI.fullmatch(text):
            yield text


def _image(figure: etree._Element) -> str:
    graphic = next(figure.iter("{*}graphic"), None)
    return "" if graphic is None else str(graphic.get(_XLINK_HREF) or "")


def _doi(article: etree._Element) -> str:
    """Return the article's own DOI, not one of its sub-articles or references."""
    for element in article.iterfind("{*}front//{*}article-meta/{*}article-id"):
        if element.get("pub-id-type") == "doi":
            return (element.text or "").strip()
    return ""


def _legend(element: etree._Element | None) -> str:
    """Return the text of ``element`` as the page shows it, with white space collapsed."""
    if element is None or _local(element) in _LEFT_OUT:
        return ""
    pieces: list[str] = []
    _walk(element, pieces)
    return collapse_white_space("".join(pieces)).strip(" ")


def _walk(element: etree._Element, pieces: list[str]) -> None:
    pieces.append(element.text or "")
    for child in element:
        if isinstance(child, etree._Entity):
            pieces.append(_character(child))
        elif isinstance(child.tag, str) and _local(child) not in _LEFT_OUT:
            gap = " " if _local(child) in _BLOCKS else ""
            pieces.append(gap)
            _walk(child, pieces)
            pieces.append(gap)
        pieces.append(child.tail or "")


def _character(entity: etree._Entity) -> str:
    """Return the character of a named entity, such as ``&alpha;``.

    The JATS DTD uses the names of HTML; the DTD itself is never fetched.
    """
    try:
        return html5[f"{entity.name};"]
    except KeyError as error:
        raise FormatError(
            f"the entity &{str(entity.name)[:40]}; is unknown; write the character itself"
        ) from error


def _local(element: etree._Element) -> str:
    return etree.QName(element).localname
