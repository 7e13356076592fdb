"""The processes of a running site on one machine: started, watched and ended together."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Final

import psutil

from annotator.common.errors import UserError

#: Seconds that a process may take to end before it is killed.
GRACE_SECONDS: Final = 10.0
_STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LAST_WORDS_LINES: Final = 12
_PR_SET_CHILD_SUBREAPER: Final = 36
_TAKEN: Final = (errno.EADDRINUSE, errno.EACCES)


class ProcessDiedError(UserError):
    """One of the processes ended unexpectedly."""


class Processes:
    """Child processes by name, each in its own session with its output in ``log_dir/NAME.log``.

    Leaving the context ends all of them and their descendants, the last started first. On a
    terminal Ctrl-C reaches only this process, which then ends the others in order.
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
        with _ignoring_signals():
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
                how = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
                last_words = f"Its last lines in {self._log(name)}:\n{self._last_words(name)}"
                raise ProcessDiedError(
                    f"The {name} ended unexpectedly ({how}), so all processes were stopped."
                    f" {last_words}"
                )

    def watch(self, seconds: float | None = None) -> None:
        """Wait forever, or for ``seconds``, while all processes run.

        Raises ``ProcessDiedError``.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        while deadline is None or time.monotonic() < deadline:
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
        left = self._descendants()
        for descendant in left:
            _signal(descendant, signal.SIGTERM)
        _, stubborn = psutil.wait_procs(left, timeout=GRACE_SECONDS / 2)
        for descendant in stubborn:
            _signal(descendant, signal.SIGKILL)
        psutil.wait_procs(stubborn, timeout=GRACE_SECONDS / 2)

    def _descendants(self) -> list[psutil.Process]:
        """Return the descendants that still run, including orphans that this process adopted."""
        children = [
            child for child in psutil.Process().children() if child.pid not in self._not_mine
        ]
        return [*children, *(grandchild for child in children for grandchild in _children(child))]

    def _log(self, name: str) -> Path:
        return self._log_dir / f"{name.replace(' ', '-')}.log"

    def _last_words(self, name: str) -> str:
        lines = self._log(name).read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(f"    {line}" for line in lines[-_LAST_WORDS_LINES:]) or "    (no output)"


@contextmanager
def stopping_on_signals() -> Iterator[None]:
    """Raise ``KeyboardInterrupt`` on SIGTERM and on a terminal's hang-up, as on Ctrl-C."""

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in _STOP_SIGNALS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def listening_socket(host: str, port: int, *, n_tries: int = 50) -> socket.socket:
    """Return a socket that listens on ``port`` or the next free one.

    The caller passes the socket on, so no other process can take the port in between.

    Raises ``UserError`` if ``host`` is not an address of this machine or no port is free.
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
                    f"The site cannot listen on {host}: {error.strerror}. Name an address of this"
                    " machine with --host."
                ) from error
        else:
            return listening
    raise UserError(f"No port is free on {host}. Stop another program, or name a port with --port.")


@contextmanager
def _ignoring_signals() -> Iterator[None]:
    """A second Ctrl-C must not interrupt the end of the processes; that end takes a limited
    time."""
    before = {each: signal.signal(each, signal.SIG_IGN) for each in _STOP_SIGNALS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _dying_with_parent() -> list[str]:
    """Return a command prefix that ends the command with this process, even if it is killed.

    Debian always has setpriv.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []


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
