"""Jobs: progress and cancellation."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.api import serializers as io
from annotator.api.base import NewestFirstPagination, ProjectView
from annotator.corpus.access import Action, require
from annotator.jobs.models import Job
from annotator.jobs.services import request_cancel


class JobsView(ProjectView):
    """The project's jobs."""

    pagination_class = NewestFirstPagination

    @extend_schema(responses=io.JobSerializer(many=True), tags=["jobs"])
    def get(self, request: Request, slug: str) -> Response:
        """List jobs, newest first."""
        return self.page(
            Job.objects.filter(scope=self.project.scope).select_related("created_by"),
            io.JobSerializer,
        )


class OneJobView(ProjectView):
    """An endpoint about one job of the project."""

    def job(self) -> Job:
        found: Job = get_object_or_404(Job, pk=self.kwargs["job_id"], scope=self.project.scope)
        return found


class JobView(OneJobView):
    @extend_schema(responses=io.JobSerializer, tags=["jobs"])
    def get(self, request: Request, slug: str, job_id: int) -> Response:
        """Return a job with its state, its progress and, when it has ended, its report."""
        return Response(io.JobSerializer(self.job()).data)


class JobCancelView(OneJobView):
    @extend_schema(
        request=None, responses={200: io.JobSerializer, 403: io.ErrorSerializer}, tags=["jobs"]
    )
    def post(self, request: Request, slug: str, job_id: int) -> Response:
        """Cancel a job: your own, or as a manager any job of the project.

        A waiting job is cancelled at once, a running one at its next step.
        """
        job = self.job()
        if job.created_by_id != self.actor.pk:
            require(self.actor, self.project, Action.MANAGE)
        return Response(io.JobSerializer(request_cancel(job=job, actor=self.actor)).data)
