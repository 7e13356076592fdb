"""The job that imports: what it reports, and how long uploads are kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.corpus import tasks
from annotator.corpus.imports import JOB_KIND, ImportPayload
from annotator.corpus.models import Project
from annotator.jobs.errors import JobInterruptedError
from annotator.jobs.models import Job, JobState
from annotator.jobs.registry import job_page
from annotator.jobs.services import enqueue, run_inline, run_job
from annotator.jobs.uploads import Upload, keep_uploads
from ner_engine import schema
from tests.annotator.corpus.runs import write_jsonl

pytestmark = pytest.mark.django_db


@pytest.fixture
def upload(three: Path) -> Upload:
    """Three legends, uploaded."""
    with keep_uploads([SimpleUploadedFile("legends.jsonl", three.read_bytes())]) as uploads:
        return uploads[0]


def payload_of(project: Project, *uploads: Upload, **facts: Any) -> ImportPayload:
    stored = [upload.as_json() for upload in uploads]
    return ImportPayload(project.pk, "", "none", uploads=stored, **facts)


def failing(error: BaseException) -> Callable[..., dict[str, Any]]:
    def import_paths(**facts: Any) -> dict[str, Any]:
        raise error

    return import_paths


def run(payload: ImportPayload, actor: User, scope: str = "") -> Job:
    return run_inline(kind=JOB_KIND, scope=scope, payload=payload, actor=actor)


def test_uploads_are_imported_and_reported(upload: Upload, project: Project, manager: User) -> None:
    job = run(payload_of(project, upload), manager)
    assert job.state == JobState.SUCCEEDED, job.error
    assert project.documents.count() == 3


def test_uploads_and_paths_can_be_imported_together(
    upload: Upload,
    project: Project,
    manager: User,
    legend: Callable[[int], schema.Document],
    tmp_path: Path,
) -> None:
    other = write_jsonl(tmp_path / "more.jsonl", [legend(4)])
    job = run(payload_of(project, upload, paths=[str(other)]), manager)
    assert job.state == JobState.SUCCEEDED, job.error
    assert project.documents.count() == 4


def test_imported_uploads_are_removed(upload: Upload, project: Project, manager: User) -> None:
    run(payload_of(project, upload), manager)
    assert not upload.path.parent.exists()


def test_a_commands_own_files_are_kept(three: Path, project: Project, manager: User) -> None:
    run(payload_of(project, paths=[str(three)]), manager)
    assert project.documents.count() == 3
    assert three.exists()


def test_uploads_of_a_failed_import_are_removed(
    upload: Upload, project: Project, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "import_paths", failing(ZeroDivisionError("text of a legend")))
    job = run(payload_of(project, upload), manager)
    assert job.state == JobState.FAILED
    assert "legend" not in job.error
    assert not upload.path.parent.exists()


def test_uploads_are_kept_for_the_next_run_of_an_interrupted_job(
    upload: Upload, project: Project, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = enqueue(kind=JOB_KIND, scope="", payload=payload_of(project, upload), actor=manager)
    with monkeypatch.context() as interrupted:
        interrupted.setattr(tasks, "import_paths", failing(JobInterruptedError()))
        run_job(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.PENDING
    assert upload.path.exists()
    run_job(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED
    assert project.documents.count() == 3
    assert not upload.path.parent.exists()


def test_an_import_into_a_removed_project_says_so(
    upload: Upload, project: Project, manager: User
) -> None:
    payload = payload_of(project, upload)
    Project.objects.all().delete()
    job = run(payload, manager)
    assert job.state == JobState.FAILED
    assert job.error == "The project was removed. Nothing was imported."


def test_uploads_for_a_removed_project_are_removed(
    upload: Upload, project: Project, manager: User
) -> None:
    payload = payload_of(project, upload)
    Project.objects.all().delete()
    run(payload, manager)
    assert not upload.path.parent.exists()


def test_an_import_needs_the_right_of_who_asked_for_it(
    upload: Upload, project: Project, curator: User
) -> None:
    job = run(payload_of(project, upload), curator)
    assert job.state == JobState.FAILED
    assert job.error.startswith("You may not import")
    assert not project.documents.exists()
    assert not upload.path.parent.exists()


def test_the_page_of_an_import_goes_with_its_project(project: Project) -> None:
    arguments = ImportPayload(project.pk, "", "none").as_json()
    job = Job.objects.create(kind=JOB_KIND, state=JobState.SUCCEEDED, arguments=arguments)
    assert job_page(job) == f"/projects/autophagy/import/{job.pk}/"
    Project.objects.all().delete()
    assert job_page(job) == ""


def test_the_system_may_import(three: Path, project: Project) -> None:
    payload = payload_of(project, paths=[str(three)])
    job = run_inline(kind=JOB_KIND, scope="", payload=payload, actor=SYSTEM)
    assert job.state == JobState.SUCCEEDED
    assert job.created_by is None
