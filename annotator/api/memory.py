"""The memory of a project: what earlier decisions propose, and what managers change in it."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.api import serializers as io
from annotator.api.base import ByIdPagination, ProjectView
from annotator.corpus.access import Action
from annotator.review.memory.services import (
    add_entry,
    entries_that_propose,
    remove_entry,
    switch_entry,
)


class MemoryView(ProjectView):
    """The entries of the memory that propose something."""

    actions = {"GET": Action.MANAGE, "POST": Action.MANAGE}
    pagination_class = ByIdPagination

    @extend_schema(responses=io.MemoryEntrySerializer(many=True), tags=["review"])
    def get(self, request: Request, slug: str) -> Response:
        """List the entries, those that are switched off too."""
        return self.page(entries_that_propose(self.project), io.MemoryEntrySerializer)

    @extend_schema(
        request=io.NewMemoryEntrySerializer,
        responses={201: io.MemoryEntrySerializer, 400: io.ErrorSerializer},
        tags=["review"],
    )
    def post(self, request: Request, slug: str) -> Response:
        """Enter a proposal by hand. It replaces what the counts propose for the string."""
        fields = self.fields(io.NewMemoryEntrySerializer)
        entry = add_entry(
            project=self.project,
            actor=self.actor,
            surface=fields["surface"],
            label=fields["label"],
            kind=fields["proposal"],
            value=fields["proposed"],
        )
        return Response(io.MemoryEntrySerializer(entry).data, status=status.HTTP_201_CREATED)


class MemoryEntryView(ProjectView):
    """One entry of the memory."""

    actions = {"PUT": Action.MANAGE, "DELETE": Action.MANAGE}

    @extend_schema(
        request=io.SwitchMemoryEntrySerializer,
        responses={200: io.MemoryEntrySerializer, 400: io.ErrorSerializer},
        tags=["review"],
    )
    def put(self, request: Request, slug: str, entry_id: int) -> Response:
        """Switch the entry off, so that it proposes nothing, or on again."""
        is_off = self.fields(io.SwitchMemoryEntrySerializer)["is_off"]
        entry = switch_entry(
            project=self.project, actor=self.actor, entry_id=entry_id, is_off=is_off
        )
        return Response(io.MemoryEntrySerializer(entry).data)

    @extend_schema(responses={204: None, 400: io.ErrorSerializer}, tags=["review"])
    def delete(self, request: Request, slug: str, entry_id: int) -> Response:
        """Remove an entry that a manager has entered; others can only be switched off."""
        remove_entry(project=self.project, actor=self.actor, entry_id=entry_id)
        return Response(status=status.HTTP_204_NO_CONTENT)
