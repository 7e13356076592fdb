"""Exports: what is in them and what is not, complete or not at all."""

from __future__ import annotations

import gc
import json
import os
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from django.core.exceptions import PermissionDenied

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.corpus.annotations import CHUNK
from annotator.corpus.models import Document, DocumentState, Project
from annotator.corpus.storing import write_suggestions
from annotator.datasets.exports.services import (
    KEPT_ARCHIVES,
    archive_of,
    export_dataset,
    start_export,
)
from annotator.datasets.exports.writing import AcceptedLegends
from annotator.jobs.models import Job, JobState
from annotator.jobs.services import request_cancel, run_job
from ner_engine import schema
from ner_engine.formats import Report
from ner_engine.formats.convert import Target, write_documents
from ner_engine.split import SPLITS
from tests.annotator.commands import run_command
from tests.annotator.conftest import WorkerProcess, wait_for
from tests.annotator.datasets.exported import Export, ImportLegends, files_below, rows
from tests.annotator.gates import reached
from tests.ner_engine import strategies

pytestmark = pytest.mark.django_db


# What is in an export


@pytest.mark.parametrize("format_name", ["jsonl", "sd-nlp", "sd-nlp-tokenized"])
def test_the_command_writes_the_accepted_legends_and_no_others(
    format_name: str,
    import_legends: ImportLegends,
    legend: Callable[[int], schema.Document],
    tmp_path: Path,
) -> None:
    from tests.ner_engine.checkpoints import save_roberta

    import_legends(5, labels="gold")
    import_legends([legend(90)], labels="suggestions")
    import_legends([legend(91)], labels="none")
    out, tokenizer = (
        tmp_path / "out",
        (save_roberta(tmp_path / "tokenizer") if format_name == "sd-nlp-tokenized" else "none"),
    )
    ended = run_command(
        "export_dataset",
        "autophagy",
        "--format",
        format_name,
        "--out",
        out,
        "--tokenizer",
        tokenizer,
        "--json",
    )
    assert ended.code == 0
    assert ended.err == ""
    summary = ended.summary
    assert summary["project"] == "autophagy"
    assert summary["documents"] == 5
    assert summary["n_left_out"] == 0
    assert summary["out"] == str(out)
    if format_name == "jsonl":
        assert {row["id"] for row in rows(out)} == {f"fig-{number}" for number in range(1, 6)}
    else:
        words = "tokens" if format_name.endswith("tokenized") else "words"
        assert {row["figure_id"] for row in rows(out, "sd_figs")} == {
            f"fig-{number}" for number in range(1, 6)
        }
        assert len(rows(out, "sd_panels")) == 10
        assert all(
            len(row[words]) == len(row["label_ids"]["entity_types"])
            for row in rows(out, "sd_panels")
        )
    assert {"lossy.jsonl", "report.json"} < {path.name for path in out.iterdir()}


def test_suggestions_that_nobody_accepted_are_not_in_an_export(
    import_legends: ImportLegends, export: Export
) -> None:
    (document,) = import_legends(1, labels="suggestions")
    Document.objects.update(state=DocumentState.ACCEPTED)
    out = export("jsonl")
    (row,) = rows(out)
    assert row["text"] == document.text
    assert row["spans"] == []
    assert row.get("suggestions", []) == []


def test_a_row_finds_its_way_back_to_what_it_was_made_from(
    import_legends: ImportLegends, export: Export
) -> None:
    (document,) = import_legends(1, labels="gold")
    Document.objects.update(revision=7)
    out = export("jsonl")
    (row,) = rows(out)
    assert row["attributes"]["lineage"] == {
        "document": document.pk,
        "sha256": document.sha256,
        "revision": 7,
    }
    assert {span["attributes"]["decision"] for span in row["spans"]} == {"imported"}


def test_what_words_cannot_hold_is_named_in_lossy(
    import_legends: ImportLegends, tmp_path: Path
) -> None:
    text = "Blot of phosphoERK1 in HeLa cells."
    inside = strategies.span(text, text.index("ERK1"), text.index("ERK1") + 4, "GENEPROD", key="a")
    whole = strategies.span(text, text.index("HeLa"), text.index("HeLa") + 4, "CELL", key="b")
    import_legends(
        [schema.Document("f1", text, doi="10.5555/x", gold=(inside, whole))], labels="gold"
    )
    ended = run_command(
        "export_dataset", "autophagy", "--format", "sd-nlp", "--out", tmp_path / "out", "--json"
    )
    assert ended.code == 0
    assert (ended.summary["n_lossy"] > 0) is True
    lossy = [
        json.loads(line)
        for line in (tmp_path / "out/lossy.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert len(lossy) == ended.summary["n_lossy"]
    assert all("10.5555/x" in loss["where"] for loss in lossy)
    assert any(
        "15" in loss["where"] + loss["message"] or "ERK1" in loss["message"] for loss in lossy
    ), lossy
    assert not any("HeLa" in loss["message"] for loss in lossy)


def test_no_paper_lies_on_two_sides(
    import_legends: ImportLegends,
    legend: Callable[[int], schema.Document],
    export: Export,
) -> None:
    import_legends(
        [
            replace(
                legend(number), doi=legend(number).doi.upper() if number % 2 else legend(number).doi
            )
            for number in range(120)
        ],
        labels="gold",
    )
    out = export("sd-nlp")
    for folder in ("sd_panels", "sd_figs"):
        papers = {}
        for side in SPLITS:
            lines = (out / folder / f"{side}.jsonl").read_text(encoding="utf-8").splitlines()
            papers[side] = {json.loads(line)["doi"].lower() for line in lines}
            assert papers[side]
        assert (
            not papers["train"] & papers["eval"]
            | papers["train"] & papers["test"]
            | papers["eval"] & papers["test"]
        )


# Complete or not at all


def test_an_earlier_export_is_replaced_and_other_files_are_not(
    import_legends: ImportLegends, tmp_path: Path
) -> None:
    import_legends(2, labels="gold")
    out = tmp_path / "out"
    assert run_command("export_dataset", "autophagy", "--format", "sd-nlp", "--out", out).code == 0
    assert run_command("export_dataset", "autophagy", "--format", "jsonl", "--out", out).code == 0
    assert {path.name for path in out.iterdir()} == {
        "train.jsonl",
        "eval.jsonl",
        "test.jsonl",
        "lossy.jsonl",
        "report.json",
    }
    (out / "thesis.docx").touch()
    ended = run_command("export_dataset", "autophagy", "--format", "jsonl", "--out", out)
    assert ended.code == 2
    assert "already holds other files" in ended.err
    assert (out / "thesis.docx").exists()
    assert {path.name for path in tmp_path.iterdir() if path.name != "var"} == {"out"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere", "--format", "jsonl"], 'There is no project "nowhere". Projects: autophagy.'),
        (["autophagy", "--format", "pdf"], '"pdf" is not an export format'),
        (
            ["autophagy", "--format", "sd-nlp-tokenized", "--tokenizer", "no-such/tokenizer"],
            "the local cache has no tokenizer of this name",
        ),
        (["autophagy", "--format", "jsonl"], "There is no accepted legend to export yet"),
    ],
)
def test_a_refused_export_gives_a_sentence_and_leaves_nothing(
    arguments: list[str], sentence: str, import_legends: ImportLegends, tmp_path: Path
) -> None:
    import_legends(2, labels="none")
    ended = run_command("export_dataset", *arguments, "--out", tmp_path / "out", "--json")
    assert ended.code == 2
    assert sentence in ended.err
    assert sentence in ended.summary["error"]
    assert {path.name for path in tmp_path.iterdir()} <= {"var"}


def test_a_folder_that_cannot_be_written_is_told_in_a_sentence(
    import_legends: ImportLegends, tmp_path: Path
) -> None:
    import_legends(1, labels="gold")
    (tmp_path / "file").touch()
    ended = run_command(
        "export_dataset", "autophagy", "--format", "jsonl", "--out", tmp_path / "file" / "out"
    )
    assert ended.code == 2
    assert "could not be written" in ended.err
    assert "Free disk space, or give the site permission to write there" in ended.err


def test_a_full_disk_in_the_middle_leaves_nothing_half_written(
    import_legends: ImportLegends,
    project: Project,
    reviewer: User,
    var: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import_legends(3, labels="gold")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(zipfile.ZipFile, "write", full)
    job = start_export(project=project, format_name="jsonl", actor=reviewer)
    run_job(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.FAILED
    assert "No space left on device" in job.error
    assert archive_of(job) is None
    assert {path.name for path in (var / "exports").rglob("*") if path.is_file()} == set()


def test_who_may_not_export_does_not(
    project: Project,
    import_legends: ImportLegends,
    viewer: User,
    stranger: User,
    curator: User,
    tmp_path: Path,
) -> None:
    import_legends(1, labels="gold")
    for user in (viewer, stranger, curator):
        with pytest.raises(PermissionDenied):
            start_export(project=project, format_name="jsonl", actor=user)
        with pytest.raises(PermissionDenied):
            export_dataset(
                project=project, format_name="jsonl", out_dir=tmp_path / "out", actor=user
            )
    assert not Job.objects.exists()
    assert not (tmp_path / "out").exists()


def test_a_right_that_was_lost_while_the_job_waited_is_lost(
    project: Project, import_legends: ImportLegends, reviewer: User
) -> None:
    import_legends(1, labels="gold")
    job = start_export(project=project, format_name="jsonl", actor=reviewer)
    reviewer.memberships.all().delete()
    run_job(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.FAILED
    assert archive_of(job) is None
    assert "You may not export legends" in job.error


def test_the_newest_archives_are_kept_and_older_ones_removed(
    project: Project, import_legends: ImportLegends, reviewer: User
) -> None:
    import_legends(1, labels="gold")
    jobs = [
        start_export(project=project, format_name="jsonl", actor=reviewer)
        for _ in range(KEPT_ARCHIVES + 2)
    ]
    for number, job in enumerate(jobs):
        run_job(job.pk)
        job.refresh_from_db()
        archive = archive_of(job)
        assert archive is not None
        os.utime(archive, (1_700_000_000 + number, 1_700_000_000 + number))
    assert [archive_of(job) is not None for job in jobs] == [False] * 2 + [True] * KEPT_ARCHIVES


# Workers that are cancelled and killed


@pytest.mark.django_db(transaction=True)
def test_cancelled_and_killed_exports_leave_nothing_half_written(
    start_worker: Callable[..., WorkerProcess],
    finished: Callable[..., Job],
    import_legends: ImportLegends,
    project: Project,
    reviewer: User,
    var: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import_legends(5, labels="gold")
    gate = tmp_path / "gate"
    gate.mkdir()
    monkeypatch.setenv("SD_TEST_GATE", str(gate))
    first = start_worker(modules=["tests.annotator.gates"])
    cancelled, killed = (
        start_export(project=project, format_name="jsonl", actor=reviewer) for _ in range(2)
    )
    for job in (cancelled, killed):
        wait_for(reached(gate, job.pk).exists, what="an export half done", log=first.log)
    request_cancel(job=cancelled, actor=reviewer)
    assert finished(cancelled, log=first.log).state == JobState.CANCELLED
    first.kill()
    assert archive_of(cancelled) is archive_of(killed) is None
    monkeypatch.delenv("SD_TEST_GATE")
    second = start_worker()
    killed = finished(killed, log=second.log)
    assert killed.state == JobState.SUCCEEDED
    assert killed.n_attempts == 2
    assert killed.result["documents"] == 5
    archive = archive_of(killed)
    assert archive is not None
    assert zipfile.ZipFile(archive).testzip() is None
    assert files_below(var / "exports") == {
        archive.parent.name,
        f"{archive.parent.name}/{archive.name}",
    }


# Memory


def _n_documents_alive() -> int:
    return sum(type(thing) in {schema.Document, Document} for thing in gc.get_objects())


def test_an_export_holds_few_legends_in_memory(
    import_legends: ImportLegends,
    legend: Callable[[int], schema.Document],
    project: Project,
    tmp_path: Path,
) -> None:
    n = 3 * CHUNK
    import_legends([legend(number) for number in range(n)], labels="gold")
    gc.collect()
    n_before = _n_documents_alive()
    n_alive: list[int] = []

    def watched() -> Iterable[schema.Document]:
        for number, document in enumerate(AcceptedLegends(project), start=1):
            if number % 100 == 0:
                gc.collect()
                n_alive.append(_n_documents_alive() - n_before)
            yield document

    assert write_documents(watched(), Target("sd-nlp"), tmp_path / "out", Report()) == n
    assert len(n_alive) == n // 100
    assert max(n_alive) <= CHUNK + 20, n_alive


def test_tagging_beside_an_export_changes_nothing_of_it(
    import_legends: ImportLegends, project: Project, tmp_path: Path
) -> None:
    documents = import_legends(2, labels="gold")
    export_dataset(project=project, format_name="jsonl", out_dir=tmp_path / "a", actor=SYSTEM)
    assert (
        write_suggestions(
            batch=[
                (document, [strategies.span(document.text, 0, 6, "CELL")]) for document in documents
            ],
            source="m",
        )
        == 0
    )
    export_dataset(project=project, format_name="jsonl", out_dir=tmp_path / "b", actor=SYSTEM)
    assert [(tmp_path / "a" / f"{side}.jsonl").read_bytes() for side in SPLITS] == [
        (tmp_path / "b" / f"{side}.jsonl").read_bytes() for side in SPLITS
    ]
