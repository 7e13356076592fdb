"""The page that replaces allauth's pages of email and forgotten passwords.

The site sends no email, so administrators change addresses and reset passwords.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET


@require_GET
def ask_an_administrator(request: HttpRequest) -> HttpResponse:
    """Explain that an administrator changes addresses and resets passwords."""
    return render(request, "accounts/ask.html")
