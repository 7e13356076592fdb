"""The label schemes of the known models, each mapped to every other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ner_engine.registry.label_schemes import SCHEMES, LabelScheme, Translation, translations


@dataclass(frozen=True, slots=True)
class SchemeTable:
    """A label scheme as a table: a row a label, with its translation into each of ``others``."""

    scheme: LabelScheme
    others: Sequence[LabelScheme]
    rows: Sequence[Sequence[Translation]]


def scheme_tables() -> list[SchemeTable]:
    """Return a table for each label scheme."""
    return [_table_of(scheme) for scheme in SCHEMES.values()]


def _table_of(scheme: LabelScheme) -> SchemeTable:
    others = [other for other in SCHEMES.values() if other != scheme]
    columns = [translations(scheme, other) for other in others]
    return SchemeTable(scheme, others, list(zip(*columns, strict=True)))
