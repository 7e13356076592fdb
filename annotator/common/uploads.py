"""The limit on the size of a request, checked before anything reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

#: The size that a form may add to its files.
_FORM_BYTES: Final = 1024**2


class UploadLimitMiddleware:
    """Answers 413 to a body larger than MAX_UPLOAD_BYTES without reading it.

    It must precede all middleware that reads forms, including the CSRF check.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if length.isdecimal() and int(length) > settings.MAX_UPLOAD_BYTES + _FORM_BYTES:
            limit_mb = settings.MAX_UPLOAD_BYTES // 1024**2
            return render(request, "413.html", {"limit_mb": limit_mb}, status=413)
        return self.get_response(request)
