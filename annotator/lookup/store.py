"""A dictionary as a file: built once, then only read, by any number of processes.

The file is an SQLite database, whichever database the site has: a version is replaced by a rename,
nobody's edits wait while millions of rows are written, and the site's own backup stays small. See
docs/decisions/0021-dictionaries.md.

Table ``entry`` holds the entries, ``species`` their species once each, and ``name`` their names,
folded. ``head`` and ``tail`` hold the two halves of a name as numbers: a name with one typing error
has one half intact. ``grams`` is a full-text index of three letters each, for what stands inside a
name.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from annotator.common.bulk import batches
from annotator.common.files import workbench
from annotator.lookup.entries import Entry
from annotator.lookup.folding import foldings

#: Names of these lengths are found in spite of a typing error.
HALVED: Final = range(4, 41)
#: Names beyond this length are cut; a description is no name.
MAX_NAME: Final = 200
MAX_NAMES: Final = 200
_BATCH: Final = 10_000
_TABLES: Final = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -65536;
CREATE TABLE entry (
    id INTEGER PRIMARY KEY, identifier TEXT NOT NULL, name TEXT NOT NULL, taxon INTEGER NOT NULL,
    obsolete INTEGER NOT NULL, replaced_by TEXT NOT NULL, xrefs TEXT NOT NULL);
CREATE TABLE name (
    id INTEGER PRIMARY KEY, entry INTEGER NOT NULL, taxon INTEGER NOT NULL, rank INTEGER NOT NULL,
    folded TEXT NOT NULL, text TEXT NOT NULL, head INTEGER, tail INTEGER);
"""
_INDEXES: Final = """
CREATE UNIQUE INDEX entry_identifier ON entry (identifier);
CREATE INDEX name_folded ON name (folded, taxon, rank, entry);
CREATE INDEX name_head ON name (head) WHERE head IS NOT NULL;
CREATE INDEX name_tail ON name (tail) WHERE tail IS NOT NULL;
CREATE TABLE species (taxon INTEGER PRIMARY KEY);
INSERT INTO species SELECT DISTINCT taxon FROM entry;
CREATE VIRTUAL TABLE grams USING fts5 (folded, content='', detail=none, tokenize='trigram');
INSERT INTO grams (grams, rank) VALUES ('hashsize', 67108864);
INSERT INTO grams (rowid, folded) SELECT id, folded FROM name;
INSERT INTO grams (grams) VALUES ('optimize');
"""


@dataclass(slots=True)
class Counts:
    """What a file holds. ``n_repeated`` counts entries whose id stood in the source before."""

    n_entries: int = 0
    n_names: int = 0
    n_obsolete: int = 0
    n_repeated: int = 0


def half(length: int, part: str, text: str) -> int:
    """Return one half of a name of that length as a number of 63 bits."""
    digest = blake2b(f"{length}{part}{text}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def halves(folded: str) -> tuple[int | None, int | None]:
    """Return both halves of a name; None if it is too short or too long for them."""
    length = len(folded)
    if length not in HALVED:
        return None, None
    middle = length // 2
    return half(length, "h", folded[:middle]), half(length, "t", folded[middle:])


@dataclass
class Builder:
    """Writes one file. Memory holds a batch of entries and their number, not their names."""

    connection: sqlite3.Connection
    counts: Counts = field(default_factory=Counts)

    def take(self, entries: Iterable[Entry]) -> Iterator[Counts]:
        """Write the entries; yield the counts after each batch."""
        for batch in batches(entries, _BATCH):
            self._write(batch)
            yield self.counts

    def _write(self, batch: Sequence[Entry]) -> None:
        rows: list[tuple[Any, ...]] = []
        names: list[tuple[Any, ...]] = []
        for entry in batch:
            self.counts.n_entries += 1
            self.counts.n_obsolete += entry.is_obsolete
            pk = self.counts.n_entries
            rows.append(_entry_row(pk, entry))
            names += _name_rows(pk, entry)
        self.counts.n_names += len(names)
        self.connection.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        self.connection.executemany("INSERT INTO name VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)", names)

    def finish(self) -> None:
        """Merge repeated ids and build the indexes."""
        self.counts.n_repeated = self._merge_repeated()
        self.connection.executescript(_INDEXES)
        self.connection.execute("ANALYZE")
        self.connection.commit()

    def _merge_repeated(self) -> int:
        """Give the names of entries with one id to the first of them; return how many went."""
        self.connection.execute(
            "CREATE TEMP TABLE repeated AS SELECT id, first FROM (SELECT id, MIN(id) OVER"
            " (PARTITION BY identifier) AS first FROM entry) WHERE id > first"
        )
        self.connection.execute("CREATE UNIQUE INDEX temp.repeated_id ON repeated (id)")
        n_repeated: int = self.connection.execute("SELECT COUNT(*) FROM repeated").fetchone()[0]
        if n_repeated:
            self.connection.execute(
                "UPDATE name SET rank = MAX(rank, 1), entry = (SELECT first FROM repeated WHERE"
                " repeated.id = entry) WHERE entry IN (SELECT id FROM repeated)"
            )
            self.connection.execute("DELETE FROM entry WHERE id IN (SELECT id FROM repeated)")
            self.counts.n_entries -= n_repeated
        return n_repeated


def _entry_row(pk: int, entry: Entry) -> tuple[Any, ...]:
    xrefs = "|".join(entry.xrefs)
    name = entry.name[:MAX_NAME]
    return pk, entry.id, name, entry.taxon, entry.is_obsolete, entry.replaced_by, xrefs


def _name_rows(pk: int, entry: Entry) -> Iterator[tuple[Any, ...]]:
    """Yield the entry's names once each; ``rank`` 0 is the name, 1 a synonym, 2 is obsolete."""
    seen = set()
    for number, text in enumerate((entry.name, *entry.synonyms[:MAX_NAMES])):
        shown = text[:MAX_NAME]
        for folded in foldings(shown):
            if folded not in seen:
                seen.add(folded)
                rank = 2 if entry.is_obsolete else min(number, 1)
                yield pk, entry.taxon, rank, folded, shown, *halves(folded)


def build(target: Path, entries: Iterable[Entry]) -> Iterator[Counts]:
    """Write a dictionary's file; yield the counts after each batch, and at the end once more.

    The file appears at ``target`` when it is complete, or not at all.
    """
    with workbench(target) as folder:
        unfinished = folder / target.name
        connection = sqlite3.connect(unfinished)
        try:
            connection.executescript(_TABLES)
            builder = Builder(connection)
            yield from builder.take(entries)
            builder.finish()
        finally:
            connection.close()
        unfinished.rename(target)
        yield builder.counts


def open_file(path: Path) -> sqlite3.Connection:
    """Open a complete dictionary for reading; it never changes, so nothing is locked.

    Raises ``FileNotFoundError`` if it is gone.
    """
    if not path.is_file():
        raise FileNotFoundError(path)
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
    )
    connection.execute("PRAGMA mmap_size = 4294967296")
    return connection
