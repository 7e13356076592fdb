"""What django-allauth asks the site about sign-in."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):
    """Accounts are made by an admin or come from the organisation's OpenID Connect provider; nobody
    signs up by themselves."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
