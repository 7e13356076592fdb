"""Signing in, preferences, tokens, and what an administrator does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.cache import cache
from django.test import Client

from annotator.accounts.models import ApiToken, User

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User | None], Client]
TOKENS = "/accounts/tokens/"


@pytest.fixture(autouse=True)
def no_attempts_yet() -> None:
    """allauth counts failed sign-ins in the cache."""
    cache.clear()


@pytest.mark.parametrize("login", ["viewer", "viewer@example.org"])
def test_people_sign_in_by_name_or_address(login: str, viewer: User) -> None:
    browser = Client()
    wanted = browser.get("/accounts/tokens/")["Location"]
    answer = browser.post(wanted, {"login": login, "password": "correct horse battery"})
    assert answer.status_code == 302
    assert answer["Location"] == "/accounts/tokens/"
    assert browser.get("/").status_code == 200


@pytest.mark.parametrize(
    "fields",
    [{}, {"login": "viewer", "password": "wrong"}, {"login": "<b>nobody", "password": "wrong"}],
    ids=str,
)
def test_a_wrong_password_returns_the_form_and_reveals_nothing(
    fields: dict[str, str], viewer: User
) -> None:
    page = Client().post("/accounts/login/", fields).content.decode()
    assert 'name="login"' in page
    assert "field-error" in page or 'role="alert"' in page
    assert "<b>nobody" not in page


def test_sign_in_goes_nowhere_else(viewer: User) -> None:
    answer = Client().post(
        "/accounts/login/?next=https://evil.example/",
        {"login": "viewer", "password": "correct horse battery"},
    )
    assert "evil" not in answer["Location"]


def test_signing_out_needs_a_button(client_of: ClientOf, viewer: User) -> None:
    browser = client_of(viewer)
    assert browser.get("/accounts/logout/").status_code == 200
    assert browser.get("/").status_code == 200
    browser.post("/accounts/logout/")
    assert browser.get("/").status_code == 302


def test_nobody_signs_up_by_themselves() -> None:
    page = Client().get("/accounts/signup/").content.decode()
    assert "Administrators create accounts" in page
    Client().post(
        "/accounts/signup/",
        {
            "username": "me",
            "email": "me@example.org",
            "password1": "correct horse",
            "password2": "correct horse",
        },
    )
    assert not User.objects.exists()


def test_a_forgotten_password_is_reset_by_an_admin(client_of: ClientOf, viewer: User) -> None:
    assert "ask an administrator" in Client().get("/accounts/password/reset/").content.decode()
    assert "viewer@example.org" in client_of(viewer).get("/accounts/email/").content.decode()
    assert (
        client_of(viewer)
        .post("/accounts/email/", {"email": "manager@example.org", "action_add": ""})
        .status_code
        == 405
    )


def test_the_theme_is_kept_and_leads_back(client_of: ClientOf, viewer: User) -> None:
    browser = client_of(viewer)
    answer = browser.post("/accounts/preferences/", {"theme": "dark", "next": TOKENS})
    assert answer["Location"] == TOKENS
    assert 'data-theme="dark"' in browser.get("/").content.decode()
    assert (
        browser.post("/accounts/preferences/", {"theme": "light", "next": "https://evil.example/"})[
            "Location"
        ]
        == "/"
    )
    assert browser.post("/accounts/preferences/", {"theme": "pink"}).status_code == 400


def test_a_token_is_shown_once_and_revoked(client_of: ClientOf, viewer: User) -> None:
    browser = client_of(viewer)
    page = browser.post(TOKENS, {"name": "<b>nightly</b>", "days": "30"}).content.decode()
    token = ApiToken.objects.get()
    assert page.count(token.prefix) >= 2
    assert "&lt;b&gt;nightly&lt;/b&gt;" in page
    secret = page.partition('translate="no">')[2].partition("<")[0]
    assert (
        Client(headers={"Authorization": f"Bearer {secret}"}).get("/api/v1/projects/").status_code
        == 200
    )
    assert secret not in browser.get(TOKENS).content.decode()
    assert browser.post(f"{TOKENS}{token.pk}/revoke/").status_code == 302
    assert token.prefix not in browser.get(TOKENS).content.decode()
    assert (
        Client(headers={"Authorization": f"Bearer {secret}"}).get("/api/v1/projects/").status_code
        == 401
    )


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"name": ""},
        {"name": "x" * 101},
        {"name": "x", "days": "0"},
        {"name": "x", "days": "for ever"},
    ],
    ids=str,
)
def test_a_senseless_token_comes_back_with_the_form(
    fields: dict[str, str], client_of: ClientOf, viewer: User
) -> None:
    answer = client_of(viewer).post(TOKENS, fields)
    assert answer.status_code == 422
    assert "field-error" in answer.content.decode()
    assert not ApiToken.objects.exists()


def test_the_page_of_a_token_is_kept_by_no_cache(client_of: ClientOf, viewer: User) -> None:
    assert "no-store" in client_of(viewer).post(TOKENS, {"name": "x"})["Cache-Control"]


def test_the_tour_is_remembered_and_wanted_again(client_of: ClientOf, viewer: User) -> None:
    viewer.preferences = {"theme": "dark"}
    viewer.save()
    client = client_of(viewer)
    assert client.post("/accounts/preferences/tour/", {"tour": "done"}).status_code == 204
    viewer.refresh_from_db()
    assert viewer.preferences == {"theme": "dark", "tour": "done"}
    answer = client.post("/accounts/preferences/tour/", {"tour": "again", "next": "/help/"})
    assert answer["Location"] == "/help/"
    viewer.refresh_from_db()
    assert viewer.preferences["tour"] == "again"
