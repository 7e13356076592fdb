"""Snapshots: frozen, numbered, hashed; what is an example and what is not."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.models import Document, DocumentState, Project, Span
from annotator.corpus.services import create_project
from annotator.corpus.storing import write_suggestions
from annotator.datasets.models import Snapshot, SnapshotState
from annotator.datasets.snapshots.contents import content_hash, rows_of
from annotator.datasets.snapshots.services import (
    add_snapshot,
    build_snapshot,
    freeze_snapshot,
    settle_snapshots,
    verify_snapshot,
)
from annotator.jobs.errors import JobConflictError
from annotator.jobs.models import Job, JobState
from annotator.jobs.services import request_cancel, run_job
from ner_engine import schema
from ner_engine.split import SPLITS, split_of
from ner_engine.training.data import data_hash
from tests.annotator.conftest import WorkerProcess, wait_for
from tests.annotator.datasets.conftest import frozen, long_legend, paper_on
from tests.annotator.gates import reached
from tests.ner_engine.strategies import span

pytestmark = pytest.mark.django_db
ImportLegends = Callable[..., list[Document]]


def rows(snapshot: Snapshot) -> list[dict[str, Any]]:
    return [row for side in SPLITS for row in rows_of(snapshot.folder, side)]


def test_a_snapshot_holds_every_panel_once_with_its_lineage(
    project: Project, accepted: list[Document], manager: User
) -> None:
    Document.objects.filter(pk=accepted[0].pk).update(revision=4)
    snapshot = build_snapshot(snapshot=add_snapshot(project=project, actor=manager, note="first"))
    assert snapshot.number == 1
    assert snapshot.note == "first"
    assert snapshot.state == SnapshotState.READY
    assert snapshot.created_by == manager
    found = {row["id"]: row for row in rows(snapshot)}
    assert set(found) == {f"p{number}" for number in range(30)}
    assert {
        row["doi"]
        for side in SPLITS
        for row in rows_of(snapshot.folder, side)
        if split_of(row["doi"]) != side
    } == set()
    row = found["p0"]
    lineage = row["attributes"]["lineage"]
    assert lineage.pop("guideline").startswith(str(project.label_set))
    assert lineage == {
        **{
            "document": accepted[0].pk,
            "sha256": accepted[0].sha256,
            "revision": 4,
            "paper": "10.1000/long.0",
        },
        **{
            "panel": "p0",
            "start": 0,
            "end": len(accepted[0].text),
            "decisions": {"imported": 2},
            "weight": 1.0,
        },
        **{"curators": [], "model": ""},
    }
    assert [row["text"][entity["start"] : entity["end"]] for entity in row["spans"]] == [
        "HeLa",
        "LC3",
    ]


def test_counts_and_hash_of_a_snapshot_match_its_files(
    project: Project, accepted: list[Document]
) -> None:
    snapshot = frozen(project)
    for side in SPLITS:
        lines = list(rows_of(snapshot.folder, side))
        counts = snapshot.counts[side]
        assert counts["panels"] == len(lines)
        assert counts["papers"] == len(lines)
        assert counts["spans"] == 2 * len(lines)
        assert counts["labels"] == {"CELL": len(lines), "GENEPROD": len(lines)}
        assert counts["panels"] > 0
    assert snapshot.content_hash == content_hash(snapshot.folder) == data_hash(snapshot.folder)


def test_sd_nlp_has_the_same_rows_in_the_same_order(
    project: Project, accepted: list[Document]
) -> None:
    snapshot = frozen(project)
    for side in SPLITS:
        panels = [
            json.loads(line)
            for line in (
                (snapshot.folder / f"sd_panels/{side}.jsonl")
                .read_text(encoding="utf-8")
                .splitlines()
            )
        ]
        assert [row["text"] for row in panels] == [
            row["text"] for row in rows_of(snapshot.folder, side)
        ]
        figures = (
            (snapshot.folder / f"sd_figs/{side}.jsonl").read_text(encoding="utf-8").splitlines()
        )
        assert len(figures) == snapshot.report["figures"].get(side, 0)


def test_files_are_read_only_and_a_changed_one_is_noticed(
    project: Project, accepted: list[Document]
) -> None:
    snapshot = frozen(project)
    verify_snapshot(snapshot=snapshot)
    files = list(snapshot.folder.rglob("*.jsonl"))
    assert {str(path.relative_to(snapshot.folder)) for path in files} == set(
        snapshot.report["files"]
    )
    assert len(files) == 11
    assert all(not stat.S_IMODE(path.stat().st_mode) & 0o222 for path in files)
    train = snapshot.folder / "train.jsonl"
    before = train.read_text(encoding="utf-8")
    train.chmod(0o644)
    train.write_text(before.replace("HeLa", "MEFs", 1), encoding="utf-8")
    with pytest.raises(
        UserError,
        match=r"The files of snapshot 1 were changed since it was frozen\. Make a new snapshot\.",
    ):
        verify_snapshot(snapshot=snapshot)
    train.unlink()
    with pytest.raises(UserError, match="The files of snapshot 1 are missing"):
        verify_snapshot(snapshot=snapshot)


def test_equal_contents_have_equal_hashes_and_others_do_not(
    project: Project, accepted: list[Document]
) -> None:
    first, again = frozen(project), frozen(project)
    assert first.number == 1
    assert again.number == 2
    assert first.content_hash == again.content_hash
    Span.objects.filter(layer__document=accepted[0], label="CELL").update(label="TISSUE")
    changed = frozen(project)
    assert changed.content_hash != first.content_hash
    verify_snapshot(snapshot=first)


def test_numbers_count_within_a_project(
    project: Project, accepted: list[Document], import_legends: ImportLegends, manager: User
) -> None:
    other = create_project(name="Other", slug="other", actor=SYSTEM)
    Document.objects.filter(pk__in=[document.pk for document in accepted[:15]]).update(
        project=other
    )
    assert [frozen(project).number, frozen(other).number, frozen(project).number] == [1, 1, 2]
    assert {snapshot.folder for snapshot in Snapshot.objects.all()} == {
        Snapshot.objects.get(project=each, number=number).folder
        for each, number in ((project, 1), (project, 2), (other, 1))
    }


# What is an example


def test_what_nobody_decided_is_not_in_it(
    project: Project, accepted: list[Document], import_legends: ImportLegends
) -> None:
    waiting = import_legends([long_legend(number) for number in range(40, 50)])
    write_suggestions(
        batch=[(document, [span(document.text, 4, 8, "CELL")]) for document in waiting],
        source="model-1",
    )
    import_legends([long_legend(number) for number in range(50, 60)], labels="suggestions")
    assert {row["id"] for row in rows(frozen(project))} == {f"p{number}" for number in range(30)}
    Document.objects.filter(pk=waiting[0].pk).update(state=DocumentState.ACCEPTED)
    snapshot = frozen(project)
    assert {row["id"] for row in rows(snapshot)} == {f"p{number}" for number in range(30)}
    assert snapshot.report["left_out"] == {"no entity of the project's labels": 1}


def test_panels_that_are_no_examples_are_counted_by_reason(
    project: Project, accepted: list[Document], import_legends: ImportLegends
) -> None:
    text = "(A) HeLa. (B) " + "x" * 100
    two = schema.Document(
        "two",
        text,
        doi="10.1000/two",
        gold=(span(text, 4, 8, "CELL", key="a"),),
        segments=(schema.Segment(0, 9, "two-A"), schema.Segment(10, 114, "two-B")),
    )
    unlabelled = replace(
        long_legend(70), gold=tuple(replace(each, label="") for each in long_legend(70).gold)
    )
    import_legends([two, unlabelled], labels="gold")
    snapshot = frozen(project)
    assert snapshot.report["left_out"] == {
        "80 characters or fewer": 1,
        "no entity of the project's labels": 2,
    }
    assert {row["id"] for row in rows(snapshot)} == {f"p{number}" for number in range(30)}


def test_the_test_split_keeps_a_text_of_several_papers(
    project: Project, accepted: list[Document], import_legends: ImportLegends
) -> None:
    same = [
        replace(long_legend(80), id=f"same-{side}", doi=paper_on(side, 3))
        for side in ("train", "test", "eval")
    ]
    import_legends(same, labels="gold")
    snapshot = frozen(project)
    assert snapshot.report["left_out"] == {"the same text as a panel of another split": 2}
    holders = [
        side
        for side in SPLITS
        for row in rows_of(snapshot.folder, side)
        if row["text"] == same[0].text
    ]
    assert holders == ["test"]


def test_a_label_that_was_retired_is_not_learned(
    project: Project, accepted: list[Document]
) -> None:
    project.label_set.labels.filter(code="CELL").update(retired_at="2026-01-01T00:00Z")
    snapshot = frozen(project)
    assert "CELL" not in snapshot.report["labels"]
    assert {entity["label"] for row in rows(snapshot) for entity in row["spans"]} == {"GENEPROD"}


# What cannot be frozen


def test_without_a_panel_to_learn_from_it_fails_and_says_why(
    project: Project, import_legends: ImportLegends
) -> None:
    with pytest.raises(UserError, match="no accepted legend to freeze yet"):
        add_snapshot(project=project, actor=SYSTEM)
    import_legends([replace(long_legend(1), doi=paper_on("test"))], labels="gold")
    held_out = add_snapshot(project=project, actor=SYSTEM)
    with pytest.raises(
        UserError, match=r"all of them belong to the held-out splits.*Accept legends of more papers"
    ):
        build_snapshot(snapshot=held_out)
    import_legends(3, labels="gold")
    short = add_snapshot(project=project, actor=SYSTEM)
    with pytest.raises(UserError, match="6 80 characters or fewer"):
        build_snapshot(snapshot=short)
    for snapshot in (held_out, short):
        snapshot.refresh_from_db()
        assert snapshot.state == SnapshotState.FAILED
        assert "can be learned from" in snapshot.error
        assert not snapshot.folder.exists()
        with pytest.raises(UserError, match="is not ready"):
            verify_snapshot(snapshot=snapshot)


def test_a_damaged_legend_is_named_and_nothing_is_frozen(
    project: Project, accepted: list[Document], var: Path
) -> None:
    Span.objects.filter(layer__document=accepted[3], label="CELL").update(surface="Hela")
    snapshot = add_snapshot(project=project, actor=SYSTEM)
    with pytest.raises(UserError, match=r"10\.1000/long\.3 Figure 3.*Repair them, then start"):
        build_snapshot(snapshot=snapshot)
    assert [path for path in (var / "snapshots").rglob("*") if path.is_file()] == []


def test_a_disk_that_takes_no_files_is_told_in_a_sentence(
    project: Project, accepted: list[Document], settings: Any, manager: User, var: Path
) -> None:
    (var / "file").touch()
    settings.SNAPSHOTS_DIR = var / "file"
    snapshot = freeze_snapshot(project=project, actor=manager)
    run_job(snapshot.job.pk)
    snapshot.refresh_from_db()
    assert snapshot.state == SnapshotState.FAILED
    assert snapshot.job.state == JobState.FAILED
    assert "could not be written" in snapshot.error
    assert snapshot.error == snapshot.job.error


def test_who_may_not_train_may_not_freeze(
    project: Project, accepted: list[Document], reviewer: User, stranger: User
) -> None:
    for user in (reviewer, stranger):
        with pytest.raises(PermissionDenied):
            freeze_snapshot(project=project, actor=user)
    assert not Snapshot.objects.exists()


# As jobs


def test_one_snapshot_of_a_project_is_built_at_a_time(
    project: Project, accepted: list[Document], manager: User
) -> None:
    first = freeze_snapshot(project=project, actor=manager)
    with pytest.raises(JobConflictError):
        freeze_snapshot(project=project, actor=manager)
    assert list(Snapshot.objects.all()) == [first]
    run_job(first.job.pk)
    first.refresh_from_db()
    assert first.is_ready
    assert freeze_snapshot(project=project, actor=manager).number == 2


def test_a_snapshot_with_a_cancelled_job_is_failed(
    project: Project, accepted: list[Document], manager: User
) -> None:
    snapshot = freeze_snapshot(project=project, actor=manager)
    settle_snapshots(project=project)
    snapshot.refresh_from_db()
    assert snapshot.state == SnapshotState.BUILDING
    request_cancel(job=snapshot.job, actor=manager)
    settle_snapshots(project=project)
    snapshot.refresh_from_db()
    assert snapshot.state == SnapshotState.FAILED
    assert snapshot.error == "The snapshot was cancelled before it was complete."


@pytest.mark.django_db(transaction=True)
def test_a_snapshot_outlives_its_worker_unless_cancelled(
    start_worker: Callable[..., WorkerProcess],
    finished: Callable[..., Job],
    project: Project,
    accepted: list[Document],
    manager: User,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate = tmp_path / "gate"
    gate.mkdir()
    monkeypatch.setenv("SD_TEST_GATE", str(gate))
    first = start_worker(modules=["tests.annotator.gates"])
    cancelled = freeze_snapshot(project=project, actor=manager)
    wait_for(reached(gate, cancelled.job.pk).exists, what="a snapshot half written", log=first.log)
    request_cancel(job=cancelled.job, actor=manager)
    assert finished(cancelled.job, log=first.log).state == JobState.CANCELLED
    cancelled.refresh_from_db()
    assert cancelled.state == SnapshotState.FAILED
    assert cancelled.error == "The snapshot was cancelled before it was complete."
    killed = freeze_snapshot(project=project, actor=manager)
    wait_for(reached(gate, killed.job.pk).exists, what="a snapshot half written", log=first.log)
    first.kill()
    monkeypatch.delenv("SD_TEST_GATE")
    second = start_worker()
    assert finished(killed.job, log=second.log).state == JobState.SUCCEEDED
    killed.refresh_from_db()
    verify_snapshot(snapshot=killed)
    assert {path.name for path in killed.folder.parent.iterdir()} == {killed.folder.name}
