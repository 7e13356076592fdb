"""Search in the file of a dictionary."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotator.lookup.entries import Entry
from annotator.lookup.search import Stage, exact_matches, search
from annotator.lookup.store import build, open_file

ENTRIES = (
    Entry("581", "BAX", ("Bcl-2-like protein 4",), 9606),
    Entry("12028", "Bax", ("BCL2-associated X protein",), 10090),
    Entry("3553", "IL1B", ("interleukin 1 beta", "IL-1β"), 9606),
    Entry("9474", "ATG5", ("autophagy related 5",), 9606),
    Entry("10533", "ATG7", (), 9606),
    Entry("2932", "GSK3B", ("glycogen synthase kinase 3 beta",), 9606),
    Entry("1", "old Bax", (), 0, True, "581"),
)


@pytest.fixture
def dictionary(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    target = tmp_path / "dictionary.sqlite3"
    list(build(target, ENTRIES))
    connection = open_file(target)
    yield connection
    connection.close()


def ids(dictionary: sqlite3.Connection, typed: str, *taxa: int) -> list[str]:
    return [match.id for match in search([dictionary], typed, taxa=taxa)]


def first(dictionary: sqlite3.Connection, typed: str) -> tuple[str, Stage]:
    match = search([dictionary], typed)[0]
    return match.id, match.stage


@pytest.mark.parametrize(
    ("typed", "id", "stage"),
    [
        ("GSK3B", "2932", Stage.EXACT),
        ("gsk-3 B", "2932", Stage.EXACT),
        ("IL-1β", "3553", Stage.EXACT),
        ("il-1 beta", "3553", Stage.EXACT),
        ("3553", "3553", Stage.IDENTIFIER),
        ("glycogen synth", "2932", Stage.BEGINNING),
        ("GSK3", "2932", Stage.BEGINNING),
        ("autophagy realted 5", "9474", Stage.TYPO),
        ("GKS3B", "2932", Stage.TYPO),
        ("Atg5fl", "9474", Stage.CONTAINED),
        ("siATG7", "10533", Stage.CONTAINED),
        ("kinase 3", "2932", Stage.INSIDE),
    ],
)
def test_an_entry_is_found(
    typed: str, id: str, stage: Stage, dictionary: sqlite3.Connection
) -> None:
    assert first(dictionary, typed) == (id, stage)


def test_the_species_of_the_paper_come_first(dictionary: sqlite3.Connection) -> None:
    assert ids(dictionary, "bax", 10090)[:2] == ["12028", "581"]
    assert ids(dictionary, "bax", 9606)[:2] == ["581", "12028"]


def test_an_obsolete_entry_comes_last_and_says_so(dictionary: sqlite3.Connection) -> None:
    match = search([dictionary], "old bax")[0]
    assert (match.is_obsolete, match.replaced_by) == (True, "581")


def test_the_name_that_matched_is_said(dictionary: sqlite3.Connection) -> None:
    match = search([dictionary], "interleukin 1 beta")[0]
    assert (match.name, match.found) == ("IL1B", "interleukin 1 beta")


@pytest.mark.parametrize("typed", ["", "  ", "–", "%", "zzzzzz qqqq", '"', "a" * 1000, "\0"])
def test_nothing_is_found_for_nonsense(typed: str, dictionary: sqlite3.Connection) -> None:
    assert ids(dictionary, typed) == []


def test_exact_matches_are_exact(dictionary: sqlite3.Connection) -> None:
    assert [each.id for each in exact_matches([dictionary], "Bax", taxa={10090})] == [
        "12028",
        "581",
    ]
    assert exact_matches([dictionary], "Ba") == []


def test_earlier_dictionaries_come_first(dictionary: sqlite3.Connection, tmp_path: Path) -> None:
    list(build(tmp_path / "other.sqlite3", [Entry("Q07812", "BAX", (), 9606)]))
    other = open_file(tmp_path / "other.sqlite3")
    matches = search([other, dictionary], "BAX", taxa={9606})
    assert [each.id for each in matches[:2]] == ["Q07812", "581"]
    other.close()


def test_a_repeated_id_is_one_entry_with_all_names(tmp_path: Path) -> None:
    target = tmp_path / "d.sqlite3"
    *_, counts = build(target, [Entry("1", "one"), Entry("2", "two"), Entry("1", "uno")])
    assert (counts.n_entries, counts.n_repeated) == (2, 1)
    connection = open_file(target)
    assert ids(connection, "uno") == ["1"]
    connection.close()


def test_a_file_appears_complete_or_not_at_all(tmp_path: Path) -> None:
    def broken() -> Iterator[Entry]:
        yield Entry("1", "one")
        raise ValueError("broken off")

    with pytest.raises(ValueError, match="broken off"):
        list(build(tmp_path / "files" / "d.sqlite3", broken()))
    assert list((tmp_path / "files").iterdir()) == []
