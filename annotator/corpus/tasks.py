"""Jobs on a project's documents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.urls import reverse

from annotator.common.errors import UserError
from annotator.corpus.imports import JOB_KIND, import_paths
from annotator.corpus.models import Project
from annotator.corpus.uploads import Upload, remove_uploads
from annotator.jobs.errors import JobInterruptedError, JobLostError
from annotator.jobs.models import Job
from annotator.jobs.registry import handles
from annotator.jobs.runs import JobRun


def _page(job: Job) -> str:
    project = Project.objects.filter(pk=job.arguments["project"]).first()
    return (
        reverse("corpus:import_report", args=[project.slug, job.pk]) if project is not None else ""
    )


@handles(JOB_KIND, title="Import", page=_page)
def import_documents(
    run: JobRun,
    *,
    project: int,
    source_format: str,
    labels: str,
    uploads: Sequence[dict[str, str]] = (),
    paths: Sequence[str] = (),
) -> dict[str, Any]:
    """Import what was uploaded, or what lies at ``paths`` (a command's). Uploads are removed unless
    another run will need them."""
    files = [Upload.from_json(facts) for facts in uploads]
    target = Project.objects.filter(pk=project).first()
    if target is None:
        raise UserError("The project was removed. Nothing was imported.")
    try:
        report = import_paths(
            project=target,
            paths=[*files, *(Path(path) for path in paths)],
            source_format=source_format,
            labels=labels,
            actor=run.job.actor,
            run=run,
        )
    except (JobInterruptedError, JobLostError):
        raise
    except BaseException:
        remove_uploads(files)
        raise
    remove_uploads(files)
    return report
