"""The learning loop in the admin panel: start a training on a snapshot, watch it, compare, promote,
roll back.

Every button calls the service that the API and the command line call; what somebody may do is
decided there by their role in the project.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.views.decorators.http import require_POST
from unfold.decorators import display

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.common.htmx import STOP_POLLING
from annotator.common.states import admin_colours
from annotator.corpus.access import Action, can, require
from annotator.corpus.adminpages import OWN_PROJECTS, ProjectRowsAdmin, is_saved, visible_project
from annotator.corpus.models import Project
from annotator.corpus.services import may_create_project
from annotator.datasets.models import Snapshot, SnapshotState
from annotator.jobs.errors import JobConflictError
from annotator.jobs.services import nobody_listens_for
from annotator.learning.adminforms import GateForm, JudgeForm
from annotator.learning.adminpages import AutomaticPages, HubPages, back_to_run, number_in
from annotator.learning.evaluation import charts as reports
from annotator.learning.evaluation import comparison as judging
from annotator.learning.evaluation import effort
from annotator.learning.evaluation.services import compare, start_evaluation
from annotator.learning.models import (
    Evaluation,
    ModelOrigin,
    ModelTask,
    ModelVersion,
    Promotion,
    PromotionKind,
    RunState,
    TrainingRun,
)
from annotator.learning.seriesadmin import (
    TrainingSeriesAdmin as TrainingSeriesAdmin,  # noqa: PLC0414
)
from annotator.learning.serving import canary_report, cards, gate
from annotator.learning.serving.promotion import (
    candidate_gate_result,
    gate_result_of,
    promote,
    roll_back,
    standing_promotion,
    switch_stage,
)
from annotator.learning.startpages import StartPages, projects_for
from annotator.learning.tagging.services import lineup_of, projects_served_by
from annotator.learning.training import automatic
from annotator.learning.training.data import TEST
from annotator.learning.training.disk_space import in_bytes
from annotator.learning.training.services import cancel_training, settle_runs
from ner_engine.errors import EngineError


def _say(request: HttpRequest, error: Exception) -> None:
    messages.error(request, str(error))


def add_overview(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the panel's first page shows: each project that the user sees, with what serves it and
    what could be learned."""
    projects = Project.objects.visible_to(signed_in(request)).filter(archived_at=None)
    return {
        **context,
        "overview": [_overview_of(request, project) for project in projects[:100]],
        "may_create": may_create_project(request.user),
    }


def _overview_of(request: HttpRequest, project: Project) -> dict[str, Any]:
    steps = lineup_of(project).steps
    serving = steps[0].model
    snapshot = project.snapshots.filter(state=SnapshotState.READY).first()
    accepted = project.documents.accepted()
    return {
        "project": project,
        "serving": serving,
        "other_steps": steps[1:],
        "may_promote": can(request.user, project, Action.PROMOTE),
        "score": (
            Evaluation.objects.filter(model_version=serving, snapshot__project=project, side=TEST)
            .select_related("snapshot")
            .first()
        ),
        "n_accepted": accepted.count(),
        "n_new": accepted.filter(accepted_at__gt=snapshot.created_at).count() if snapshot else None,
        "snapshot": snapshot,
        "run": project.training_runs.select_related("snapshot").first(),
        "may_train": can(request.user, project, Action.TRAIN),
        "automatic": automatic.settings_of(project),
        "may_manage": can(request.user, project, Action.MANAGE),
    }


@admin.register(TrainingRun)
class TrainingRunAdmin(StartPages, AutomaticPages):
    """Training runs: the list, the page that starts one, and the page of one."""

    list_display = (
        "name",
        "project",
        "snapshot_number",
        "recipe",
        "task",
        "shown_state",
        "scores",
        "created_by",
        "created_at",
    )
    list_display_links = ("name",)
    list_filter = ("state", "task", "recipe", OWN_PROJECTS)
    list_select_related = ("project", "snapshot", "candidate", "created_by")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/part/", view(self.part_view), name="learning_trainingrun_part"),
            path(
                "<int:pk>/cancel/",
                view(require_POST(self.cancel_view)),
                name="learning_trainingrun_cancel",
            ),
            path("gate/<int:project_id>/", view(self.gate_view), name="learning_trainingrun_gate"),
            *super().get_urls(),
        ]

    @display(description="Run", ordering="pk")
    def name(self, run: TrainingRun) -> str:
        return f"Run {run.pk}"

    @display(description="Snapshot", ordering="snapshot")
    def snapshot_number(self, run: TrainingRun) -> str:
        return f"{run.snapshot.number}"

    @display(description="State", ordering="state", label=admin_colours(RunState))
    def shown_state(self, run: TrainingRun) -> str:
        return run.get_state_display()

    @display(description="Micro F1")
    def scores(self, run: TrainingRun) -> str:
        found = (
            Evaluation.objects.filter(
                model_version=run.candidate, snapshot=run.snapshot, side=TEST
            ).first()
            if run.candidate
            else None
        )
        return f"{found.micro_f1:.3f}" if found else "–"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        for project in Project.objects.filter(
            training_runs__in=TrainingRun.objects.unfinished()
        ).distinct():
            settle_runs(project=project)
        return super().changelist_view(request, extra_context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The run: how far it is, its curves, and its candidate beside the current model."""
        run = self.row(request, object_id)
        return self.page(
            request, "admin/learning/run.html", f"Run {run.pk}", **self._facts(request, run.pk)
        )

    def part_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What changes on the page of a run; htmx asks for it until the run has ended."""
        facts = self._facts(request, self.row(request, pk).pk)
        return TemplateResponse(
            request,
            "admin/learning/_run.html",
            facts,
            status=STOP_POLLING if facts["run"].is_final else 200,
        )

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        run = cancel_training(run=self.row(request, pk), actor=signed_in(request))
        messages.info(
            request,
            (
                f"Run {run.pk} is cancelled."
                if run.is_final
                else f"Run {run.pk} stops after the step it is at."
            ),
        )
        return redirect("admin:learning_trainingrun_change", run.pk)

    def gate_view(self, request: HttpRequest, project_id: int) -> HttpResponse:
        """By which rules candidates of the project may go into service."""
        user, project = signed_in(request), visible_project(request, project_id)
        require(user, project, Action.MANAGE)
        form = GateForm(request.POST) if request.method == "POST" else GateForm.of(project)

        def save() -> str:
            gate.change_gate_rules(project=project, actor=user, **form.cleaned_data)
            return f"Candidates of {project} pass the gate by these rules from now on."

        if is_saved(request, form, save):
            return redirect("admin:learning_trainingrun_gate", project.pk)
        context = {
            "form": form,
            "project": project,
            "rules": gate.Rules.of(project),
            "min_reason": gate.MIN_REASON,
        }
        return self.page(
            request,
            "admin/learning/gate.html",
            f"Gate of {project}",
            status=422 if form.errors else 200,
            **context,
        )

    def _facts(self, request: HttpRequest, pk: int) -> dict[str, Any]:
        rows = TrainingRun.objects.select_related(
            "project", "snapshot", "base", "candidate", "created_by", "job"
        )
        settle_runs(project=rows.get(pk=pk).project)
        run = rows.get(pk=pk)
        events = reports.events_of(run)
        user = signed_in(request)
        standing = standing_promotion(run.project, run.task)
        serving = lineup_of(run.project).step(run.task).model
        comparison = compare(run)
        may_promote = can(user, run.project, Action.PROMOTE)
        return {
            "run": run,
            "job": run.job,
            "nobody_listens": (
                run.job is not None and not run.is_final and nobody_listens_for(run.job)
            ),
            "charts": reports.charts_of(events),
            "evaluations": reports.evaluations_of(events),
            "blend": reports.blend_of(events) if run.candidate else None,
            "comparison": comparison,
            "bars": reports.score_bars(comparison) if comparison else None,
            "details": judging.details_of(comparison, run.project) if comparison else None,
            "verdict": candidate_gate_result(run) if comparison is not None else None,
            "canary": (
                canary_report.canary_of(project=run.project, actor=user, model=run.candidate)
                if run.candidate
                else None
            ),
            "rules": gate.Rules.of(run.project),
            "min_reason": gate.MIN_REASON,
            "memory": (
                in_bytes(run.progress["memory_bytes"]) if run.progress.get("memory_bytes") else ""
            ),
            "took": reports.in_words(run.finished_at - run.created_at) if run.finished_at else "",
            "log_end": reports.log_end(run),
            "serving": serving,
            "standing": standing,
            "may_cancel": not run.is_final and can(user, run.project, Action.TRAIN),
            "may_promote": may_promote,
            "may_manage": can(user, run.project, Action.MANAGE),
        }


@admin.register(ModelVersion)
class ModelVersionAdmin(HubPages):
    """Models: the bundled one, those from folders and the hub, and those that were trained here."""

    list_filter = ("task", "origin", OWN_PROJECTS)
    search_fields = ("name",)
    list_select_related = ("project",)
    list_before_template = "admin/learning/_known.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path(
                "<int:pk>/promote/",
                view(require_POST(self.promote_view)),
                name="learning_modelversion_promote",
            ),
            path(
                "<int:pk>/judge/",
                view(require_POST(self.judge_view)),
                name="learning_modelversion_judge",
            ),
            path("<int:pk>/card/", view(self.card_view), name="learning_modelversion_card"),
            path(
                "<int:pk>/download/",
                view(self.download_view),
                name="learning_modelversion_download",
            ),
            path(
                "roll-back/<int:project_id>/",
                view(require_POST(self.roll_back_view)),
                name="learning_modelversion_roll_back",
            ),
            path(
                "switch/<int:project_id>/",
                view(require_POST(self.switch_view)),
                name="learning_modelversion_switch",
            ),
            *super().get_urls(),
        ]

    def visible(self, rows: QuerySet[Any], request: HttpRequest) -> QuerySet[Any]:
        user = signed_in(request)
        return (
            rows
            if user.is_superuser
            else rows.exclude(
                project__in=Project.objects.exclude(pk__in=Project.objects.visible_to(user))
            )
        )

    def get_list_display(self, request: HttpRequest) -> tuple[Any, ...]:
        """A shared model serves, and was judged, in projects that not everybody sees: these columns
        know who asks."""
        visible = Project.objects.visible_to(signed_in(request))

        @display(description="In service in")
        def serves(model: ModelVersion) -> str:
            return (
                ", ".join(
                    str(project)
                    for project in projects_served_by(model).filter(pk__in=visible.values("pk"))
                )
                or "–"
            )

        @display(description="Micro F1, newest")
        def score(model: ModelVersion) -> str:
            found = (
                model.evaluations.filter(snapshot__project__in=visible.values("pk"))
                .select_related("snapshot__project")
                .first()
            )
            return f"{found.micro_f1:.3f} on {found.snapshot}" if found else "–"

        return ("name", "task", "origin", "project", serves, score, "created_at", "retired_at")

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        model = self.row(request, object_id)
        visible = Project.objects.visible_to(signed_in(request))
        evaluations = model.evaluations.filter(snapshot__project__in=visible).select_related(
            "snapshot__project"
        )
        judgeable = Snapshot.objects.filter(
            project__in=projects_for(request, Action.TRAIN), state=SnapshotState.READY
        ).select_related("project")
        judgeable = judgeable.exclude(
            pk__in=Evaluation.objects.filter(
                model_version=model, findings__form=judging.FORM
            ).values("snapshot")
        )
        if model.project_id:
            judgeable = judgeable.filter(project=model.project_id)
        promotable = (
            projects_for(request, Action.PROMOTE)
            .filter(pk__in=evaluations.values("snapshot__project"))
            .exclude(pk__in=projects_served_by(model))
        )
        context = {
            "model": model,
            "run": TrainingRun.objects.filter(candidate=model).select_related("snapshot").first(),
            "served": projects_served_by(model).filter(pk__in=visible.values("pk")),
            "revocable": visible.filter(serving__model_version=model),
            "evaluations": [
                (evaluation, sorted(evaluation.scores["by_label"].items()))
                for evaluation in evaluations
            ],
            "judge_form": JudgeForm(snapshots=judgeable) if judgeable.exists() else None,
            "promotable": [
                (project, gate_result_of(project=project, model_version=model))
                for project in promotable
                if model.retired_at is None
            ],
            "min_reason": gate.MIN_REASON,
            "worked_on_in": effort.projects_tagged_by(model).filter(pk__in=visible.values("pk")),
            "may_push": (
                model.origin != ModelOrigin.HUB
                and (
                    can(request.user, model.project, Action.MANAGE)
                    if model.project
                    else signed_in(request).is_superuser
                )
            ),
            "may_download": (
                model.origin != ModelOrigin.HUB
                and (model.project is None or can(request.user, model.project, Action.EXPORT))
            ),
        }
        return self.page(request, "admin/learning/model.html", model.name, **context)

    def card_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What the model says of itself: the card in its folder."""
        model = self.row(request, pk)
        blocks, problem = [], ""
        try:
            blocks = cards.card_of(model)
        except EngineError as error:
            problem = str(error)
        return self.page(
            request,
            "admin/learning/card.html",
            f"Card of {model.name}",
            model=model,
            blocks=blocks,
            problem=problem,
        )

    def download_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """The model as a zip that other programs load."""
        model = self.row(request, pk)
        try:
            pieces = cards.model_archive(model=model, actor=signed_in(request))
        except (UserError, EngineError) as error:
            _say(request, error)
            return redirect("admin:learning_modelversion_change", model.pk)
        headers = {"Content-Disposition": f'attachment; filename="{cards.archive_name(model)}.zip"'}
        return StreamingHttpResponse(pieces, content_type="application/zip", headers=headers)

    def promote_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        model = self.row(request, pk)
        project = get_object_or_404(
            projects_for(request, Action.PROMOTE), pk=number_in(request.POST.get("project"))
        )
        try:
            promote(
                project=project,
                model_version=model,
                actor=signed_in(request),
                reason=request.POST.get("reason", ""),
            )
        except (UserError, EngineError) as error:
            _say(request, error)
        else:
            told = f"{model.name} is in service in {project}, for {model.get_task_display()}."
            messages.success(request, f"{told} What is not reviewed yet is being tagged again.")
        return back_to_run(request, model)

    def judge_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        model = self.row(request, pk)
        snapshot = get_object_or_404(
            Snapshot,
            pk=number_in(request.POST.get("snapshot")),
            project__in=projects_for(request, Action.TRAIN),
        )
        try:
            job = start_evaluation(
                project=snapshot.project,
                snapshot=snapshot,
                model_version=model,
                actor=signed_in(request),
            )
        except (UserError, EngineError, JobConflictError) as error:
            _say(request, error)
        else:
            link = format_html(
                '<a href="{}">See how far it is</a>', reverse("jobs:detail", args=[job.pk])
            )
            messages.success(
                request, format_html("{} is being judged on {}. {}.", model.name, snapshot, link)
            )
        return back_to_run(request, model)

    def roll_back_view(self, request: HttpRequest, project_id: int) -> HttpResponse:
        project = get_object_or_404(projects_for(request, Action.PROMOTE), pk=project_id)
        try:
            task = request.POST.get("task") or ModelTask.ENTITIES
            promotion = roll_back(
                project=project,
                task=task,
                actor=signed_in(request),
                reason=request.POST.get("reason", ""),
            )
        except (UserError, EngineError) as error:
            _say(request, error)
            return back_to_run(request, None)
        messages.success(
            request,
            f"{promotion.model_version} is in service in {project} again. What is not reviewed yet"
            " is being tagged again.",
        )
        return back_to_run(request, promotion.model_version)

    def switch_view(self, request: HttpRequest, project_id: int) -> HttpResponse:
        """Switch a step of tagging off in a project, or on again; back to the first page."""
        project = get_object_or_404(projects_for(request, Action.PROMOTE), pk=project_id)
        is_on = request.POST.get("is_on") == "1"
        try:
            change = switch_stage(
                project=project,
                task=request.POST.get("task", ""),
                is_on=is_on,
                actor=signed_in(request),
            )
        except (UserError, EngineError) as error:
            _say(request, error)
        else:
            told = change.model_version.get_task_display()
            now = (
                "What is not reviewed yet is being tagged again."
                if is_on
                else "What was suggested before stays."
            )
            messages.success(
                request,
                f"{project} is tagged {'with' if is_on else 'without'} {told} from now on. {now}",
            )
        return redirect("admin:index")


@admin.register(Promotion)
class PromotionAdmin(ProjectRowsAdmin):
    """The log: who put which model into service in place of which, and why."""

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
        description="What",
        ordering="kind",
        label={PromotionKind.PROMOTED.label: "success", PromotionKind.ROLLED_BACK.label: "warning"},
    )
    def shown_kind(self, promotion: Promotion) -> str:
        return promotion.get_kind_display()

    @display(description="For", ordering="model_version__task")
    def task(self, promotion: Promotion) -> str:
        return promotion.model_version.get_task_display()
