"""The archive of curated SourceData papers, read once: its counts and the ids of its curators."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from annotator.lookup.identifiers import Identifier, check_identifier, identifiers_of
from ner_engine.formats import read_inputs
from ner_engine.formats.report import Report

pytestmark = [pytest.mark.slow, pytest.mark.archive]

COUNTED = {
    "files": 1_878,
    "figures": 12_337,
    "figures_without_panels": 107,
    "panels": 55_581,
    "panels_without_text": 142,
    "panels_repeated": 339,
    "tags": 396_175,
    "tags_without_text": 4,
    "tags_with_white_space_at_an_end": 9,
    "pretags": 88_308,
    "panels_qualifying": 40_781,
    "gold:GENEPROD": 160_219,
    "gold:EXP_ASSAY": 69_580,
    "gold:SMALL_MOLECULE": 42_602,
    "gold:CELL": 34_028,
    "gold:ORGANISM": 25_956,
    "gold:SUBCELLULAR": 23_878,
    "gold:TISSUE": 21_563,
    "gold:DISEASE": 3_391,
    "gold:none": 14_958,
}


@dataclass
class Archive:
    """What was found in all papers."""

    report: Report = field(default_factory=Report)
    n_gold: int = 0
    n_suggestions: int = 0
    identifiers: Counter[Identifier] = field(default_factory=Counter)


@pytest.fixture(scope="module")
def archive(sourcedata_zip: Path) -> Archive:
    """Read every paper; each document is valid."""
    found = Archive()
    for document in read_inputs([sourcedata_zip], "sourcedata-xml", found.report):
        document.check()
        found.n_gold += len(document.gold)
        found.n_suggestions += len(document.suggestions)
        for span in document.gold:
            found.identifiers.update(identifiers_of(span.attributes))
    return found


def test_the_archive_holds_what_was_counted_independently(archive: Archive) -> None:
    counts = archive.report.counts
    assert archive.report.problems == []
    assert {key: counts[key] for key in COUNTED} == COUNTED
    assert counts["documents"] + counts["figures_without_text"] == 12_337
    assert (
        archive.n_gold
        == counts["tags"] - counts["tags_without_text"] - counts["tags_on_repeats_dropped"]
    )
    assert sum(value for key, value in counts.items() if key.startswith("gold:")) == 396_175
    assert (
        archive.n_suggestions
        == counts["pretags"] - counts["pretags_without_text"] - counts["pretags_on_repeats_dropped"]
    )


def test_every_id_of_curators_has_the_form_of_its_database(archive: Archive) -> None:
    databases: Counter[str] = Counter()
    for each, number in archive.identifiers.items():
        assert check_identifier(each) == ""
        databases[each.database] += number
    assert databases.total() > 337_000
    # Where so many addresses stand side by side that SourceData cut them off, numbers do not say
    # what they are.
    assert databases[""] == 25
    assert databases["UniProt"] > 81_000
    assert databases["NCBI gene"] > 60_000
