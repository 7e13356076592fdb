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
    project = Project.objects.filter(pk=job.arguments["project"]).first()
    return (
        reverse("datasets:export_report", args=[project.slug, job.pk])
        if project is not None
        else ""
    )


@handles(services.EXPORT_KIND, title="Export", page=_page)
def export_dataset(
    run: JobRun, *, project: int, format_name: str, out_dir: str = "", **choices: Any
) -> dict[str, Any]:
    """Into the folder ``out_dir`` (a command's), else into an archive to download."""
    source = Project.objects.filter(pk=project).first()
    if source is None:
        raise UserError("The project was removed. Nothing was exported.")
    actor = run.job.actor
    if not out_dir:
        return services.export_to_archive(
            project=source, format_name=format_name, actor=actor, run=run, **choices
        )
    return services.export_dataset(
        project=source, format_name=format_name, out_dir=out_dir, actor=actor, run=run, **choices
    )


@handles(services.SNAPSHOT_KIND, title="Snapshot", exclusive=True)
def freeze_snapshot(run: JobRun, *, snapshot: int) -> dict[str, Any]:
    row = (
        Snapshot.objects.filter(pk=snapshot)
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
