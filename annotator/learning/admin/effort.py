"""The page that shows curator effort in a project, by model."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from annotator.accounts.users import signed_in
from annotator.corpus.admin.rows import ProjectRowsAdmin, visible_project
from annotator.learning.admin.pages import number_in
from annotator.learning.evaluation import effort
from annotator.learning.evaluation.bars import outcome_bars
from annotator.learning.evaluation.effort_counting import PAUSE, counting_job


def effort_page(
    model_admin: ProjectRowsAdmin, request: HttpRequest, project_id: int
) -> HttpResponse:
    """Show the effort with each model's suggestions; ``?model=`` selects one of the models."""
    project = visible_project(request, project_id)
    report = effort.effort_in(project=project, actor=signed_in(request))
    selected = number_in(request.GET.get("model"))
    efforts = report.models
    if selected:
        efforts = [each for each in efforts if each.model is not None and each.model.pk == selected]
    return model_admin.page(
        request,
        "admin/learning/effort.html",
        f"Curator effort in {project}",
        project=project,
        efforts=[(each, outcome_bars(each)) for each in efforts],
        is_one=bool(selected),
        without=report.without,
        n_uncounted=report.n_uncounted,
        job=counting_job(project) if report.n_uncounted else None,
        pause_minutes=round(PAUSE.total_seconds() / 60),
    )
