"""The page on the models that the engine knows by name."""

from __future__ import annotations

from typing import Final

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from annotator.learning.tagging.label_schemes import scheme_tables
from ner_engine.registry.catalogue import listing

#: The tasks whose names differ from what they are called on the page.
_TASKS: Final = {
    "fill_mask": "masked words",
    "small_mol_roles": "roles of small molecules",
    "geneprod_roles": "roles of gene products",
}


@login_required
@require_GET
def known_models(request: HttpRequest) -> HttpResponse:
    """Show each known model, how to fetch it, and how label schemes map to each other."""
    models = [(listed, _TASKS.get(listed.model.task, listed.model.task)) for listed in listing()]
    context = {"models": models, "schemes": scheme_tables()}
    return render(request, "learning/known_models.html", context)
