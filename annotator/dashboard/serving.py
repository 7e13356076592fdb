"""The whole site on one machine: broker, worker and web server, by the same entrypoint that
containers use."""

from __future__ import annotations

import fcntl
import http.client
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import redis
from django.conf import settings
from django.db import connections

from annotator.common.errors import UserError
from annotator.dashboard.processes import Processes, listening_socket, stopping_on_signals
from annotator.jobs import broker

_ENTRYPOINT: Final = settings.BASE_DIR / "docker" / "entrypoint.sh"
_START_SECONDS: Final = 120.0


class Site:
    """A site whose broker runs. ``start_worker`` and ``start_web`` add the rest; all of it ends
    with the context of ``local_site``."""

    def __init__(self, processes: Processes) -> None:
        self.processes = processes
        self.log_dir = log_dir()

    def start_worker(self) -> None:
        self.processes.start("worker", [_ENTRYPOINT, "worker"], environment=_environment())

    def start_web(self, *, host: str, port: int) -> str:
        """Start the web server on ``port`` or the next free one; its address, once it answers.
        Raises ``UserError``."""
        with listening_socket(host, port) as listening:
            bound = listening.getsockname()[1]
            environment = _environment() | {
                "SD_BIND": f"fd://{listening.fileno()}",
                "SD_WEB_WORKERS": "1",
                "SD_WEB_THREADS": "8",
            }
            self.processes.start(
                "web server",
                [_ENTRYPOINT, "web"],
                environment=environment,
                pass_fds=[listening.fileno()],
            )
        self._wait_for_web(host, bound)
        return f"http://{f'[{host}]' if ':' in host else host}:{bound}/"

    def watch(self, seconds: float | None = None) -> None:
        """Wait while everything runs. Raises ``ProcessDiedError``."""
        connections.close_all()
        self.processes.watch(seconds)

    def _wait_for_web(self, host: str, port: int) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(host, port):
            if time.monotonic() > deadline:
                raise UserError(
                    f"The web server did not answer within {_START_SECONDS:.0f} s; look into"
                    f" {self.log_dir}."
                )
            self.processes.watch(0.25)


@contextmanager
def local_site() -> Iterator[Site]:
    """The broker and a place to start the rest; on leaving, by whatever way, everything that was
    started has ended.

    SIGTERM and a hang-up interrupt like Ctrl-C. Raises ``UserError`` if another such site runs on
    the same VAR folder.
    """
    with ExitStack() as stack:
        stack.enter_context(stopping_on_signals())
        stack.enter_context(_alone(settings.VAR_DIR / "site.lock"))
        stack.enter_context(_some_broker())
        yield Site(stack.enter_context(Processes(log_dir())))


def log_dir() -> Path:
    return Path(settings.VAR_DIR) / "log"


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold a lock that the kernel releases however this process ends, so that none is ever
    stale."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise UserError(
                f"The site runs already on {path.parent} (process {holder}). Stop it first, or set"
                " SD_VAR to another folder."
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


@contextmanager
def _some_broker() -> Iterator[None]:
    """The Redis that REDIS_URL names, else an embedded Valkey of our own."""
    if settings.REDIS_URL:
        if not broker.is_reachable():
            raise UserError(
                "The Redis server that REDIS_URL names does not answer. Start it, or unset"
                " REDIS_URL to use the embedded broker."
            )
        yield
        return
    _end_orphaned_broker()
    with ExitStack() as stack:
        with _deaf_to_the_terminal():
            stack.enter_context(broker.start_embedded_broker())
        yield


def _end_orphaned_broker() -> None:
    """We hold the lock, so a broker that still answers was left by a site that was killed."""
    client = redis.Redis(unix_socket_path=str(settings.BROKER_SOCKET), socket_connect_timeout=2)
    try:
        client.shutdown(nosave=True)
    except redis.ConnectionError:
        pass  # nobody answers: nothing was left
    finally:
        client.close()


@contextmanager
def _deaf_to_the_terminal() -> Iterator[None]:
    """What is started within it never sees Ctrl-C: the broker has to outlive the worker, which
    talks to it until it has ended."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _environment() -> dict[str, str]:
    """Ours, with this interpreter first: the entrypoint asks for ``python``."""
    return dict(os.environ) | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    }


def _answers(host: str, port: int) -> bool:
    target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    connection = http.client.HTTPConnection(target, port, timeout=5)
    try:
        connection.request("GET", "/healthz", headers={"Host": "localhost"})
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
