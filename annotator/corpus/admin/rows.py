"""What the admin panel's lists of project rows have in common: staff see the rows of their
projects, and change nothing but through services."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.corpus.models import Project

#: A list's filter by project that names no project but those whose rows the user sees.
OWN_PROJECTS: Final = ("project", admin.RelatedOnlyFieldListFilter)


def visible_project(request: HttpRequest, pk: int) -> Project:
    """The project, for somebody who sees it. Raises ``Http404``."""
    found: Project = get_object_or_404(
        Project.objects.visible_to(signed_in(request)).select_related("label_set"), pk=pk
    )
    return found


def save_if_valid(request: HttpRequest, form: forms.Form, save: Callable[[], str]) -> bool:
    """Whether the form was sent, holds, and ``save`` did what it asks for; what that says is told.
    A ``UserError`` of it stands on the form."""
    if request.method != "POST" or not form.is_valid():
        return False
    try:
        said = save()
    except UserError as error:
        form.add_error(None, str(error))
        return False
    messages.success(request, said)
    return True


class ProjectRowsAdmin(ModelAdmin):
    """Rows that belong to a project by the lookup ``project_path``. Read-only: what a page lets
    people do, it does by a service."""

    project_path = "project"
    list_per_page = 50
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return self.visible(super().get_queryset(request), request)

    def visible(self, rows: QuerySet[Any], request: HttpRequest) -> QuerySet[Any]:
        """Those of ``rows`` whose project the user sees."""
        user = signed_in(request)
        return (
            rows
            if user.is_superuser
            else rows.filter(**{f"{self.project_path}__in": Project.objects.visible_to(user)})
        )

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active and signed_in(request).is_staff

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.has_module_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def row(self, request: HttpRequest, pk: str | int) -> Any:
        """The row of a page. Raises ``PermissionDenied`` for a stranger's as for one that is not
        there."""
        found = self.get_object(request, str(pk))
        if found is None:
            raise PermissionDenied(
                "There is no such row, or it belongs to a project that you are not a member of."
            )
        return found

    def page(
        self, request: HttpRequest, template: str, title: str, *, status: int = 200, **context: Any
    ) -> HttpResponse:
        """One of the panel's own pages, in the panel's frame."""
        frame = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "media": self.media,
        }
        return TemplateResponse(request, template, {**frame, **context}, status=status)
