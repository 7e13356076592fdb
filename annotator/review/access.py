"""One legend for one page: found where the person may see it, with what they may do there."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.shortcuts import get_object_or_404

from annotator.accounts.models import User
from annotator.corpus.access import Action, project_for
from annotator.corpus.models import Document


def legend_for(user: User | AnonymousUser, slug: str, document_id: int, action: Action) -> Document:
    """The legend, its project with ``allowed`` set; raises as ``project_for`` does, and ``Http404``
    where the project has no such legend."""
    project = project_for(user, slug, action)
    document = get_object_or_404(
        Document.objects.select_related("accepted_by"), pk=document_id, project=project
    )
    document.project = project
    return document
