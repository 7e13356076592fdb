"""Legends in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import display

from annotator.corpus.admin.rows import OWN_PROJECTS, ProjectRowsAdmin
from annotator.corpus.models import Document


@admin.register(Document)
class DocumentAdmin(ProjectRowsAdmin):
    list_display = (
        "external_id",
        "figure_label",
        "project",
        "doi",
        "state",
        "accepted_by",
        "accepted_at",
        "on_the_site",
    )
    list_filter = ("state", OWN_PROJECTS)
    list_select_related = ("project", "accepted_by")
    search_fields = ("=external_id", "=doi")
    fields = readonly_fields = (
        "project",
        "external_id",
        "figure_label",
        "title",
        "doi",
        "state",
        "revision",
        "accepted_by",
        "accepted_at",
        "text",
        "on_the_site",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("text", "attributes")

    @display(description="On the site")
    def on_the_site(self, document: Document) -> str:
        return format_html(
            '<a href="{}">Open</a>',
            reverse("corpus:document", args=[document.project.slug, document.pk]),
        )
