"""Jobs that export and freeze."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from annotator.common.errors import UserError
from annotator.corpus.models import Project
from annotator.datasets.exports import services as exports
from annotator.datasets.exports.services import EXPORT_KIND, ExportPayload
from annotator.datasets.models import Snapshot
from annotator.datasets.snapshots.services import (
    SNAPSHOT_KIND,
    SnapshotPayload,
    build_snapshot,
)
from annotator.jobs.models import Job
from annotator.jobs.registry import handles
from annotator.jobs.runs import JobRun


def _page(job: Job) -> str:
    project = Project.objects.filter(pk=ExportPayload.of(job).project).first()
    if project is None:
        return ""
    return reverse("datasets:export_report", args=[project.slug, job.pk])


@handles(EXPORT_KIND, payload=ExportPayload, title="Export", page=_page)
def export_dataset(run: JobRun, payload: ExportPayload) -> dict[str, Any]:
    """Export into a command's folder, or into an archive to download; return the report."""
    project = Project.objects.filter(pk=payload.project).first()
    if project is None:
        raise UserError("The project was removed. Nothing was exported.")
    choices: dict[str, Any] = {
        "project": project,
        "format_name": payload.format_name,
        "public_form": payload.public_form,
        "tokenizer": payload.tokenizer,
        "leave_out_damaged": payload.leave_out_damaged,
        "actor": run.job.actor,
        "run": run,
    }
    if not payload.out_dir:
        return exports.export_to_archive(**choices)
    return exports.export_dataset(out_dir=payload.out_dir, **choices)


@handles(SNAPSHOT_KIND, payload=SnapshotPayload, title="Snapshot", exclusive=True)
def freeze_snapshot(run: JobRun, payload: SnapshotPayload) -> dict[str, Any]:
    """Build a snapshot; return its number, hash, counts and report."""
    snapshot = (
        Snapshot.objects.filter(pk=payload.snapshot)
        .select_related("project__label_set", "split_file")
        .first()
    )
    if snapshot is None:
        raise UserError("The snapshot was removed before it was built.")
    if snapshot.job_id is None:
        snapshot.job = run.job
        snapshot.save(update_fields=["job"])
    if not snapshot.is_ready:
        snapshot = build_snapshot(snapshot=snapshot, run=run)
    return {
        "snapshot": snapshot.number,
        "content_hash": snapshot.content_hash,
        "counts": snapshot.counts,
        "report": snapshot.report,
    }
