"""Access to one legend: who may see it, and what they may do there."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.shortcuts import get_object_or_404

from annotator.accounts.models import User
from annotator.corpus.access import Action, project_for
from annotator.corpus.models import Document


def legend_for(user: User | AnonymousUser, slug: str, document_id: int, action: Action) -> Document:
    """Return the legend; its ``project.allowed`` says what the user may do there.

    Raises as ``project_for`` does, and ``Http404`` if the project has no such legend.
    """
    project = project_for(user, slug, action)
    document = get_object_or_404(
        Document.objects.select_related("accepted_by"), pk=document_id, project=project
    )
    document.project = project
    return document
