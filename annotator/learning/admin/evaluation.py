"""The button that evaluates a model on held-out papers."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.html import format_html

from annotator.accounts.users import signed_in
from annotator.corpus.access import Action
from annotator.corpus.admin.rows import ProjectRowsAdmin
from annotator.datasets.models import Snapshot
from annotator.learning.admin.pages import (
    back_to_page,
    back_to_page_of,
    errors_as_messages,
    number_in,
    projects_for,
)
from annotator.learning.evaluation.services import start_evaluation
from annotator.learning.models import ModelVersion


@errors_as_messages(go_to=back_to_page)
def evaluate(model_admin: ProjectRowsAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Start an evaluation of the model on the snapshot that was sent."""
    model: ModelVersion = model_admin.row(request, pk)
    snapshot = get_object_or_404(
        Snapshot,
        pk=number_in(request.POST.get("snapshot")),
        project__in=projects_for(request, Action.TRAIN),
    )
    job = start_evaluation(
        project=snapshot.project, snapshot=snapshot, model_version=model, actor=signed_in(request)
    )
    link = format_html('<a href="{}">Show progress</a>', reverse("jobs:job", args=[job.pk]))
    messages.success(
        request, format_html("{} is being evaluated on {}. {}.", model.name, snapshot, link)
    )
    return back_to_page_of(request, model)
