"""A job's state, as page and as the part that polls itself."""

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
def detail(request: HttpRequest, job_id: int) -> HttpResponse:
    """The job; for htmx the card alone, which polls this address until the job has ended."""
    job = _job(request, job_id)
    if wants_part(request):
        return render_polled(request, "jobs/_polled.html", {"job": job}, is_final=job.is_final)
    return render(request, "jobs/detail.html", {"job": job})


@login_required
@require_POST
def cancel(request: HttpRequest, job_id: int) -> HttpResponse:
    """Cancel the job, and show it as it is then."""
    job = _job(request, job_id)
    if not may_cancel(request.user, job):
        raise PermissionDenied(
            "Only the person who started this, or a manager of the project, may cancel it."
        )
    job = request_cancel(job=job, actor=signed_in(request))
    if wants_part(request):
        return render(request, "jobs/_polled.html", {"job": job})
    return redirect("jobs:detail", job_id=job.pk)


def _job(request: HttpRequest, job_id: int) -> Job:
    job = Job.objects.select_related("created_by").filter(pk=job_id).first()
    if job is None or not may_see(request.user, job):
        raise Http404("There is no such job.")
    return job
