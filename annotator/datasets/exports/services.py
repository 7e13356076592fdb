"""Exports of accepted legends: into a folder, or in the background into an archive."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from annotator.accounts.actors import Actor, log_name
from annotator.common.files import workbench
from annotator.corpus.access import Action, require
from annotator.corpus.models import Project
from annotator.datasets.exports.writing import ExportChoice, write_export, zip_folder
from annotator.jobs.models import Job, JobState
from annotator.jobs.payloads import Payload
from annotator.jobs.services import enqueue

if TYPE_CHECKING:
    from annotator.jobs.runs import JobRun

log = structlog.get_logger(__name__)

EXPORT_KIND: Final = "export_dataset"
#: Number of archives kept for a project; a new one replaces the oldest.
KEPT_ARCHIVES: Final = 5


@dataclass(frozen=True)
class ExportPayload(Payload):
    """The format to export; into ``out_dir``, or into an archive if it is empty."""

    project: int
    format_name: str
    out_dir: str = ""
    public_form: bool = False
    tokenizer: str = ""
    leave_out_damaged: bool = False


def export_dataset(
    *,
    project: Project,
    format_name: str,
    out_dir: Path | str,
    actor: Actor,
    run: JobRun | None = None,
    tokenizer: str = "",
    public_form: bool = False,
    leave_out_damaged: bool = False,
) -> dict[str, Any]:
    """Write all accepted legends into ``out_dir``, complete or not at all; return the report.

    sd-nlp gives ``sd_panels/`` and ``sd_figs/`` with train, eval and test by paper; ``lossy.jsonl``
    names each entity that words cannot express, and ``report.json`` counts. Raises
    ``PermissionDenied``; ``DamagedAnnotationsError`` naming each damaged legend; ``UserError`` if
    no legend is accepted, the folder holds other files, or the format or tokenizer is unknown.
    """
    require(actor, project, Action.EXPORT)
    choice = ExportChoice(
        format_name, tokenizer or settings.EXPORT_TOKENIZER, public_form, leave_out_damaged
    )
    report = write_export(project, choice, Path(out_dir).resolve(), run)
    log.info(
        "dataset_exported",
        project=project.pk,
        format=format_name,
        documents=report["documents"],
        actor=log_name(actor),
    )
    return report


def start_export(
    *,
    project: Project,
    format_name: str,
    actor: Actor,
    public_form: bool = False,
    leave_out_damaged: bool = False,
) -> Job:
    """Start an export into an archive to download (see ``archive_of``) and return its job.

    Raises ``PermissionDenied``, ``UserError``.
    """
    require(actor, project, Action.EXPORT)
    ExportChoice(format_name, "").target()
    return enqueue(
        kind=EXPORT_KIND,
        scope=project.scope,
        payload=ExportPayload(
            project=project.pk,
            format_name=format_name,
            public_form=public_form,
            leave_out_damaged=leave_out_damaged,
        ),
        actor=actor,
    )


def export_to_archive(
    *, project: Project, format_name: str, actor: Actor, run: JobRun, **choices: Any
) -> dict[str, Any]:
    """Write an export, pack it into the job's archive, and return the report."""
    archive = _archive_path(run.job)
    with workbench(archive) as bench:
        report = export_dataset(
            project=project,
            format_name=format_name,
            out_dir=bench / "out",
            actor=actor,
            run=run,
            **choices,
        )
        run.report(message="Packing the archive")
        run.check()
        zip_folder(bench / "out", bench / archive.name)
        with transaction.atomic():
            run.hold()
            (bench / archive.name).replace(archive)
    _remove_old_archives(archive.parent)
    return {**report, "archive": archive.name, "bytes": archive.stat().st_size}


def exports_of(project: Project) -> QuerySet[Job]:
    """Return the project's export jobs, newest first.

    Exports started on a page or through the API leave an archive, those of commands a folder.
    """
    return Job.objects.filter(scope=project.scope, kind=EXPORT_KIND)


def archive_of(job: Job) -> Path | None:
    """Return the archive of an export job, or None if it made none or the archive was removed."""
    if job.kind != EXPORT_KIND or job.state != JobState.SUCCEEDED or "archive" not in job.result:
        return None
    path = _archive_path(job)
    return path if path.is_file() else None


def _archive_path(job: Job) -> Path:
    folder = Path(settings.VAR_DIR) / "exports" / job.scope.replace(":", "-")
    payload = ExportPayload.of(job)
    slug = Project.objects.values_list("slug", flat=True).get(pk=payload.project)
    return folder / f"{slug}-{payload.format_name}-{job.pk}.zip"


def _remove_old_archives(folder: Path) -> None:
    archives = sorted(folder.glob("*.zip"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in archives[KEPT_ARCHIVES:]:
        path.unlink(missing_ok=True)
