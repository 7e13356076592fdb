"""The list of a project's legends."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from annotator.common.paging import keyset_page
from annotator.corpus import reading
from annotator.corpus.access import Action, project_for
from annotator.corpus.models import DocumentState


@login_required
@require_GET
def documents(request: HttpRequest, slug: str) -> HttpResponse:
    """List the project's legends, filtered by state and words."""
    found = project_for(request.user, slug, Action.VIEW)
    words = request.GET.get("q", "").strip()[:200]
    state = request.GET.get("state", "")
    rows = found.documents.matching(words)
    if state in DocumentState.values:
        rows = rows.filter(state=state)
    context = {
        "project": found,
        "page": keyset_page(reading.with_excerpt(rows), request.GET),
        "words": words,
        "state": state,
        "counts": reading.counts_by_state(found),
    }
    return render(request, "corpus/documents.html", context)
