"""Requests from htmx, and answers to them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

#: The status with which the server ends polling.
STOP_POLLING = 286


def wants_part(request: HttpRequest) -> bool:
    """Return whether htmx requests a part of the page instead of the page."""
    return bool(getattr(request, "htmx", False)) and not request.headers.get("HX-Boosted")


def render_polled(
    request: HttpRequest, template: str, context: dict[str, Any], *, is_final: bool
) -> HttpResponse:
    """Render a part that the page polls; the final one ends the polling."""
    status = 200
    if is_final:
        status = STOP_POLLING
    return render(request, template, context, status=status)
