"""The rows of a snapshot for training, and leaks between training and held-out papers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from annotator.accounts.actors import SYSTEM
from annotator.corpus.models import Document
from annotator.datasets.models import Snapshot
from annotator.datasets.snapshots.contents import rows_of
from annotator.datasets.snapshots.services import add_snapshot, build_snapshot
from annotator.learning.models import ModelVersion, RunState
from ner_engine.split import split_of
from tests.annotator.datasets.conftest import long_legend
from tests.annotator.learning.conftest import plant
from tests.annotator.learning.training.conftest import assert_failed_without_a_trace, done, started

pytestmark = pytest.mark.django_db

ImportLegends = Callable[..., list[Document]]
CandidateOf = Callable[..., ModelVersion]


def test_a_paper_in_both_splits_stops_the_run_and_is_named(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    row = next(rows_of(learned.folder, "test"))
    plant(
        learned,
        side="train",
        row={**row, "id": "planted", "text": "Another panel of the same paper."},
    )
    assert_failed_without_a_trace(
        done(started(learned)), f"The model was trained on the paper {row['doi']}"
    )


def test_the_same_text_under_another_doi_names_both_papers(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    row = next(rows_of(learned.folder, "test"))
    lineage = {**row["attributes"]["lineage"], "paper": "10.9999/copy"}
    plant(
        learned,
        side="train",
        row={**row, "id": "planted", "doi": "10.9999/copy", "attributes": {"lineage": lineage}},
    )
    assert_failed_without_a_trace(
        done(started(learned)), row["doi"], "10.9999/copy", "has the same text as a panel of"
    )


def test_a_near_duplicate_stops_the_run_and_names_both_papers(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    row = next(rows_of(learned.folder, "test"))
    lineage = {**row["attributes"]["lineage"], "paper": "10.9999/copy"}
    text = row["text"].replace("as before", "as above")
    plant(
        learned,
        side="train",
        row={
            **row,
            "id": "planted",
            "doi": "10.9999/copy",
            "text": text,
            "attributes": {"lineage": lineage},
        },
    )
    assert_failed_without_a_trace(
        done(started(learned)), row["doi"], "Panel planted of the paper 10.9999/copy"
    )


def test_a_near_duplicate_in_an_ancestors_data_stops_the_run(
    learned: Snapshot, tiny: ModelVersion, candidate_of: CandidateOf, import_legends: ImportLegends
) -> None:
    ancestor = candidate_of(learned)
    row = next(rows_of(learned.folder, "train"))
    held_out = next(doi for doi in (f"10.3000/{n}" for n in range(100)) if split_of(doi) == "test")
    import_legends(
        [long_legend(int(row["id"].removeprefix("p")), doi=held_out, protein="LC3B")], labels="gold"
    )
    newer = build_snapshot(snapshot=add_snapshot(project=learned.project, actor=SYSTEM))
    run = done(started(newer, base=ancestor))
    assert run.state == RunState.FAILED
    for said in (
        held_out,
        row["doi"],
        "is nearly the same",
        "train on it from a model that did not learn from this paper",
    ):
        assert said in run.error


def test_a_leak_through_an_ancestor_is_avoided_by_another_base(
    learned: Snapshot, tiny: ModelVersion, candidate_of: CandidateOf, import_legends: ImportLegends
) -> None:
    ancestor = candidate_of(learned)
    row = next(rows_of(learned.folder, "train"))
    held_out = next(doi for doi in (f"10.3000/{n}" for n in range(100)) if split_of(doi) == "test")
    import_legends([long_legend(int(row["id"].removeprefix("p")), doi=held_out)], labels="gold")
    newer = build_snapshot(snapshot=add_snapshot(project=learned.project, actor=SYSTEM))
    run = done(started(newer, base=ancestor))
    assert run.state == RunState.FAILED
    assert held_out in run.error
    assert row["doi"] in run.error
    assert "train on it from a model that did not learn from this paper" in run.error
