"""The overview of a project."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from annotator.corpus import reading
from annotator.corpus.access import Action, project_for
from annotator.jobs.models import Job


@login_required
@require_GET
def project(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the progress of the project, its jobs and its labels."""
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
