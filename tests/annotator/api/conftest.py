"""Programs that hold a token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from annotator.accounts.models import User
from annotator.accounts.tokens import create_token


@dataclass(frozen=True)
class Program:
    """Sends JSON with somebody's token; ``None`` has none."""

    secret: str | None

    def get(self, path: str, **query: Any) -> Any:
        return self._send("get", path, data=query)

    def post(self, path: str, body: Any = None) -> Any:
        return self._send(
            "post", path, data={} if body is None else body, content_type="application/json"
        )

    def put(self, path: str, body: Any) -> Any:
        return self._send("put", path, data=body, content_type="application/json")

    def delete(self, path: str) -> Any:
        return self._send("delete", path)

    def upload(self, path: str, **fields: Any) -> Any:
        return self._send("post", path, data=fields)

    def _send(self, method: str, path: str, **options: Any) -> HttpResponse:
        headers = {"Authorization": f"Bearer {self.secret}"} if self.secret else {}
        answer: HttpResponse = getattr(Client(headers=headers), method)(
            f"/api/v1/{path}", **options
        )
        return answer


@pytest.fixture
def program_of() -> Callable[[User | None], Program]:
    """A program with a token of the user."""

    def make(user: User | None) -> Program:
        return Program(create_token(user=user, name="test", actor=user)[1] if user else None)

    return make
