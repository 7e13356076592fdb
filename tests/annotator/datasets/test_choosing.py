"""What goes into a snapshot: by filter, by split file, past the guard; what is left out, and where
each row comes from."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.models import Document, Project
from annotator.datasets.models import Snapshot, SnapshotRow, SnapshotState
from annotator.datasets.snapshots import candidates
from annotator.datasets.snapshots import panels as panels_module
from annotator.datasets.snapshots.contents import row_at, rows_of
from annotator.datasets.snapshots.filters import SnapshotFilter
from annotator.datasets.snapshots.guard import Rules, change_snapshot_rules
from annotator.datasets.snapshots.services import (
    add_snapshot,
    add_split_file,
)
from ner_engine.split import SPLITS
from tests.annotator.datasets.conftest import (
    frozen,
    left_out,
    long_legend,
    panels,
    paper_on,
)

pytestmark = pytest.mark.django_db
ImportLegends = Callable[..., list[Document]]


# Filters


def test_a_snapshot_holds_the_legends_that_were_asked_for(
    project: Project, accepted: list[Document], curator: User, manager: User
) -> None:
    early, late = accepted[:10], accepted[10:20]
    for documents, day, who in ((early, 3, curator), (late, 4, manager)):
        when = datetime(2026, 5, day, 23, 59, tzinfo=UTC)
        Document.objects.filter(pk__in=[each.pk for each in documents]).update(
            accepted_at=when, accepted_by=who
        )
    may_3 = SnapshotFilter(accepted_from=date(2026, 5, 3), accepted_to=date(2026, 5, 3))
    assert set(panels(frozen(project, filters=may_3))) == {f"p{number}" for number in range(10)}
    by_manager = frozen(project, filters=SnapshotFilter(curators=(manager.pk,)))
    assert set(panels(by_manager)) == {f"p{number}" for number in range(10, 20)}
    assert SnapshotFilter.from_json(by_manager.filters).in_words() == ["accepted by manager"]
    with pytest.raises(
        UserError, match=r"No accepted legend matches the filter \(accepted from 2031-01-01\)"
    ):
        add_snapshot(
            project=project, actor=SYSTEM, filters=SnapshotFilter(accepted_from=date(2031, 1, 1))
        )


def test_every_form_holds_only_the_labels_of_the_filter(
    project: Project, accepted: list[Document]
) -> None:
    snapshot = frozen(project, filters=SnapshotFilter(labels=("CELL",)))
    assert {entity["label"] for row in panels(snapshot).values() for entity in row["spans"]} == {
        "CELL"
    }
    assert snapshot.report["labels"] == ["CELL"]
    for form in ("sd_panels", "sd_figs"):
        rows = [
            json.loads(line)
            for line in (
                (snapshot.folder / form / "train.jsonl").read_text(encoding="utf-8").splitlines()
            )
        ]
        assert {label for row in rows for label in row["label_ids"]["entity_types"]} == {
            "O",
            "B-CELL",
        }


def test_a_panel_with_other_decisions_goes_with_its_figure(
    project: Project, swept: list[Document], accepted: list[Document]
) -> None:
    snapshot = frozen(project, filters=SnapshotFilter(decisions=("imported", "explicit")))
    assert set(panels(snapshot)) == {f"p{number}" for number in range(30)}
    assert snapshot.report["left_out"] == {panels_module.OTHER_DECISION: 4}
    assert sum(snapshot.report["figures"].values()) == 30
    assert {row["panel"] for row in left_out(snapshot)} == {
        f"p{number}" for number in range(40, 44)
    }


@pytest.mark.parametrize(
    ("filters", "sentence"),
    [
        (
            SnapshotFilter(accepted_from=date(2026, 2, 1), accepted_to=date(2026, 1, 1)),
            "comes after the last",
        ),
        (SnapshotFilter(labels=("GENE",)), "The project has no label GENE; its labels are CELL"),
        (SnapshotFilter(decisions=("guessed",)), "no kind of decision called guessed"),
        (SnapshotFilter(curators=(987654,)), "no user with the number 987654"),
    ],
)
def test_what_can_hold_for_nothing_is_refused(
    filters: SnapshotFilter, sentence: str, project: Project, accepted: list[Document]
) -> None:
    with pytest.raises(UserError, match=sentence):
        add_snapshot(project=project, actor=SYSTEM, filters=filters)
    assert not Snapshot.objects.exists()


# Split files


def test_a_split_file_puts_papers_where_it_says(
    project: Project, accepted: list[Document], manager: User, reviewer: User
) -> None:
    lines = [
        f"10.1000/long.{number}\t{'test' if number < 5 else 'train'}\n".encode()
        for number in range(20)
    ]
    with pytest.raises(PermissionDenied):
        add_split_file(project=project, actor=reviewer, name="embo.tsv", lines=lines)
    split = add_split_file(project=project, actor=manager, name="embo.tsv", lines=lines)
    assert (
        add_split_file(project=project, actor=manager, name="again.tsv", lines=reversed(lines))
        == split
    )
    snapshot, by_rule = frozen(project, split_file=split), frozen(project)
    split_of = {row["id"]: side for side in SPLITS for row in rows_of(snapshot.folder, side)}
    fixed = {row["id"]: side for side in SPLITS for row in rows_of(by_rule.folder, side)}
    assert [split_of[f"p{number}"] for number in range(20)] == ["test"] * 5 + ["train"] * 15
    assert [split_of[f"p{number}"] for number in range(20, 30)] == [
        fixed[f"p{number}"] for number in range(20, 30)
    ]
    assert snapshot.split_rule != by_rule.split_rule


# Near-duplicates


def test_the_held_out_split_keeps_a_near_duplicate(
    project: Project, accepted: list[Document], import_legends: ImportLegends
) -> None:
    legend = long_legend(80)
    reworded = replace(legend.segments[0], id="reworded")
    nearly = replace(
        legend,
        id="nearly",
        doi=paper_on("train", 5),
        text=legend.text.replace("as before", "as shown"),
        segments=(replace(reworded, end=len(legend.text) - 1),),
    )
    import_legends([replace(legend, doi=paper_on("test", 5)), nearly], labels="gold")
    snapshot = frozen(project)
    assert "p80" in panels(snapshot)
    assert snapshot.report["left_out"] == {candidates.NEARLY_THE_SAME: 1}
    (gone,) = left_out(snapshot)
    assert gone["panel"] == "reworded"
    assert gone["side"] == "train"
    assert gone["like"]["panel"] == "p80"
    assert gone["like"]["side"] == "test"
    assert 0.5 < gone["similarity"] < 1
    figures = [
        json.loads(line)["figure_id"]
        for line in (
            (snapshot.folder / "sd_figs/train.jsonl").read_text(encoding="utf-8").splitlines()
        )
    ]
    assert "nearly" not in figures and len(figures) == snapshot.counts["train"]["panels"]
    change_snapshot_rules(
        project=project, actor=SYSTEM, **{**Rules.of(project).as_json(), "near_duplicate": 1.0}
    )
    assert "reworded" in panels(frozen(project))


# The guard


def test_bulk_accepted_entities_above_the_limit_are_refused(
    project: Project, swept: list[Document], manager: User
) -> None:
    snapshot = frozen(project)
    assert snapshot.counts["train"]["swept"] == {"CELL": 3, "GENEPROD": 4}
    rules = {"swept_cap": 0.5, "over_cap": "refuse", "swept_weight": 0.25, "near_duplicate": 0.5}
    change_snapshot_rules(project=project, actor=manager, **rules)
    with pytest.raises(UserError, match=r"88 % of the entities are bulk-accepted.*allows 50 %"):
        frozen(project)
    refused = Snapshot.objects.first()
    assert refused is not None and refused.state == SnapshotState.FAILED and "88 %" in refused.error
    assert not refused.folder.exists()
    change_snapshot_rules(project=project, actor=manager, **{**rules, "over_cap": "leave_out"})
    thinned = frozen(project)
    assert set(panels(thinned)) == {"p43"}
    assert thinned.report["left_out"] == {candidates.TOO_MANY_UNREVIEWED: 3}
    assert panels(thinned)["p43"]["attributes"]["lineage"]["weight"] == 0.625


def test_only_managers_change_the_rules_and_only_to_shares(
    project: Project, reviewer: User, manager: User
) -> None:
    rules = Rules.of(project).as_json()
    with pytest.raises(PermissionDenied):
        change_snapshot_rules(project=project, actor=reviewer, **rules)
    for wrong in (
        {"swept_cap": 1.2},
        {"swept_weight": -0.1},
        {"near_duplicate": 0.0},
        {"swept_cap": float("nan")},
        {"over_cap": "shrug"},
    ):
        with pytest.raises(UserError):
            change_snapshot_rules(project=project, actor=manager, **{**rules, **wrong})
    assert Rules.of(project).as_json() == rules


# Where rows come from


def test_a_row_says_who_decided_what_on_which_suggestions(
    project: Project, swept: list[Document], curator: User
) -> None:
    snapshot = frozen(project)
    lineage = panels(snapshot)["p43"]["attributes"]["lineage"]
    assert lineage["curators"] == [curator.pk]
    assert lineage["model"] == "model-7"
    assert lineage["revision"] == 2
    assert lineage["decisions"] == {"explicit": 1, "swept": 1}
    places = {
        (row.document_id, row_at(snapshot.folder, row.split, row.offset)["id"])
        for row in SnapshotRow.objects.filter(snapshot=snapshot)
    }
    assert places == {(document.pk, f"p{40 + number}") for number, document in enumerate(swept)}


def test_another_guideline_is_another_version(project: Project, accepted: list[Document]) -> None:
    before = panels(frozen(project))["p0"]["attributes"]["lineage"]["guideline"]
    project.guideline = "Cell lines are cells."
    project.save()
    assert panels(frozen(project))["p0"]["attributes"]["lineage"]["guideline"] != before


def test_a_legend_that_is_edited_meanwhile_is_left_out_by_name(
    project: Project, accepted: list[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = panels_module.islice

    def edited_after_reading(*arguments: Any) -> list[Any]:
        batch = list(read(*arguments))
        Document.objects.filter(pk=accepted[3].pk).update(revision=9)
        return batch

    monkeypatch.setattr(panels_module, "islice", edited_after_reading)
    snapshot = frozen(project)
    assert "p3" not in panels(snapshot)
    assert [(row["panel"], row["reason"]) for row in left_out(snapshot)] == [
        ("p3", candidates.EDITED)
    ]
