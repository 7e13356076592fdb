"""Jobs for tests, done by real workers: ``-I tests.annotator.jobs.handlers``. Results are recorded
through files."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotator.common.errors import UserError
from annotator.jobs.errors import JobStoppedError
from annotator.jobs.models import Queue
from annotator.jobs.payloads import Payload
from annotator.jobs.registry import handles
from annotator.jobs.runs import JobRun


@dataclass(frozen=True)
class Numbers(Payload):
    numbers: list[int]


@dataclass(frozen=True)
class Sentence(Payload):
    sentence: str


@dataclass(frozen=True)
class Nothing(Payload):
    """A payload without fields."""


@dataclass(frozen=True)
class Place(Payload):
    folder: str
    seconds: float = 60.0


@handles("test_sum", payload=Numbers, title="Adding up")
def add_up(run: JobRun, payload: Numbers) -> dict[str, Any]:
    n = len(payload.numbers)
    run.report(done=n, total=n, message="Adding up")
    return {"sum": sum(payload.numbers)}


@handles("test_fail", payload=Sentence)
def fail(run: JobRun, payload: Sentence) -> dict[str, Any]:
    if payload.sentence:
        raise UserError(payload.sentence)
    raise ZeroDivisionError("a secret of the legend")


@handles("test_tag", payload=Nothing, queue=Queue.TAG, exclusive=True)
def tag_once(run: JobRun, payload: Nothing) -> dict[str, Any]:
    return {}


@handles("test_wait", payload=Place, title="Waiting")
def wait_for_file(run: JobRun, payload: Place) -> dict[str, Any]:
    """Write down that it began, then wait until ``folder/go`` exists; looks often whether it should
    stop."""
    place = Path(payload.folder)
    with (place / "begun").open("a") as file:
        file.write(f"{os.getpid()}\n")
    end = time.monotonic() + payload.seconds
    try:
        while not (place / "go").exists() and time.monotonic() < end:
            run.check()
            run.report(done=1, total=2, message="Waiting")
            time.sleep(0.02)
    except JobStoppedError as stop:
        (place / "stopped").write_text(type(stop).__name__)
        raise
    return {"waited": True}
