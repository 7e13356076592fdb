"""The only exception from the Content-Security-Policy."""

from __future__ import annotations

from collections.abc import Callable

from csp.constants import UNSAFE_EVAL, UNSAFE_INLINE
from django.http import HttpRequest, HttpResponse
from django.urls import reverse


class AdminCspMiddleware:
    """Allows the admin's pages to evaluate expressions and to set styles.

    Unfold, the admin's theme, uses Alpine, which does both. ``CSPMiddleware`` writes the header and
    must precede this middleware in the settings.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.prefix = reverse("admin:index")

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path.startswith(self.prefix):
            exceptions = {"script-src": [UNSAFE_EVAL], "style-src": [UNSAFE_INLINE]}
            response._csp_update = exceptions  # type: ignore[attr-defined]
        return response
