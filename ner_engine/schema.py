"""What the engine talks about: documents, panels and spans.

All offsets are Unicode code points into ``Document.text``, half open ``[start, end)``. A document's
text is never changed after it was read. The classes are frozen: an edit makes a new object
(``dataclasses.replace``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ner_engine.errors import OffsetError

#: Entity labels of sd-nlp, in the order of the review screen's keys 1-8. DISEASE exists in version
#: 2 only.
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
#: The seven labels of the public data set, which never holds DISEASE.
PUBLIC_ENTITY_LABELS: Final = ENTITY_LABELS[:7]

CONTROLLED_VAR: Final = "CONTROLLED_VAR"
MEASURED_VAR: Final = "MEASURED_VAR"
BORING: Final = "BORING"
ROLES: Final = (CONTROLLED_VAR, MEASURED_VAR, BORING)
#: Labels whose spans may be CONTROLLED_VAR or MEASURED_VAR; BORING may stand on any entity.
ROLE_BEARING_LABELS: Final = ("GENEPROD", "SMALL_MOLECULE")


@dataclass(frozen=True, slots=True)
class Span:
    """An entity in a text: ``text[start:end] == surface``.

    ``label`` is "" for a span that is kept but belongs to no sd-nlp label (time, physical,
    undefined ...). ``role`` is one of ``ROLES`` or "". ``score`` is the model's confidence in 0-1,
    None where people decided. ``id`` names the span within its document ("" where the source gave
    none). ``attributes`` holds what else the source said, as it said it, for instance ``ext_ids``,
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
        """The same span ``by`` code points further on (back where negative), for a text that begins
        elsewhere."""
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
        """Raise ``OffsetError`` unless the span lies in ``text``, equals its surface and has no
        white space at an end."""
        check_offsets(self.start, self.end, text)
        if text[self.start : self.end] != self.surface:
            raise OffsetError(f"the span {self.start}-{self.end} does not hold its stored surface")


@dataclass(frozen=True, slots=True)
class Segment:
    """A panel: ``text[start:end]`` is its legend.

    ``id`` is the source's panel id, ``marker`` the letter as shown ("A"), ``aliases`` the ids of
    later panels with the same text, which are kept once; ``image`` the address of the panel's
    picture. ``attributes`` holds the rest.
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
    """A figure legend with its panels and what is known of its entities.

    ``id`` is unique within its source (SourceData: figure id). ``doi`` names the paper and groups
    documents for splits ("" where unknown; then ``attributes["paper"]`` does, and without it the
    document is its own group). ``gold`` was decided by people, ``suggestions`` by machines.
    ``is_rejected`` says that another tool rejected its labels, so it has none; its lack of gold
    says nothing of the text.
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
        """The key by which documents are kept on one side of a split: the DOI, else the paper's
        file (``attributes["paper"]``), else the id."""
        return (
            self.doi or str(self.attributes.get("paper") or "") or self.id or text_hash(self.text)
        )

    def check(self) -> None:
        """Raise ``OffsetError`` unless every span and panel fits the text."""
        for span in (*self.gold, *self.suggestions):
            span.check(self.text)
        for segment in self.segments:
            if not 0 <= segment.start <= segment.end <= len(self.text):
                raise OffsetError(
                    f"the panel {segment.start}-{segment.end} lies outside the text of"
                    f" {len(self.text)} characters"
                )


def check_offsets(start: int, end: int, text: str) -> None:
    """Raise ``OffsetError`` unless ``start`` and ``end`` are whole numbers that mark a trimmed,
    non-empty piece of ``text``."""
    if type(start) is not int or type(end) is not int:
        raise OffsetError("start and end of a span must be whole numbers")
    if not 0 <= start < end <= len(text):
        raise OffsetError(
            f"the span {start}-{end} lies outside the text of {len(text)} characters or is empty"
        )
    if text[start].isspace() or text[end - 1].isspace():
        raise OffsetError(f"the span {start}-{end} begins or ends in white space")


def text_hash(text: str) -> str:
    """SHA-256 of the text's UTF-8 bytes, in hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
