"""Makes a worker stop in the middle of its work: ``-I tests.annotator.gates``, with
``SD_TEST_GATE`` naming a folder.

The run writes ``reached-JOB`` into the folder and goes on once ``go`` lies there; it hears
meanwhile that it should stop, as at every step.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from annotator.datasets.exports.writing import AcceptedLegends
from annotator.jobs.runs import JobRun
from annotator.learning.tagging import pretagging

#: Legends that are written, or tagged, before the gate.
BEFORE = 2
_folder = Path(os.environ.get("SD_TEST_GATE", "."))
_all_legends = AcceptedLegends.__iter__
_tag_batch = pretagging.Pretagging._tag_batch


def reached(folder: Path, job: int) -> Path:
    """The file by which a test learns that the job waits at the gate."""
    return folder / f"reached-{job}"


def _wait(run: JobRun | None) -> None:
    assert run is not None
    reached(_folder, run.job.pk).touch()
    while not (_folder / "go").exists():
        run.check()
        time.sleep(0.02)


def _legends(self: AcceptedLegends) -> Iterator[Any]:
    for number, legend in enumerate(_all_legends(self)):
        if number == BEFORE:
            _wait(self.run)
        yield legend


def _tag_batch_at_gate(self: Any, *arguments: Any) -> None:
    if self.counts["documents"]:
        _wait(self.run)
    _tag_batch(self, *arguments)


if "SD_TEST_GATE" in os.environ:
    AcceptedLegends.__iter__ = _legends  # type: ignore[method-assign]
    pretagging.Pretagging._tag_batch = _tag_batch_at_gate  # type: ignore[method-assign]
    pretagging.BATCH = BEFORE  # type: ignore[misc]
