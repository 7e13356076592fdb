"""Search in the imported dictionaries, and a project's problems with identifiers."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.api import serializers as io
from annotator.api.base import ProjectView
from annotator.lookup.catalogue import find
from annotator.review.second_look.identifier_problems import identifier_problems

_TYPED = OpenApiParameter("q", str, required=True, description="A name, or an id.")
_LABEL = OpenApiParameter("label", str, description="Search the databases for this label.")
_TAXON = OpenApiParameter("taxon", str, many=True, description="Species that come first.")
_KIND = OpenApiParameter("kind", str, description="Problems of this kind alone.")


class LookupView(ProjectView):
    """The imported dictionaries."""

    @extend_schema(
        parameters=[_TYPED, _LABEL, _TAXON],
        responses=io.FoundSerializer(many=True),
        tags=["lookup"],
    )
    def get(self, request: Request, slug: str) -> Response:
        """Return the entries that fit what was typed, the best first: at most 20."""
        query = request.query_params
        found = find(
            query.get("q", "")[:200],
            label=query.get("label", ""),
            taxa=query.getlist("taxon")[:20],
        )
        return Response(io.FoundSerializer(found, many=True).data)


class IdentifierProblemsView(ProjectView):
    """What is missing, inconsistent, obsolete or unknown among the identifiers of a project."""

    @extend_schema(
        parameters=[_KIND], responses=io.IdentifierProblemSerializer(many=True), tags=["lookup"]
    )
    def get(self, request: Request, slug: str) -> Response:
        """List the problems by kind, the most frequent first."""
        kind = request.query_params.get("kind", "")
        problems: list[Any] = [
            each for each in identifier_problems(self.project) if kind in ("", each.kind)
        ]
        return Response(io.IdentifierProblemSerializer(problems, many=True).data)
