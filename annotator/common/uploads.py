"""A limit on what a request may carry, held before anything reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

#: What a form adds to the files in it.
_FORM_BYTES: Final = 1024**2


class UploadLimitMiddleware:
    """Answers 413 to a body larger than MAX_UPLOAD_BYTES without reading it. Stands above whatever
    reads forms, the CSRF check included."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if length.isdecimal() and int(length) > settings.MAX_UPLOAD_BYTES + _FORM_BYTES:
            return render(
                request, "413.html", {"limit_mb": settings.MAX_UPLOAD_BYTES // 1024**2}, status=413
            )
        return self.get_response(request)
