"""Searches for label errors and learning curves in the admin: list, start page, page of one."""

from __future__ import annotations

from typing import Any, Final

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
from annotator.jobs.services import nobody_listens_for
from annotator.learning.admin.label_errors import label_errors_context, send_to_review
from annotator.learning.admin.pages import errors_as_messages, errors_on_form, status_of
from annotator.learning.admin.start_training import trainable_projects
from annotator.learning.admin.training_rows import TrainingRowsAdmin
from annotator.learning.forms.series import SERIES_FORMS, SeriesForm
from annotator.learning.models import SeriesKind, SeriesState, TrainingSeries
from annotator.learning.training.learning_curve import curve_report
from annotator.learning.training.series import cancel_series, enqueue_series, start_series

_TITLES: Final = {
    SeriesKind.LABEL_ERRORS: "Search for label errors",
    SeriesKind.LEARNING_CURVE: "Compute learning curve",
}
_ABOUT: Final = {
    SeriesKind.LABEL_ERRORS: (
        "A worker divides all papers of the snapshot into folds, held-out papers included. For each"
        " fold, a short training run on the others gives a model that has not seen it. Where this"
        " model disagrees with a decision, the label may be wrong. The result is a ranking; you"
        " choose how many legends to send to review. No model is kept."
    ),
    SeriesKind.LEARNING_CURVE: (
        "A worker trains on growing subsets of the snapshot’s papers and evaluates each model on"
        " the same held-out papers. The curve shows whether more curated papers are likely to help."
        " No model is kept."
    ),
}
_OPTIONS: Final = {"max_steps": "Steps per run, at most", "shares": "Fractions of the papers"}


def start_series_page(model_admin: ProjectRowsAdmin, request: HttpRequest) -> HttpResponse:
    """Show the form, or start what was sent and redirect to its page."""
    projects = trainable_projects(request)
    kind = SeriesKind.LABEL_ERRORS
    if request.GET.get("kind") in SeriesKind.values:
        kind = SeriesKind(request.GET["kind"])
    form = SERIES_FORMS[kind](
        request.POST or None, projects=projects, initial={"snapshot": request.GET.get("snapshot")}
    )
    if request.method == "POST" and form.is_valid():
        with errors_on_form(form):
            series = _start(request, form)
            return redirect("admin:learning_trainingseries_change", series.pk)
    return model_admin.page(
        request,
        "admin/learning/start_series.html",
        _TITLES[kind],
        status=status_of(form),
        form=form,
        heading=_TITLES[kind],
        about=_ABOUT[kind],
        button=_TITLES[kind],
        has_snapshots=form.has_snapshots,
    )


def _start(request: HttpRequest, form: SeriesForm) -> TrainingSeries:
    values = form.cleaned_data
    return start_series(
        project=values["snapshot"].project,
        snapshot=values["snapshot"],
        kind=form.kind,
        actor=signed_in(request),
        recipe=values["recipe"],
        base=values["base"],
        hyperparameters=values["more"],
        options=form.options,
    )


def series_part(model_admin: ProjectRowsAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Render the polled part of the page; the last one ends the polling."""
    context = _series_context(request, model_admin.row(request, pk))
    is_final = not context["series"].is_at_work
    return render_polled(request, "admin/learning/_series.html", context, is_final=is_final)


def cancel(model_admin: ProjectRowsAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Cancel the series; finished trainings stay."""
    cancel_series(series=model_admin.row(request, pk), actor=signed_in(request))
    messages.info(request, "The series will stop after the current step. Finished parts are kept.")
    return _back_to_series(request, pk)


def _back_to_series(request: HttpRequest, pk: int) -> HttpResponse:
    return redirect("admin:learning_trainingseries_change", pk)


@errors_as_messages(go_to=_back_to_series)
def resume(model_admin: ProjectRowsAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Resume a series that was stopped."""
    enqueue_series(series=model_admin.row(request, pk), actor=signed_in(request))
    return _back_to_series(request, pk)


PAGES = (
    AdminPage("<int:pk>/part/", series_part, "part"),
    AdminPage("<int:pk>/cancel/", cancel, "cancel", is_post_only=True),
    AdminPage("<int:pk>/resume/", resume, "resume", is_post_only=True),
    AdminPage("<int:pk>/send/", send_to_review, "send", is_post_only=True),
)


@admin.register(TrainingSeries)
class TrainingSeriesAdmin(TrainingRowsAdmin):
    """Training series: the list, the page that starts one, and the page of one."""

    pages = PAGES
    list_display = (
        "name",
        "kind",
        "project",
        "snapshot_number",
        "recipe",
        "shown_state",
        "created_by",
        "created_at",
    )
    list_filter = ("kind", OWN_PROJECTS)
    list_select_related = ("project", "snapshot", "job", "created_by")

    @display(description="Series", ordering="pk")
    def name(self, series: TrainingSeries) -> str:
        """Return the series' name in lists."""
        return f"{series.get_kind_display().capitalize()} {series.pk}"

    @display(description="Status", label=admin_colours(SeriesState))
    def shown_state(self, series: TrainingSeries) -> str:
        """Return the state of the series in words."""
        return str(series.state.label)

    def add_page(self, request: HttpRequest) -> HttpResponse:
        """Show the start page: ``?kind=label-errors`` or ``?kind=curve``, and ``?snapshot=``."""
        return start_series_page(self, request)

    def row_page(self, request: HttpRequest, pk: str) -> HttpResponse:
        """Show progress and result of the series."""
        series = self.row(request, pk)
        return self.page(
            request,
            "admin/learning/series.html",
            str(series).capitalize(),
            **_series_context(request, series),
        )


def _series_context(request: HttpRequest, series: TrainingSeries) -> dict[str, Any]:
    series = TrainingSeries.objects.select_related(
        "project__label_set", "snapshot", "base", "job", "created_by"
    ).get(pk=series.pk)
    job = series.job
    may_train = can(signed_in(request), series.project, Action.TRAIN)
    is_stopping = job is not None and job.cancel_requested_at is not None
    context: dict[str, Any] = {
        "series": series,
        "heading": SeriesKind(series.kind).label.capitalize(),
        "options": [_option(name, value) for name, value in series.options.items()],
        "job": job,
        "nobody_listens": series.is_at_work and job is not None and nobody_listens_for(job),
        "may_train": may_train,
        "may_cancel": may_train and series.is_at_work and not is_stopping,
        "may_resume": may_train and not series.is_done and not series.is_at_work,
    }
    if series.is_done and series.kind == SeriesKind.LEARNING_CURVE:
        context["curve"] = curve_report(series.result)
    elif series.is_done:
        context |= label_errors_context(request, series)
    return context


def _option(name: str, value: object) -> tuple[str, object]:
    """Return name and value of an option in words."""
    words = _OPTIONS.get(name, name.capitalize())
    if name == "max_steps" and not value:
        return words, "as in the recipe"
    return words, value
