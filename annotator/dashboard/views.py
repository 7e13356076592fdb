"""The page one comes to after signing in, and the address that monitors ask."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from annotator.accounts.users import signed_in
from annotator.corpus.models import Project
from annotator.corpus.reading import counts_of_projects
from annotator.corpus.services import may_create_project
from annotator.jobs import broker
from annotator.jobs.models import Job, Queue
from annotator.jobs.services import live_queues


@login_required
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """The user's projects and how far each is, and the work that goes on in them."""
    projects = list(Project.objects.visible_to(signed_in(request)).filter(archived_at=None))
    counts = counts_of_projects(projects)
    scopes = [project.scope for project in projects]
    context = {
        "projects": [(project, counts[project.pk]) for project in projects],
        "unfinished": (
            Job.objects.unfinished().filter(scope__in=scopes).select_related("created_by")[:5]
        ),
        "may_create": may_create_project(request.user),
        "unheard": sorted(set(Queue.values) - live_queues()) if request.user.is_staff else [],
    }
    return render(request, "dashboard/home.html", context)


@never_cache
@require_GET
def healthz(request: HttpRequest) -> HttpResponse:
    """Whether this process can serve pages: 200, or 503 without its database. A broker or worker
    that is away only delays jobs, and is told."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        queues = sorted(live_queues())
    except DatabaseError:
        return JsonResponse({"database": "away"}, status=503)
    return JsonResponse(
        {"database": "ok", "broker": "ok" if broker.is_reachable() else "away", "queues": queues}
    )
