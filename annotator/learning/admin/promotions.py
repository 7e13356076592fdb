"""The promotion log, and the buttons that promote, roll back and switch stages."""

from __future__ import annotations

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from unfold.decorators import display

from annotator.accounts.users import signed_in
from annotator.corpus.access import Action
from annotator.corpus.admin.rows import OWN_PROJECTS, ProjectRowsAdmin
from annotator.learning.admin.pages import (
    back_to_page,
    back_to_page_of,
    errors_as_messages,
    number_in,
    projects_for,
)
from annotator.learning.models import ModelTask, ModelVersion, Promotion, PromotionKind
from annotator.learning.serving import promotion as services


@admin.register(Promotion)
class PromotionAdmin(ProjectRowsAdmin):
    """The log: who promoted which model in place of which, and why."""

    list_display = (
        "created_at",
        "project",
        "shown_kind",
        "task",
        "model_version",
        "replaced",
        "actor",
        "reason",
    )
    list_filter = (OWN_PROJECTS, "kind", "model_version__task")
    list_select_related = ("project", "model_version", "replaced", "actor")
    fields = readonly_fields = (
        "project",
        "kind",
        "model_version",
        "replaced",
        "reason",
        "verdict",
        "actor",
        "created_at",
    )

    @display(
        description="Change",
        ordering="kind",
        label={PromotionKind.PROMOTED.label: "success", PromotionKind.ROLLED_BACK.label: "warning"},
    )
    def shown_kind(self, promotion: Promotion) -> str:
        """Return the kind of the change in words."""
        return promotion.get_kind_display()

    @display(description="Task", ordering="model_version__task")
    def task(self, promotion: Promotion) -> str:
        """Return the task of the model in words."""
        return promotion.model_version.get_task_display()


@errors_as_messages(go_to=back_to_page)
def promote(model_admin: ProjectRowsAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Promote the model in the project that was sent."""
    model: ModelVersion = model_admin.row(request, pk)
    project = get_object_or_404(
        projects_for(request, Action.PROMOTE), pk=number_in(request.POST.get("project"))
    )
    services.promote(
        project=project,
        model_version=model,
        actor=signed_in(request),
        reason=request.POST.get("reason", ""),
    )
    messages.success(
        request,
        f"{model.name} is now the serving model for {model.get_task_display()} in {project}."
        " Waiting legends are being re-tagged.",
    )
    return back_to_page_of(request, model)


@errors_as_messages(go_to=back_to_page)
def roll_back(model_admin: ProjectRowsAdmin, request: HttpRequest, project_id: int) -> HttpResponse:
    """Roll back the last promotion in the project."""
    project = get_object_or_404(projects_for(request, Action.PROMOTE), pk=project_id)
    change = services.roll_back(
        project=project,
        task=request.POST.get("task") or ModelTask.ENTITIES,
        actor=signed_in(request),
        reason=request.POST.get("reason", ""),
    )
    model = change.model_version
    messages.success(
        request,
        f"{model} is the serving model in {project} again. Waiting legends are being re-tagged.",
    )
    return back_to_page_of(request, model)


def _back_to_overview(request: HttpRequest, project_id: int) -> HttpResponse:
    return redirect("admin:index")


@errors_as_messages(go_to=_back_to_overview)
def switch_stage(
    model_admin: ProjectRowsAdmin, request: HttpRequest, project_id: int
) -> HttpResponse:
    """Switch an optional pipeline stage of the project on or off."""
    project = get_object_or_404(projects_for(request, Action.PROMOTE), pk=project_id)
    is_on = request.POST.get("is_on") == "1"
    change = services.switch_stage(
        project=project,
        task=request.POST.get("task", ""),
        is_on=is_on,
        actor=signed_in(request),
    )
    stage = change.model_version.get_task_display().capitalize()
    if is_on:
        message = f"{stage} switched on in {project}. Waiting legends are being re-tagged."
    else:
        message = f"{stage} switched off in {project}. Existing suggestions stay."
    messages.success(request, message)
    return _back_to_overview(request, project_id)
