"""The figure of a legend: its page or part of a page, its image, and the forms that change it."""

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
from annotator.corpus.holding import HeldError, holder
from annotator.corpus.models import Document, FigureImage, Layer, Project
from annotator.corpus.pictures import MEDIA_TYPE


@login_required
@never_cache
@require_GET
def figure(request: HttpRequest, slug: str, document_id: int) -> HttpResponse:
    """Show the figure with its panel boxes, as a part of another page or as a page."""
    project = project_for(request.user, slug, Action.VIEW)
    return _render(request, _document(project, document_id))


@login_required
@require_GET
def figure_image(request: HttpRequest, slug: str, document_id: int) -> HttpResponse:
    """Send the image.

    Its address contains the hash of its content (``?v=``), so browsers may cache it, but no proxy
    may.
    """
    project = project_for(request.user, slug, Action.VIEW)
    figure = (
        FigureImage.objects.filter(document=document_id, document__project=project)
        .exclude(file="")
        .first()
    )
    if figure is None:
        raise Http404("This legend has no image.")
    try:
        with figure.file.open("rb") as stream:  # a few megabytes at most, see pictures.py
            answer = HttpResponse(stream.read(), content_type=figure.media_type or MEDIA_TYPE)
    except FileNotFoundError as error:
        raise Http404("The file of this image is missing. Upload the image again.") from error
    answer["Content-Disposition"] = f'inline; filename="figure-{document_id}.webp"'
    answer["Content-Security-Policy"] = "default-src 'none'"
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-cache"
    if request.GET.get("v"):
        answer["Cache-Control"] = "private, max-age=86400"
    etag = f'"{figure.sha256}"'
    answer["ETag"] = etag
    return get_conditional_response(request, etag=etag, response=answer) or answer


@login_required
@require_POST
def figure_upload(request: HttpRequest, slug: str, document_id: int) -> HttpResponse:
    """Store an uploaded image as the legend's figure, in place of the old one."""
    document = _document(project_for(request.user, slug, Action.IMPORT), document_id)
    file = request.FILES.get("image")
    try:
        if file is None:
            raise UserError("Choose an image.")
        stored = store_figure(document=document, file=file, actor=signed_in(request))
    except UserError as error:
        return _refused(request, document, error, unfolded="upload")
    message = "The image is saved."
    if stored.boxes:
        message += " The panel boxes were kept; check whether they still fit."
    return _done(request, document, message)


@login_required
@require_POST
def figure_remove(request: HttpRequest, slug: str, document_id: int) -> HttpResponse:
    """Remove the legend's image."""
    document = _document(project_for(request.user, slug, Action.IMPORT), document_id)
    try:
        remove_figure(document=document, actor=signed_in(request))
    except UserError as error:
        return _refused(request, document, error)
    return _done(request, document, "The image is removed.")


@login_required
@require_POST
def figure_boxes(request: HttpRequest, slug: str, document_id: int) -> HttpResponse:
    """Save or remove the box of one panel.

    To save, send ``panel``, and ``x``, ``y``, ``width`` and ``height`` in percent; to remove, send
    the panel as ``remove``. ``revision`` is the revision of the boxes that the user saw. If it is
    not the current one, the answer is 409 with the current boxes; while another user works on the
    legend it is 423.
    """
    document = _document(project_for(request.user, slug, Action.REVIEW), document_id)
    try:
        message = _change_box(document, request.POST, request)
    except UserError as error:
        return _refused(request, document, error, unfolded="boxes")
    return _done(request, document, message, unfolded="boxes")


def _change_box(document: Document, fields: QueryDict, request: HttpRequest) -> str:
    common: dict[str, Any] = {
        "document": document,
        "base_revision": _number(fields.get("revision")),
        "actor": signed_in(request),
    }
    if "remove" in fields:
        remove_box(panel=_number(fields.get("remove")), **common)
        return "The box is removed."
    box = {name: _fraction(fields.get(name, "")) for name in ("x", "y", "width", "height")}
    put_box(panel=_number(fields.get("panel")), box=box, **common)
    return "The box is saved."


def _number(text: str | None) -> int:
    """Return a whole number from a form, or -1 for anything else, which no panel has."""
    if text and text.isdecimal() and len(text) < 10:
        return int(text)
    return -1


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
        "figure_holder": holder(document, signed_in(request)),
        **more,
    }
    if not wants_part(request):
        return render(request, "corpus/figure.html", context, status=status)
    is_for_reader = not (context["may_add_figure"] or context["may_draw_boxes"])
    is_empty = is_for_reader and not context["figure_is_shown"] and not more
    if is_empty:  # an empty answer, so that the place of the figure takes no space on the page
        return HttpResponse(status=status)
    return render(request, "corpus/_figure.html", context, status=status)


def _done(request: HttpRequest, document: Document, message: str, **more: Any) -> HttpResponse:
    """Show the changed part; a browser without scripts is redirected to the page."""
    if wants_part(request):
        return _render(request, document, figure_message=message, **more)
    messages.success(request, message)
    return redirect("corpus:figure", document.project.slug, document.pk)


def _refused(
    request: HttpRequest, document: Document, error: UserError, **more: Any
) -> HttpResponse:
    status = 422
    if isinstance(error, StaleBoxesError):
        status = 409
    elif isinstance(error, HeldError):
        status = 423
    return _render(request, document, status=status, figure_error=str(error), **more)
