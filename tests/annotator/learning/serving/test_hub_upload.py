"""The program that uploads to a hub: what it reads, writes and answers when the hub refuses."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, HTTPError

from annotator.learning.serving import hub_upload

HUB = "https://hub.example.org"
SECRET = "hf_secretsecretsecret"


@pytest.fixture
def request_(tmp_path: Path) -> dict[str, Any]:
    """What the worker writes to the program's standard input."""
    return {
        "folder": str(tmp_path),
        "repository": "us/ours",
        "is_private": True,
        "endpoint": HUB,
        "message": "Ours",
    }


class Created(str):
    """The address of a repository as the library returns it."""

    repo_id = "us/ours"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """The library's calls, by name; the hub takes everything."""
    made: list[tuple[str, dict[str, Any]]] = []

    def create(api: HfApi, repository: str, **facts: Any) -> Created:
        made.append(("create", {"repository": repository, "token": api.token, **facts}))
        return Created(f"{HUB}/us/ours")

    def upload(api: HfApi, **facts: Any) -> None:
        made.append(("upload", facts))

    monkeypatch.setattr(HfApi, "create_repo", create)
    monkeypatch.setattr(HfApi, "upload_folder", upload)
    return made


def refuse_with(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refuse(api: HfApi, repository: str, **facts: Any) -> None:
        raise error

    monkeypatch.setattr(HfApi, "create_repo", refuse)


def status_error(status: int) -> HfHubHTTPError:
    answer: Any = SimpleNamespace(status_code=status, headers={}, request=None)
    return HfHubHTTPError("no", response=answer)


def test_the_repository_is_made_and_the_folder_committed(
    request_: dict[str, Any], calls: list[tuple[str, dict[str, Any]]]
) -> None:
    assert hub_upload.push(request_, SECRET) == {"url": f"{HUB}/us/ours"}
    (create, made), (upload, sent) = calls
    assert create == "create"
    assert made == {"repository": "us/ours", "token": SECRET, "private": True, "exist_ok": True}
    assert upload == "upload"
    assert sent == {
        "repo_id": "us/ours",
        "folder_path": request_["folder"],
        "commit_message": "Ours",
    }


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, "does not know the token. Set SD_HUB_TOKEN to a valid one"),
        (403, "The token has no write access to us/ours"),
        (404, "The token has no write access to us/ours"),
        (429, "refused the upload (status 429). Try again later"),
        (503, "refused the upload (status 503). Try again later"),
    ],
)
def test_each_status_of_the_hub_has_its_sentence(
    status: int, sentence: str, request_: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_with(monkeypatch, status_error(status))
    answer = hub_upload.push(request_, SECRET)
    assert list(answer) == ["error"]
    assert sentence in answer["error"]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ConnectionError("gone"), "does not answer (ConnectionError)"),
        (TimeoutError("late"), "does not answer (TimeoutError)"),
        (HTTPError("gone"), "does not answer (HTTPError)"),
        (HFValidationError("bad"), "us/ours is not a valid repository name"),
        (KeyError("name"), "is not a hub (KeyError). Check SD_HUB_ENDPOINT"),
        (AttributeError("name"), "is not a hub (AttributeError). Check SD_HUB_ENDPOINT"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_goes_wrong_is_said_in_a_sentence(
    error: Exception, sentence: str, request_: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_with(monkeypatch, error)
    assert sentence in hub_upload.push(request_, SECRET)["error"]


def test_an_error_of_the_program_itself_is_not_hidden(
    request_: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_with(monkeypatch, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        hub_upload.push(request_, SECRET)


def run_program(
    request: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    """Return the exit code of the program and what it wrote."""
    monkeypatch.setenv(hub_upload.TOKEN, SECRET)
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(request)))
    code = hub_upload.main()
    return code, capsys.readouterr().out


def test_the_program_answers_with_one_line_of_json(
    request_: dict[str, Any],
    calls: list[tuple[str, dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, written = run_program(request_, monkeypatch, capsys)
    assert code == 0
    assert json.loads(written) == {"url": f"{HUB}/us/ours"}
    assert calls[0][1]["token"] == SECRET


def test_the_program_fails_without_writing_the_token(
    request_: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    refuse_with(monkeypatch, ConnectionError(f"refused with {SECRET}"))
    code, written = run_program(request_, monkeypatch, capsys)
    assert code == 1
    assert "error" in json.loads(written)
    assert SECRET not in written
