"""A training as a child process: started, listened to, taken up again when it dies, asked to stop.

The child holds the lock of its run's folder and that of its device as long as it lives, so two of
them never write into one folder, nor compute on one device, even when the worker that started the
first is gone.
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

#: How often in a row a child may die without getting further before the run is given up.
MAX_DEATHS: Final = 3
#: How long a child may take to finish its step and write its checkpoint before it is killed.
GRACE_SECONDS: Final = 60.0
_LISTEN_SECONDS: Final = 0.5
_FAILED: Final = 2

Event = Mapping[str, Any]


class TrainingFailedError(UserError):
    """The training cannot go on; the sentence is the child's own where it had one."""


@dataclass
class Supervisor:
    """One training in ``folder``: ``events.jsonl`` gets what the child says, ``train.log`` what its
    libraries say."""

    command: Sequence[str]
    folder: Path
    job: JobRun
    on_event: Callable[[Event], None]

    def train(self) -> None:
        """Run the child to its end, again from its last checkpoint as often as it dies.

        Raises ``TrainingFailedError``; ``JobPostponedError`` where another training has the device;
        where the job must stop, that error once the child has written its checkpoint and ended.
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
                self._say_died(child, n_deaths)

    def _listen(self, child: _Child) -> int:
        """Pass on what the child says until it ends; its last step, 0 where it made none."""
        last_step = 0
        for event in child.events():
            self.job.check()
            if event:
                _append(self.folder / "events.jsonl", event)
                last_step = int(event["step"]) if event.get("event") == "step" else last_step
                self.on_event(event)
        return last_step

    def _say_died(self, child: _Child, n_deaths: int) -> None:
        how = child.ended_how()
        log.warning("training_child_died", folder=self.folder.name, how=how, deaths=n_deaths)
        event = {"event": "died", "how": how}
        _append(self.folder / "events.jsonl", event)
        self.on_event(event)
        if n_deaths >= MAX_DEATHS:
            raise TrainingFailedError(
                f"The training process ended {n_deaths} times at the same place ({how}), perhaps"
                " for want of memory. Choose a smaller batch_size, or look into train.log of the"
                " run's folder."
            )


def wait_for_place(folder: Path, job: JobRun) -> None:
    """Come back once a training in ``folder`` could begin, before much is read for it: a child that
    a dead worker left there is ended.

    Raises ``JobPostponedError`` where no device is free.
    """
    with _folder_lock(folder, job), claimed_device(job):
        return


class _Child:
    """The training process and what it says."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        locks: Sequence[int],
        settings_of_device: Mapping[str, str],
    ) -> None:
        environment = os.environ | {
            "HF_HUB_OFFLINE": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "PYTHONUNBUFFERED": "1",
            **settings_of_device,
        }
        with (folder / "train.log").open("ab") as errors:
            self._process = subprocess.Popen(
                [*_polite_and_dying_with_parent(), *command],
                cwd=settings.BASE_DIR,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                pass_fds=tuple(locks),
                start_new_session=True,
                text=True,
                encoding="utf-8",
            )
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(
            target=self._read, name=f"reader of {folder.name}", daemon=True
        )
        self._reader.start()
        self.is_done = False
        self.error = ""
        try:
            (folder / "pid").write_text(str(self._process.pid), encoding="ascii")
        except OSError:  # a full disk; nobody would hold the child
            self.stop()
            raise

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def events(self) -> Iterator[Event]:
        """Each event as it comes, and an empty one every half second without, until the child has
        closed its output."""
        while True:
            try:
                line = self._lines.get(timeout=_LISTEN_SECONDS)
            except queue.Empty:
                yield {}
                continue
            if line is None:
                break
            yield self._heard(line)
        if self._process.wait() == _FAILED and not self.error:
            self.error = (
                "The training stopped with an error; train.log of the run's folder says which."
            )

    def _heard(self, line: str) -> Event:
        try:
            event = json.loads(line)
        except ValueError:
            return {}
        if not isinstance(event, dict):
            return {}
        self.is_done = self.is_done or event.get("event") == "done"
        if event.get("event") == "error":
            self.error = str(event.get("message", ""))[:1000].rstrip(".") + "."
        return event

    def stop(self) -> None:
        """Ask a living child to write its checkpoint and end; kill it where it does not."""
        if self._process.poll() is None:
            _end(self._process.pid, wait=self._process.wait)
        self._reader.join(timeout=5)

    def ended_how(self) -> str:
        code = self._process.wait()
        with suppress(ValueError):
            return signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"signal {-code}"


def _polite_and_dying_with_parent() -> list[str]:
    """Prefixes by which the child leaves the cores to people's requests, and writes its checkpoint
    and ends when the worker is killed."""
    nice, setpriv = shutil.which("nice"), shutil.which("setpriv")
    return [
        *([nice, "-n", "10"] if nice else []),
        *([setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []),
    ]


@contextmanager
def _folder_lock(folder: Path, job: JobRun) -> Iterator[int]:
    """The lock of a run's folder. A child that a dead worker left behind is asked to end first; its
    checkpoint is gone on from."""
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
            _end_left_behind(folder)
        job.check()
        time.sleep(0.2)


def _end_left_behind(folder: Path) -> None:
    """End the child that holds the folder, if it is on this machine; the process must be a training
    in this very folder."""
    try:
        process = psutil.Process(int((folder / "pid").read_text(encoding="ascii")))
        if f"{folder}/" in " ".join(
            process.cmdline()
        ):  # with the slash: run-1 is no part of run-12
            log.warning("training_left_behind", folder=folder.name, pid=process.pid)
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
    try:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(
                json.dumps({**event, "at": timezone.now().isoformat(timespec="seconds")}) + "\n"
            )
    except OSError as error:  # a full disk does not say which file it was full for
        raise OSError(error.errno, error.strerror, str(path)) from error


def read_events(folder: Path) -> list[dict[str, Any]]:
    """Everything the run's children said, in order; a line that a crash cut short is left out."""
    try:
        lines = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
