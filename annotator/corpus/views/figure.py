"""The figure beside a legend: the part of the page that shows it, its image, and the forms that
change it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.cache import get_conditional_response
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.common.htmx import wants_part
from annotator.corpus.access import Action, project_for
from annotator.corpus.figures import (
    StaleBoxesError,
    figure_context,
    put_box,
    remove_box,
    remove_figure,
    store_figure,
)
from annotator.corpus.models import Document, FigureImage, Layer, Project
from annotator.corpus.pictures import MEDIA_TYPE


@login_required
@never_cache
@require_GET
def figure(request: HttpRequest, slug: str, document_id: int) -> HttpResponse:
    """The figure with its panel boxes: a part for the side of a page, or a page of its own."""
    project = project_for(request.user, slug, Action.VIEW)
    return _render(request, _document(project, document_id))


@login_required
@require_GET
def figure_image(request: HttpRequest, slug: str, document_id: int) -> HttpResponse:
    """The picture itself. Its address names its content (``?v=``), so a browser may keep it; nobody
    in between may."""
    project = project_for(request.user, slug, Action.VIEW)
    found = (
        FigureImage.objects.filter(document=document_id, document__project=project)
        .exclude(file="")
        .first()
    )
    if found is None:
        raise Http404("This legend has no image.")
    try:
        with found.file.open("rb") as stream:  # some megabytes at most, as pictures.py makes them
            answer = HttpResponse(stream.read(), content_type=found.media_type or MEDIA_TYPE)
    except FileNotFoundError as error:
        raise Http404("The image is not in the store any more. Upload it again.") from error
    answer["Content-Disposition"] = f'inline; filename="figure-{document_id}.webp"'
    answer["Content-Security-Policy"] = "default-src 'none'"
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = (
        "private, max-age=86400" if request.GET.get("v") else "private, no-cache"
    )
    etag = f'"{found.sha256}"'
    answer["ETag"] = etag
    return get_conditional_response(request, etag=etag, response=answer) or answer


@login_required
@require_POST
def figure_upload(request: HttpRequest, slug: str, document_id: int) -> HttpResponse:
    """Put an uploaded picture beside the legend, or in place of the one there is."""
    document = _document(project_for(request.user, slug, Action.IMPORT), document_id)
    file = request.FILES.get("image")
    try:
        if file is None:
            raise UserError("Choose an image.")
        stored = store_figure(document=document, file=file, actor=signed_in(request))
    except UserError as error:
        return _refused(request, document, error, unfolded="upload")
    said = "The image is in its place."
    return _done(
        request,
        document,
        f"{said} The boxes stayed; look whether they still fit." if stored.boxes else said,
    )


@login_required
@require_POST
def figure_remove(request: HttpRequest, slug: str, document_id: int) -> HttpResponse:
    """Take the picture away."""
    document = _document(project_for(request.user, slug, Action.IMPORT), document_id)
    try:
        remove_figure(document=document, actor=signed_in(request))
    except UserError as error:
        return _refused(request, document, error)
    return _done(request, document, "The image is removed.")


@login_required
@require_POST
def figure_boxes(request: HttpRequest, slug: str, document_id: int) -> HttpResponse:
    """Save the box of one panel (``panel``, ``x``, ``y``, ``width``, ``height`` in percent), or
    ``remove`` that of a panel.

    ``revision`` is that of the boxes as the sender saw them; on an older one the answer is 409 with
    the boxes as they stand.
    """
    document = _document(project_for(request.user, slug, Action.REVIEW), document_id)
    try:
        said = _change_box(document, request.POST, request)
    except UserError as error:
        return _refused(request, document, error, unfolded="boxes")
    return _done(request, document, said, unfolded="boxes")


def _change_box(document: Document, fields: QueryDict, request: HttpRequest) -> str:
    common: dict[str, Any] = {
        "document": document,
        "base_revision": _whole(fields.get("revision")),
        "actor": signed_in(request),
    }
    if "remove" in fields:
        remove_box(panel=_whole(fields.get("remove")), **common)
        return "The box is removed."
    box = {name: _fraction(fields.get(name, "")) for name in ("x", "y", "width", "height")}
    put_box(panel=_whole(fields.get("panel")), box=box, **common)
    return "The box is saved."


def _whole(text: str | None) -> int:
    """A number of a form, -1 where it is none: nothing has that."""
    return int(text) if text and text.isdecimal() and len(text) < 10 else -1


def _fraction(percent: str) -> float | None:
    try:
        return float(percent.replace(",", ".")) / 100
    except ValueError:
        return None


def _document(project: Project, document_id: int) -> Document:
    rows = Document.objects.prefetch_related(
        "segments", Prefetch("layers", queryset=Layer.objects.current())
    )
    document = get_object_or_404(rows, pk=document_id, project=project)
    document.project = project
    return document


def _render(
    request: HttpRequest, document: Document, *, status: int = 200, **more: Any
) -> HttpResponse:
    project = document.project
    context = {
        "project": project,
        "document": document,
        **figure_context(document, project.allowed),
        **more,
    }
    if wants_part(request) and not (
        context["figure_is_shown"] or context["may_add_figure"] or more
    ):
        return HttpResponse(status=status)  # nothing at all, so that the place for it takes no room
    return render(
        request,
        "corpus/_figure.html" if wants_part(request) else "corpus/figure.html",
        context,
        status=status,
    )


def _done(request: HttpRequest, document: Document, said: str, **more: Any) -> HttpResponse:
    """The part as it is now; a browser without script goes on to the page."""
    if wants_part(request):
        return _render(request, document, figure_said=said, **more)
    messages.success(request, said)
    return redirect("corpus:figure", document.project.slug, document.pk)


def _refused(
    request: HttpRequest, document: Document, error: UserError, **more: Any
) -> HttpResponse:
    status = 409 if isinstance(error, StaleBoxesError) else 422
    return _render(request, document, status=status, figure_error=str(error), **more)
