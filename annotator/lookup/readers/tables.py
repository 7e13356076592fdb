"""Tables with a head line: this site's own columns, gene_info of NCBI, and UniProt's TSV."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from annotator.common.errors import UserError
from annotator.lookup.databases import Database
from annotator.lookup.entries import BadLine, Entry

Row = Mapping[str, str]

_NONE: Final = ("", "-", "−")
_YES: Final = ("1", "true", "yes", "obsolete")
_NO: Final = ("", "0", "false", "no")
_NAME_OF_PROTEIN: Final = re.compile(r"^(.*?)(?: \((.*)\))?$", re.DOTALL)
_DIVIDED: Final = re.compile(r"\) \(|; ")


@dataclass(frozen=True, slots=True)
class Table:
    """A form of table: the columns it must have, and how a row becomes an entry."""

    name: str
    needs: frozenset[str]
    entry: Callable[[Row], Entry]


def _own_entry(row: Row) -> Entry:
    obsolete = row.get("obsolete", "").strip().lower()
    if obsolete not in (*_YES, *_NO):
        raise ValueError(f"“{obsolete[:40]}” in column obsolete is neither yes nor no")
    return Entry(
        id=row["id"],
        name=row["name"],
        synonyms=_split(row.get("synonyms", "")),
        taxon=_taxon(row.get("taxon", "")),
        is_obsolete=obsolete in _YES,
        replaced_by=row.get("replaced_by", ""),
        xrefs=_split(row.get("xrefs", "")),
    )


def _gene_info_entry(row: Row) -> Entry:
    others = (row.get("Full_name_from_nomenclature_authority", ""), row.get("description", ""))
    designations = _split(row.get("Other_designations", ""))
    names = [*_split(row.get("Synonyms", "")), row.get("LocusTag", ""), *others, *designations]
    return Entry(
        id=row["GeneID"],
        name=row["Symbol"],
        synonyms=tuple(name for name in names if name not in _NONE),
        taxon=_taxon(row["#tax_id"]),
        xrefs=_split(row.get("dbXrefs", "")),
    )


def _uniprot_entry(row: Row) -> Entry:
    genes = tuple(re.split(r"[ ;]+", row.get("Gene Names", "").strip()))
    proteins = _proteins(row.get("Protein names", ""))
    name = next((gene for gene in genes if gene), "") or next(iter(proteins), "")
    return Entry(
        id=row["Entry"],
        name=name,
        synonyms=tuple(each for each in (*genes[1:], *proteins) if each),
        taxon=_taxon(row.get("Organism (ID)", "")),
    )


def _proteins(written: str) -> tuple[str, ...]:
    """Return the names in “Full name (Short) (EC 1.2.3.4) [Cleaved into: …]”."""
    whole = written.partition(" [")[0].strip()
    found = _NAME_OF_PROTEIN.match(whole)
    if found is None or not whole:
        return ()
    others = _DIVIDED.split(found[2]) if found[2] else []
    return tuple(name for name in (found[1], *others) if not name.startswith("EC "))


#: The first whose columns a head line has.
TABLES: Final = (
    Table("gene_info", frozenset({"#tax_id", "GeneID", "Symbol"}), _gene_info_entry),
    Table("UniProt", frozenset({"Entry", "Protein names"}), _uniprot_entry),
    Table("this site's own", frozenset({"id", "name"}), _own_entry),
)


def read(lines: Iterator[tuple[int, str]], database: Database) -> Iterator[Entry | BadLine]:
    """Yield the entries of a table, and the lines that were refused.

    Raises ``UserError`` if the head line has the columns of no known table.
    """
    columns = [name.strip() for name in next(lines)[1].split("\t")]
    table = next((each for each in TABLES if each.needs <= set(columns)), None)
    if table is None:
        raise UserError(
            f"Line 1: the columns are {', '.join(columns)[:200]}. A table needs the columns id and"
            " name at least, and may have synonyms, taxon, obsolete, replaced_by and xrefs."
        )
    for number, line in lines:
        if line.strip() and not line.startswith("!"):
            yield _read_line(number, line, columns, table, database)


def _read_line(
    number: int, line: str, columns: Sequence[str], table: Table, database: Database
) -> Entry | BadLine:
    cells = line.split("\t")
    if len(cells) != len(columns):
        return BadLine(number, f"it has {len(cells)} columns where the head has {len(columns)}.")
    try:
        entry = table.entry(dict(zip(columns, map(str.strip, cells), strict=True)))
    except ValueError as error:
        return BadLine(number, f"{error}.")
    return checked(number, entry, database)


def checked(number: int, entry: Entry, database: Database) -> Entry | BadLine:
    """Return the entry, or why it is refused."""
    if not database.holds(entry.id):
        return BadLine(
            number,
            f"“{entry.id[:60]}” is not an id of {database.name}, such as {database.example}.",
        )
    if not entry.name:
        return BadLine(number, f"{entry.id} has no name.")
    return entry


def _split(cell: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in cell.split("|") if part.strip() not in _NONE)


def _taxon(cell: str) -> int:
    if cell in _NONE:
        return 0
    if not re.fullmatch(r"[1-9][0-9]{0,8}", cell):
        raise ValueError(f"“{cell[:40]}” is not a number of the NCBI taxonomy")
    return int(cell)
