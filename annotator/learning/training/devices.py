"""Devices for training: each run claims one, and no two claim the same.

A device is an accelerator or, on a machine without any, its CPU. It is claimed by a lock on a file
below the folder of runs, which all workers of the site see. The training process inherits the
lock, so the device is free when that process ends, not when its worker does.
"""

from __future__ import annotations

import fcntl
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.conf import settings

from annotator.jobs.errors import JobPostponedError
from annotator.learning import engine

if TYPE_CHECKING:
    from annotator.jobs.runs import JobRun

#: A cancelled run may take this long to end; then the waiting job gives its thread to others.
PATIENCE_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Device:
    """A claimed device.

    ``lock`` is the open file that a child process must inherit; ``environment`` makes the child
    see this device alone.
    """

    lock: int
    environment: Mapping[str, str]


@contextmanager
def claimed_device(job: JobRun) -> Iterator[Device]:
    """Yield a device that no other training of the site uses.

    The claim lasts as long as the block and every process that inherits its lock. Raises
    ``JobPostponedError`` if all devices are in use; a command waits instead, because it occupies
    no worker.
    """
    lock_files = _lock_files()
    deadline = time.monotonic() + PATIENCE_SECONDS
    with ExitStack() as stack:
        while (device := _first_free(lock_files, stack)) is None:
            job.check()
            if not job.job.is_inline and time.monotonic() > deadline:
                kind = "CPU" if "" in lock_files.values() else "accelerator"
                raise JobPostponedError(
                    f"Another training uses the {kind} of this machine. This one starts when that"
                    " has ended."
                )
            job.report(message="Waiting for another training to end")
            time.sleep(_POLL_SECONDS)
        yield device


def _lock_files() -> dict[Path, str]:
    """Return the lock file of each device here, with its ``CUDA_VISIBLE_DEVICES`` ("": CPU)."""
    folder = Path(settings.RUNS_DIR) / "devices"
    accelerators = {folder / f"{key}.lock": visible for visible, key in engine.accelerators()}
    return accelerators or {folder / f"processor-{socket.gethostname()}.lock": ""}


def _first_free(lock_files: Mapping[Path, str], stack: ExitStack) -> Device | None:
    for path, visible in lock_files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            stack.enter_context(file)
            return Device(file.fileno(), {"CUDA_VISIBLE_DEVICES": visible} if visible else {})
        file.close()
    return None
