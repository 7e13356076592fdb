"""Training runs in the admin: the list, and the page of one run."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from unfold.decorators import display

from annotator.accounts.users import signed_in
from annotator.common.htmx import render_polled
from annotator.common.states import admin_colours
from annotator.corpus.access import Action, can
from annotator.corpus.admin.pages import AdminPage
from annotator.corpus.admin.rows import OWN_PROJECTS, ProjectRowsAdmin
from annotator.corpus.models import Project
from annotator.jobs.services import nobody_listens_for
from annotator.learning.admin.automatic_training import automatic_training_page
from annotator.learning.admin.dry_run import dry_run_page
from annotator.learning.admin.gate import gate_page
from annotator.learning.admin.start_training import start_training_page
from annotator.learning.admin.training_rows import TrainingRowsAdmin
from annotator.learning.evaluation import run_report
from annotator.learning.evaluation.bars import score_bars
from annotator.learning.evaluation.charts import charts_of
from annotator.learning.evaluation.details import details_of
from annotator.learning.evaluation.durations import duration_in_words
from annotator.learning.evaluation.services import compare
from annotator.learning.models import Evaluation, RunState, TrainingRun
from annotator.learning.serving import gate
from annotator.learning.serving.canary_report import CanaryReport, canary_of
from annotator.learning.serving.promotion import candidate_gate_result, standing_promotion
from annotator.learning.stored import RunProgress
from annotator.learning.tagging.lineup import Stage
from annotator.learning.tagging.services import lineup_of
from annotator.learning.training.data import TEST
from annotator.learning.training.disk_space import in_bytes
from annotator.learning.training.services import cancel_training, settle_runs


def run_part(model_admin: ProjectRowsAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Render the polled part of a run's page; the last one ends the polling."""
    context = _run_context(request, model_admin.row(request, pk).pk)
    return render_polled(
        request, "admin/learning/_run.html", context, is_final=context["run"].is_final
    )


def cancel_run(model_admin: ProjectRowsAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Cancel the run."""
    run = cancel_training(run=model_admin.row(request, pk), actor=signed_in(request))
    if run.is_final:
        messages.info(request, f"Run {run.pk} is cancelled.")
    else:
        messages.info(request, f"Run {run.pk} will stop after the current step.")
    return redirect("admin:learning_trainingrun_change", run.pk)


PAGES = (
    AdminPage("<int:pk>/part/", run_part, "part"),
    AdminPage("<int:pk>/cancel/", cancel_run, "cancel", is_post_only=True),
    AdminPage("gate/<int:project_id>/", gate_page, "gate"),
    AdminPage("automatic/<int:project_id>/", automatic_training_page, "automatic"),
    AdminPage("dry-run/<int:pk>/", dry_run_page, "dry_run"),
)


@admin.register(TrainingRun)
class TrainingRunAdmin(TrainingRowsAdmin):
    """Training runs: the list, the page that starts one, and the page of one."""

    pages = PAGES
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
    list_filter = ("state", "task", "recipe", OWN_PROJECTS)
    list_select_related = ("project", "snapshot", "candidate", "created_by")

    @display(description="Run", ordering="pk")
    def name(self, run: TrainingRun) -> str:
        """Return the run's name in lists."""
        return f"Run {run.pk}"

    @display(description="Status", ordering="state", label=admin_colours(RunState))
    def shown_state(self, run: TrainingRun) -> str:
        """Return the run's state in words."""
        return run.get_state_display()

    @display(description="Micro F1")
    def scores(self, run: TrainingRun) -> str:
        """Return the candidate's micro F1 on the run's held-out papers."""
        if run.candidate is None:
            return "–"
        evaluation = Evaluation.objects.filter(
            model_version=run.candidate, snapshot=run.snapshot, split=TEST
        ).first()
        if evaluation is None:
            return "–"
        return f"{evaluation.micro_f1:.3f}"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list after ending runs whose jobs are gone."""
        unfinished = TrainingRun.objects.unfinished()
        for project in Project.objects.filter(training_runs__in=unfinished).distinct():
            settle_runs(project=project)
        return cast("HttpResponse", super().changelist_view(request, extra_context))

    def add_page(self, request: HttpRequest) -> HttpResponse:
        """Show the page that starts a run."""
        return start_training_page(self, request)

    def row_page(self, request: HttpRequest, pk: str) -> HttpResponse:
        """Show the run: progress, curves, and its candidate beside the serving model."""
        run = self.row(request, pk)
        return self.page(
            request, "admin/learning/run.html", f"Run {run.pk}", **_run_context(request, run.pk)
        )


# The page of a run


def _run_context(request: HttpRequest, pk: int) -> dict[str, Any]:
    rows = TrainingRun.objects.select_related(
        "project", "snapshot", "base", "candidate", "created_by", "job"
    )
    settle_runs(project=rows.get(pk=pk).project)
    run = rows.get(pk=pk)
    stage = lineup_of(run.project).stage(run.task)
    return {
        **_progress_context(run),
        **_comparison_context(run, stage),
        **_serving_context(request, run, stage),
    }


def _progress_context(run: TrainingRun) -> dict[str, Any]:
    events = run_report.events_of(run)
    averaging = run_report.weight_averaging_of(events) if run.candidate else None
    progress = RunProgress.of(run)
    return {
        "run": run,
        "progress": progress,
        "job": run.job,
        "nobody_listens": _is_unattended(run),
        "time_left": duration_in_words(progress.seconds_left),
        "charts": charts_of(events),
        "evaluations": run_report.evaluations_of(events),
        "weight_averaging": averaging,
        "lacks_validation_papers": (
            averaging is not None
            and not averaging.measured
            and run.hyperparameters.get("blend") == "auto"
        ),
        "memory": in_bytes(progress.memory_bytes),
        "duration": _duration(run),
        "log_tail": run_report.log_tail(run),
    }


def _duration(run: TrainingRun) -> str:
    """Return how long a finished run took, in words."""
    if run.finished_at is None:
        return ""
    return duration_in_words((run.finished_at - run.created_at).total_seconds())


def _is_unattended(run: TrainingRun) -> bool:
    """Return whether the run waits for a worker and none listens."""
    return run.job is not None and not run.is_final and nobody_listens_for(run.job)


def _comparison_context(run: TrainingRun, stage: Stage) -> dict[str, Any]:
    comparison = compare(run, stage=stage)
    if comparison is None:
        return {"comparison": None}
    return {
        "comparison": comparison,
        "bars": score_bars(comparison),
        "details": details_of(comparison, run.project),
        "gate_result": candidate_gate_result(run, stage=stage),
    }


def _serving_context(request: HttpRequest, run: TrainingRun, stage: Stage) -> dict[str, Any]:
    user = signed_in(request)
    standing = standing_promotion(run.project, run.task)
    may_promote = can(user, run.project, Action.PROMOTE)
    is_serving = stage.model is not None and stage.model == run.candidate
    may_roll_back = (
        may_promote
        and is_serving
        and standing is not None
        and standing.model_version == stage.model
        and standing.replaced is not None
    )
    report: CanaryReport | None = None
    if run.candidate is not None:
        report = canary_of(project=run.project, actor=user, model=run.candidate)
    can_be_canary = run.candidate is not None and run.task == "entities"
    is_running = report is not None and report.canary.stopped_at is None
    may_start_canary = may_promote and can_be_canary and not is_serving and not is_running
    return {
        "rules": gate.Rules.of(run.project),
        "min_reason": gate.MIN_REASON,
        "standing": standing,
        "is_serving": is_serving,
        "canary": report,
        "shows_canary": can_be_canary and (report is not None or may_start_canary),
        "may_start_canary": may_start_canary,
        "may_stop_canary": may_promote and is_running,
        "may_cancel": not run.is_final and can(user, run.project, Action.TRAIN),
        "may_promote": may_promote,
        "may_roll_back": may_roll_back,
        "may_manage": can(user, run.project, Action.MANAGE),
    }
