"""A token is shown once, kept as a hash, and ends when it is revoked, expires, or its user is
switched off."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from annotator.accounts import authentication
from annotator.accounts.models import ApiToken, User
from annotator.accounts.tokens import MAX_TOKENS, create_token, revoke_token, token_of
from annotator.common.errors import UserError
from tests.annotator.api.conftest import Program

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_failures_yet() -> None:
    cache.clear()


def test_a_token_lets_its_user_in_and_notes_its_use(curator: User) -> None:
    token, secret = create_token(user=curator, name="export", actor=curator)
    assert token.last_used_at is None
    assert Program(secret).get("projects/").status_code == 200
    token.refresh_from_db()
    assert token.last_used_at is not None


def test_the_secret_is_nowhere_in_the_database(curator: User) -> None:
    _, secret = create_token(user=curator, name="export", actor=curator)
    row = ApiToken.objects.values().get()
    assert secret not in json.dumps(row, default=str)
    assert secret.startswith(row["prefix"])
    assert len(row["prefix"]) < 12


def test_revoked_expired_and_deactivated_tokens_are_refused(curator: User) -> None:
    revoked, revoked_secret = create_token(user=curator, name="revoked", actor=curator)
    expiring, expired_secret = create_token(user=curator, name="expired", days=1, actor=curator)
    _, good_secret = create_token(user=curator, name="good", actor=curator)
    revoke_token(token=revoked, actor=curator)
    ApiToken.objects.filter(pk=expiring.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    for secret in (revoked_secret, expired_secret):
        answer = Program(secret).get("projects/")
        assert answer.status_code == 401
        assert "not valid" in answer.json()["detail"]
        assert answer["WWW-Authenticate"] == "Bearer"
    assert Program(good_secret).get("projects/").status_code == 200
    User.objects.filter(pk=curator.pk).update(is_active=False)
    assert Program(good_secret).get("projects/").status_code == 401


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer a b",
        "Bearer sdc_" + "x" * 5000,
        "Bearer \u00e9",
        "bearer sdc_nonsense",
    ],
)
def test_a_malformed_header_is_refused_not_a_crash(header: str, db: None) -> None:
    assert Client(headers={"Authorization": header}).get("/api/v1/projects/").status_code == 401


def test_too_many_wrong_tokens_are_slowed_down(
    curator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authentication, "MAX_FAILURES", 3)
    _, secret = create_token(user=curator, name="good", actor=curator)
    codes = [Program("sdc_wrong").get("projects/").status_code for _ in range(5)]
    assert codes == [401, 401, 401, 429, 429]
    assert int(Program("sdc_wrong").get("projects/")["Retry-After"]) > 0
    assert Program(secret).get("projects/").status_code == 200


def test_a_token_needs_a_name_and_a_sensible_time(curator: User) -> None:
    for name, days in (("  ", None), ("x" * 101, None), ("ok", 0), ("ok", -1), ("ok", 10**6)):
        with pytest.raises(UserError):
            create_token(user=curator, name=name, days=days, actor=curator)
    assert not ApiToken.objects.exists()


def test_nobody_piles_up_tokens(curator: User) -> None:
    ApiToken.objects.bulk_create(
        ApiToken(user=curator, name="old", prefix="sdc_", digest=f"{n:064}")
        for n in range(MAX_TOKENS)
    )
    with pytest.raises(UserError, match="Revoke"):
        create_token(user=curator, name="one more", actor=curator)


def test_the_page_shows_a_new_secret_once(
    curator: User, client_of: Callable[[User | None], Client]
) -> None:
    browser = client_of(curator)
    shown = browser.post("/accounts/tokens/", {"name": "nightly export", "days": "30"})
    assert shown.status_code == 200
    secret = shown.context["secret"]
    assert secret in shown.content.decode()
    token = token_of(secret)
    assert token is not None
    assert token.user == curator
    again = browser.get("/accounts/tokens/")
    assert secret not in again.content.decode()
    assert "nightly export" in again.content.decode()
    assert "no-store" in again["Cache-Control"]


def test_the_page_refuses_nonsense_with_422_and_the_form(
    curator: User, client_of: Callable[[User | None], Client]
) -> None:
    for data in ({"name": ""}, {"name": "x", "days": "0"}, {"name": "x", "days": "many"}):
        assert client_of(curator).post("/accounts/tokens/", data).status_code == 422
    assert not ApiToken.objects.exists()


def test_only_the_owner_revokes_a_token_and_only_by_post(
    curator: User, viewer: User, admin: User, client_of: Callable[[User | None], Client]
) -> None:
    token, secret = create_token(user=curator, name="mine", actor=curator)
    path = f"/accounts/tokens/{token.pk}/revoke/"
    assert client_of(None).post(path).status_code == 302
    for other in (viewer, admin):
        assert client_of(other).post(path).status_code == 404
    assert client_of(curator).get(path).status_code == 405
    assert token_of(secret) is not None
    assert client_of(curator).post(path).status_code == 302
    assert token_of(secret) is None
    assert client_of(None).get("/accounts/tokens/").status_code == 302


def test_the_command_prints_a_working_secret(curator: User) -> None:
    out = StringIO()
    call_command(
        "create_token", "curator", "--name", "from cron", "--days", "7", "--json", stdout=out
    )
    summary = json.loads(out.getvalue().splitlines()[-1])
    token = token_of(summary["token"])
    assert token is not None
    assert token.user == curator
    assert token.name == "from cron"
    with pytest.raises(CommandError, match="no active user"):
        call_command("create_token", "nobody")
