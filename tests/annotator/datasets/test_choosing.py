"""What goes into a snapshot: by filter, by split file, past the guard; what is left out, and where
each row comes from."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.annotations import write_suggestions
from annotator.corpus.models import Document, FigureImage, Project, Segment, Span
from annotator.datasets.models import Snapshot, SnapshotRow, SnapshotState
from annotator.datasets.snapshots import candidates, writer
from annotator.datasets.snapshots import panels as panels_module
from annotator.datasets.snapshots.contents import row_at, rows_of
from annotator.datasets.snapshots.filters import SnapshotFilter
from annotator.datasets.snapshots.guard import Rules, change_snapshot_rules
from annotator.datasets.snapshots.services import (
    add_snapshot,
    add_split_file,
    build_snapshot,
    compare_snapshots,
    snapshot_archive,
)
from annotator.review.editing.services import apply_operation
from ner_engine.split import SPLITS
from tests.annotator.commands import run_command
from tests.annotator.datasets.conftest import long_legend
from tests.annotator.datasets.test_snapshots import paper_on
from tests.ner_engine.checkpoints import save_roberta
from tests.ner_engine.strategies import span

pytestmark = pytest.mark.django_db
ImportLegends = Callable[..., list[Document]]


def frozen(project: Project, **facts: Any) -> Snapshot:
    return build_snapshot(snapshot=add_snapshot(project=project, actor=SYSTEM, **facts))


def panels(snapshot: Snapshot) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for side in SPLITS for row in rows_of(snapshot.folder, side)}


def left_out(snapshot: Snapshot) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for line in (snapshot.folder / "left_out.jsonl").read_text(encoding="utf-8").splitlines()
    ]


def operate(document: Document, actor: User, kind: str, **facts: Any) -> None:
    document.refresh_from_db()
    operation = {"id": str(uuid.uuid4()), "kind": kind, "base_revision": document.revision, **facts}
    apply_operation(document_id=document.pk, actor=actor, operation=operation)


@pytest.fixture
def swept(project: Project, curator: User, import_legends: ImportLegends) -> list[Document]:
    """Four legends with two suggestions each, accepted as they were; on the last the curator
    decided one by itself."""
    documents = import_legends(
        [long_legend(number, doi=paper_on("train", number)) for number in range(40, 44)]
    )
    batch = [
        (
            document,
            [
                span(document.text, 4, 8, "CELL"),
                span(document.text, at := document.text.index("LC3"), at + 3, "GENEPROD"),
            ],
        )
        for document in documents
    ]
    write_suggestions(batch=batch, source="model-7")
    key = documents[-1].layers.get(kind="suggested").spans.get(label="CELL").key
    operate(documents[-1], curator, "accept", entity=key)
    for document in documents:
        operate(document, curator, "accept_legend")
    return documents


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


def test_a_snapshot_holds_only_the_labels_asked_for(
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


def test_a_panel_decided_otherwise_is_left_out_with_its_figure(
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


def test_a_near_duplicate_stays_in_the_held_out_split(
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


# Forms, downloads, commands


def test_the_tokenized_file_has_the_same_rows(
    project: Project, accepted: list[Document], settings: Any, tmp_path: Path
) -> None:
    assert frozen(project).report["tokenizer"] == ""
    settings.EXPORT_TOKENIZER = str(save_roberta(tmp_path / "tokenizer"))
    snapshot = frozen(project)
    for form, key in (("sd_panels", "panel_id"), ("sd_figs", "figure_id")):
        for side in SPLITS:
            words, tokens = (
                [
                    json.loads(line)[key]
                    for line in (
                        (snapshot.folder / folder / form / f"{side}.jsonl")
                        .read_text(encoding="utf-8")
                        .splitlines()
                    )
                ]
                for folder in ("", "tokenized")
            )
            assert words == tokens


def test_each_form_is_downloaded_as_the_files_that_were_frozen(
    project: Project, accepted: list[Document], reviewer: User, curator: User
) -> None:
    snapshot = frozen(project)
    for form, names in (
        ("jsonl", ["train.jsonl"]),
        ("sd-nlp", ["sd_panels/train.jsonl", "sd_figs/test.jsonl"]),
    ):
        data = b"".join(snapshot_archive(snapshot=snapshot, form=form, actor=reviewer))
        assert data == b"".join(snapshot_archive(snapshot=snapshot, form=form, actor=reviewer))
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert archive.testzip() is None
            for name in names:
                assert (
                    archive.read(f"autophagy-snapshot-1-{form}/{name}")
                    == (snapshot.folder / name).read_bytes()
                )
    with pytest.raises(UserError, match="was not written in that form"):
        snapshot_archive(snapshot=snapshot, form="sd-nlp-tokenized", actor=reviewer)
    with pytest.raises(PermissionDenied):
        snapshot_archive(snapshot=snapshot, form="jsonl", actor=curator)


def test_the_commands_freeze_compare_and_change_the_rules(
    project: Project, accepted: list[Document], tmp_path: Path
) -> None:
    split = tmp_path / "split.tsv"
    split.write_text("10.1000/long.0\ttest\n10.1000/long.1\ttrain\n", encoding="utf-8")
    ended = run_command(
        "freeze_snapshot",
        "autophagy",
        "--note",
        "first",
        "--label",
        "CELL",
        "--split-file",
        split,
        "--json",
    )
    assert ended.code == 0
    assert ended.err == ""
    assert ended.summary["snapshot"] == 1
    assert {"p0"} <= {row["id"] for row in rows_of(Path(ended.summary["folder"]), "test")}
    assert run_command("freeze_snapshot", "autophagy", "--json").summary["snapshot"] == 2
    found = run_command("diff_snapshots", "autophagy", "1", "2", "--json").summary
    assert found["legends"]["added"] == 0 and found["labels"]["GENEPROD"]["added"] == 30
    assert run_command("diff_snapshots", "autophagy", "1", "7").err.startswith(
        "There is no snapshot 7 in autophagy. Snapshots: 2, 1."
    )
    assert (
        run_command("snapshot_rules", "autophagy", "--swept-cap", "0.3", "--json").summary[
            "swept_cap"
        ]
        == 0.3
    )
    for wrong in (
        ["--label", "GENE"],
        ["--accepted-from", "tomorrow"],
        ["--curator", "nobody"],
        ["--split-file", tmp_path / "none.tsv"],
    ):
        assert run_command("freeze_snapshot", "autophagy", *wrong).code == 2


# What changed


def test_a_difference_of_snapshots_goes_by_legend_and_label(
    project: Project,
    accepted: list[Document],
    import_legends: ImportLegends,
    curator: User,
    stranger: User,
) -> None:
    old = frozen(project)
    assert compare_snapshots(old=old, new=frozen(project), actor=curator)["legends"] == {
        "added": 0,
        "removed": 0,
        "changed": 0,
        "same": 30,
    }
    relabelled, lost, gone = accepted[:3]
    relabelled.layers.get().spans.filter(label="CELL").update(label="TISSUE")
    lost.layers.get().spans.filter(label="GENEPROD").delete()
    moved = accepted[3].layers.get().spans.get(label="CELL")
    moved.surface = "HeLa cells"
    moved.end = moved.start + len(moved.surface)
    moved.save()
    Document.objects.filter(pk=gone.pk).update(state="in_review")
    import_legends([long_legend(60)], labels="gold")
    new = frozen(project)
    found = compare_snapshots(old=old, new=new, actor=curator)
    assert found["legends"] == {"added": 1, "removed": 1, "changed": 3, "same": 26}
    cell, tissue, protein = (found["labels"][label] for label in ("CELL", "TISSUE", "GENEPROD"))
    assert cell["relabelled"] == 1
    assert cell["moved"] == 1
    assert cell["added"] == 1
    assert cell["lost"] == 1
    assert cell["old"] == 30
    assert cell["new"] == 29
    assert tissue["became"] == 1
    assert protein["lost"] == 2
    assert protein["added"] == 1
    assert found["relabelled"] == [["CELL", "TISSUE", 1]]
    assert [each["says"] for each in found["named"]["changed"]] == [
        "1 relabelled",
        "1 lost",
        "1 moved",
    ]
    assert compare_snapshots(old=old, new=new, actor=curator) == found
    with pytest.raises(PermissionDenied):
        compare_snapshots(old=old, new=new, actor=stranger)
    with pytest.raises(UserError, match="two different snapshots"):
        compare_snapshots(old=old, new=old, actor=curator)


# Panels that a machine found


@pytest.fixture
def found(swept: list[Document]) -> list[Document]:
    """The four legends, as if a machine had found their panels and nobody had touched them."""
    Segment.objects.filter(document__in=swept).update(source="their letters")
    return swept


def figures(snapshot: Snapshot, side: str = "train") -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for line in (
            (snapshot.folder / "sd_figs" / f"{side}.jsonl").read_text(encoding="utf-8").splitlines()
        )
    ]


def ruled(project: Project, manager: User, **facts: Any) -> Snapshot:
    rules = {"swept_cap": 1.0, "over_cap": "refuse", "swept_weight": 1.0, "near_duplicate": 0.5}
    change_snapshot_rules(project=project, actor=manager, **(rules | facts))
    return frozen(project)


def test_untouched_panels_are_counted_and_named_in_their_rows(
    project: Project, found: list[Document], manager: User
) -> None:
    snapshot = ruled(project, manager)
    assert snapshot.counts["train"]["panels"] == 4
    assert snapshot.counts["train"]["untouched_panels"] == 4
    assert {row["attributes"]["lineage"]["panels_by"] for row in panels(snapshot).values()} == {
        "their letters"
    }
    assert len(figures(snapshot)) == 4
    assert snapshot.report["figures_left_out"] == 0


def test_figures_above_the_limit_are_left_out_and_entities_stay(
    project: Project, found: list[Document], manager: User, curator: User
) -> None:
    Span.objects.update(decision="explicit")
    snapshot = ruled(project, manager, swept_cap=0.9)
    assert len(panels(snapshot)) == 4
    assert len(figures(snapshot)) == 0
    assert snapshot.report["figures_left_out"] == 4
    reasons = [(row["panel"], row["reason"]) for row in left_out(snapshot)]
    assert reasons == [("", writer.UNREVIEWED_FIGURE)] * 4
    operate(found[0], curator, "reopen_legend")
    operate(found[0], curator, "set_panels", arguments={"starts": [0, 40]})
    operate(found[0], curator, "accept_legend")
    looked_at = ruled(project, manager, swept_cap=0.9)
    assert looked_at.counts["train"]["untouched_panels"] == 3
    assert len(figures(looked_at)) == 4
    assert looked_at.report["figures_left_out"] == 0
    assert len(figures(ruled(project, manager, swept_cap=0.7))) == 4
    assert len(figures(ruled(project, manager, swept_cap=0.5))) == 3


def test_panels_of_a_file_and_panels_with_boxes_were_looked_at(
    project: Project, found: list[Document], manager: User
) -> None:
    Segment.objects.filter(document=found[0]).update(source="")
    FigureImage.objects.create(
        document=found[1], boxes=[{"panel": 0, "x": 0, "y": 0, "width": 1, "height": 1}]
    )
    assert ruled(project, manager).counts["train"]["untouched_panels"] == 2


def test_figures_weigh_as_their_panels_where_weights_differ(
    project: Project, found: list[Document], manager: User
) -> None:
    Segment.objects.filter(document=found[0]).update(source="")
    assert all("weight" not in row for row in figures(ruled(project, manager)))
    snapshot = ruled(project, manager, swept_weight=0.25)
    assert sorted(row["weight"] for row in figures(snapshot)) == [0.25, 0.25, 0.25, 1.0]
    assert sorted(row["attributes"]["lineage"]["weight"] for row in panels(snapshot).values()) == [
        0.25,
        0.25,
        0.25,
        0.625,
    ]
