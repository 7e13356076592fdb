"""The site's rules for django-allauth."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):
    """Closes sign-up: accounts come from administrators or from the OpenID Connect provider."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
