"""Run a training command that reports events, one JSON object per line on standard output."""

from __future__ import annotations

import argparse
import errno
import json
import os
import re
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ner_engine.cli.exit_codes import ExitCode
from ner_engine.errors import EngineError

Emit = Callable[[Mapping[str, Any]], None]

#: Libraries report a failed write in their own way: safetensors by the system's number, torch
#: without one.
_OS_ERROR: Final = re.compile(r"os error (\d+)")
_TORCH_WRITER: Final = re.compile(r"PytorchStreamWriter|unexpected pos \d+ vs \d+")
_DISK_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True, slots=True)
class Channel:
    """The connection between a training and the process that started it."""

    emit: Emit
    stop_requested: Callable[[], bool]


def run_options(args: argparse.Namespace, channel: Channel) -> dict[str, Any]:
    """Return the arguments that every training takes from ``add_run`` and the channel."""
    return {
        "out": args.out,
        "resume": args.resume,
        "emit": channel.emit,
        "stop_requested": channel.stop_requested,
    }


def run_with_events(
    args: argparse.Namespace, train: Callable[[argparse.Namespace, Channel], object]
) -> int:
    """Run ``train`` and return the exit code; an error becomes the last event.

    ``train`` returns None (or False) if it was asked to stop before the end.
    """
    # Two threads that wait by spinning slow each other down many times over beside any other busy
    # process. Read when torch is loaded.
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    with _events_on_stdout() as emit:
        try:
            done = train(args, Channel(emit, _stop_requests()))
        except EngineError as error:
            emit({"event": "error", "message": str(error)})
            raise
        except Exception as error:  # noqa: BLE001 - the parent process reads the event
            emit({"event": "error", "message": failure_sentence(error, args.out)})
            traceback.print_exc()
            return ExitCode.FAILED
    return ExitCode.SUCCESS if done else ExitCode.CANCELLED


@contextmanager
def _events_on_stdout() -> Iterator[Emit]:
    """Reserve standard output for events; what libraries print goes to standard error."""
    sys.stdout.flush()
    stdout = os.dup(1)
    os.dup2(2, 1)
    is_first_process = os.environ.get("RANK", "0") == "0"
    with os.fdopen(stdout, "w", encoding="utf-8") as stream:

        def emit(event: Mapping[str, Any]) -> None:
            if is_first_process:
                stream.write(json.dumps(event) + "\n")
                stream.flush()

        yield emit


def _stop_requests() -> Callable[[], bool]:
    """Catch SIGTERM and Ctrl-C from now on; return a function that says if one arrived."""
    received: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: received.append(number))
    return lambda: bool(received)


def failure_sentence(error: Exception, out: Path) -> str:
    """Return a sentence about an unexpected error, for a user who sees no traceback."""
    number = _os_error_number(error)
    if number in _DISK_FULL or _TORCH_WRITER.search(str(error)):
        existing = next(folder for folder in (out, *out.parents) if folder.exists())
        free = shutil.disk_usage(existing).free / 1e6
        reason = os.strerror(number) if number else "the file could not be written to its end"
        return (
            f"the disk of {out} is full ({reason}; {free:,.0f} MB are free); free some disk space,"
            " then start again"
        )
    if number is not None:
        return (
            f"a file could not be read or written ({os.strerror(number)}); check the disk of"
            f" {out}, then start again"
        )
    return f"the training failed unexpectedly ({type(error).__name__}); see its log"


def _os_error_number(error: Exception) -> int | None:
    if isinstance(error, OSError):
        return error.errno
    match = _OS_ERROR.search(str(error))
    return int(match[1]) if match else None
