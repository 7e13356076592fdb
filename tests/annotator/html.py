"""Reading pages in tests."""

from __future__ import annotations

from django.http import HttpResponse


def html_of(response: HttpResponse) -> str:
    """Return the response's HTML with each run of white space as one space."""
    return " ".join(response.content.decode().split())
