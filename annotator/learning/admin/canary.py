"""The buttons that start and stop a canary."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.corpus.admin.rows import ProjectRowsAdmin, visible_project
from annotator.learning.admin.pages import (
    back_to_page,
    back_to_page_of,
    errors_as_messages,
    number_in,
)
from annotator.learning.models import ModelVersion
from annotator.learning.serving import canary


@errors_as_messages(go_to=back_to_page)
def start_canary(model_admin: ProjectRowsAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Start the model as a canary of the project that was sent."""
    model: ModelVersion = model_admin.row(request, pk)
    project = visible_project(request, number_in(request.POST.get("project")))
    started = canary.start_canary(
        project=project,
        model_version=model,
        fraction=_fraction(request.POST.get("percent")),
        actor=signed_in(request),
    )
    messages.success(
        request,
        f"Canary {model} started in {project}. It tags {started.percent}% of newly tagged legends.",
    )
    return back_to_page_of(request, model)


@errors_as_messages(go_to=back_to_page)
def stop_canary(
    model_admin: ProjectRowsAdmin, request: HttpRequest, project_id: int
) -> HttpResponse:
    """Stop the canary that runs in the project."""
    project = visible_project(request, project_id)
    stopped = canary.stop_canary(
        project=project, actor=signed_in(request), reason=request.POST.get("reason", "")
    )
    model = stopped.model_version
    messages.success(
        request,
        f"Canary {model} stopped in {project}. Waiting legends are being re-tagged by the serving"
        " model.",
    )
    return back_to_page_of(request, model)


def _fraction(percent: str | None) -> float:
    """Return the fraction (0-1) of a percentage. Raises ``UserError`` if it is no number."""
    try:
        return float((percent or "").replace(",", ".")) / 100
    except ValueError as error:
        raise UserError("The percentage of legends must be a number, such as 20.") from error
