"""The guideline of a project."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from annotator.corpus.access import Action, project_for


@login_required
@require_GET
def guideline(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the project's guideline, then that of each label."""
    found = project_for(request.user, slug, Action.VIEW)
    labels = found.label_set.labels.filter(retired_at=None)
    return render(request, "corpus/guideline.html", {"project": found, "labels": labels})
