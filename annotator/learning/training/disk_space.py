"""Disk space for training: how much a run needs, whether it is free, and leftovers of ended runs.

A run keeps two checkpoints, and writes a third before it removes the oldest. A checkpoint is the
weights, and twice as much again for the optimiser. Beside them lie weights that the model may get
in the end: the best evaluation's, or several for their average. All of this is removed when the
run ends; its events and its log stay. A machine that is switched off may leave some behind, which
the next run removes before it starts.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog
from django.conf import settings

from annotator.common.errors import UserError
from annotator.jobs.models import Job
from annotator.learning.models import TrainingRun, TrainingSeries

log = structlog.get_logger(__name__)

#: Weights are float32; the optimiser keeps two moments of each.
_WEIGHT_BYTES: Final = 4
_CHECKPOINT_WEIGHTS: Final = 3
#: Two that are kept, and the one that is being written.
_CHECKPOINTS: Final = 3
#: Weights of evaluations between two checkpoints, beyond those that are wanted in the end.
_UNDECIDED: Final = 2
#: Kept free for logs, tokenizers, and others who write to the same disk, above all the database.
RESERVE_BYTES: Final = 256 * 1024**2
#: Folders of dry runs; the value is older than the name.
DRY_RUN_PREFIX: Final = "trial-"


@dataclass(frozen=True, slots=True)
class DiskSpace:
    """The most bytes that a run needs, in the folder of runs and in the folder of models."""

    runs: int
    models: int

    @classmethod
    def of_run(cls, n_parameters: int, hyperparameters: Mapping[str, Any]) -> DiskSpace:
        """Return the space for a run whose base model has ``n_parameters`` weights."""
        copies = _CHECKPOINTS * _CHECKPOINT_WEIGHTS
        n_kept = int(hyperparameters["average"])
        if not n_kept and hyperparameters["keep"] == "best":
            n_kept = 1
        if n_kept:
            copies += n_kept + _UNDECIDED
        if hyperparameters["augment_share"]:
            copies += 1  # the model of the first pass, on texts with replaced entities
        weights = n_parameters * _WEIGHT_BYTES
        return cls(copies * weights, weights)

    @classmethod
    def of_dry_run(cls, n_parameters: int) -> DiskSpace:
        """Return the space for a few steps whose model is removed at the end."""
        return cls((_CHECKPOINT_WEIGHTS + 1) * n_parameters * _WEIGHT_BYTES, 0)


def shortage(space: DiskSpace, *, taken: int = 0) -> str:
    """Return a sentence that says how much space is missing and where, "" if there is enough.

    ``taken`` are bytes that the run has written already.
    """
    folders = (
        (Path(settings.RUNS_DIR), max(0, space.runs - taken)),
        (Path(settings.MODELS_DIR), space.models),
    )
    needed: dict[int, tuple[Path, int]] = {}  # both folders may be on one disk
    for folder, n_bytes in folders:
        disk = _existing(folder).stat().st_dev
        first, before = needed.get(disk, (folder, 0))
        needed[disk] = (first, before + n_bytes)
    for folder, n_bytes in needed.values():
        missing = n_bytes + RESERVE_BYTES - free_bytes(folder)
        if missing > 0:
            return (
                f"The training needs {in_bytes(n_bytes)} on the disk of {folder}, and"
                f" {in_bytes(RESERVE_BYTES)} must stay free there: {in_bytes(missing)} are missing."
                " Free space on that disk, choose a smaller base model, or keep fewer weights"
                " (average, keep=last)."
            )
    return ""


def refuse_without_space(space: DiskSpace, *, taken: int = 0) -> None:
    """Raise ``UserError`` with the sentence of ``shortage``."""
    if sentence := shortage(space, taken=taken):
        raise UserError(sentence)


def free_bytes(folder: Path) -> int:
    """Return the bytes that the site may still write there; the folder need not exist yet."""
    return shutil.disk_usage(_existing(folder)).free


def bytes_in(folder: Path) -> int:
    """Return the size of all files below the folder, 0 if it does not exist."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def in_bytes(n_bytes: int | None) -> str:
    """Return a number of bytes in words, such as "640 MB" or "2.3 GB", "" if it is unknown."""
    if n_bytes is None:
        return ""
    if n_bytes >= 1e9:
        return f"{n_bytes / 1e9:.1f} GB"
    return f"{max(1, round(n_bytes / 1e6))} MB"


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.is_dir())


# Leftovers of ended runs


def remove_leftovers_of_ended_runs() -> int:
    """Remove what runs, dry runs and series left behind that ended or were deleted.

    Returns the number of removed folders. A run removes its own files when it ends, so this finds
    some only after a machine was switched off, or a project was deleted. A folder that a process
    has locked stays.
    """
    alive = _folders_in_use()
    n_removed = 0
    for leftover in _candidates():
        owner = leftover.parent if leftover.name == "out" else leftover
        if owner.name not in alive:
            n_removed += _remove_unless_locked(leftover, owner)
    return n_removed


def _folders_in_use() -> set[str]:
    jobs = Job.objects.unfinished().values_list("pk", flat=True)
    return {
        *(run.folder.name for run in TrainingRun.objects.unfinished()),
        *(f"{DRY_RUN_PREFIX}{job}" for job in jobs),
        *(series.folder.name for series in TrainingSeries.objects.only("pk")),
    }


def _candidates() -> Iterator[Path]:
    runs = Path(settings.RUNS_DIR)
    for pattern in ("run-*/out", f"{DRY_RUN_PREFIX}*", "series-*"):
        yield from runs.glob(pattern)


def _remove_unless_locked(leftover: Path, owner: Path) -> bool:
    """Remove ``leftover`` under the lock of ``owner``, so that no training can start meanwhile."""
    with ExitStack() as stack:
        try:
            lock = stack.enter_context((owner / "lock").open("ab"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        shutil.rmtree(leftover, ignore_errors=True)
    log.info("leftover_removed", owner=owner.name)
    return True
