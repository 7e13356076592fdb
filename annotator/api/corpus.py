"""Projects and their documents."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import Count
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.api import serializers as io
from annotator.api.base import ApiView, ByIdPagination, ProjectView
from annotator.corpus.access import actions_of
from annotator.corpus.annotations import engine_documents
from annotator.corpus.models import Document, DocumentState, Project
from annotator.corpus.services import create_project


class ProjectsView(ApiView):
    """The projects you are a member of."""

    pagination_class = ByIdPagination

    @extend_schema(responses=io.ProjectSerializer(many=True), tags=["projects"])
    def get(self, request: Request) -> Response:
        """List your projects; superusers see all."""
        return self.page(Project.objects.visible_to(self.actor), io.ProjectSerializer)

    @extend_schema(
        request=io.NewProjectSerializer,
        responses={201: io.ProjectSerializer, 400: io.ErrorSerializer},
        tags=["projects"],
    )
    def post(self, request: Request) -> Response:
        """Create a project. You become its manager."""
        project = create_project(**self.fields(io.NewProjectSerializer), actor=self.actor)
        return Response(io.ProjectSerializer(project).data, status=status.HTTP_201_CREATED)


class OneProjectView(ProjectView):
    @extend_schema(responses=io.ProjectDetailSerializer, tags=["projects"])
    def get(self, request: Request, slug: str) -> Response:
        """Return a project with its labels, your permissions and its documents by state."""
        counts = dict(self.project.documents.values_list("state").annotate(n=Count("id")))
        project: Any = self.project
        project.actions = sorted(actions_of(self.actor, self.project))
        project.n_documents_by_state = {
            state: counts.get(state, 0) for state in DocumentState.values
        }
        return Response(io.ProjectDetailSerializer(project).data)


class DocumentFilter(django_filters.FilterSet):
    state = django_filters.MultipleChoiceFilter(choices=DocumentState.choices)
    doi = django_filters.CharFilter()
    external_id = django_filters.CharFilter()
    text = django_filters.CharFilter(
        lookup_expr="icontains", help_text="Part of the text, in any case."
    )
    accepted_after = django_filters.IsoDateTimeFilter(field_name="accepted_at", lookup_expr="gt")

    class Meta:
        model = Document
        fields: tuple[str, ...] = ()


class DocumentsView(ProjectView):
    """The project's documents."""

    pagination_class = ByIdPagination
    filter_backends = (DjangoFilterBackend,)
    filterset_class = DocumentFilter
    # Names the columns to the filter and to the schema; the rows come from the project.
    queryset = Document.objects.none()

    @extend_schema(responses=io.DocumentSerializer(many=True), tags=["documents"])
    def get(self, request: Request, slug: str) -> Response:
        """List documents without their texts.

        Filters: state (repeatable), doi, external_id, text, accepted_after.
        """
        rows = self.project.documents.defer("text", "attributes")
        return self.page(self.filter_queryset(rows), io.DocumentSerializer)


class DocumentView(ProjectView):
    @extend_schema(responses=io.DocumentDetailSerializer, tags=["documents"])
    def get(self, request: Request, slug: str, document_id: int) -> Response:
        """Return a document with its text, panels, spans and suggestions.

        Each span is checked against the text.
        """
        document: Any = get_object_or_404(self.project.documents, pk=document_id)
        (read,) = engine_documents(Document.objects.filter(pk=document.pk))
        document.project = self.project
        suggestions = () if document.is_blind else read.suggestions
        document.panels, document.spans, document.suggestions = (
            read.segments,
            read.gold,
            suggestions,
        )
        return Response(io.DocumentDetailSerializer(document).data)
