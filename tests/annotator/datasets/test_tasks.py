"""Jobs that export and freeze: what they report, and what they say of what was removed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.corpus.models import Document, Project
from annotator.datasets.exports.services import EXPORT_KIND, ExportPayload
from annotator.datasets.models import Snapshot
from annotator.datasets.snapshots.services import SNAPSHOT_KIND, SnapshotPayload, add_snapshot
from annotator.jobs.models import Job, JobState
from annotator.jobs.payloads import Payload
from annotator.jobs.registry import job_page
from annotator.jobs.services import run_inline
from tests.annotator.datasets.exported import ImportLegends

pytestmark = pytest.mark.django_db


def run(kind: str, payload: Payload) -> Job:
    return run_inline(kind=kind, scope="", payload=payload, actor=SYSTEM)


@pytest.fixture
def freeze(project: Project, accepted: list[Document]) -> Callable[[], tuple[Snapshot, Job]]:
    """Build a new snapshot of thirty legends by a job; return both."""

    def build() -> tuple[Snapshot, Job]:
        snapshot = add_snapshot(project=project, actor=SYSTEM)
        job = run(SNAPSHOT_KIND, SnapshotPayload(snapshot.pk))
        snapshot.refresh_from_db()
        return snapshot, job

    return build


# Exports


def test_an_export_into_a_folder_reports_what_it_wrote(
    project: Project, import_legends: ImportLegends, tmp_path: Path
) -> None:
    import_legends(3, labels="gold")
    out = tmp_path / "out"
    job = run(EXPORT_KIND, ExportPayload(project.pk, "jsonl", out_dir=str(out)))
    assert job.state == JobState.SUCCEEDED, job.error
    lines = []
    for path in out.glob("*.jsonl"):
        lines += path.read_text(encoding="utf-8").splitlines()
    written = {json.loads(line)["id"] for line in lines}
    assert {"fig-1", "fig-2", "fig-3"} <= written


def test_an_export_of_a_removed_project_says_so(project: Project) -> None:
    payload = ExportPayload(project.pk, "jsonl")
    Project.objects.all().delete()
    job = run(EXPORT_KIND, payload)
    assert job.state == JobState.FAILED
    assert job.error == "The project was removed. Nothing was exported."


def test_an_export_needs_the_right_of_who_asked_for_it(
    project: Project, import_legends: ImportLegends, viewer: User, tmp_path: Path
) -> None:
    import_legends(1, labels="gold")
    out = tmp_path / "out"
    payload = ExportPayload(project.pk, "jsonl", out_dir=str(out))
    job = run_inline(kind=EXPORT_KIND, scope=project.scope, payload=payload, actor=viewer)
    assert job.state == JobState.FAILED
    assert "You may not export" in job.error
    assert not out.exists()


def test_the_page_of_an_export_goes_with_its_project(project: Project) -> None:
    job = Job.objects.create(
        kind=EXPORT_KIND,
        state=JobState.SUCCEEDED,
        arguments=ExportPayload(project.pk, "jsonl").as_json(),
    )
    assert job_page(job) == f"/projects/autophagy/export/{job.pk}/"
    Project.objects.all().delete()
    assert job_page(job) == ""


# Snapshots


def test_a_frozen_snapshot_is_reported(freeze: Callable[[], tuple[Snapshot, Job]]) -> None:
    snapshot, job = freeze()
    assert job.state == JobState.SUCCEEDED, job.error
    assert job.result["snapshot"] == snapshot.number
    assert job.result["content_hash"] == snapshot.content_hash
    assert job.result["counts"] == snapshot.counts
    assert job.result["report"] == snapshot.report
    assert sum(split["panels"] for split in job.result["counts"].values()) == 30


def test_a_snapshot_knows_the_job_that_built_it(
    freeze: Callable[[], tuple[Snapshot, Job]],
) -> None:
    snapshot, job = freeze()
    assert snapshot.job == job


def test_a_frozen_snapshot_is_not_built_again(
    freeze: Callable[[], tuple[Snapshot, Job]],
) -> None:
    snapshot, first = freeze()
    written = (snapshot.folder / "train.jsonl").stat()
    Document.objects.all().delete()
    again = run(SNAPSHOT_KIND, SnapshotPayload(snapshot.pk))
    assert again.state == JobState.SUCCEEDED
    assert again.result == first.result
    assert (snapshot.folder / "train.jsonl").stat().st_mtime_ns == written.st_mtime_ns
    snapshot.refresh_from_db()
    assert snapshot.job == first


def test_a_removed_snapshot_is_not_built(freeze: Callable[[], tuple[Snapshot, Job]]) -> None:
    snapshot, _ = freeze()
    payload = SnapshotPayload(snapshot.pk)
    Snapshot.objects.all().delete()
    job = run(SNAPSHOT_KIND, payload)
    assert job.state == JobState.FAILED
    assert job.error == "The snapshot was removed before it was built."


def test_a_snapshot_of_nothing_says_what_is_missing(project: Project) -> None:
    snapshot = Snapshot.objects.create(
        project=project, number=1, split_rule="x", tokenizer_version="x"
    )
    job = run(SNAPSHOT_KIND, SnapshotPayload(snapshot.pk))
    assert job.state == JobState.FAILED
    assert job.error
    snapshot.refresh_from_db()
    assert not snapshot.is_ready
    assert not snapshot.folder.exists()
