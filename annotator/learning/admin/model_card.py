"""The pages that show a model's card and download the model."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from annotator.accounts.users import signed_in
from annotator.corpus.admin.rows import ProjectRowsAdmin
from annotator.learning.admin.pages import back_to_model, errors_as_messages
from annotator.learning.evaluation.reliability_report import reliability_of
from annotator.learning.models import ModelVersion
from annotator.learning.serving.archives import archive_name, model_archive
from annotator.learning.serving.cards import card_of
from ner_engine.errors import EngineError


def card_page(model_admin: ProjectRowsAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Show the card that lies in the model's folder."""
    model: ModelVersion = model_admin.row(request, pk)
    card = ""
    problem = ""
    try:
        card = card_of(model)
    except EngineError as error:
        problem = str(error)
    return model_admin.page(
        request,
        "admin/learning/card.html",
        f"Card of {model.name}",
        model=model,
        card=card,
        problem=problem,
        reliability=reliability_of(model),
    )


@errors_as_messages(go_to=back_to_model)
def download(model_admin: ProjectRowsAdmin, request: HttpRequest, pk: int) -> HttpResponseBase:
    """Send the model as a zip archive that other programs can load."""
    model: ModelVersion = model_admin.row(request, pk)
    chunks = model_archive(model=model, actor=signed_in(request))
    headers = {"Content-Disposition": f'attachment; filename="{archive_name(model)}.zip"'}
    return StreamingHttpResponse(chunks, content_type="application/zip", headers=headers)
