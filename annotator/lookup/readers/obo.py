"""OBO files: terms of an ontology, and Cellosaurus, read line by line.

Only the tags that a dictionary needs are read: id, name, synonym, xref, is_obsolete, replaced_by.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from annotator.lookup.databases import Database
from annotator.lookup.entries import BadLine, Entry
from annotator.lookup.readers.tables import checked

_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPE: Final = re.compile(r"\\(.)")
_TAXON: Final = re.compile(r"NCBI_?Tax(?:ID|on|onomy)?:([1-9][0-9]{0,8})\b", re.IGNORECASE)
_XREFS_KEPT: Final = 5
_ESCAPED: Final = {"n": "\n", "W": " ", "t": "\t"}


@dataclass(slots=True)
class _Term:
    """The lines of one stanza so far."""

    line: int
    id: str = ""
    name: str = ""
    synonyms: list[str] = field(default_factory=list)
    taxon: int = 0
    is_obsolete: bool = False
    replaced_by: str = ""
    xrefs: list[str] = field(default_factory=list)
    problem: BadLine | None = None

    def take(self, number: int, tag: str, value: str) -> None:
        if tag == "id":
            self.id = _bare(value)
        elif tag == "name":
            self.name = _unescaped(value)
        elif tag == "synonym":
            self._take_synonym(number, value)
        elif tag == "xref":
            self._take_xref(_bare(value))
        elif tag == "is_obsolete":
            self.is_obsolete = _bare(value) == "true"
        elif tag == "replaced_by":
            self.replaced_by = _bare(value)
        elif tag in ("relationship", "property_value") and (found := _TAXON.search(value)):
            self.taxon = self.taxon or int(found[1])

    def _take_synonym(self, number: int, value: str) -> None:
        quoted = _QUOTED.match(value)
        if quoted is None:
            self.problem = BadLine(number, "the synonym has no quotation marks around it.")
        else:
            self.synonyms.append(_unescaped(quoted[1]))

    def _take_xref(self, value: str) -> None:
        species = _TAXON.match(value)
        if species:
            self.taxon = self.taxon or int(species[1])
        elif len(self.xrefs) < _XREFS_KEPT:
            self.xrefs.append(value)


def read(lines: Iterator[tuple[int, str]], database: Database) -> Iterator[Entry | BadLine]:
    """Yield the terms of the database, and the lines that were refused.

    Terms that an ontology has taken over from others are skipped.
    """
    term: _Term | None = None
    for number, line in lines:
        if line.startswith("["):
            if term is not None:
                yield from _ended(term, database)
            term = _Term(number) if line.strip() == "[Term]" else None
        elif term is not None and line.strip() and not line.startswith("!"):
            tag, colon, value = line.partition(":")
            if colon:
                term.take(number, tag.strip(), value.strip())
            else:
                term.problem = BadLine(number, "it is no “tag: value”.")
    if term is not None:
        yield from _ended(term, database)


def _ended(term: _Term, database: Database) -> Iterator[Entry | BadLine]:
    if term.problem is not None:
        yield term.problem
        return
    if not term.id:
        yield BadLine(term.line, "the term has no id.")
        return
    id = database.accession(term.id)
    if not id:
        return
    entry = Entry(
        id=id,
        name=term.name,
        synonyms=tuple(term.synonyms),
        taxon=term.taxon,
        is_obsolete=term.is_obsolete,
        replaced_by=database.accession(term.replaced_by) if term.replaced_by else "",
        xrefs=tuple(term.xrefs),
    )
    yield checked(term.line, entry, database)


def _bare(value: str) -> str:
    """Return a value without its trailing comment and qualifiers."""
    return value.partition(" !")[0].partition(" {")[0].strip()


def _unescaped(value: str) -> str:
    return _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), value).strip()
