"""The page of a job, and the part of it that polls itself."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from annotator.accounts.users import signed_in
from annotator.common.htmx import render_polled, wants_part
from annotator.jobs.models import Job
from annotator.jobs.scopes import may_cancel, may_see
from annotator.jobs.services import request_cancel


@login_required
@never_cache
@require_GET
def job(request: HttpRequest, job_id: int) -> HttpResponse:
    """Show a job; for htmx only its card, which polls this address until the job has ended."""
    found = _job(request, job_id)
    if wants_part(request):
        return render_polled(request, "jobs/_polled.html", {"job": found}, is_final=found.is_final)
    return render(request, "jobs/detail.html", {"job": found})


@login_required
@require_POST
def job_cancel(request: HttpRequest, job_id: int) -> HttpResponse:
    """Cancel a job, and show what became of it."""
    job = _job(request, job_id)
    if not may_cancel(request.user, job):
        raise PermissionDenied(
            "Only the user who started this job, or a manager of the project, may cancel it."
        )
    job = request_cancel(job=job, actor=signed_in(request))
    if wants_part(request):
        return render(request, "jobs/_polled.html", {"job": job})
    return redirect("jobs:job", job_id=job.pk)


def _job(request: HttpRequest, job_id: int) -> Job:
    job = Job.objects.select_related("created_by").filter(pk=job_id).first()
    if job is None or not may_see(request.user, job):
        raise Http404("There is no such job.")
    return job
