"""Which device a training computes on: each takes one, and no two take the same one.

A device is an accelerator, or where a machine has none, its processor. It is claimed by a lock on a
file below the folder of runs, which all workers of the site see; the training process inherits the
lock, so that the device is free when that has ended, not when its worker has.
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

#: A training that was asked to stop a moment ago may still be ending; after that the job lets
#: others have its thread.
PATIENCE_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Device:
    """A device that is claimed. ``lock`` is the open file that a child must inherit,
    ``environment`` what makes it compute there and nowhere else."""

    lock: int
    environment: Mapping[str, str]


@contextmanager
def claimed_device(job: JobRun) -> Iterator[Device]:
    """A device on which no other training of the site computes, as long as the block lasts, and
    every process that inherits its lock.

    Raises ``JobPostponedError`` where all are in use. A command waits for one instead: it holds no
    worker's thread that others need.
    """
    wanted = _devices_here()
    patience = time.monotonic() + PATIENCE_SECONDS
    with ExitStack() as stack:
        while (device := _first_free(wanted, stack)) is None:
            job.check()
            if not job.job.is_inline and time.monotonic() > patience:
                what = "processor" if "" in wanted.values() else "accelerator"
                raise JobPostponedError(
                    f"Another training uses the {what} of this machine. This one begins by itself"
                    " when that has ended."
                )
            job.report(message="Waiting for another training to end")
            time.sleep(_POLL_SECONDS)
        yield device


def _devices_here() -> dict[Path, str]:
    """The lock file of each device of this machine, and what a child must be told to see that one
    alone; "" for the processor."""
    folder = Path(settings.RUNS_DIR) / "devices"
    found = {folder / f"{key}.lock": visible for visible, key in engine.accelerators()}
    return found or {folder / f"processor-{socket.gethostname()}.lock": ""}


def _first_free(wanted: Mapping[Path, str], stack: ExitStack) -> Device | None:
    for path, visible in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            stack.enter_context(file)
            return Device(file.fileno(), {"CUDA_VISIBLE_DEVICES": visible} if visible else {})
        file.close()
    return None
