"""API tokens: created once, shown once, stored as a hash."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Final

import structlog
from django.db.models import Q
from django.utils import timezone

from annotator.accounts.actors import Actor, log_name
from annotator.accounts.models import ApiToken, User
from annotator.common.errors import UserError

log = structlog.get_logger(__name__)

#: All tokens begin with this prefix, so that people and secret scanners recognise them.
PREFIX: Final = "sdc_"
MAX_TOKENS: Final = 50
MAX_DAYS: Final = 3650
#: The least time between two updates of ``last_used_at``.
_USE_IS_NOTED_EVERY: Final = timedelta(minutes=5)


def create_token(
    *, user: User, name: str, days: int | None = None, actor: Actor
) -> tuple[ApiToken, str]:
    """Return a new token of the user, and its secret, which cannot be shown again.

    Raise ``UserError`` if the name is empty, ``days`` is out of range, or there are too many
    tokens.
    """
    asked_by = log_name(actor)
    name = name.strip()
    if not name or len(name) > 100:
        raise UserError("Enter a name of at most 100 characters that says what uses the token.")
    if days is not None and not 1 <= days <= MAX_DAYS:
        raise UserError(f"A token is valid for 1 to {MAX_DAYS} days, or until it is revoked.")
    if ApiToken.objects.in_force().filter(user=user).count() >= MAX_TOKENS:
        raise UserError(
            f"There are already {MAX_TOKENS} valid tokens. Revoke those that are not used."
        )
    secret = PREFIX + secrets.token_urlsafe(32)
    expires_at = None
    if days is not None:
        expires_at = timezone.now() + timedelta(days=days)
    token = ApiToken.objects.create(
        user=user, name=name, prefix=secret[:10], digest=digest_of(secret), expires_at=expires_at
    )
    log.info("api_token_created", token=token.pk, user=user.pk, actor=asked_by)
    return token, secret


def revoke_token(*, token: ApiToken, actor: Actor) -> None:
    """Revoke the token permanently; revoking it again changes nothing."""
    if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
        log.info("api_token_revoked", token=token.pk, actor=log_name(actor))


def token_of(secret: str) -> ApiToken | None:
    """Return the valid token with that secret and record its use, or None."""
    if not secret.startswith(PREFIX):
        return None
    token = (
        ApiToken.objects.in_force().select_related("user").filter(digest=digest_of(secret)).first()
    )
    if token is not None:
        now = timezone.now()
        long_ago = Q(last_used_at=None) | Q(last_used_at__lt=now - _USE_IS_NOTED_EVERY)
        if token.last_used_at is None or token.last_used_at < now - _USE_IS_NOTED_EVERY:
            ApiToken.objects.filter(long_ago, pk=token.pk).update(last_used_at=now)
    return token


def digest_of(secret: str) -> str:
    """Return the SHA-256 of the secret. Its 256 random bits make a slow hash unnecessary."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
