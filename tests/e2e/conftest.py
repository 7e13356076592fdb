"""A real browser on a real server: Chromium, the live server's address, and people who are signed
in.

Fixtures of the site's other tests (people, a project, legends) are taken over by name.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from annotator.accounts.models import User
from annotator.corpus.models import Document
from tests.annotator.conftest import (  # noqa: F401
    admin,
    client_of,
    curator,
    django_db_modify_db_settings,
    import_legends,
    legend,
    manager,
    project,
    reviewer,
    stranger,
    var,
    viewer,
)
from tests.annotator.review.conftest import MakeLegend, make_legend, operate  # noqa: F401
from tests.e2e.screen import SURE, address, ready
from tests.e2e.windows import Windows
from tests.requirements import Need, need

# Playwright's synchronous interface runs an event loop in this thread, where Django would refuse to
# ask the database.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
# How soon a page shows something depends on what else the machine does; that it shows it does not.
expect.set_options(timeout=20_000)

OpenAs = Callable[..., Page]


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Debian's Chromium, which needs no download."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    need(
        Need.CHROMIUM,
        found=path is not None,
        otherwise="Chromium is not installed (Debian: apt-get install chromium).",
    )
    return {
        **browser_type_launch_args,
        "executable_path": path,
        "args": ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
    }


@pytest.fixture(scope="session")
def all_windows(browser: Browser, live_server: Any) -> Windows:
    return Windows(browser, live_server.url)


@pytest.fixture
def windows(all_windows: Windows) -> Iterator[Windows]:
    """Windows on the live server, which hold nothing of another test."""
    yield all_windows
    all_windows.clear()


@pytest.fixture
def open_as(windows: Windows) -> Iterator[OpenAs]:
    """``open_as(user, path, width=…, color_scheme="dark")``: the page in a window of its own where
    the user is signed in. With ``tour`` it is the user's first visit; else the tour is done.

    A page that logs an error or breaks its Content-Security-Policy fails the test.
    """
    complaints: list[str] = []

    def open_page(
        user: User,
        path: str,
        *,
        width: int = 1400,
        height: int = 900,
        tour: bool = False,
        **facts: Any,
    ) -> Page:
        if not tour:
            user.preferences = {**user.preferences, "tour": "done"}
            user.save(update_fields=["preferences"])
        window = windows.take(**facts)
        sign_in(window.context, window.url, user)
        page = window.open(width, height)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda message: complaints.append(message.text) if _is_complaint(message) else None,
        )
        page.goto(path)
        return page

    yield open_page
    windows.clear()
    assert complaints == []


@pytest.fixture
def screen(make_legend: MakeLegend, open_as: OpenAs, curator: User) -> tuple[Document, Page]:  # noqa: F811
    """Return the small legend with three suggestions, open before a curator.

    Its words: 0 ( 1 A 2 ) 3 Bax 4 and 5 Bak 6 in 7 MEFs 8 . 9 ( …
    """
    document = make_legend(suggested=SURE)
    return document, ready(open_as(curator, address(document)))


def sign_in(context: Any, url: str, user: User) -> None:
    """Put the cookie of a new session into the window."""
    client = Client()
    client.force_login(user)
    context.add_cookies(
        [
            {
                "name": settings.SESSION_COOKIE_NAME,
                "value": client.cookies[settings.SESSION_COOKIE_NAME].value,
                "url": url,
            }
        ]
    )


def _is_complaint(message: Any) -> bool:
    """Errors, but for answers that a test asks for (409, 423, a server that is away)."""
    asked_for = ("Failed to load resource", "htmx:", "Response Status Error Code")
    return message.type == "error" and not any(words in message.text for words in asked_for)
