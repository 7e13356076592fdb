"""Jobs for tests, done by real workers: ``-I tests.annotator.jobs.handlers``. What happened is told
through files."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from annotator.common.errors import UserError
from annotator.jobs.errors import JobStoppedError
from annotator.jobs.models import Queue
from annotator.jobs.registry import handles
from annotator.jobs.runs import JobRun


@handles("test_sum", title="Adding up")
def add_up(run: JobRun, *, numbers: list[int]) -> dict[str, Any]:
    run.report(done=len(numbers), total=len(numbers), message="Adding up")
    return {"sum": sum(numbers)}


@handles("test_fail")
def fail(run: JobRun, *, sentence: str) -> dict[str, Any]:
    if sentence:
        raise UserError(sentence)
    raise ZeroDivisionError("a secret of the legend")


@handles("test_tag", queue=Queue.TAG, exclusive=True)
def tag_once(run: JobRun) -> dict[str, Any]:
    return {}


@handles("test_wait", title="Waiting")
def wait_for_file(run: JobRun, *, folder: str, seconds: float = 60.0) -> dict[str, Any]:
    """Write down that it began, then wait until ``folder/go`` exists; looks often whether it should
    stop."""
    place = Path(folder)
    with (place / "begun").open("a") as file:
        file.write(f"{os.getpid()}\n")
    end = time.monotonic() + seconds
    try:
        while not (place / "go").exists() and time.monotonic() < end:
            run.check()
            run.report(done=1, total=2, message="Waiting")
            time.sleep(0.02)
    except JobStoppedError as stop:
        (place / "stopped").write_text(type(stop).__name__)
        raise
    return {"waited": True}
