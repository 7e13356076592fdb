"""The page after signing in: the user's projects and the jobs in them."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from annotator.accounts.users import signed_in
from annotator.corpus.models import Project
from annotator.corpus.reading import counts_of_projects
from annotator.corpus.services import may_create_project
from annotator.jobs.models import Job, Queue
from annotator.jobs.services import live_queues

_SHOWN_JOBS = 5


@login_required
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Show the user's projects with their progress, and the unfinished jobs in them."""
    projects = list(Project.objects.visible_to(signed_in(request)).filter(archived_at=None))
    counts = counts_of_projects(projects)
    scopes = [project.scope for project in projects]
    jobs = Job.objects.unfinished().filter(scope__in=scopes).select_related("created_by")
    context = {
        "projects": [(project, counts[project.pk]) for project in projects],
        "unfinished": jobs[:_SHOWN_JOBS],
        "may_create": may_create_project(request.user),
    }
    if request.user.is_staff:
        context["queues_without_worker"] = sorted(set(Queue.values) - live_queues())
    return render(request, "dashboard/home.html", context)
