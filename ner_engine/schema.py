"""The engine's data: documents, panels and spans.

All offsets are Unicode code points into ``Document.text``, half open ``[start, end)``. The text of
a document never changes after it was read. The classes are frozen: to edit one, make a new object
with ``dataclasses.replace``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ner_engine.errors import OffsetError

#: Entity labels of sd-nlp, in the order of the review screen's keys 1-8. Only version 2 has
#: DISEASE.
ENTITY_LABELS: Final = (
    "SMALL_MOLECULE",
    "GENEPROD",
    "SUBCELLULAR",
    "CELL",
    "TISSUE",
    "ORGANISM",
    "EXP_ASSAY",
    "DISEASE",
)
#: The seven labels of the public data set, which has no DISEASE.
PUBLIC_ENTITY_LABELS: Final = ENTITY_LABELS[:7]

CONTROLLED_VAR: Final = "CONTROLLED_VAR"
MEASURED_VAR: Final = "MEASURED_VAR"
BORING: Final = "BORING"
ROLES: Final = (CONTROLLED_VAR, MEASURED_VAR, BORING)
#: Labels whose spans may be CONTROLLED_VAR or MEASURED_VAR. Any entity may be BORING.
ROLE_BEARING_LABELS: Final = ("GENEPROD", "SMALL_MOLECULE")


@dataclass(frozen=True, slots=True)
class Span:
    """An entity in a text: ``text[start:end] == surface``.

    ``label`` is "" for a span without an sd-nlp label (time, physical, undefined ...). ``role`` is
    one of ``ROLES`` or "". ``score`` is the model's confidence (0-1), or None for a decision of a
    person. ``id`` identifies the span within its document, "" if the source has none.
    ``attributes`` holds the other facts of the source unchanged, for instance ``ext_ids``,
    ``ext_names``, ``ext_tax_ids`` and ``ext_dbs`` of SourceData.
    """

    start: int
    end: int
    label: str
    surface: str
    role: str = ""
    score: float | None = None
    id: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def moved(self, by: int) -> Span:
        """Return the span shifted by ``by`` code points; a negative number shifts it back."""
        return Span(
            self.start + by,
            self.end + by,
            self.label,
            self.surface,
            self.role,
            self.score,
            self.id,
            self.attributes,
        )

    def check(self, text: str) -> None:
        """Raise ``OffsetError`` if the span does not fit ``text``.

        A span fits if it lies in the text, the text there equals its surface, and neither end is
        white space.
        """
        check_offsets(self.start, self.end, text)
        if text[self.start : self.end] != self.surface:
            raise OffsetError(f"the text at {self.start}-{self.end} is not the span's surface")


@dataclass(frozen=True, slots=True)
class Segment:
    """A panel: ``text[start:end]`` is its legend.

    ``id`` is the source's panel id, and ``marker`` the printed letter ("A"). Panels with the same
    text are kept once; ``aliases`` has the ids of the later ones. ``image`` is the address of the
    panel's picture. ``attributes`` holds the other facts.
    """

    start: int
    end: int
    id: str = ""
    marker: str = ""
    aliases: tuple[str, ...] = ()
    image: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """A figure legend with its panels and entities.

    ``id`` is unique within its source (SourceData: the figure id). ``doi`` identifies the paper,
    "" if unknown. ``gold`` has the decisions of people, ``suggestions`` the predictions of models.
    If ``is_rejected``, another tool rejected the labels of the text. The document then has no
    gold, which does not mean that the text has no entities.
    """

    id: str
    text: str
    doi: str = ""
    title: str = ""
    label: str = ""
    image: str = ""
    segments: tuple[Segment, ...] = ()
    gold: tuple[Span, ...] = ()
    suggestions: tuple[Span, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    is_rejected: bool = False

    @property
    def group(self) -> str:
        """The key that keeps documents of a paper in one split.

        It is the DOI, or else the file of the paper (``attributes["paper"]``), or else the id.
        """
        paper = str(self.attributes.get("paper") or "")
        return self.doi or paper or self.id or text_hash(self.text)

    def check(self) -> None:
        """Raise ``OffsetError`` if a span or panel does not fit the text."""
        for span in (*self.gold, *self.suggestions):
            span.check(self.text)
        for segment in self.segments:
            if not 0 <= segment.start <= segment.end <= len(self.text):
                raise OffsetError(
                    f"the panel {segment.start}-{segment.end} lies outside the text of"
                    f" {len(self.text)} characters"
                )


def texts_of(documents: Iterable[Document]) -> list[str]:
    """Return the text of each document."""
    return [document.text for document in documents]


def check_offsets(start: int, end: int, text: str) -> None:
    """Raise ``OffsetError`` unless ``start`` and ``end`` mark a trimmed, non-empty part of a text.

    Booleans and floats are refused too.
    """
    if type(start) is not int or type(end) is not int:
        raise OffsetError("start and end of a span must be whole numbers")
    if not 0 <= start < end <= len(text):
        raise OffsetError(
            f"the span {start}-{end} lies outside the text of {len(text)} characters or is empty"
        )
    if text[start].isspace() or text[end - 1].isspace():
        raise OffsetError(f"the span {start}-{end} begins or ends in white space")


def text_hash(text: str) -> str:
    """Return the SHA-256 of the text's UTF-8 bytes in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
