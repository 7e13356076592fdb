"""The page of a project's queue."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from annotator.corpus.access import Action, project_for
from annotator.corpus.models import Project, QueueOrder, ReviewMode
from annotator.review.queue.listing import FILTERS, progress_of, queue_page
from annotator.review.queue.order import known_order


@login_required
@require_safe
def queue(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the project's legends by state, with the button that starts the review."""
    project = project_for(request.user, slug, Action.VIEW)
    wanted = request.GET.get("show")
    tab = next((tab for tab in FILTERS if tab.name == wanted), FILTERS[0])
    progress = progress_of(project, with_tabs=True)
    order = order_of(request, project)
    context = {
        "project": project,
        "order": order,
        "orders": [
            (value, words, value == project.queue_order) for value, words in QueueOrder.choices
        ],
        "order_words": QueueOrder(order).label,
        "decides": project.review_mode == ReviewMode.DECIDE,
        "may_manage": Action.MANAGE in project.allowed,
        "tab": tab,
        "tabs": [(each, progress.count(each)) for each in FILTERS],
        "progress": progress,
        "page": queue_page(
            project, tab=tab, progress=progress, number=request.GET.get("page"), order=order
        ),
        "may_review": Action.REVIEW in project.allowed,
    }
    return render(request, "review/queue.html", context)


def order_of(request: HttpRequest, project: Project) -> str:
    """Return the queue order of this user: from ``?order=`` now or earlier, else the project's."""
    chosen: dict[str, str] = request.session.get("queue_orders", {})
    wanted = request.GET.get("order")
    if wanted in QueueOrder.values and wanted != known_order(chosen.get(str(project.pk)), project):
        others = {}
        for key, order in chosen.items():
            if key != str(project.pk):
                others[key] = order
        if wanted == project.queue_order:
            chosen = others
        else:
            chosen = {**others, str(project.pk): str(wanted)}
        request.session["queue_orders"] = chosen
    return known_order(chosen.get(str(project.pk)), project)
