"""Legends as they stand, their operations, and who works on them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.api import serializers as io
from annotator.api.base import ByIdPagination, ProjectView
from annotator.corpus.access import Action
from annotator.corpus.models import Document
from annotator.lookup.identifiers import identifiers_of
from annotator.review.editing import services
from annotator.review.editing.leases import claim_lease, holder_of, release_lease
from annotator.review.editing.legend import LegendState
from annotator.review.editing.reading import legend_state


class RevisionPagination(ByIdPagination):
    ordering = "revision"


class OneLegendView(ProjectView):
    """An endpoint about one legend of the project."""

    def document(self) -> Document:
        found: Document = get_object_or_404(
            self.project.documents.select_related("project__label_set"),
            pk=self.kwargs["document_id"],
        )
        return found


class LegendView(OneLegendView):
    """One legend as a curator sees it."""

    @extend_schema(responses=io.LegendSerializer, tags=["review"])
    def get(self, request: Request, slug: str, document_id: int) -> Response:
        """A legend with its entities, panels and revision."""
        document = self.document()
        return Response(legend_json(document, legend_state(document)))


class OperationsView(OneLegendView):
    """The log of a legend, and the one way to change it."""

    actions = {"POST": Action.REVIEW}
    pagination_class = RevisionPagination

    @extend_schema(responses=io.OperationSerializer(many=True), tags=["review"])
    def get(self, request: Request, slug: str, document_id: int) -> Response:
        """List the operations on the legend, oldest first."""
        return self.page(self.document().operations.select_related("actor"), io.OperationSerializer)

    @extend_schema(
        request=io.OperationRequestSerializer,
        responses={
            200: io.OutcomeSerializer,
            201: io.OutcomeSerializer,
            400: io.ErrorSerializer,
            409: io.ConflictSerializer,
            423: io.LockedSerializer,
        },
        tags=["review"],
    )
    def post(self, request: Request, slug: str, document_id: int) -> Response:
        """Apply one operation: an edit, acceptance, reopening, undo or redo.

        409 if the legend has changed since base_revision, or if a model has replaced the
        suggestions. 423 if another user holds the legend.
        """
        outcome = services.apply_operation(
            document_id=self.document().pk, actor=self.actor, operation=self.body()
        )
        answer = {
            "revision": outcome.revision,
            "repeated": outcome.repeated,
            "replaced": outcome.replaced.key if outcome.replaced else None,
            "legend": legend_json(outcome.document, outcome.state),
        }
        return Response(
            answer, status=status.HTTP_200_OK if outcome.repeated else status.HTTP_201_CREATED
        )


class LeaseView(OneLegendView):
    """The lease of a legend. Operations claim it too; claim it before you show the legend."""

    actions = {"POST": Action.REVIEW, "DELETE": Action.REVIEW}

    @extend_schema(
        request=io.LeaseRequestSerializer,
        responses={200: io.LeaseSerializer, 423: io.LockedSerializer},
        tags=["review"],
    )
    def post(self, request: Request, slug: str, document_id: int) -> Response:
        """Claim the legend, or extend your lease."""
        take_over = self.fields(io.LeaseRequestSerializer)["take_over"]
        lease = claim_lease(document=self.document(), actor=self.actor, take_over=take_over)
        return Response(io.LeaseSerializer(lease).data)

    @extend_schema(responses={204: None}, tags=["review"])
    def delete(self, request: Request, slug: str, document_id: int) -> Response:
        """Release your lease."""
        release_lease(document=self.document(), actor=self.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)


def legend_json(document: Document, state: LegendState) -> dict[str, Any]:
    """Return the legend with accepted, suggested and, last, rejected entities."""
    holder = holder_of(document)
    facts = {
        "id": document.pk,
        "revision": state.revision,
        "state": document.state,
        "text": state.text,
        "suggested_by": state.suggested_by,
        "suggestions": state.suggestions,
        "holder": holder.get_username() if holder else None,
        "panels": state.panels,
        "entities": [
            {
                **entity.as_row(),
                "key": entity.key,
                "surface": state.surface(entity),
                "status": entity.status,
                "identifiers": identifiers_of(entity.attributes),
                "memory": state.proposal(entity),
            }
            for entity in (*state.entities, *state.rejected)
        ],
    }
    return dict(io.LegendSerializer(facts).data)
