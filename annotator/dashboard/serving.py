"""A complete site on one machine: broker, worker and web server, started like containers."""

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
    """A site with a running broker; ``start_worker`` and ``start_web`` add the rest.

    All processes end with the context of ``local_site``.
    """

    def __init__(self, processes: Processes) -> None:
        self.processes = processes
        self.log_dir = log_dir()

    def start_worker(self) -> None:
        self.processes.start("worker", [_ENTRYPOINT, "worker"], environment=_environment())

    def start_web(self, *, host: str, port: int) -> str:
        """Start the web server on ``port`` or the next free one; return its address.

        Wait until the server answers. Raise ``UserError`` if it does not.
        """
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
        if ":" in host:
            host = f"[{host}]"
        return f"http://{host}:{bound}/"

    def watch(self, seconds: float | None = None) -> None:
        """Wait while all processes run. Raise ``ProcessDiedError`` if one ends."""
        connections.close_all()
        self.processes.watch(seconds)

    def _wait_for_web(self, host: str, port: int) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(host, port):
            if time.monotonic() > deadline:
                raise UserError(
                    f"The web server did not answer within {_START_SECONDS:.0f} s. See the logs in"
                    f" {self.log_dir}."
                )
            self.processes.watch(0.25)


@contextmanager
def local_site() -> Iterator[Site]:
    """Start the broker and yield the site; end all processes on exit, also after an error.

    SIGTERM and SIGHUP interrupt like Ctrl-C. Raise ``UserError`` if another site runs on the same
    VAR folder.
    """
    with ExitStack() as stack:
        stack.enter_context(stopping_on_signals())
        stack.enter_context(_alone(settings.VAR_DIR / "site.lock"))
        stack.enter_context(_running_broker())
        yield Site(stack.enter_context(Processes(log_dir())))


def log_dir() -> Path:
    return Path(settings.VAR_DIR) / "log"


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold a lock that the kernel releases when this process ends, so that it is never stale."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise UserError(
                f"The site is already running on {path.parent} (process {holder}). Stop it first,"
                " or set SD_VAR to another folder."
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


@contextmanager
def _running_broker() -> Iterator[None]:
    """Use the Redis server at REDIS_URL, or start an embedded Valkey if it is not set."""
    if settings.REDIS_URL:
        if not broker.is_reachable():
            raise UserError(
                "The Redis server at REDIS_URL does not answer. Start it, or unset REDIS_URL to use"
                " the embedded broker."
            )
        yield
        return
    _end_orphaned_broker()
    with ExitStack() as stack:
        with _ignoring_the_terminal():
            stack.enter_context(broker.start_embedded_broker())
        yield


def _end_orphaned_broker() -> None:
    """End a broker that a killed site left. This process has the lock, so no site uses it."""
    client = redis.Redis(unix_socket_path=str(settings.BROKER_SOCKET), socket_connect_timeout=2)
    try:
        client.shutdown(nosave=True)
    except redis.ConnectionError:
        pass  # no broker is running
    finally:
        client.close()


@contextmanager
def _ignoring_the_terminal() -> Iterator[None]:
    """Let processes that start here ignore Ctrl-C: the broker must outlive the worker."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _environment() -> dict[str, str]:
    """Return our environment with this interpreter first on PATH, where the entrypoint finds it."""
    path = os.environ.get("PATH", os.defpath)
    return dict(os.environ) | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{path}"}


def _answers(host: str, port: int) -> bool:
    # "Every address" is what the server listens on; a client needs one of them.
    target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    connection = http.client.HTTPConnection(target, port, timeout=5)
    try:
        connection.request("GET", "/healthz", headers={"Host": "localhost"})
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
