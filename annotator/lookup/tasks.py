"""The job that imports a dictionary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.urls import reverse

from annotator.jobs.models import Job
from annotator.jobs.registry import handles
from annotator.jobs.runs import JobRun
from annotator.jobs.uploads import uploads_of_run
from annotator.lookup.importing import JOB_KIND, DictionaryPayload, import_dictionary
from annotator.lookup.models import Dictionary


def _page(job: Job) -> str:
    found = Dictionary.objects.filter(pk=job.result.get("dictionary") or 0).first()
    return reverse("admin:lookup_dictionary_change", args=[found.pk]) if found else ""


@handles(JOB_KIND, payload=DictionaryPayload, title="Dictionary import", exclusive=True, page=_page)
def import_dictionary_job(run: JobRun, payload: DictionaryPayload) -> dict[str, Any]:
    """Import the uploaded file, or a command's path, and return the report.

    Uploads are removed unless another run will need them.
    """
    with uploads_of_run(payload.uploads) as files:
        row = import_dictionary(
            path=files[0].path if files else Path(payload.path),
            source=files[0].name if files else Path(payload.path).name,
            database=payload.database,
            name=payload.name,
            version=payload.version,
            actor=run.job.actor,
            run=run,
        )
    return report_of(row)


def report_of(row: Dictionary) -> dict[str, Any]:
    """Return what an import did, as JSON."""
    return {
        "dictionary": row.pk,
        "database": row.database,
        "name": row.name,
        "version": row.version,
        "entries": row.n_entries,
        "names": row.n_names,
        "obsolete": row.n_obsolete,
        "n_problems": row.n_problems,
        "problems": row.problems,
    }
