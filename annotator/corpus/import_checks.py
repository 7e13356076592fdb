"""Checks of documents before they are imported: sizes, characters, offsets, labels and roles."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from annotator.lookup.identifiers import check_identifier, identifiers_of
from ner_engine import schema
from ner_engine.errors import OffsetError
from ner_engine.schema import ROLES

_NUL_IN_JSON: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


@dataclass
class OtherForms:
    """Counts identifiers without the form of a database for their label; none is changed."""

    n: int = 0
    first: str = ""

    def take(self, documents: Iterable[schema.Document]) -> None:
        for document in documents:
            for span in (*document.gold, *document.suggestions):
                for identifier in identifiers_of(span.attributes):
                    if wrong := check_identifier(identifier, span.label):
                        self.n += 1
                        self.first = self.first or f"{document.doi} {document.label}: {wrong}"

    def notes(self) -> list[str]:
        """Return a sentence for the report; none if every identifier has a fitting form."""
        if not self.n:
            return []
        which = "1 identifier has" if self.n == 1 else f"{self.n:,} identifiers have"
        return [
            f"{which} the form of no database for the label. They were imported as they are; the"
            f" project’s page of identifiers lists them. The first: {self.first}"
        ]


def why_refused(document: schema.Document, labels: Collection[str] | None) -> str:
    """Return why the document cannot be imported, or "".

    ``labels`` are the codes that its spans may have; None if its spans are not imported.
    """
    if not document.text.strip():
        return "the text is empty"
    if not is_storable(document.text) or not is_storable(_facts_of(document)):
        return (
            "it contains a NUL, a lone surrogate or an invalid number; fix its encoding and import"
            " it again"
        )
    if too_long := _too_long_field(document):
        return f"{too_long}; shorten it"
    try:
        document.check()
    except OffsetError as error:
        return f"{error}; correct its offsets"
    if labels is None:
        return ""
    return _why_spans_are_refused(document, labels)


def is_storable(text: str) -> bool:
    """Return whether every database can store the text: no NUL, no lone surrogate."""
    if "\0" in text:
        return False
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _why_spans_are_refused(document: schema.Document, labels: Collection[str]) -> str:
    spans = (*document.gold, *document.suggestions)
    if unknown := sorted({span.label for span in spans} - {*labels, ""}):
        return (
            f'the project has no label "{unknown[0][:50]}"; add it to the label set, or rename'
            " it in the file"
        )
    if unknown := sorted({span.role for span in spans} - {"", *ROLES}):
        return f'"{unknown[0][:50]}" is not a role; roles are {", ".join(ROLES)}'
    keys = [span.id for span in document.gold if span.id]
    if len(keys) != len(set(keys)):
        return "two of its entities have the same id; ids must be unique within a document"
    return ""


def _too_long_field(document: schema.Document) -> str:
    """Return a phrase on the first field that is too long, or ""."""
    limits = [
        ("id", document.id, 200),
        ("DOI", document.doi, 200),
        ("label", document.label, 200),
        ("image's address", document.image, 1000),
    ]
    for segment in document.segments:
        limits += [
            ("panel's letter", segment.marker, 40),
            ("panel's id", segment.id, 200),
            ("panel's image", segment.image, 1000),
        ]
    for name, value, limit in limits:
        if len(value) > limit:
            return f"its {name} is longer than {limit} characters"
    return ""


def _facts_of(document: schema.Document) -> str:
    """Return all values to be stored beside the text as JSON, or "\\0" if that is impossible."""
    spans = (*document.gold, *document.suggestions)
    facts: list[object] = [
        document.id,
        document.doi,
        document.title,
        document.label,
        document.image,
        document.attributes,
    ]
    facts += [(span.label, span.role, span.id, span.score, span.attributes) for span in spans]
    facts += [
        (segment.id, segment.marker, segment.image, segment.aliases)
        for segment in document.segments
    ]
    try:
        dumped = json.dumps(facts, ensure_ascii=False, allow_nan=False, default=_as_dict)
    except (TypeError, ValueError, RecursionError):
        return "\0"
    if _NUL_IN_JSON.search(dumped):
        return "\0"
    return dumped


def _as_dict(value: object) -> dict[Any, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError
