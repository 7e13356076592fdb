"""Ontology identifiers of entities, kept on a span as SourceData keeps them.

SourceData XML joins what belongs to one entity with "///" in attributes that run side by side:
``ext_ids``, ``ext_names``, ``ext_tax_ids``, ``ext_tax_names``, ``ext_urls``, and here also
``ext_dbs``. They are stored as they came, so that an export gives them back as they were. What
curators choose is written in the same attributes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from annotator.lookup.databases import (
    DATABASES,
    SPECIES,
    TAXONOMY,
    Database,
    database_at,
    database_named,
    databases_for,
    guess_database,
)

JOINT: Final = "///"
_IDS, _NAMES, _TAXA, _SPECIES, _DATABASES, _URLS = (
    "ext_ids",
    "ext_names",
    "ext_tax_ids",
    "ext_tax_names",
    "ext_dbs",
    "ext_urls",
)
#: The attributes of a span that hold its identifiers.
ATTRIBUTES: Final = (_IDS, _NAMES, _TAXA, _SPECIES, _DATABASES, _URLS)
#: Figures of a paper name the same entries over and over, so an import asks the same often.
_N_REMEMBERED: Final = 8192
#: Between two addresses, of which the first may end in a slash and each may be missing.
_BETWEEN_URLS: Final = re.compile(r"///(?=\s*https?:|(?:///)+(?!/)|$)")


@dataclass(frozen=True, slots=True)
class Identifier:
    """One entry of an ontology or database: ``Identifier("12028", "Bax", "10090", "NCBI gene", "Mus
    musculus")``."""

    id: str
    name: str = ""
    taxon: str = ""
    database: str = ""
    species: str = ""

    @property
    def entry(self) -> tuple[str, str]:
        """The entry's id and database, which identify it."""
        return self.id, self.database

    @property
    def taxa(self) -> set[str]:
        """The species that the entry belongs to, or is."""
        taxa = set()
        for taxon in (self.taxon, self.id if self.database == TAXONOMY else ""):
            if taxon:
                taxa.add(taxon)
        return taxa


def identifiers_of(attributes: Mapping[str, Any]) -> list[Identifier]:
    """Return the identifiers in a span's attributes, in order, without entries that lack an id."""
    if not attributes.get(_IDS):
        return []
    return list(_identifiers_in(*[str(attributes.get(name) or "") for name in ATTRIBUTES]))


@lru_cache(maxsize=_N_REMEMBERED)
def _identifiers_in(*columns: str) -> tuple[Identifier, ...]:
    """Return the identifiers in the values of ``ATTRIBUTES``."""
    attributes = dict(zip(ATTRIBUTES, columns, strict=True))
    ids = [id.strip() for id in str(attributes.get(_IDS) or "").split(JOINT)]
    databases = _databases(attributes, ids)
    names = _filled(_column(attributes, _NAMES), len(ids))
    taxa, species = _column(attributes, _TAXA), _column(attributes, _SPECIES)
    if len(taxa) != len(ids):
        taxa, species = _with_gaps(taxa, species, ids, databases)
    rows = zip(ids, names, taxa, databases, _filled(species, len(ids)), strict=True)
    return tuple(Identifier(*row) for row in rows if row[0])


def _column(attributes: Mapping[str, Any], name: str) -> list[str]:
    return [part.strip() for part in str(attributes.get(name) or "").split(JOINT)]


def _filled(column: Sequence[str], length: int) -> list[str]:
    return [*column, *[""] * length][:length]


def _databases(attributes: Mapping[str, Any], ids: Sequence[str]) -> list[str]:
    """Return the names of the databases: as written, else from the addresses."""
    if attributes.get(_DATABASES):
        return _filled(_column(attributes, _DATABASES), len(ids))
    if not attributes.get(_URLS):
        return [""] * len(ids)
    found = []
    for id, url in zip(ids, _urls(attributes, len(ids)), strict=True):
        found.append(database_at(url, id))
    return [database.name if database else "" for database in found]


def _urls(attributes: Mapping[str, Any], length: int) -> list[str]:
    return _filled(_BETWEEN_URLS.split(str(attributes.get(_URLS) or "")), length)


def _with_gaps(
    taxa: Sequence[str], species: Sequence[str], ids: Sequence[str], databases: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Align taxa and species with their ids.

    A few files leave them out, with their "///", for entries that have none.
    """
    left = list(zip(taxa, _filled(species, len(taxa)), strict=True))
    rows = []
    for id, name in zip(ids, databases, strict=True):
        database = database_named(name)
        takes = bool(left) and (left[0][0] == id or database is None or database.has_species)
        rows.append(left.pop(0) if takes else ("", ""))
    return [taxon for taxon, _ in rows], [named for _, named in rows]


def with_identifiers(
    attributes: Mapping[str, Any], identifiers: Iterable[Identifier]
) -> dict[str, Any]:
    """Return the attributes with these identifiers instead of their own; all others are kept.

    An identifier that stays keeps the form in which its source wrote it, with its address.
    """
    wanted, had = list(identifiers), identifiers_of(attributes)
    if wanted == had:
        return dict(attributes)
    ids = [id.strip() for id in str(attributes.get(_IDS) or "").split(JOINT)]
    addresses = {}
    for id, url in zip(ids, _urls(attributes, len(ids)), strict=True):
        if url:
            addresses[id] = url
    kept = {each.entry: addresses.get(each.id, "") for each in had}
    rows = []
    for each in wanted:
        rows.append(
            (
                each.id,
                each.name,
                each.taxon,
                each.species,
                each.database,
                kept.get(each.entry) or _source(each),
            )
        )
    columns = [JOINT.join(column) for column in zip(*rows, strict=True)]
    others = {}
    for name, value in attributes.items():
        if name not in ATTRIBUTES:
            others[name] = value
    return others | {
        name: column
        for name, column in zip(ATTRIBUTES, columns, strict=False)
        if column.replace(JOINT, "")
    }


def _source(identifier: Identifier) -> str:
    database = database_named(identifier.database)
    if database:
        return database.source
    return ""


@lru_cache(maxsize=_N_REMEMBERED)
def check_identifier(identifier: Identifier, label: str = "") -> str:
    """Return what is wrong with an identifier of an entity with that label, as a sentence.

    "" if nothing is. The id must have the form of its database, and the database must be one for
    the label. A database that this site does not know is taken at its word, and so is a label for
    which it knows none.
    """
    if identifier.taxon and not re.fullmatch(r"[1-9][0-9]{0,8}", identifier.taxon):
        return (
            f"“{identifier.taxon}” is not an NCBI taxon. Taxa are numbers, such as 9606 for Homo"
            " sapiens."
        )
    fitting = databases_for(label)
    if not identifier.database and fitting:
        if any(database.holds(identifier.id) for database in fitting):
            return ""
        return f"“{identifier.id}” does not identify such an entity. {_forms(fitting)}"
    database = database_named(identifier.database)
    return "" if database is None else _check_entry(identifier.id, database, fitting)


def _check_entry(id: str, database: Database, fitting: Sequence[Database]) -> str:
    """Return what is wrong with an id of a known database; "" if nothing is."""
    if not database.holds(id):
        others = [other.name for other in DATABASES if other.holds(id)]
        hint = f" It has the form of {_listed(others, 'and')}." if others else ""
        return f"“{id}” is not an id of {database.name}, such as {database.example}.{hint}"
    if fitting and database not in fitting:
        return f"“{id}” of {database.name} does not identify such an entity. {_forms(fitting)}"
    return ""


def _forms(databases: Sequence[Database]) -> str:
    """Return which forms fit, as a sentence."""
    forms = [f"{database.name} (such as {database.example})" for database in databases]
    return f"Its label takes an id of {_listed(forms, 'or')}."


def _listed(words: Sequence[str], conjunction: str) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {conjunction} {words[-1]}"


def completed(identifier: Identifier, label: str) -> Identifier:
    """Return the identifier as it is stored: with the names of its database and its species.

    If no database is named, the form of the id decides.
    """
    if identifier.database:
        database = database_named(identifier.database)
    else:
        database = guess_database(identifier.id, label)
    species = identifier.species or SPECIES.get(identifier.taxon, "")
    return Identifier(
        identifier.id,
        identifier.name,
        identifier.taxon,
        database.name if database else identifier.database,
        species,
    )


def database_of(identifier: Identifier, label: str) -> Database | None:
    """Return the database of an identifier: the one it names, else the one that its id's form and
    the label suggest."""
    if identifier.database:
        return database_named(identifier.database)
    return guess_database(identifier.id, label)


def address_of(identifier: Identifier, label: str) -> str:
    """Return the address where the identifier is looked up; "" if it is unknown."""
    database = database_of(identifier, label)
    if database:
        return database.address(identifier.id)
    return ""
