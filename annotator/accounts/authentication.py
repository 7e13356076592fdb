"""Sign-in of programs: ``Authorization: Bearer sdc_…``."""

from __future__ import annotations

from typing import Final

from django.core.cache import cache
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

from annotator.accounts.models import ApiToken, User
from annotator.accounts.tokens import token_of

#: So many wrong tokens from one address in so many seconds; after them the answer is 429. A right
#: token is never refused.
MAX_FAILURES: Final = 20
WINDOW_SECONDS: Final = 300


class TokenAuthentication(BaseAuthentication):
    """Knows the user by a token; says nothing where there is no such header, so that a session
    may."""

    keyword = "Bearer"

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        words = get_authorization_header(request).split()
        if not words or words[0].lower() != self.keyword.lower().encode():
            return None
        token = token_of(words[1].decode("ascii", "replace")) if len(words) == 2 else None
        if token is None:
            _count_failure(request.META.get("REMOTE_ADDR", ""))
            raise AuthenticationFailed(
                "This token is not valid: it is unknown, expired or revoked. Make a new one on your"
                " account's page of API tokens."
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
    except ValueError:  # it expired between the two steps
        failures = 1
    if failures > MAX_FAILURES:
        raise Throttled(wait=WINDOW_SECONDS, detail="Too many wrong tokens came from this address.")
