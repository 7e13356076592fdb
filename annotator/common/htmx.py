"""Answers that htmx understands."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

#: The status by which the server ends a poll.
STOP_POLLING = 286


def wants_part(request: HttpRequest) -> bool:
    """Whether htmx asks for a part of the page, not for the page."""
    return bool(getattr(request, "htmx", False)) and not request.headers.get("HX-Boosted")


def render_polled(
    request: HttpRequest, template: str, context: dict[str, Any], *, is_final: bool
) -> HttpResponse:
    """A part that the page polls; the last one ends the polling."""
    return render(request, template, context, status=STOP_POLLING if is_final else 200)
