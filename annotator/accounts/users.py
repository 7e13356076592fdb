"""The user behind a request."""

from __future__ import annotations

from typing import cast

from django.http import HttpRequest

from annotator.accounts.models import User


def signed_in(request: HttpRequest) -> User:
    """Return the user of a request that ``login_required`` let through."""
    return cast(User, request.user)
