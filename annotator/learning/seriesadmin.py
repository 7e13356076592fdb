"""Searches for label errors and learning curves in the admin panel: started on a snapshot, watched,
read, and sent to review."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.common.htmx import STOP_POLLING
from annotator.common.states import admin_colours
from annotator.corpus.access import Action, can
from annotator.corpus.adminpages import OWN_PROJECTS, ProjectRowsAdmin
from annotator.corpus.models import Project
from annotator.datasets.models import Snapshot, SnapshotState
from annotator.jobs.errors import JobConflictError
from annotator.jobs.services import nobody_listens_for
from annotator.learning.adminforms import ModelField, SnapshotField, settings_in
from annotator.learning.models import (
    ModelTask,
    ModelVersion,
    SeriesKind,
    SeriesState,
    TrainingSeries,
)
from annotator.learning.startpages import projects_for
from annotator.learning.training import label_errors
from annotator.learning.training.learning_curve import curve_report
from annotator.learning.training.recipes import DEFAULT_RECIPE, recipes
from annotator.learning.training.series import cancel_series, enqueue_series, start_series
from ner_engine.errors import EngineError
from ner_engine.registry.tasks import TASKS

#: How many legends are offered to be sent to review at first.
OFFERED: Final = 50
_TITLES: Final = {
    SeriesKind.LABEL_ERRORS: "Look for label errors",
    SeriesKind.LEARNING_CURVE: "Draw a learning curve",
}


def _number(label: str, low: int, high: int, initial: int, words: str) -> forms.IntegerField:
    attributes = {"type": "number", "min": low, "max": high, "inputmode": "numeric"}
    widget = UnfoldAdminTextInputWidget(attrs=attributes)
    return forms.IntegerField(
        label=label, min_value=low, max_value=high, initial=initial, widget=widget, help_text=words
    )


class SeriesForm(forms.Form):
    """What every series is asked for; ``options`` after validation is what its kind takes."""

    kind = ""
    snapshot = SnapshotField(
        Snapshot.objects.none(), empty_label=None, widget=UnfoldAdminSelectWidget
    )
    recipe = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    base = ModelField(ModelVersion.objects.none(), required=False, widget=UnfoldAdminSelectWidget)
    more = forms.CharField(
        label="Other hyperparameters",
        required=False,
        widget=UnfoldAdminTextareaWidget(
            attrs={"rows": 2, "placeholder": "learning_rate = 0.0001"}
        ),
        help_text="One “name = value” a line; empty: as the recipe says.",
    )
    option_names: tuple[str, ...] = ()

    def __init__(self, data: Any = None, *, projects: QuerySet[Project], **facts: Any) -> None:
        super().__init__(data, **facts)
        snapshots = Snapshot.objects.filter(
            state=SnapshotState.READY, project__in=projects
        ).select_related("project")
        models = ModelVersion.objects.filter(retired_at=None).exclude(
            project__in=Project.objects.exclude(pk__in=projects)
        )
        self.fields["snapshot"].queryset = snapshots  # type: ignore[attr-defined]
        self.fields["base"].queryset = models  # type: ignore[attr-defined]
        choices = [
            (name, name) for name, recipe in recipes().items() if self.may_be_asked(recipe.task)
        ]
        self.fields["recipe"].choices = choices  # type: ignore[attr-defined]
        self.fields["recipe"].initial = DEFAULT_RECIPE
        self.order_fields(["snapshot", *self.option_names, "recipe", "base", "more"])

    def may_be_asked(self, task: str) -> bool:
        """Whether recipes for that task can be chosen."""
        return task == ModelTask.ENTITIES

    def clean_more(self) -> dict[str, str]:
        return settings_in(self.cleaned_data["more"])

    @property
    def options(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in self.option_names}


class LabelErrorsForm(SeriesForm):
    """A search for label errors."""

    kind = SeriesKind.LABEL_ERRORS
    option_names = ("folds", "max_steps", "seed")
    folds = _number(
        "Folds",
        2,
        20,
        3,
        "Trainings; each leaves out a part of the papers and reads it. More folds see more papers"
        " each and take longer.",
    )
    max_steps = _number(
        "Steps of a training, at most",
        0,
        1_000_000,
        150,
        "A few hundred tell what does not fit. 0: as many as the recipe has.",
    )
    seed = _number("Seed", 0, 2**31 - 1, 42, "Deals out the papers.")

    def __init__(self, data: Any = None, **facts: Any) -> None:
        super().__init__(data, **facts)
        self.fields["base"].empty_label = "The model that the one in service was first trained from"  # type: ignore[attr-defined]
        self.fields["base"].help_text = (
            "A model that learned from these very papers knows their errors by heart and does not"
            " see them."
        )


class CurveForm(SeriesForm):
    """A learning curve."""

    kind = SeriesKind.LEARNING_CURVE
    option_names = ("shares", "max_steps", "seed")
    shares = forms.CharField(
        label="Shares of the papers",
        initial="10, 25, 50, 100",
        widget=UnfoldAdminTextInputWidget,
        help_text="In percent, with commas. A larger part holds every smaller one.",
    )
    max_steps = _number(
        "Steps of a training, at most",
        0,
        1_000_000,
        0,
        "0: as many as the recipe has, which is what a real training would do.",
    )
    seed = _number("Seed", 0, 2**31 - 1, 42, "Deals out the papers.")

    def __init__(self, data: Any = None, **facts: Any) -> None:
        super().__init__(data, **facts)
        self.fields["base"].empty_label = "The model in service"  # type: ignore[attr-defined]

    def may_be_asked(self, task: str) -> bool:
        return TASKS[task].by_panel

    def clean_shares(self) -> str:
        try:
            percents = [
                float(part) for part in self.cleaned_data["shares"].replace("%", "").split(",")
            ]
        except ValueError as error:
            raise forms.ValidationError(
                "Write numbers with commas between them, such as 10, 25, 50, 100."
            ) from error
        return ",".join(f"{percent / 100:g}" for percent in percents)


class SendForm(forms.Form):
    """How many legends go to review."""

    n = _number("Legends", 1, 100_000, OFFERED, "The most suspicious first.")


_FORMS: Final[dict[str, type[SeriesForm]]] = {
    form.kind: form for form in (LabelErrorsForm, CurveForm)
}


@admin.register(TrainingSeries)
class TrainingSeriesAdmin(ProjectRowsAdmin):
    """Searches for label errors and learning curves: the list, the page that starts one, and the
    page of one."""

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
    list_display_links = ("name",)
    list_filter = ("kind", OWN_PROJECTS)
    list_select_related = ("project", "snapshot", "job", "created_by")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/part/", view(self.part_view), name="learning_trainingseries_part"),
            path(
                "<int:pk>/cancel/",
                view(require_POST(self.cancel_view)),
                name="learning_trainingseries_cancel",
            ),
            path(
                "<int:pk>/resume/",
                view(require_POST(self.resume_view)),
                name="learning_trainingseries_resume",
            ),
            path(
                "<int:pk>/send/",
                view(require_POST(self.send_view)),
                name="learning_trainingseries_send",
            ),
            *super().get_urls(),
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_module_permission(request)

    @display(description="Series", ordering="pk")
    def name(self, series: TrainingSeries) -> str:
        return f"{series.get_kind_display().capitalize()} {series.pk}"

    @display(description="Snapshot", ordering="snapshot")
    def snapshot_number(self, series: TrainingSeries) -> str:
        return f"{series.snapshot.number}"

    @display(description="State", label=admin_colours(SeriesState))
    def shown_state(self, series: TrainingSeries) -> str:
        return str(series.state.label)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """``?kind=label-errors`` or ``?kind=curve``, with ``snapshot=`` the one it is for."""
        projects = projects_for(request, Action.TRAIN)
        if not projects.exists():
            raise PermissionDenied(
                "You may not train models. Ask a manager of a project for the right."
            )
        kind = request.GET.get("kind", "")
        kind = kind if kind in _FORMS else str(SeriesKind.LABEL_ERRORS)
        form = _FORMS[kind](
            request.POST or None,
            projects=projects,
            initial={"snapshot": request.GET.get("snapshot")},
        )
        if request.method == "POST" and form.is_valid():
            asked = form.cleaned_data
            try:
                series = start_series(
                    project=asked["snapshot"].project,
                    snapshot=asked["snapshot"],
                    kind=kind,
                    actor=signed_in(request),
                    recipe=asked["recipe"],
                    base=asked["base"],
                    hyperparameters=asked["more"],
                    options=form.options,
                )
            except (UserError, EngineError, JobConflictError) as error:
                form.add_error(None, str(error))
            else:
                return redirect("admin:learning_trainingseries_change", series.pk)
        has_snapshots = Snapshot.objects.filter(
            state=SnapshotState.READY, project__in=projects
        ).exists()
        context = {
            "form": form,
            "kind": kind,
            "heading": _TITLES[SeriesKind(kind)],
            "has_snapshots": has_snapshots,
        }
        return self.page(
            request,
            "admin/learning/start_series.html",
            _TITLES[SeriesKind(kind)],
            status=422 if form.errors else 200,
            **context,
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        series = self.row(request, object_id)
        return self.page(
            request,
            "admin/learning/series.html",
            str(series).capitalize(),
            **self._facts(request, series),
        )

    def part_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What changes on the page; htmx asks for it until the series has ended."""
        facts = self._facts(request, self.row(request, pk))
        return TemplateResponse(
            request,
            "admin/learning/_series.html",
            facts,
            status=200 if facts["series"].is_at_work else STOP_POLLING,
        )

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        series = self.row(request, pk)
        cancel_series(series=series, actor=signed_in(request))
        messages.info(request, "It stops after the step it is at. What is finished stays.")
        return redirect("admin:learning_trainingseries_change", pk)

    def resume_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        try:
            enqueue_series(series=self.row(request, pk), actor=signed_in(request))
        except (UserError, JobConflictError) as error:
            messages.error(request, str(error))
        return redirect("admin:learning_trainingseries_change", pk)

    def send_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        series, form = self.row(request, pk), SendForm(request.POST)
        if not form.is_valid():
            messages.error(request, "Say how many legends are to be sent to review: 1 or more.")
            return redirect("admin:learning_trainingseries_change", pk)
        try:
            sent = label_errors.send_to_review(
                series=series, n=form.cleaned_data["n"], actor=signed_in(request)
            )
        except UserError as error:
            messages.error(request, str(error))
        else:
            messages.success(
                request, f"{sent} Curators find them in the queue, under “Possible errors”."
            )
        return redirect("admin:learning_trainingseries_change", pk)

    def _facts(self, request: HttpRequest, series: TrainingSeries) -> dict[str, Any]:
        series = TrainingSeries.objects.select_related(
            "project__label_set", "snapshot", "base", "job", "created_by"
        ).get(pk=series.pk)
        job = series.job
        context: dict[str, Any] = {
            "series": series,
            "job": job,
            "nobody_listens": series.is_at_work and job is not None and nobody_listens_for(job),
            "may_train": can(signed_in(request), series.project, Action.TRAIN),
        }
        if series.is_done and series.kind == SeriesKind.LEARNING_CURVE:
            context["curve"] = curve_report(series.result)
        elif series.is_done:
            context |= {
                **self._ranked(series, request.GET.get("page", "")),
                "shown": label_errors.SHOWN,
                "kinds": list(label_errors.KINDS.values()),
                "table": label_errors.table_by_label(series.result),
                "outcome": label_errors.outcome_of(series),
                "send_form": SendForm(initial={"n": min(OFFERED, series.result["legends"])}),
            }
        return context

    def _ranked(self, series: TrainingSeries, number: str) -> dict[str, Any]:
        """A page of the ranking, or the sentence that says why there is none."""
        try:
            return {
                "ranked": label_errors.ranked(
                    series, int(number) if number.isdecimal() and len(number) < 7 else 1
                )
            }
        except UserError as error:
            return {"ranked": None, "gone": str(error)}
