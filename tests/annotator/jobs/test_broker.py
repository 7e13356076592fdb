"""The broker: messages are put in, a silent one is named, an embedded one is private."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from annotator.common.errors import UserError
from annotator.jobs import broker as broker_module
from annotator.jobs.broker import is_reachable, send, start_embedded_broker
from annotator.jobs.errors import BrokerError

AWAY = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """No broker is taken to be silent from an earlier test."""
    monkeypatch.setattr(broker_module, "_silence", broker_module._Silence())


@pytest.fixture
def hanging(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A broker that accepts connections and never answers."""
    monkeypatch.setattr(broker_module, "PUBLISH_TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(
        broker_module,
        "_PUBLISHING",
        {**broker_module._PUBLISHING, "socket_timeout": 0.2, "socket_connect_timeout": 0.2},
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        yield server


def test_a_broker_that_answers_is_reachable(broker: str) -> None:
    assert is_reachable()


def test_a_broker_that_is_away_is_not_reachable(settings: Any) -> None:
    settings.CELERY_BROKER_URL = AWAY
    assert not is_reachable()


def test_a_broker_that_is_back_is_reachable_at_once(settings: Any, broker_url: str) -> None:
    settings.CELERY_BROKER_URL = AWAY
    assert not is_reachable()
    settings.CELERY_BROKER_URL = broker_url
    assert is_reachable()


def test_a_silent_broker_is_not_asked_again_for_a_while(
    hanging: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not is_reachable()
    silence = broker_module._silence.until
    assert silence > 0

    def refuse() -> None:
        pytest.fail("the broker was asked again")

    monkeypatch.setattr(broker_module, "_connection", refuse)
    broker_module._silence.until = float("inf")
    assert not is_reachable()


def test_a_message_for_a_broker_that_is_away_is_an_error(settings: Any) -> None:
    settings.CELERY_BROKER_URL = AWAY
    with pytest.raises(BrokerError):
        send(1, "default")


def test_a_message_lies_in_its_queue(broker: str) -> None:
    with broker_module._connection() as connection:
        channel = connection.default_channel
        before = channel._size("tag")
        send(7, "tag")
        assert channel._size("tag") == before + 1
        channel._purge("tag")


# The embedded broker


def test_an_embedded_broker_lives_as_long_as_its_context(tmp_path: Path, settings: Any) -> None:
    path = tmp_path / "b" / "valkey.sock"
    with start_embedded_broker(path) as url:
        settings.CELERY_BROKER_URL = url
        assert is_reachable()
    assert not path.exists()
    assert not is_reachable()


def test_the_folder_of_the_socket_is_ours_alone(tmp_path: Path) -> None:
    folder = tmp_path / "b"
    folder.mkdir(mode=0o755)
    with start_embedded_broker(folder / "valkey.sock"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_socket_in_use_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "b" / "valkey.sock"
    with (
        start_embedded_broker(path),
        pytest.raises(UserError, match="Stop the site that runs already, or set"),
        start_embedded_broker(path),
    ):
        pass


def test_a_folder_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)
    with (
        pytest.raises(UserError, match="set SD_VAR to a folder of your own"),
        start_embedded_broker(tmp_path / "valkey.sock"),
    ):
        pass
