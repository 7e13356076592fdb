"""The dictionaries of the demo can be read, all of them, each by the database it is named after."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotator.demo_data import DICTIONARIES
from annotator.lookup.databases import database_with_key
from annotator.lookup.entries import Entry
from annotator.lookup.readers import read

FILES = sorted(DICTIONARIES.glob("*.tsv"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_dictionary_has_entries_and_no_bad_line(path: Path) -> None:
    database = database_with_key(path.stem)
    assert database
    entries = list(read(path, database))
    assert entries
    assert all(isinstance(entry, Entry) for entry in entries)


def test_the_demo_has_a_dictionary_for_each_kind_of_entity() -> None:
    assert len(FILES) == 9
