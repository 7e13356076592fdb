"""Pages of a project: overview, its documents, import, members."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.common.htmx import render_polled, wants_part
from annotator.common.paging import keyset_page
from annotator.corpus import reading
from annotator.corpus.access import Action, project_for
from annotator.corpus.annotations import current_layers
from annotator.corpus.figures import figure_context
from annotator.corpus.forms import ImportForm, MemberForm, ProjectForm
from annotator.corpus.imports import JOB_KIND, start_import
from annotator.corpus.models import Document, DocumentState, LayerKind, Role
from annotator.corpus.services import add_member, create_project, may_create_project, remove_member
from annotator.jobs.models import Job


@login_required
@require_http_methods(["GET", "POST"])
def create(request: HttpRequest) -> HttpResponse:
    """Make a project; whoever makes it manages it."""
    user = signed_in(request)
    if not may_create_project(user):
        raise PermissionDenied(
            "Only staff may make projects. Ask an administrator for the right to add projects."
        )
    form = ProjectForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            project = create_project(**form.cleaned_data, actor=user)
        except UserError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{project.name} is ready. Import legends to begin.")
            return redirect("corpus:import", project.slug)
    return render(request, "corpus/create.html", {"form": form}, status=422 if form.errors else 200)


@login_required
@require_GET
def project(request: HttpRequest, slug: str) -> HttpResponse:
    """How far the project is, what is at work, and what one can do."""
    found = project_for(request.user, slug, Action.VIEW)
    counts = reading.counts_by_state(found)
    jobs = Job.objects.filter(scope=found.scope).select_related("created_by")
    context = {
        "project": found,
        "counts": counts,
        "unfinished": list(jobs.unfinished()[:5]),
        "finished": list(jobs.exclude(pk__in=jobs.unfinished().values("pk"))[:5]),
        "labels": found.label_set.labels.filter(retired_at=None),
    }
    return render(request, "corpus/project.html", context)


@login_required
@require_GET
def documents(request: HttpRequest, slug: str) -> HttpResponse:
    """The project's legends by state and words, page by page."""
    found = project_for(request.user, slug, Action.VIEW)
    words = request.GET.get("q", "").strip()[:200]
    state = request.GET.get("state", "")
    rows = found.documents.matching(words)
    if state in DocumentState.values:
        rows = rows.filter(state=state)
    context = {
        "project": found,
        "page": keyset_page(reading.with_excerpt(rows), request.GET),
        "words": words,
        "state": state,
        "counts": reading.counts_by_state(found),
    }
    return render(request, "corpus/documents.html", context)


@login_required
@require_GET
def document(request: HttpRequest, slug: str, document_id: int) -> HttpResponse:
    """A legend to read: its panels with the marks that stand, and where it comes from."""
    found = project_for(request.user, slug, Action.VIEW)
    rows = (
        Document.objects.filter(project=found)
        .prefetch_related("segments", "layers__spans")
        .select_related("accepted_by")
    )
    legend = get_object_or_404(rows, pk=document_id)
    legend.project = found
    layers = current_layers(legend)
    suggested = None if legend.is_blind else layers.get(LayerKind.SUGGESTED)
    shown = layers.get(LayerKind.DECIDED) or layers.get(LayerKind.IMPORTED) or suggested
    labels = {label.code: label for label in found.label_set.labels.all()}
    parts = reading.legend_parts(legend, shown, labels) | figure_context(legend, found.allowed)
    context = {"project": found, "document": legend, "layer": shown, **parts}
    return render(request, "corpus/document.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def import_page(request: HttpRequest, slug: str) -> HttpResponse:
    """Upload files, and see what became of earlier ones."""
    found = project_for(request.user, slug, Action.IMPORT)
    form = ImportForm(request.POST, request.FILES) if request.method == "POST" else ImportForm()
    if request.method == "POST" and form.is_valid():
        try:
            job = start_import(project=found, **form.cleaned_data, actor=signed_in(request))
        except UserError as error:
            form.add_error("files", str(error))
        else:
            return redirect("corpus:import_report", found.slug, job.pk)
    earlier = Job.objects.filter(scope=found.scope, kind=JOB_KIND).select_related("created_by")[:10]
    context = {"project": found, "form": form, "imports": earlier}
    return render(request, "corpus/import.html", context, status=422 if form.errors else 200)


@login_required
@never_cache
@require_GET
def import_report(request: HttpRequest, slug: str, job_id: int) -> HttpResponse:
    """One import: its progress, which polls itself, then its report."""
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


@login_required
@require_http_methods(["GET", "POST"])
def members(request: HttpRequest, slug: str) -> HttpResponse:
    """Who is in the project; POST adds somebody or changes their role."""
    found = project_for(request.user, slug, Action.MANAGE)
    form = MemberForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        person, role = form.cleaned_data["person"], form.cleaned_data["role"]
        try:
            add_member(project=found, user=person, role=role, actor=signed_in(request))
        except UserError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{person} is now {Role(role).label.lower()}.")
            return redirect("corpus:members", found.slug)
    rows = found.memberships.select_related("user").order_by("user__username")
    context = {"project": found, "form": form, "memberships": rows, "roles": Role.choices}
    return render(request, "corpus/members.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def remove(request: HttpRequest, slug: str, user_id: int) -> HttpResponse:
    """End somebody's membership."""
    found = project_for(request.user, slug, Action.MANAGE)
    membership = get_object_or_404(found.memberships.select_related("user"), user_id=user_id)
    try:
        remove_member(project=found, user=membership.user, actor=signed_in(request))
    except UserError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{membership.user} is no longer a member.")
    if membership.user_id == signed_in(request).pk:
        return redirect("dashboard:home")
    return redirect("corpus:members", found.slug)
