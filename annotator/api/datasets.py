"""Imports, exports and snapshots."""

from __future__ import annotations

from django.http import FileResponse, Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.generics import get_object_or_404
from rest_framework.parsers import MultiPartParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.api import serializers as io
from annotator.api.base import NewestFirstPagination, ProjectView
from annotator.corpus.access import Action
from annotator.corpus.imports import start_import
from annotator.datasets.exports.services import archive_of, exports_of, start_export
from annotator.datasets.models import Snapshot
from annotator.datasets.snapshots.filters import SnapshotFilter, users_named
from annotator.datasets.snapshots.services import freeze_snapshot
from annotator.jobs.models import Job


class ImportsView(ProjectView):
    actions = {"POST": Action.IMPORT}
    parser_classes = (MultiPartParser,)

    @extend_schema(
        request={"multipart/form-data": io.ImportRequestSerializer},
        responses={202: io.JobSerializer, 400: io.ErrorSerializer},
        tags=["documents"],
    )
    def post(self, request: Request, slug: str) -> Response:
        """Upload files and import them in the background. The job's result is the report.

        Importing the same file again adds nothing.
        """
        asked = self.fields(io.ImportRequestSerializer)
        job = start_import(
            project=self.project,
            files=asked["files"],
            source_format=asked["source_format"],
            labels=asked["labels"],
            actor=self.actor,
        )
        return Response(io.JobSerializer(job).data, status=status.HTTP_202_ACCEPTED)


class ExportsView(ProjectView):
    """The project's exports, each a job."""

    actions = {"GET": Action.EXPORT, "POST": Action.EXPORT}
    pagination_class = NewestFirstPagination

    @extend_schema(responses=io.JobSerializer(many=True), tags=["exports"])
    def get(self, request: Request, slug: str) -> Response:
        """List exports, newest first."""
        return self.page(exports_of(self.project).select_related("created_by"), io.JobSerializer)

    @extend_schema(
        request=io.ExportRequestSerializer,
        responses={202: io.JobSerializer, 400: io.ErrorSerializer},
        tags=["exports"],
    )
    def post(self, request: Request, slug: str) -> Response:
        """Export accepted legends in the background. Download the archive when the job ends."""
        asked = self.fields(io.ExportRequestSerializer)
        job = start_export(
            project=self.project, format_name=asked.pop("format"), actor=self.actor, **asked
        )
        return Response(io.JobSerializer(job).data, status=status.HTTP_202_ACCEPTED)


class ExportDownloadView(ProjectView):
    actions = {"GET": Action.EXPORT}
    renderer_classes = (JSONRenderer,)

    @extend_schema(
        responses={
            (200, "application/zip"): OpenApiResponse(OpenApiTypes.BINARY),
            404: io.ErrorSerializer,
        },
        tags=["exports"],
    )
    def get(self, request: Request, slug: str, job_id: int) -> FileResponse:
        """Download the archive of an export. New exports replace old archives."""
        job: Job = get_object_or_404(exports_of(self.project), pk=job_id)
        archive = archive_of(job)
        if archive is None:
            raise Http404(
                "The export is unfinished, has failed, or its archive is gone. Start a new export."
            )
        return FileResponse(archive.open("rb"), as_attachment=True, filename=archive.name)


class SnapshotsView(ProjectView):
    """Frozen exports to train on."""

    actions = {"POST": Action.TRAIN}
    pagination_class = NewestFirstPagination

    @extend_schema(responses=io.SnapshotSerializer(many=True), tags=["models"])
    def get(self, request: Request, slug: str) -> Response:
        """List snapshots, newest first."""
        return self.page(self.project.snapshots.select_related("created_by"), io.SnapshotSerializer)

    @extend_schema(
        request=io.NewSnapshotSerializer,
        responses={202: io.SnapshotSerializer, 400: io.ErrorSerializer},
        tags=["models"],
    )
    def post(self, request: Request, slug: str) -> Response:
        """Freeze accepted legends in the background. Train on the snapshot when it is ready."""
        asked = self.fields(io.NewSnapshotSerializer)
        filters = SnapshotFilter(
            accepted_from=asked["accepted_from"],
            accepted_to=asked["accepted_to"],
            curators=users_named(asked["curators"]),
            labels=tuple(asked["labels"]),
            decisions=tuple(asked["decisions"]),
        )
        snapshot: Snapshot = freeze_snapshot(
            project=self.project, actor=self.actor, note=asked["note"], filters=filters
        )
        return Response(io.SnapshotSerializer(snapshot).data, status=status.HTTP_202_ACCEPTED)
