"""The export of a project: start one, watch it, download it."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.common.htmx import render_polled, wants_part
from annotator.corpus.access import Action, project_for
from annotator.corpus.models import Project
from annotator.corpus.reading import counts_by_state
from annotator.datasets.exports.reading import counts_in_words, row_of, rows_of
from annotator.datasets.exports.services import (
    KEPT_ARCHIVES,
    archive_of,
    exports_of,
    start_export,
)
from annotator.datasets.forms import ExportForm
from annotator.jobs.models import Job

_SHOWN = 20


@login_required
@require_http_methods(["GET", "POST"])
def export(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the form that starts an export, and earlier exports below it."""
    project = project_for(request.user, slug, Action.EXPORT)
    counts = counts_by_state(project)
    form = ExportForm(request.POST if request.method == "POST" else None)
    if form.is_valid() and not counts.accepted:
        form.add_error(
            None, "There is no accepted legend to export yet. Accept some on the review page first."
        )
    if form.is_valid():
        try:
            job = start_export(project=project, **form.cleaned_data, actor=signed_in(request))
        except UserError as error:
            form.add_error(None, str(error))
        else:
            return redirect("datasets:export_report", project.slug, job.pk)
    context = {
        "project": project,
        "form": form,
        "counts": counts,
        "exports": rows_of(exports_of(project).select_related("created_by")[:_SHOWN]),
        "n_kept": KEPT_ARCHIVES,
    }
    return render(request, "datasets/export.html", context, status=422 if form.errors else 200)


@login_required
@never_cache
@require_GET
def export_report(request: HttpRequest, slug: str, job_id: int) -> HttpResponse:
    """Show the progress of one export, then its contents and the legends left out."""
    project = project_for(request.user, slug, Action.VIEW)
    job = _export_job(project, job_id)
    context = {
        "project": project,
        "job": job,
        "export": row_of(job),
        "counts": counts_in_words(job.result),
        "n_kept": KEPT_ARCHIVES,
    }
    if wants_part(request):
        return render_polled(
            request, "datasets/_export_report.html", context, is_final=job.is_final
        )
    return render(request, "datasets/export_report.html", context)


@login_required
@never_cache
@require_GET
def export_download(request: HttpRequest, slug: str, job_id: int) -> FileResponse:
    """Send the archive of an export."""
    project = project_for(request.user, slug, Action.EXPORT)
    archive = archive_of(_export_job(project, job_id))
    if archive is None:
        raise Http404(
            "The export is not complete, it failed, or its archive was removed. Start a new one."
        )
    return FileResponse(archive.open("rb"), as_attachment=True, filename=archive.name)


def _export_job(project: Project, job_id: int) -> Job:
    job = exports_of(project).filter(pk=job_id).select_related("created_by").first()
    if job is None:
        raise Http404("There is no such export in this project.")
    return job
