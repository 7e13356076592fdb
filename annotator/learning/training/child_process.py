"""The child process of a training: start it, read its events, restart it after a crash, stop it.

The child inherits the locks of its run's folder and of its device. So two children never write
into one folder, nor use one device, even if the worker that started the first is gone.
"""

from __future__ import annotations

import fcntl
import json
import os
import queue
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import psutil
import structlog
from django.conf import settings
from django.utils import timezone

from annotator.common.errors import UserError
from annotator.learning.training.devices import claimed_device

if TYPE_CHECKING:
    from annotator.jobs.runs import JobRun

log = structlog.get_logger(__name__)

#: Crashes in a row, without progress in between, after which the run fails.
MAX_DEATHS: Final = 3
#: Seconds that a child has to finish its step and write a checkpoint before it is killed.
GRACE_SECONDS: Final = 60.0
_LISTEN_SECONDS: Final = 0.5
#: The engine's exit code for an error that it explained; running it again would not help.
_FAILED: Final = 2
_MAX_ERROR: Final = 1000

Event = Mapping[str, Any]


class TrainingFailedError(UserError):
    """The training cannot continue; the sentence is the child's own if it gave one."""


@dataclass
class Supervisor:
    """Runs one training in ``folder``.

    ``events.jsonl`` gets the child's events, ``train.log`` the output of its libraries.
    """

    command: Sequence[str]
    folder: Path
    job: JobRun
    on_event: Callable[[Event], None]

    def train(self) -> None:
        """Run the child until it is done, restarted from its last checkpoint when it crashes.

        Raises ``TrainingFailedError``, and ``JobPostponedError`` if another training uses the
        device. If the job must stop, its error is raised once the child has written a checkpoint
        and ended.
        """
        n_deaths, furthest = 0, 0
        with _folder_lock(self.folder, self.job) as lock, claimed_device(self.job) as device:
            while True:
                child = _Child(self.command, self.folder, (lock, device.lock), device.environment)
                try:
                    last_step = self._listen(child)
                finally:
                    child.stop()
                if child.error:
                    raise TrainingFailedError(child.error)
                if child.is_done:
                    return
                n_deaths = 1 if last_step > furthest else n_deaths + 1
                furthest = max(furthest, last_step)
                self._report_death(child, n_deaths)

    def _listen(self, child: _Child) -> int:
        """Pass on the child's events until it ends; return its last step, 0 if it made none."""
        last_step = 0
        for event in child.events():
            self.job.check()
            if event:
                _append(self.folder / "events.jsonl", event)
                if event.get("event") == "step":
                    last_step = int(event["step"])
                self.on_event(event)
        return last_step

    def _report_death(self, child: _Child, n_deaths: int) -> None:
        how = child.exit_reason()
        log.warning("training_child_died", folder=self.folder.name, how=how, deaths=n_deaths)
        event = {"event": "died", "how": how}
        _append(self.folder / "events.jsonl", event)
        self.on_event(event)
        if n_deaths >= MAX_DEATHS:
            raise TrainingFailedError(
                f"The training process ended {n_deaths} times at the same place ({how}), perhaps"
                " because memory ran out. Choose a smaller batch_size, or read train.log in the"
                " run's folder."
            )


def wait_for_place(folder: Path, job: JobRun) -> None:
    """Return once a training in ``folder`` could start; call it before much data is read.

    A child that a dead worker left there is stopped. Raises ``JobPostponedError`` if no device is
    free.
    """
    with _folder_lock(folder, job), claimed_device(job):
        return


class _Child:
    """The training process and its events."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        locks: Sequence[int],
        environment: Mapping[str, str],
    ) -> None:
        self._process = _start(command, folder, locks, environment)
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(
            target=self._read, name=f"reader of {folder.name}", daemon=True
        )
        self._reader.start()
        self.is_done = False
        self.error = ""
        try:
            (folder / "pid").write_text(str(self._process.pid), encoding="ascii")
        except OSError:  # a full disk; without its pid nobody could stop the child
            self.stop()
            raise

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def events(self) -> Iterator[Event]:
        """Yield each event, and an empty one after half a second without, until the child ends."""
        while True:
            try:
                line = self._lines.get(timeout=_LISTEN_SECONDS)
            except queue.Empty:
                yield {}
                continue
            if line is None:
                break
            yield self._parse(line)
        if self._process.wait() == _FAILED and not self.error:
            self.error = "The training stopped with an error; see train.log in the run's folder."

    def _parse(self, line: str) -> Event:
        try:
            event = json.loads(line)
        except ValueError:
            return {}
        if not isinstance(event, dict):
            return {}
        self.is_done = self.is_done or event.get("event") == "done"
        if event.get("event") == "error":
            self.error = str(event.get("message", ""))[:_MAX_ERROR].rstrip(".") + "."
        return event

    def stop(self) -> None:
        """Ask a running child to write a checkpoint and end; kill it if it does not."""
        if self._process.poll() is None:
            _end(self._process.pid, wait=self._process.wait)
        self._reader.join(timeout=5)

    def exit_reason(self) -> str:
        """Return the signal or the exit code with which the child ended."""
        code = self._process.wait()
        if code >= 0:
            return f"exit code {code}"
        with suppress(ValueError):
            return signal.Signals(-code).name
        return f"signal {-code}"


def _start(
    command: Sequence[str], folder: Path, locks: Sequence[int], environment: Mapping[str, str]
) -> subprocess.Popen[str]:
    own = {
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
    }
    with (folder / "train.log").open("ab") as errors:
        return subprocess.Popen(
            [*_prefix(), *command],
            cwd=settings.BASE_DIR,
            env=os.environ | own | dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            pass_fds=tuple(locks),
            start_new_session=True,
            text=True,
            encoding="utf-8",
        )


def _prefix() -> list[str]:
    """Return commands that give requests priority, and stop the child if its worker is killed."""
    prefix = []
    if nice := shutil.which("nice"):
        prefix += [nice, "-n", "10"]
    if setpriv := shutil.which("setpriv"):
        prefix += [setpriv, "--pdeathsig", "TERM", "--"]
    return prefix


@contextmanager
def _folder_lock(folder: Path, job: JobRun) -> Iterator[int]:
    """Yield the lock of a run's folder.

    A child that a dead worker left behind is asked to end first; the run resumes its checkpoint.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("ab") as file:
        _wait_for_lock(file, folder, job)
        try:
            yield file.fileno()
        finally:
            (folder / "pid").unlink(missing_ok=True)


def _wait_for_lock(file: IO[bytes], folder: Path, job: JobRun) -> None:
    is_asked = False
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        if not is_asked:
            is_asked = True
            _end_orphan(folder)
        job.check()
        time.sleep(0.2)


def _end_orphan(folder: Path) -> None:
    """End the child that holds the folder, if it runs on this machine and in this very folder."""
    try:
        process = psutil.Process(int((folder / "pid").read_text(encoding="ascii")))
        # with the slash, because run-12 begins with run-1
        if f"{folder}/" in " ".join(process.cmdline()):
            log.warning("orphaned_training", folder=folder.name, pid=process.pid)
            _end(process.pid, wait=process.wait)
    except (OSError, ValueError, psutil.Error):
        return


def _end(pid: int, *, wait: Callable[..., Any]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGTERM)
    try:
        wait(timeout=GRACE_SECONDS)
    except (subprocess.TimeoutExpired, psutil.TimeoutExpired):
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        wait()


def _append(path: Path, event: Event) -> None:
    line = json.dumps({**event, "at": timezone.now().isoformat(timespec="seconds")})
    try:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(f"{line}\n")
    except OSError as error:  # the error of a full disk does not name the file
        raise OSError(error.errno, error.strerror, str(path)) from error


def read_events(folder: Path) -> list[dict[str, Any]]:
    """Return the events of the run's children in order, without lines that a crash cut short."""
    try:
        lines = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
