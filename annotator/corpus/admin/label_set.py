"""Label sets in the admin."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from annotator.corpus.models import Label, LabelSet


class _LabelInline(TabularInline):
    model = Label
    fields = ("code", "name", "short", "key", "hue", "takes_role", "position", "retired_at")
    readonly_fields = ("code", "takes_role")
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: LabelSet | None = None) -> bool:
        return False


@admin.register(LabelSet)
class LabelSetAdmin(ModelAdmin):
    """The names and looks of labels. Codes cannot be changed, because spans refer to them."""

    list_display = ("name", "version")
    readonly_fields = ("name", "version")
    inlines = (_LabelInline,)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: LabelSet | None = None) -> bool:
        return False
