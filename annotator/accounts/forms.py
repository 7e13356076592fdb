"""The sign-in form, with the words of this site."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import LoginForm


class SignInForm(LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = "User name or email"
        self.fields["remember"].label = "Stay signed in"
        for name in ("login", "password"):
            self.fields[name].widget.attrs.pop("placeholder", None)
