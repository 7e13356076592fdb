"""Entries of a database, as the readers of files hand them out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: its id and name, its synonyms, and its species as a number of the NCBI taxonomy.

    ``replaced_by`` is the id of the entry that stands for an obsolete one. ``xrefs`` are ids of
    the same thing in other databases, as the file writes them.
    """

    id: str
    name: str
    synonyms: tuple[str, ...] = ()
    taxon: int = 0
    is_obsolete: bool = False
    replaced_by: str = ""
    xrefs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that was refused, and why."""

    number: int
    message: str

    def __str__(self) -> str:
        return f"Line {self.number:,}: {self.message}"
