"""Exports and snapshots as jobs."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from annotator.common.errors import UserError
from annotator.corpus.models import Project
from annotator.datasets import services
from annotator.datasets.models import Snapshot
from annotator.jobs.models import Job
from annotator.jobs.registry import handles
from annotator.jobs.runs import JobRun


def _page(job: Job) -> str:
    project = Project.objects.filter(pk=services.ExportPayload.of(job).project).first()
    if project is None:
        return ""
    return reverse("datasets:export_report", args=[project.slug, job.pk])


@handles(services.EXPORT_KIND, payload=services.ExportPayload, title="Export", page=_page)
def export_dataset(run: JobRun, payload: services.ExportPayload) -> dict[str, Any]:
    """Export into a command's folder, or into an archive to download; return the report."""
    source = Project.objects.filter(pk=payload.project).first()
    if source is None:
        raise UserError("The project was removed. Nothing was exported.")
    choices: dict[str, Any] = {
        "project": source,
        "format_name": payload.format_name,
        "public_form": payload.public_form,
        "tokenizer": payload.tokenizer,
        "leave_out_damaged": payload.leave_out_damaged,
        "actor": run.job.actor,
        "run": run,
    }
    if not payload.out_dir:
        return services.export_to_archive(**choices)
    return services.export_dataset(out_dir=payload.out_dir, **choices)


@handles(services.SNAPSHOT_KIND, payload=services.SnapshotPayload, title="Snapshot", exclusive=True)
def freeze_snapshot(run: JobRun, payload: services.SnapshotPayload) -> dict[str, Any]:
    row = (
        Snapshot.objects.filter(pk=payload.snapshot)
        .select_related("project__label_set", "split_file")
        .first()
    )
    if row is None:
        raise UserError("The snapshot was removed before it was built.")
    if row.job_id is None:
        row.job = run.job
        row.save(update_fields=["job"])
    if not row.is_ready:
        row = services.build_snapshot(snapshot=row, run=run)
    return {
        "snapshot": row.number,
        "content_hash": row.content_hash,
        "counts": row.counts,
        "report": row.report,
    }
