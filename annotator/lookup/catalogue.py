"""The current dictionaries: search in them, and what they say of identifiers.

find("bax", label="GENEPROD", taxa={10090})
"""

from __future__ import annotations

import sqlite3
import threading
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from annotator.lookup.databases import DATABASES, SPECIES, database_named, databases_for
from annotator.lookup.identifiers import Identifier
from annotator.lookup.models import Dictionary
from annotator.lookup.search import Match, Stage, exact_matches, search
from annotator.lookup.store import open_file

FOUND_AT_MOST: Final = 20
#: How a stage is named on screens.
STAGE_WORDS: Final = {
    Stage.IDENTIFIER: "id",
    Stage.EXACT: "exact",
    Stage.BEGINNING: "begins so",
    Stage.TYPO: "similar",
    Stage.CONTAINED: "part of it",
    Stage.INSIDE: "contains it",
}
_KEYS_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Found:
    """An entry that a search has found.

    ``name`` is the one that matches, if it is not the entry's own. ``replaced_by`` is the id of
    the entry that stands for an obsolete one.
    """

    identifier: Identifier
    stage: Stage
    name: str = ""
    is_obsolete: bool = False
    replaced_by: str = ""

    @property
    def how(self) -> str:
        return STAGE_WORDS[self.stage]


class Standing(StrEnum):
    """What the current dictionaries say of an identifier."""

    KNOWN = "known"
    OBSOLETE = "obsolete"
    UNKNOWN = "unknown"
    #: No dictionary of its database is loaded.
    UNCHECKED = "unchecked"


class _Connections(threading.local):
    """The files that this thread has open, by name."""

    def __init__(self) -> None:
        self.by_file: dict[str, sqlite3.Connection] = {}


_open: Final = _Connections()


def connections_of(dictionaries: Sequence[Dictionary]) -> list[sqlite3.Connection]:
    """Return an open connection to each; close those to files that were replaced.

    Raises ``FileNotFoundError`` if a file has gone since the row was read.
    """
    files = {each.file for each in dictionaries}
    gone = set(_open.by_file) - files
    if gone:
        current = set(Dictionary.objects.current().values_list("file", flat=True))
        for file in gone - current:
            _open.by_file.pop(file).close()
    for each in dictionaries:
        if each.file not in _open.by_file:
            _open.by_file[each.file] = open_file(each.path)
    return [_open.by_file[each.file] for each in dictionaries]


def current_dictionaries(label: str = "") -> list[Dictionary]:
    """Return the current dictionaries whose file is there, those for the label if there are any.

    They come in the order in which the databases fit the label. A label for which no database is
    known takes all.
    """
    databases = databases_for(label) or list(DATABASES)
    keys = [database.key for database in databases]
    rows = Dictionary.objects.current().filter(database__in=keys).defer("problems")
    there = [row for row in rows if row.path.is_file()]
    return sorted(there, key=lambda row: (keys.index(row.database), row.name))


def find(
    typed: str, *, label: str = "", taxa: Collection[str] = (), limit: int = FOUND_AT_MOST
) -> list[Found]:
    """Return the entries that fit what was typed, the best first, those of the species before."""
    dictionaries = current_dictionaries(label)
    connections = connections_of(dictionaries)
    numbers = {int(taxon) for taxon in taxa if taxon.isdecimal()}
    matches = search(connections, typed, taxa=numbers, limit=limit)
    return _found(matches, dictionaries)


def find_exact(
    typed: str, *, label: str = "", taxa: Collection[str] = (), limit: int = 5
) -> list[Found]:
    """Return the entries with exactly that name, in any spelling, those of the species first."""
    dictionaries = current_dictionaries(label)
    connections = connections_of(dictionaries)
    numbers = {int(taxon) for taxon in taxa if taxon.isdecimal()}
    matches = exact_matches(connections, typed, taxa=numbers, limit=limit)
    return _found([match for match in matches if not match.is_obsolete], dictionaries)


def _found(matches: Sequence[Match], dictionaries: Sequence[Dictionary]) -> list[Found]:
    taxa = {match.taxon for match in matches if match.taxon}
    names = species_names(taxa)
    return [_one_found(match, dictionaries[match.dictionary], names) for match in matches]


def _one_found(match: Match, dictionary: Dictionary, names: Mapping[int, str]) -> Found:
    is_named_otherwise = match.found != match.name and match.stage != Stage.IDENTIFIER
    identifier = Identifier(
        id=match.id,
        name=match.name,
        taxon=str(match.taxon) if match.taxon else "",
        database=dictionary.of.name,
        species=names.get(match.taxon, ""),
    )
    found = match.found if is_named_otherwise else ""
    return Found(identifier, match.stage, found, match.is_obsolete, match.replaced_by)


def species_names(taxa: Iterable[int]) -> dict[int, str]:
    """Return the names of species: the usual ones, else those of an imported taxonomy."""
    known = {taxon: SPECIES[str(taxon)] for taxon in taxa if str(taxon) in SPECIES}
    missing = [str(taxon) for taxon in taxa if taxon not in known]
    if missing:
        entries = entries_of("ncbi-taxonomy", missing)
        known |= {int(id): name for id, (name, _) in entries.items()}
    return known


def entries_of(database: str, ids: Sequence[str]) -> dict[str, tuple[str, bool]]:
    """Return name and obsoleteness of those of the ids that a dictionary of the database has."""
    rows = Dictionary.objects.current().filter(database=database)
    there = [row for row in rows if row.path.is_file()]
    found: dict[str, tuple[str, bool]] = {}
    for connection in connections_of(there):
        for at in range(0, len(ids), _KEYS_AT_ONCE):
            some = ids[at : at + _KEYS_AT_ONCE]
            places = ", ".join("?" * len(some))
            query = f"SELECT identifier, name, obsolete FROM entry WHERE identifier IN ({places})"  # noqa: S608
            for id, name, obsolete in connection.execute(query, some):
                found[id] = name, bool(obsolete)
    return found


def standings(identifiers: Iterable[Identifier]) -> dict[Identifier, Standing]:
    """Return what the dictionaries say of each identifier."""
    by_database: defaultdict[str, list[Identifier]] = defaultdict(list)
    for each in set(identifiers):
        by_database[each.database].append(each)
    loaded = set(Dictionary.objects.current().values_list("database", flat=True))
    answer: dict[Identifier, Standing] = {}
    for name, some in by_database.items():
        database = database_named(name)
        if database is None or database.key not in loaded:
            answer |= dict.fromkeys(some, Standing.UNCHECKED)
            continue
        entries = entries_of(database.key, [each.id for each in some])
        covered = _species_in(database.key) if database.has_species else frozenset()
        for each in some:
            is_covered = not database.has_species or each.taxon in covered
            answer[each] = _standing(entries.get(each.id), is_covered=is_covered)
    return answer


def _species_in(database: str) -> frozenset[str]:
    """Return the species of which the dictionaries of a database have entries."""
    rows = Dictionary.objects.current().filter(database=database)
    there = [row for row in rows if row.path.is_file()]
    taxa: set[str] = set()
    for connection in connections_of(there):
        taxa |= {str(taxon) for (taxon,) in connection.execute("SELECT taxon FROM species")}
    return frozenset(taxa)


def _standing(entry: tuple[str, bool] | None, *, is_covered: bool) -> Standing:
    """Return what an entry says; an id of a species that nobody imported cannot be checked."""
    if entry is None:
        return Standing.UNKNOWN if is_covered else Standing.UNCHECKED
    return Standing.OBSOLETE if entry[1] else Standing.KNOWN
