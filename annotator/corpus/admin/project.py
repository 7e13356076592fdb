"""Projects in the admin. Members are changed on the site's own page."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from unfold.admin import TabularInline
from unfold.decorators import display

from annotator.accounts.users import signed_in
from annotator.corpus.access import Action, can
from annotator.corpus.admin.rows import ProjectRowsAdmin
from annotator.corpus.models import Membership, Project
from annotator.corpus.services import may_create_project


class _MembershipInline(TabularInline):
    model = Membership
    fields = readonly_fields = ("user", "role")
    extra = 0
    can_delete = False

    def has_view_permission(self, request: HttpRequest, obj: Project | None = None) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest, obj: Project | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Project | None = None) -> bool:
        return False


@admin.register(Project)
class ProjectAdmin(ProjectRowsAdmin):
    list_display = (
        "name",
        "slug",
        "label_set",
        "created_by",
        "created_at",
        "archived_at",
        "on_the_site",
    )
    list_select_related = ("label_set", "created_by")
    search_fields = ("name", "slug")
    inlines = (_MembershipInline,)
    fields = (
        "name",
        "slug",
        "description",
        "guideline",
        "label_set",
        "created_by",
        "created_at",
        "archived_at",
        "on_the_site",
        "learning",
    )
    readonly_fields = ("slug", "label_set", "created_by", "created_at", "on_the_site", "learning")

    def visible(self, rows: QuerySet[Any], request: HttpRequest) -> QuerySet[Any]:
        return rows.visible_to(signed_in(request))  # type: ignore[attr-defined,no-any-return]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may_create_project(request.user)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is not None and can(request.user, obj, Action.MANAGE)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Leave out the links to learning for users who may not manage the project."""
        names = super().get_fields(request, obj)
        if self.has_change_permission(request, obj):
            return names
        return [name for name in names if name != "learning"]

    def add_page(self, request: HttpRequest) -> HttpResponse:
        return redirect("corpus:create")

    @display(description="On the site")
    def on_the_site(self, project: Project) -> str:
        address = reverse("corpus:project", args=[project.slug])
        members = reverse("corpus:members", args=[project.slug])
        return format_html('<a href="{}">Open</a> · <a href="{}">Members</a>', address, members)

    @display(description="Learning")
    def learning(self, project: Project) -> str:
        """Link the project's other admin pages."""
        pages = (
            ("learning_trainingrun_automatic", "Automatic retraining"),
            ("learning_trainingrun_gate", "Gate"),
            ("datasets_snapshot_rules", "Snapshot rules"),
            ("learning_modelversion_effort", "Curator effort"),
        )
        links = ((reverse(f"admin:{name}", args=[project.pk]), words) for name, words in pages)
        return format_html_join(" · ", '<a href="{}">{}</a>', links)
