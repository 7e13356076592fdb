"""Upload, export, download and freeze by a program; the work is done by the jobs' own handlers."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from annotator.accounts.models import User
from annotator.corpus.models import Document, Project
from annotator.demo_data import load_demo
from annotator.jobs.models import Job
from annotator.jobs.services import run_job
from tests.annotator.api.conftest import Program

pytestmark = pytest.mark.django_db
ProgramOf = Callable[[User | None], Program]


def rows(*texts: str) -> SimpleUploadedFile:
    lines = "".join(
        json.dumps({"id": f"r{number}", "text": text}) + "\n" for number, text in enumerate(texts)
    )
    return SimpleUploadedFile("legends.jsonl", lines.encode())


def done(program: Program, answer: Any) -> dict[str, Any]:
    """The job as the API gives it, after a worker did it."""
    assert answer.status_code == 202, answer.content
    run_job(answer.json()["id"])
    found: dict[str, Any] = program.get(f"projects/autophagy/jobs/{answer.json()['id']}/").json()
    return found


def test_an_upload_becomes_documents_once(
    project: Project, program_of: ProgramOf, reviewer: User
) -> None:
    program = program_of(reviewer)
    for imported, there_already in ((2, 0), (0, 2)):
        job = done(
            program,
            program.upload(
                "projects/autophagy/imports/",
                files=[rows("Figure 1 of LC3.", "Figure 2 of p62.")],
                source_format="jsonl",
            ),
        )
        assert job["state"] == "succeeded"
        assert job["result"]["imported"] == imported
        assert job["result"]["already_there"] == there_already
    assert project.documents.count() == 2


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"files": "no file"},
        {"files": rows("x"), "source_format": "word"},
        {"files": rows("x"), "labels": "perhaps"},
    ],
    ids=str,
)
def test_a_senseless_upload_is_refused_and_starts_nothing(
    project: Project, program_of: ProgramOf, reviewer: User, fields: dict[str, Any]
) -> None:
    assert program_of(reviewer).upload("projects/autophagy/imports/", **fields).status_code == 400
    assert not Job.objects.exists()


def test_an_export_is_started_and_downloaded(
    project: Project,
    program_of: ProgramOf,
    reviewer: User,
    import_legends: Callable[..., list[Document]],
) -> None:
    import_legends(4, labels="gold")
    program = program_of(reviewer)
    job = done(program, program.post("projects/autophagy/exports/", {"format": "jsonl"}))
    assert job["state"] == "succeeded", job["error"]
    assert [row["id"] for row in program.get("projects/autophagy/exports/").json()["results"]] == [
        job["id"]
    ]
    archive = program.get(f"projects/autophagy/exports/{job['id']}/download/")
    assert archive["Content-Type"] == "application/zip"
    names = zipfile.ZipFile(BytesIO(b"".join(archive.streaming_content))).namelist()
    assert any(name.endswith(".jsonl") for name in names)


def test_only_a_finished_export_can_be_downloaded(
    project: Project, program_of: ProgramOf, reviewer: User
) -> None:
    waiting = Job.objects.create(
        kind="export_dataset",
        scope=project.scope,
        arguments={"project": project.pk, "format_name": "jsonl"},
    )
    other = Job.objects.create(kind="import_documents", scope=project.scope)
    for job in (waiting, other):
        assert (
            program_of(reviewer).get(f"projects/autophagy/exports/{job.pk}/download/").status_code
            == 404
        )


@pytest.mark.parametrize(
    "body",
    [{}, {"format": "jats"}, {"format": "pdf"}, {"format": "sd-nlp", "public_form": "maybe"}],
    ids=str,
)
def test_an_unknown_format_is_refused(
    project: Project, program_of: ProgramOf, reviewer: User, body: dict[str, Any]
) -> None:
    assert program_of(reviewer).post("projects/autophagy/exports/", body).status_code == 400
    assert not Job.objects.exists()


def test_a_snapshot_is_frozen_and_listed(
    project: Project,
    program_of: ProgramOf,
    manager: User,
    import_legends: Callable[..., list[Document]],
) -> None:
    program = program_of(manager)
    assert program.post("projects/autophagy/snapshots/").status_code == 400
    import_legends(load_demo(), labels="gold")
    made = program.post("projects/autophagy/snapshots/", {"note": "first"})
    assert made.status_code == 202, made.content
    run_job(Job.objects.get(kind="freeze_snapshot").pk)
    (snapshot,) = program.get("projects/autophagy/snapshots/").json()["results"]
    assert snapshot["number"] == 1, snapshot
    assert snapshot["note"] == "first", snapshot
    assert snapshot["state"] == "ready", snapshot
    assert snapshot["counts"]["train"]["panels"] > 0


def test_a_part_of_what_is_accepted_is_frozen(
    project: Project,
    program_of: ProgramOf,
    manager: User,
    import_legends: Callable[..., list[Document]],
) -> None:
    program = program_of(manager)
    import_legends(load_demo(), labels="gold")
    asked = {"labels": ["CELL"], "decisions": ["imported"], "accepted_from": "2020-01-01"}
    made = program.post("projects/autophagy/snapshots/", asked)
    assert made.status_code == 202
    assert made.json()["filters"] == asked
    for wrong, sentence in (
        ({"curators": ["nobody"]}, "no user called nobody"),
        ({"labels": ["GENE"]}, "no label GENE"),
        ({"accepted_to": "x"}, ""),
    ):
        answer = program.post("projects/autophagy/snapshots/", wrong)
        assert answer.status_code == 400 and sentence in str(answer.json())
