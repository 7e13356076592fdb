"""Models in the admin: the list, and the page of one model."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from unfold.decorators import display

from annotator.accounts.users import signed_in
from annotator.corpus.access import Action, can
from annotator.corpus.admin.pages import AdminPage, page_urls
from annotator.corpus.admin.rows import OWN_PROJECTS, ProjectRowsAdmin
from annotator.corpus.models import Project
from annotator.datasets.models import Snapshot, SnapshotState
from annotator.learning.admin import canary, effort, evaluation, hub, model_card, promotions
from annotator.learning.admin.pages import projects_for
from annotator.learning.evaluation.effort import projects_tagged_by
from annotator.learning.evaluation.recorder import FORM
from annotator.learning.evaluation.reliability_report import reliability_of
from annotator.learning.forms.serving import EvaluateForm
from annotator.learning.models import Evaluation, ModelOrigin, ModelVersion, TrainingRun
from annotator.learning.serving import gate
from annotator.learning.serving.gate import GateResult
from annotator.learning.serving.promotion import gate_result_of
from annotator.learning.stored import StoredScores
from annotator.learning.tagging.services import projects_served_by

PAGES = (
    AdminPage("<int:pk>/promote/", promotions.promote, "promote", is_post_only=True),
    AdminPage("<int:pk>/evaluate/", evaluation.evaluate, "evaluate", is_post_only=True),
    AdminPage("<int:pk>/card/", model_card.card_page, "card"),
    AdminPage("<int:pk>/download/", model_card.download, "download"),
    AdminPage("<int:pk>/push/", hub.push_page, "push"),
    AdminPage("<int:pk>/canary/", canary.start_canary, "canary", is_post_only=True),
    AdminPage(
        "stop-canary/<int:project_id>/", canary.stop_canary, "stop_canary", is_post_only=True
    ),
    AdminPage("effort/<int:project_id>/", effort.effort_page, "effort"),
    AdminPage("roll-back/<int:project_id>/", promotions.roll_back, "roll_back", is_post_only=True),
    AdminPage("switch/<int:project_id>/", promotions.switch_stage, "switch", is_post_only=True),
)


@admin.register(ModelVersion)
class ModelVersionAdmin(ProjectRowsAdmin):
    """Models: bundled ones, those from folders and the hub, and those trained here."""

    list_filter = ("task", "origin", OWN_PROJECTS)
    search_fields = ("name",)
    list_select_related = ("project",)
    list_before_template = "admin/learning/_known.html"

    def get_urls(self) -> list[URLPattern]:
        """Return the URLs of ``PAGES``, and Django's own."""
        return [*page_urls(self, PAGES), *super().get_urls()]

    def visible(self, rows: QuerySet[Any], request: HttpRequest) -> QuerySet[Any]:
        """Return the shared models, and those of projects the user sees."""
        user = signed_in(request)
        if user.is_superuser:
            return rows
        hidden = Project.objects.exclude(pk__in=Project.objects.visible_to(user))
        return rows.exclude(project__in=hidden)

    def get_list_display(self, request: HttpRequest) -> tuple[Any, ...]:
        """Return the columns; those about projects show only projects the user sees."""
        visible = Project.objects.visible_to(signed_in(request))

        @display(description="Serves")
        def serves(model: ModelVersion) -> str:
            projects = projects_served_by(model).filter(pk__in=visible.values("pk"))
            return ", ".join(str(project) for project in projects) or "–"

        @display(description="Latest micro F1")
        def score(model: ModelVersion) -> str:
            latest = (
                model.evaluations.filter(snapshot__project__in=visible.values("pk"))
                .select_related("snapshot__project")
                .first()
            )
            return f"{latest.micro_f1:.3f} on {latest.snapshot}" if latest else "–"

        return ("name", "task", "origin", "project", serves, score, "created_at", "retired_at")

    def row_page(self, request: HttpRequest, pk: str) -> HttpResponse:
        """Show the model: where it comes from, where it serves, and its evaluations."""
        model = self.row(request, pk)
        return self.page(
            request, "admin/learning/model.html", model.name, **_model_context(request, model)
        )


def _model_context(request: HttpRequest, model: ModelVersion) -> dict[str, Any]:
    visible = Project.objects.visible_to(signed_in(request))
    evaluations = model.evaluations.filter(snapshot__project__in=visible).select_related(
        "snapshot__project"
    )
    snapshots = _snapshots_to_evaluate_on(request, model)
    return {
        "model": model,
        "reliability": reliability_of(model),
        "run": TrainingRun.objects.filter(candidate=model).select_related("snapshot").first(),
        "served": projects_served_by(model).filter(pk__in=visible.values("pk")),
        "revocable": visible.filter(serving__model_version=model),
        "evaluations": [(each, StoredScores.of(each)) for each in evaluations],
        "evaluate_form": EvaluateForm(snapshots=snapshots) if snapshots.exists() else None,
        "promotable": _promotable_projects(request, model, evaluations),
        "min_reason": gate.MIN_REASON,
        "tagged_projects": projects_tagged_by(model).filter(pk__in=visible.values("pk")),
        "may_push": _may_push(request, model),
        "may_download": _may_download(request, model),
    }


def _snapshots_to_evaluate_on(request: HttpRequest, model: ModelVersion) -> QuerySet[Snapshot]:
    """Return the snapshots on which the model has no complete evaluation yet."""
    evaluated = Evaluation.objects.filter(model_version=model, findings__form=FORM)
    snapshots = Snapshot.objects.filter(
        project__in=projects_for(request, Action.TRAIN), state=SnapshotState.READY
    ).exclude(pk__in=evaluated.values("snapshot"))
    if model.project_id:
        snapshots = snapshots.filter(project=model.project_id)
    return snapshots.select_related("project")


def _promotable_projects(
    request: HttpRequest, model: ModelVersion, evaluations: QuerySet[Evaluation]
) -> list[tuple[Project, GateResult]]:
    """Return the projects in which the user may promote the model, with the gate result."""
    if model.retired_at is not None:
        return []
    projects = (
        projects_for(request, Action.PROMOTE)
        .filter(pk__in=evaluations.values("snapshot__project"))
        .exclude(pk__in=projects_served_by(model))
    )
    return [(project, gate_result_of(project=project, model_version=model)) for project in projects]


def _may_push(request: HttpRequest, model: ModelVersion) -> bool:
    if model.origin == ModelOrigin.HUB:
        return False
    if model.project is None:
        return signed_in(request).is_superuser
    return can(request.user, model.project, Action.MANAGE)


def _may_download(request: HttpRequest, model: ModelVersion) -> bool:
    if model.origin == ModelOrigin.HUB:
        return False
    return model.project is None or can(request.user, model.project, Action.EXPORT)
