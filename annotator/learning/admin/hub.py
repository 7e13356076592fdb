"""The page that pushes a model to a hub."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from annotator.accounts.users import signed_in
from annotator.corpus.admin.rows import ProjectRowsAdmin
from annotator.learning.admin.pages import (
    back_to_model,
    errors_as_messages,
    errors_on_form,
    status_of,
)
from annotator.learning.forms.serving import PushForm
from annotator.learning.models import ModelVersion
from annotator.learning.serving import hub


@errors_as_messages(go_to=back_to_model)
def push_page(model_admin: ProjectRowsAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Show what a push would publish and under which licence, or start the push."""
    model: ModelVersion = model_admin.row(request, pk)
    user = signed_in(request)
    offer = hub.offer_of(model=model, actor=user)
    form = PushForm(request.POST or None, initial={"licence": offer.proposed, "is_private": True})
    if request.method == "POST" and form.is_valid():
        with errors_on_form(form):
            job = hub.start_push(model=model, actor=user, **form.cleaned_data)
            return redirect("jobs:job", job.pk)
    return model_admin.page(
        request,
        "admin/learning/push.html",
        f"Push {model} to a hub",
        status=status_of(form),
        model=model,
        offer=offer,
        form=form,
        is_set_up=hub.is_set_up(),
        endpoint=settings.HUB_ENDPOINT,
    )
