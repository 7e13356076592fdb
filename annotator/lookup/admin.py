"""Dictionaries in the admin site, for those who may import them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin
from unfold.decorators import display

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.jobs.errors import JobConflictError
from annotator.lookup.access import may_import
from annotator.lookup.databases import database_with_key
from annotator.lookup.forms import DictionaryForm
from annotator.lookup.importing import remove_dictionary, start_dictionary_import
from annotator.lookup.models import Dictionary


@admin.register(Dictionary)
class DictionaryAdmin(ModelAdmin):
    """The list of dictionaries; “add” imports one, “delete” takes one out of use."""

    list_display = (
        "name",
        "shown_database",
        "version",
        "n_entries",
        "n_names",
        "n_problems",
        "imported_at",
        "imported_by",
        "replaced_at",
    )
    list_filter = ("database",)
    list_select_related = ("imported_by",)
    show_full_result_count = False
    actions = None

    @display(description="Database", ordering="database")
    def shown_database(self, row: Dictionary) -> str:
        database = database_with_key(row.database)
        return database.name if database else row.database

    def has_module_permission(self, request: HttpRequest) -> bool:
        user = request.user
        return user.is_active and signed_in(request).is_staff and may_import(user)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_module_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request) and (obj is None or obj.replaced_at is None)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Import a file in the background."""
        if not self.has_add_permission(request):
            return redirect("admin:index")
        form = DictionaryForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            try:
                job = start_dictionary_import(**form.cleaned_data, actor=signed_in(request))
            except (UserError, JobConflictError) as error:
                form.add_error(None, str(error))
            else:
                return redirect("jobs:job", job.pk)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Import a dictionary",
            "media": self.media,
            "form": form,
        }
        status = 422 if form.errors else 200
        return TemplateResponse(request, "admin/lookup/import.html", context, status=status)

    def delete_model(self, request: HttpRequest, obj: Dictionary) -> None:
        """Take the dictionary out of use; its row stays, as those of earlier versions do."""
        remove_dictionary(dictionary=obj, actor=signed_in(request))
        messages.info(request, "Identifiers that were chosen from it stay as they are.")
