"""Authentication of programs: ``Authorization: Bearer sdc_…``."""

from __future__ import annotations

from typing import Final

from django.core.cache import cache
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

from annotator.accounts.models import ApiToken, User
from annotator.accounts.tokens import token_of

#: After more wrong tokens from one address within the window, the answer is 429. A valid token is
#: never refused.
MAX_FAILURES: Final = 20
WINDOW_SECONDS: Final = 300


class TokenAuthentication(BaseAuthentication):
    """Authenticates the user by a token.

    Without such a header it returns None, so that a session can authenticate the user.
    """

    keyword = "Bearer"

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        words = get_authorization_header(request).split()
        if not words or words[0].lower() != self.keyword.lower().encode():
            return None
        token = None
        if len(words) == 2:
            token = token_of(words[1].decode("ascii", "replace"))
        if token is None:
            _count_failure(request.META.get("REMOTE_ADDR", ""))
            raise AuthenticationFailed(
                "This token is not valid: it is unknown, expired or revoked. Create a new one on"
                " the page API tokens of your account."
            )
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return self.keyword


def _count_failure(address: str) -> None:
    """Raise ``Throttled`` once an address has sent too many wrong tokens."""
    key = f"wrong-api-tokens:{address}"
    cache.add(key, 0, timeout=WINDOW_SECONDS)
    try:
        failures = cache.incr(key)
    except ValueError:  # the counter expired between the two steps
        failures = 1
    if failures > MAX_FAILURES:
        raise Throttled(wait=WINDOW_SECONDS, detail="This address has sent too many wrong tokens.")
