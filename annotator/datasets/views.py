"""The export of a project: ask for one, watch it, download it. And which snapshots hold a
legend."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.common.htmx import render_polled, wants_part
from annotator.corpus.access import Action, project_for
from annotator.corpus.models import Project
from annotator.corpus.reading import counts_by_state
from annotator.datasets import reading
from annotator.datasets.forms import ExportForm
from annotator.datasets.services import KEPT_ARCHIVES, archive_of, exports_of, start_export
from annotator.jobs.models import Job

_SHOWN = 20


@login_required
@require_http_methods(["GET", "POST"])
def export_page(request: HttpRequest, slug: str) -> HttpResponse:
    """Choose a format and start; below it what became of earlier exports."""
    found = project_for(request.user, slug, Action.EXPORT)
    counts = counts_by_state(found)
    form = ExportForm(request.POST if request.method == "POST" else None)
    if form.is_valid() and not counts.accepted:
        form.add_error(
            None, "There is no accepted legend to export yet. Accept some on the review page first."
        )
    if form.is_valid():
        try:
            job = start_export(project=found, **form.cleaned_data, actor=signed_in(request))
        except UserError as error:
            form.add_error(None, str(error))
        else:
            return redirect("datasets:export_report", found.slug, job.pk)
    context = {
        "project": found,
        "form": form,
        "counts": counts,
        "exports": reading.rows_of(exports_of(found).select_related("created_by")[:_SHOWN]),
        "kept": KEPT_ARCHIVES,
    }
    return render(request, "datasets/export.html", context, status=422 if form.errors else 200)


@login_required
@never_cache
@require_GET
def export_report(request: HttpRequest, slug: str, job_id: int) -> HttpResponse:
    """One export: its progress, which polls itself, then what is in it and what was left out."""
    found = project_for(request.user, slug, Action.VIEW)
    job = _export(found, job_id)
    context = {
        "project": found,
        "job": job,
        "export": reading.row_of(job),
        "written": reading.written(job.result),
        "kept": KEPT_ARCHIVES,
    }
    if wants_part(request):
        return render_polled(
            request, "datasets/_export_report.html", context, is_final=job.is_final
        )
    return render(request, "datasets/export_report.html", context)


@login_required
@never_cache
@require_GET
def download(request: HttpRequest, slug: str, job_id: int) -> FileResponse:
    """The archive that the export made."""
    found = project_for(request.user, slug, Action.EXPORT)
    archive = archive_of(_export(found, job_id))
    if archive is None:
        raise Http404(
            "The export has not ended, failed, or its archive was removed. Start a new one."
        )
    return FileResponse(archive.open("rb"), as_attachment=True, filename=archive.name)


@login_required
@require_GET
def document_rows(request: HttpRequest, slug: str, document_id: int) -> HttpResponse:
    """The rows that were made from a legend, in all snapshots: a page, and a fold of the review
    screen."""
    found = project_for(request.user, slug, Action.VIEW)
    document = get_object_or_404(
        found.documents.only("pk", "project", "doi", "figure_label", "external_id", "revision"),
        pk=document_id,
    )
    context = {
        "project": found,
        "document": document,
        "panels": reading.panels_of_document(document),
    }
    return render(
        request,
        "datasets/_document_rows.html" if wants_part(request) else "datasets/document_rows.html",
        context,
    )


def _export(project: Project, job_id: int) -> Job:
    job = exports_of(project).filter(pk=job_id).select_related("created_by").first()
    if job is None:
        raise Http404("There is no such export in this project.")
    return job
