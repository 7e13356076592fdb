"""The page on which a legend is read."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from annotator.corpus import reading
from annotator.corpus.access import Action, project_for
from annotator.corpus.annotations import current_layers
from annotator.corpus.figures import figure_context
from annotator.corpus.models import Document, LayerKind


@login_required
@require_GET
def document(request: HttpRequest, slug: str, document_id: int) -> HttpResponse:
    """Show a legend with its current entities and its source."""
    found = project_for(request.user, slug, Action.VIEW)
    rows = (
        Document.objects.filter(project=found)
        .prefetch_related("segments", "layers__spans")
        .select_related("accepted_by")
    )
    legend = get_object_or_404(rows, pk=document_id)
    legend.project = found
    layers = current_layers(legend)
    shown = layers.get(LayerKind.DECIDED) or layers.get(LayerKind.IMPORTED)
    if shown is None and not legend.is_blind:
        shown = layers.get(LayerKind.SUGGESTED)
    labels = found.label_set.by_code()
    parts = reading.legend_parts(legend, shown, labels) | figure_context(legend, found.allowed)
    context = {"project": found, "document": legend, "layer": shown, **parts}
    return render(request, "corpus/document.html", context)
