"""The rows of all snapshots that were made from one legend."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from annotator.common.htmx import wants_part
from annotator.corpus.access import Action, project_for
from annotator.datasets.snapshots.reading import panels_of_document


@login_required
@require_GET
def document_rows(request: HttpRequest, slug: str, document_id: int) -> HttpResponse:
    """Show the rows as a page, or as a fold of the review screen."""
    project = project_for(request.user, slug, Action.VIEW)
    documents = project.documents.only(
        "pk", "project", "doi", "figure_label", "external_id", "revision"
    )
    document = get_object_or_404(documents, pk=document_id)
    context = {
        "project": project,
        "document": document,
        "panels": panels_of_document(document),
    }
    is_part = wants_part(request)
    template = "datasets/_document_rows.html" if is_part else "datasets/document_rows.html"
    return render(request, template, context)
