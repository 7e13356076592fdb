"""Search in the files of dictionaries: exact, then beginnings, then typing errors, then inside.

Each stage asks an index for a bounded number of rows, so that the time does not grow with the
dictionary; the last one, which has no such bound, has a limit of time.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, NamedTuple

from annotator.lookup.databases import SPECIES
from annotator.lookup.folding import foldings, is_one_edit_away
from annotator.lookup.store import HALVED, half

#: Rows that a stage reads at most from one dictionary.
_ROWS: Final = 300
#: With so many entries found, no further stage is tried.
_ENOUGH: Final = 5
#: A name this short begins too many others.
_SHORTEST_BEGINNING: Final = 2
_SHORTEST_INSIDE: Final = 3
#: A name inside what was typed has at least so many characters: Atg5 in Atg5fl.
_SHORTEST_CONTAINED: Final = 3
#: Seconds for the search inside names, in all dictionaries together.
_INSIDE_SECONDS: Final = 0.015
_LONGEST_QUERY: Final = 200
#: The species that curators name most, in the order in which they come where no other is known.
_USUAL: Final = {int(taxon): number for number, taxon in enumerate(SPECIES)}


class Stage(IntEnum):
    """How a name matches what was typed; the better comes first."""

    IDENTIFIER = 0
    EXACT = 1
    BEGINNING = 2
    TYPO = 3
    CONTAINED = 4
    INSIDE = 5


class Place(NamedTuple):
    """A dictionary in a search: its number there, and its file."""

    number: int
    connection: sqlite3.Connection


class Hit(NamedTuple):
    """A name of one dictionary (by its place in the search) that matches."""

    stage: Stage
    dictionary: int
    entry: int
    taxon: int
    rank: int
    folded: str
    name_id: int

    def order(self, taxa: Collection[int], length: int) -> tuple[Any, ...]:
        """Return the key by which hits are sorted: the species of the paper first in a stage."""
        is_foreign = bool(taxa) and self.taxon not in taxa
        usual = _USUAL.get(self.taxon, len(_USUAL))
        difference = abs(len(self.folded) - length)
        return self.stage, is_foreign, usual, self.rank, difference, self.dictionary, self.folded


@dataclass(frozen=True, slots=True)
class Match:
    """An entry that matches, with the name by which it was found."""

    stage: Stage
    dictionary: int
    id: str
    name: str
    found: str
    taxon: int
    is_obsolete: bool
    replaced_by: str


def search(
    connections: Sequence[sqlite3.Connection],
    typed: str,
    *,
    taxa: Collection[int] = (),
    limit: int = 20,
) -> list[Match]:
    """Return the best matches in the dictionaries, each entry once.

    A stage is only tried while the earlier ones have not found enough. ``taxa`` are the species
    that come first.
    """
    typed = typed[:_LONGEST_QUERY].strip()
    forms = foldings(typed)
    if not typed or not forms:
        return []
    places = _places_of(connections)
    found: dict[tuple[int, int], Hit] = {}
    for hits_of_stage in _stages(places, typed, forms, taxa):
        hits = sorted(hits_of_stage, key=lambda hit: hit.order(taxa, len(forms[0])))
        for hit in hits:
            found.setdefault((hit.dictionary, hit.entry), hit)
        if len(found) >= min(limit, _ENOUGH):
            break
    return _matches(places, list(found.values())[:limit])


def exact_matches(
    connections: Sequence[sqlite3.Connection],
    typed: str,
    *,
    taxa: Collection[int] = (),
    limit: int = 5,
) -> list[Match]:
    """Return the entries with exactly that name, in any spelling, those of the species first."""
    forms = foldings(typed[:_LONGEST_QUERY])
    places = _places_of(connections)
    hits: dict[tuple[int, int], Hit] = {}
    for hit in sorted(
        _exact(places, forms, taxa), key=lambda each: each.order(taxa, len(forms[0]))
    ):
        hits.setdefault((hit.dictionary, hit.entry), hit)
    return _matches(places, list(hits.values())[:limit])


def _places_of(connections: Sequence[sqlite3.Connection]) -> list[Place]:
    return [Place(number, connection) for number, connection in enumerate(connections)]


def _stages(
    places: Sequence[Place],
    typed: str,
    forms: Sequence[str],
    taxa: Collection[int],
) -> Iterator[list[Hit]]:
    """Yield the hits of each stage; after an exact match nobody looks for similar names."""
    by_identifier = list(_by_identifier(places, typed))
    yield by_identifier
    exact = list(_exact(places, forms, taxa))
    yield exact
    yield list(_beginnings(places, forms, taxa))
    if by_identifier or exact:
        return
    yield list(_typos(places, forms))
    yield list(_contained(places, typed, forms))
    yield list(_inside(places, forms[0]))


_COLUMNS: Final = "entry, taxon, rank, folded, id"


def _hits(
    place: Place,
    stage: Stage,
    condition: str,
    values: Sequence[Any],
    limit: int = _ROWS,
) -> Iterator[Hit]:
    query = f"SELECT {_COLUMNS} FROM name WHERE {condition} LIMIT {limit}"  # noqa: S608 - no value
    for entry, taxon, rank, folded, name_id in place.connection.execute(query, values):
        yield Hit(stage, place.number, entry, taxon, rank, folded, name_id)


def _marks(values: Sequence[Any]) -> str:
    return f"({', '.join('?' * len(values))})"


def _by_identifier(places: Sequence[Place], typed: str) -> Iterator[Hit]:
    """Yield the entries whose id was typed, also without its prefix or in small letters."""
    ids = list(dict.fromkeys((typed, typed.upper())))
    query = f"SELECT id, taxon FROM entry WHERE identifier IN {_marks(ids)}"  # noqa: S608
    for place in places:
        for entry, taxon in place.connection.execute(query, ids):
            yield Hit(Stage.IDENTIFIER, place.number, entry, taxon, 0, typed, 0)


def _exact(places: Sequence[Place], forms: Sequence[str], taxa: Collection[int]) -> Iterator[Hit]:
    condition = f"folded IN {_marks(forms)}"
    for place in places:
        yield from _species_first(place, Stage.EXACT, condition, forms, taxa)


def _species_first(
    place: Place,
    stage: Stage,
    condition: str,
    values: Sequence[Any],
    taxa: Collection[int],
) -> Iterator[Hit]:
    """Yield the rows of these species, or of the usual ones, then the first of all."""
    own = list(taxa or _USUAL)
    narrow = f"{condition} AND taxon IN {_marks(own)}"
    yield from _hits(place, stage, narrow, [*values, *own])
    yield from _hits(place, stage, condition, values)


def _beginnings(
    places: Sequence[Place], forms: Sequence[str], taxa: Collection[int]
) -> Iterator[Hit]:
    """Yield names that begin with what was typed, in the order of the index.

    Where very many do, only the first of them are compared, those of the species and of all.
    """
    condition = "folded >= ? AND folded < ?"
    for form in forms:
        if len(form) < _SHORTEST_BEGINNING:
            continue
        values = [form, f"{form}\U0010ffff"]
        for place in places:
            yield from _species_first(place, Stage.BEGINNING, condition, values, taxa)


def _typos(places: Sequence[Place], forms: Sequence[str]) -> Iterator[Hit]:
    """Yield names with one character more, less, replaced or swapped."""
    for form in forms:
        heads, tails = _halves_within_one(form)
        swapped = [
            form[:at] + form[at + 1] + form[at] + form[at + 2 :] for at in range(len(form) - 1)
        ]
        for place in places:
            near: list[Hit] = []
            for condition, values in (
                (f"head IN {_marks(heads)}", heads),
                (f"tail IN {_marks(tails)}", tails),
                (f"folded IN {_marks(swapped)}", swapped),
            ):
                if values:
                    near += _hits(place, Stage.TYPO, condition, values)
            yield from (hit for hit in near if is_one_edit_away(hit.folded, form))


def _halves_within_one(form: str) -> tuple[list[int], list[int]]:
    """Return the halves of all names that differ from this one in the other half alone."""
    heads, tails = [], []
    for length in (len(form) - 1, len(form), len(form) + 1):
        if length in HALVED:
            middle = length // 2
            heads.append(half(length, "h", form[:middle]))
            tails.append(half(length, "t", form[len(form) - (length - middle) :]))
    return heads, tails


def _contained(places: Sequence[Place], typed: str, forms: Sequence[str]) -> Iterator[Hit]:
    """Yield names with which what was typed begins or ends, or that are words of it.

    So Atg5 is found for Atg5fl and for siAtg5, and p38 for “p38 kinase assay”.
    """
    parts = list(dict.fromkeys(_parts(typed, forms)))[:200]
    if not parts:
        return
    longest = len(forms[0])
    for place in places:
        found = list(_hits(place, Stage.CONTAINED, f"folded IN {_marks(parts)}", parts))
        # The longest part says most of what was typed.
        best = max((len(hit.folded) for hit in found), default=longest)
        yield from (hit for hit in found if len(hit.folded) >= best - 1)


def _parts(typed: str, forms: Iterable[str]) -> Iterator[str]:
    for form in forms:
        for length in range(len(form) - 1, _SHORTEST_CONTAINED - 1, -1):
            yield form[:length]
            yield form[-length:]
    for word in typed.split():
        yield from (form for form in foldings(word) if len(form) >= _SHORTEST_CONTAINED)


def _inside(places: Sequence[Place], form: str) -> Iterator[Hit]:
    """Yield names with the typed string inside, as many as are found in the time."""
    if len(form) < _SHORTEST_INSIDE:
        return
    grams = dict.fromkeys(form[at : at + 3] for at in range(len(form) - 2))
    asked = " AND ".join(f'"{gram}"' for gram in grams)
    condition = "id IN (SELECT rowid FROM grams WHERE grams MATCH ?) AND instr(folded, ?) > 1"
    end = time.monotonic() + _INSIDE_SECONDS
    for place in places:
        place.connection.set_progress_handler(lambda: time.monotonic() > end, 2000)
        try:
            hits = _hits(place, Stage.INSIDE, condition, [asked, form], 200)
            yield from _until_interrupted(hits)
        finally:
            place.connection.set_progress_handler(None, 0)


def _until_interrupted(hits: Iterator[Hit]) -> Iterator[Hit]:
    """Yield hits until the time is over: an incomplete answer is one here."""
    try:
        yield from hits
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise


def _matches(places: Sequence[Place], hits: Sequence[Hit]) -> list[Match]:
    matches = []
    for hit in hits:
        connection = places[hit.dictionary].connection
        row = connection.execute(
            "SELECT identifier, name, taxon, obsolete, replaced_by FROM entry WHERE id = ?",
            [hit.entry],
        ).fetchone()
        text = connection.execute("SELECT text FROM name WHERE id = ?", [hit.name_id]).fetchone()
        found = text[0] if text else row[0]
        id, name, taxon, obsolete, replaced_by = row
        stage = hit.stage
        dictionary = hit.dictionary
        matches.append(
            Match(stage, dictionary, id, name, found, taxon, bool(obsolete), replaced_by)
        )
    return matches
