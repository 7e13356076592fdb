"""The base of admin lists whose rows belong to projects.

Staff see the rows of their own projects. Only services change rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

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

#: A filter by project that offers only projects whose rows the user sees.
OWN_PROJECTS: Final = ("project", admin.RelatedOnlyFieldListFilter)


def visible_project(request: HttpRequest, pk: int) -> Project:
    """Return the project if the user may see it. Raise ``Http404`` otherwise."""
    project: Project = get_object_or_404(
        Project.objects.visible_to(signed_in(request)).select_related("label_set"), pk=pk
    )
    return project


def save_if_valid(request: HttpRequest, form: forms.Form, save: Callable[[], str]) -> bool:
    """Call ``save`` if the form was sent and is valid; return whether it succeeded.

    The message that ``save`` returns is shown. A ``UserError`` becomes an error of the form.
    """
    if request.method != "POST" or not form.is_valid():
        return False
    try:
        message = save()
    except UserError as error:
        form.add_error(None, str(error))
        return False
    messages.success(request, message)
    return True


class ProjectRowsAdmin(ModelAdmin):
    """A read-only list of rows that belong to a project by the lookup ``project_path``."""

    project_path = "project"
    list_per_page = 50
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return self.visible(super().get_queryset(request), request)

    def visible(self, rows: QuerySet[Any], request: HttpRequest) -> QuerySet[Any]:
        """Return those of ``rows`` whose project the user may see."""
        user = signed_in(request)
        if user.is_superuser:
            return rows
        return rows.filter(**{f"{self.project_path}__in": Project.objects.visible_to(user)})

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

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return self.add_page(request)

    def add_page(self, request: HttpRequest) -> HttpResponse:
        """Show the page that starts something new: Django's form, where a subclass has none."""
        return cast("HttpResponse", super().add_view(request))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        page = self.row_page(request, object_id)
        if page is None:
            page = cast("HttpResponse", super().change_view(request, object_id, form_url))
        return page

    def row_page(self, request: HttpRequest, pk: str) -> HttpResponse | None:
        """Show the row's own page; None where Django's form is enough."""
        return None

    def row(self, request: HttpRequest, pk: str | int) -> Any:
        """Return the row of a page. Raise ``PermissionDenied`` if it is missing or not visible."""
        row = self.get_object(request, str(pk))
        if row is None:
            raise PermissionDenied(
                "There is no such row, or it belongs to a project that you are not a member of."
            )
        return row

    def page(
        self, request: HttpRequest, template: str, title: str, *, status: int = 200, **context: Any
    ) -> HttpResponse:
        """Render one of our own pages inside the admin's frame."""
        frame = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "media": self.media,
        }
        return TemplateResponse(request, template, {**frame, **context}, status=status)
