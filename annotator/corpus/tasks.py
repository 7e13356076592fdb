"""The job that imports documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.urls import reverse

from annotator.common.errors import UserError
from annotator.corpus.imports import JOB_KIND, ImportPayload, import_paths
from annotator.corpus.models import Project
from annotator.jobs.models import Job
from annotator.jobs.registry import handles
from annotator.jobs.runs import JobRun
from annotator.jobs.uploads import uploads_of_run


def _page(job: Job) -> str:
    project = Project.objects.filter(pk=ImportPayload.of(job).project).first()
    if project is None:
        return ""
    return reverse("corpus:import_documents_report", args=[project.slug, job.pk])


@handles(JOB_KIND, payload=ImportPayload, title="Import", page=_page)
def import_documents(run: JobRun, payload: ImportPayload) -> dict[str, Any]:
    """Import the uploaded files, or a command's paths, and return the report.

    Uploads are removed unless another run will need them.
    """
    paths = [Path(path) for path in payload.paths]
    with uploads_of_run(payload.uploads) as files:
        project = Project.objects.filter(pk=payload.project).first()
        if project is None:
            raise UserError("The project was removed. Nothing was imported.")
        return import_paths(
            project=project,
            paths=[*files, *paths],
            source_format=payload.source_format,
            labels=payload.labels,
            actor=run.job.actor,
            run=run,
        )
