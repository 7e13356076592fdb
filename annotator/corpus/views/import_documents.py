"""The import of legends, and the report of each import."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.common.htmx import render_polled, wants_part
from annotator.corpus import reading
from annotator.corpus.access import Action, project_for
from annotator.corpus.forms import ImportForm
from annotator.corpus.imports import JOB_KIND, start_import
from annotator.jobs.models import Job


@login_required
@require_http_methods(["GET", "POST"])
def import_documents(request: HttpRequest, slug: str) -> HttpResponse:
    """Upload files to import, and list earlier imports."""
    found = project_for(request.user, slug, Action.IMPORT)
    form = ImportForm()
    if request.method == "POST":
        form = ImportForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            job = start_import(project=found, **form.cleaned_data, actor=signed_in(request))
        except UserError as error:
            form.add_error("files", str(error))
        else:
            return redirect("corpus:import_documents_report", found.slug, job.pk)
    earlier = Job.objects.filter(scope=found.scope, kind=JOB_KIND).select_related("created_by")[:10]
    context = {"project": found, "form": form, "imports": earlier}
    return render(request, "corpus/import.html", context, status=422 if form.errors else 200)


@login_required
@never_cache
@require_GET
def import_documents_report(request: HttpRequest, slug: str, job_id: int) -> HttpResponse:
    """Show one import: its progress, which the page polls, then its report."""
    found = project_for(request.user, slug, Action.VIEW)
    job = (
        Job.objects.filter(scope=found.scope, kind=JOB_KIND, pk=job_id)
        .select_related("created_by")
        .first()
    )
    if job is None:
        raise Http404("There is no such import in this project.")
    context = {
        "project": found,
        "job": job,
        "report": job.result or None,
        "found": reading.found_in_files(job.result),
    }
    if wants_part(request):
        return render_polled(request, "corpus/_import_report.html", context, is_final=job.is_final)
    return render(request, "corpus/import_report.html", context)
