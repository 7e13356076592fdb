"""The windows of the browser tests hold nothing of the test before."""

from __future__ import annotations

import pytest

from annotator.accounts.models import User
from tests.e2e.conftest import sign_in
from tests.e2e.windows import Windows

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_window_is_empty_for_the_next_test(windows: Windows, curator: User) -> None:
    window = windows.take()
    sign_in(window.context, window.url, curator)
    page = window.open(700, 600)
    page.goto("/help/")
    page.evaluate("localStorage.setItem('waiting', '1')")
    windows.clear()

    again = windows.take()
    page = again.open(1400, 900)
    page.goto("/help/")
    assert again is window
    assert "/accounts/login/" in page.url
    assert page.evaluate("localStorage.getItem('waiting')") is None
    assert page.evaluate("innerWidth") == 1400


def test_a_test_may_have_several_windows(windows: Windows) -> None:
    assert windows.take() is not windows.take()
    assert windows.take(color_scheme="dark") is not windows.take()
