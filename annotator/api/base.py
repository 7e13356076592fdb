"""The base of all endpoints: sign-in, permissions, pages of results, errors as sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from rest_framework import status
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import ParseError
from rest_framework.generics import GenericAPIView
from rest_framework.pagination import CursorPagination
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, Serializer
from rest_framework.views import exception_handler

from annotator.accounts.authentication import TokenAuthentication
from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.access import Action, project_for, require
from annotator.corpus.annotations import CorruptAnnotationError
from annotator.corpus.models import Project
from annotator.jobs.errors import JobConflictError
from annotator.review.editing.conflicts import LeaseError, StaleRevisionError
from annotator.review.editing.errors import MissingIdentifiersError
from ner_engine.errors import EngineError

_STATUS_OF: tuple[tuple[type[Exception], int], ...] = (
    (StaleRevisionError, status.HTTP_409_CONFLICT),
    (LeaseError, status.HTTP_423_LOCKED),
    (JobConflictError, status.HTTP_409_CONFLICT),
    (CorruptAnnotationError, status.HTTP_500_INTERNAL_SERVER_ERROR),
    (UserError, status.HTTP_400_BAD_REQUEST),
    (EngineError, status.HTTP_400_BAD_REQUEST),
)


class ByIdPagination(CursorPagination):
    """Pages ordered by id. Rows added meanwhile cause no gaps and no repetitions."""

    ordering = "id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500


class NewestFirstPagination(ByIdPagination):
    ordering = "-id"


class ApiView(GenericAPIView[Any]):
    """An endpoint for signed-in users, by token or session."""

    authentication_classes = (TokenAuthentication, SessionAuthentication)
    permission_classes = (IsAuthenticated,)
    pagination_class: type[CursorPagination] | None = None  # a list names one of those above
    queryset: QuerySet[Any] | None = (
        None  # no model endpoint: each method names its serializers to the schema itself
    )

    @property
    def actor(self) -> User:
        user = self.request.user
        if not isinstance(user, User):
            raise TypeError("an endpoint behind IsAuthenticated has a user")
        return user

    def page(
        self, rows: QuerySet[Any], serializer: type[BaseSerializer[Any]], **context: Any
    ) -> Response:
        """Return one page of the rows."""
        if self.paginator is None:
            raise TypeError(f"{type(self).__name__} names no pagination_class")
        found = self.paginator.paginate_queryset(rows, self.request, view=self)
        return self.paginator.get_paginated_response(
            serializer(found, many=True, context=context).data
        )

    def fields(self, serializer: type[Serializer[Any]]) -> dict[str, Any]:
        """Return the validated body of the request. Raises ``ValidationError`` (400)."""
        checked = serializer(data=self.request.data)
        checked.is_valid(raise_exception=True)
        return dict(checked.validated_data)

    def body(self) -> Mapping[str, Any]:
        """Return the body as sent. Raises ``ParseError`` (400) unless it is an object."""
        if not isinstance(self.request.data, Mapping):
            raise ParseError("The body must be a JSON object.")
        return self.request.data

    def get_exception_handler(self) -> Callable[..., Response | None]:
        return _answer_to


class ProjectView(ApiView):
    """An endpoint of a project, ``self.project``. ``actions`` names the permission by method."""

    actions: ClassVar[Mapping[str, Action]] = {}
    project: Project

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.project = project_for(self.actor, kwargs["slug"], Action.VIEW)
        require(self.actor, self.project, self.actions.get(request.method or "", Action.VIEW))


def _answer_to(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return the answer to an error, ``{"detail": sentence}``.

    None for an unexpected error, which becomes a 500 with a traceback in the log.
    """
    if isinstance(error, PermissionDenied) and str(error):
        return Response({"detail": str(error)}, status=status.HTTP_403_FORBIDDEN)
    for kind, code in _STATUS_OF:
        if isinstance(error, kind):
            return Response({"detail": str(error), **_facts_of(error)}, status=code)
    return exception_handler(error, context)


def _facts_of(error: Exception) -> dict[str, Any]:
    if isinstance(error, StaleRevisionError):
        operations = [
            {
                "id": str(row.pk),
                "revision": row.revision,
                "kind": row.kind,
                "actor": str(row.actor or ""),
            }
            for row in error.since
        ]
        return {
            "revision": error.document.revision,
            "base_revision": error.base_revision,
            "operations_since": operations,
        }
    if isinstance(error, MissingIdentifiersError):
        return {"entity": error.entity}
    if isinstance(error, LeaseError):
        return {"holder": error.holder.get_username()}
    return {}
