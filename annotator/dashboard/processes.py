"""The processes of a site on one machine, which start and end together."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import math
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Final

import psutil

from annotator.common.errors import UserError

#: Seconds until a process that does not end is killed.
GRACE_SECONDS: Final = 10.0
_STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_N_LAST_LINES: Final = 12
_PR_SET_CHILD_SUBREAPER: Final = 36
_TAKEN: Final = (errno.EADDRINUSE, errno.EACCES)


class ProcessDiedError(UserError):
    """One of the processes ended unexpectedly."""


class Processes:
    """Child processes by name, each in its own session with its output in ``log_dir/NAME.log``.

    Leaving the context ends all of them and their descendants, beginning with the last one. On a
    terminal, Ctrl-C reaches only this process, which then ends the others in order.
    """

    def __init__(self, log_dir: Path) -> None:
        self._log_dir = log_dir
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._not_mine: set[int] = set()

    def __enter__(self) -> Processes:
        self._log_dir.mkdir(parents=True, exist_ok=True)
        self._not_mine = {child.pid for child in psutil.Process().children()}
        _adopt_orphans()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A second Ctrl-C must not interrupt ``stop``, which takes a limited time.
        with _handling_stop_signals(signal.SIG_IGN):
            self.stop()

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str],
        pass_fds: Sequence[int] = (),
    ) -> int:
        """Start ``command`` and return its process id."""
        with self._log(name).open("wb") as log:
            process = subprocess.Popen(
                [*_dying_with_parent(), *map(str, command)],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=pass_fds,
                start_new_session=True,
            )
        self._processes[name] = process
        return process.pid

    def check(self) -> None:
        """Raise ``ProcessDiedError`` naming the first process that no longer runs."""
        for name, process in self._processes.items():
            code = process.poll()
            if code is not None:
                reason = f"exit code {code}"
                if code < 0:
                    reason = signal.Signals(-code).name
                raise ProcessDiedError(
                    f"The {name} ended unexpectedly ({reason}), so all processes were stopped."
                    f" Its last lines in {self._log(name)}:\n{self._last_lines(name)}"
                )

    def watch(self, seconds: float | None = None) -> None:
        """Wait for ``seconds``, or forever, while all processes run.

        Raise ``ProcessDiedError`` if one ends.
        """
        if seconds is None:
            seconds = math.inf
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.check()
            time.sleep(0.25)

    def stop(self) -> None:
        """End every process and its descendants; kill those that run after ``GRACE_SECONDS``."""
        for process in reversed(self._processes.values()):
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        for process in self._processes.values():
            _kill_after(process, deadline)
        self._processes.clear()
        descendants = self._descendants()
        for descendant in descendants:
            _signal(descendant, signal.SIGTERM)
        _, running = psutil.wait_procs(descendants, timeout=GRACE_SECONDS / 2)
        for descendant in running:
            _signal(descendant, signal.SIGKILL)
        psutil.wait_procs(running, timeout=GRACE_SECONDS / 2)

    def _descendants(self) -> list[psutil.Process]:
        """Return the descendants that still run, including orphans that this process adopted."""
        descendants = []
        for child in psutil.Process().children():
            if child.pid not in self._not_mine:
                descendants.append(child)
                descendants += _children(child)
        return descendants

    def _log(self, name: str) -> Path:
        return self._log_dir / f"{name.replace(' ', '-')}.log"

    def _last_lines(self, name: str) -> str:
        lines = self._log(name).read_text(encoding="utf-8", errors="replace").splitlines()
        if not lines:
            return "    (no output)"
        return "\n".join(f"    {line}" for line in lines[-_N_LAST_LINES:])


@contextmanager
def stopping_on_signals() -> Iterator[None]:
    """Raise ``KeyboardInterrupt`` on SIGTERM and SIGHUP too, as on Ctrl-C."""

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handling_stop_signals(interrupt):
        yield


def listening_socket(host: str, port: int, *, n_tries: int = 50) -> socket.socket:
    """Return a socket that listens on ``port`` or the next free one.

    The caller passes the open socket on, so that no other process can take the port.

    Raise ``UserError`` if ``host`` is not an address of this machine, or no port is free.
    """
    for candidate in [*range(port, min(port + n_tries, 65536)), 0]:
        listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, candidate))
            listening.listen(128)
        except PermissionError:
            listening.close()
        except OSError as error:
            listening.close()
            if error.errno not in _TAKEN:
                raise UserError(
                    f"The site cannot listen on {host}: {error.strerror}. Choose an address of"
                    " this machine with --host."
                ) from error
        else:
            return listening
    raise UserError(
        f"No port is free on {host}. Stop another program, or choose a port with --port."
    )


@contextmanager
def _handling_stop_signals(handler: Callable[..., object] | signal.Handlers) -> Iterator[None]:
    """Handle the stop signals with ``handler`` inside the block."""
    previous = {signum: signal.signal(signum, handler) for signum in _STOP_SIGNALS}
    try:
        yield
    finally:
        for signum, previous_handler in previous.items():
            signal.signal(signum, previous_handler)


def _dying_with_parent() -> list[str]:
    """Return a prefix that ends a command together with this process, even if that is killed.

    Debian always has setpriv.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return []
    return [setpriv, "--pdeathsig", "TERM", "--"]


def _adopt_orphans() -> None:
    """Make this process the parent of orphaned descendants (Linux), so that it can end them."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _kill_after(process: subprocess.Popen[bytes], deadline: float) -> None:
    try:
        process.wait(timeout=max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        found: list[psutil.Process] = process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return found


def _signal(process: psutil.Process, signum: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(signum)
