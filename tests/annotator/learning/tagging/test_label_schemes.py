"""Label schemes as tables, each mapped to every other."""

from __future__ import annotations

from annotator.learning.tagging.label_schemes import scheme_tables
from ner_engine.registry.label_schemes import SCHEMES


def test_each_scheme_has_a_table() -> None:
    assert [table.scheme.name for table in scheme_tables()] == [
        scheme.name for scheme in SCHEMES.values()
    ]


def test_a_table_has_a_row_for_each_label() -> None:
    for table in scheme_tables():
        assert len(table.rows) == len(table.scheme.labels)


def test_a_table_has_a_column_for_each_other_scheme() -> None:
    for table in scheme_tables():
        assert table.scheme not in table.others
        assert {len(row) for row in table.rows} == {len(SCHEMES) - 1}
