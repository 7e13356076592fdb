"""The room that a training takes on disk: how much it needs at its fullest, whether it is there,
and what ended runs left in its way.

A run keeps its last two checkpoints, and while it writes one, a third; a checkpoint is the weights
and twice as much again for the optimiser. Beside them lie the weights that the model may get in the
end (the best evaluation's, or several for their mean). When a run ends, in whatever way, all of
this goes; its events and its log stay. What a killed machine left of ended runs goes before the
next training begins.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Mapping
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

#: Weights in float32, and the two moments that the optimiser keeps of each.
_WEIGHT_BYTES: Final = 4
_CHECKPOINT_WEIGHTS: Final = 3
#: Two that are kept, and the one that is being written.
_CHECKPOINTS: Final = 3
#: Weights of evaluations that may lie there between two checkpoints beyond those that are wanted.
_UNDECIDED: Final = 2
#: For logs, events, tokenizers, and for the others who write to the same disk meanwhile, the
#: database above all.
RESERVE_BYTES: Final = 256 * 1024**2
TRIAL_PREFIX: Final = "trial-"


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes that a training takes at its fullest, in the folder of runs and in that of models."""

    runs: int
    models: int

    @classmethod
    def of_run(cls, n_parameters: int, hyperparameters: Mapping[str, Any]) -> Room:
        """What a run from a base of so many parameters takes."""
        weights = n_parameters * _WEIGHT_BYTES
        kept = int(hyperparameters["average"]) or (1 if hyperparameters["keep"] == "best" else 0)
        first_step = 1 if hyperparameters["augment_share"] else 0
        copies = (
            _CHECKPOINTS * _CHECKPOINT_WEIGHTS + (kept + _UNDECIDED if kept else 0) + first_step
        )
        return cls(copies * weights, weights)

    @classmethod
    def of_trial(cls, n_parameters: int) -> Room:
        """What a few steps take whose model is thrown away."""
        return cls((_CHECKPOINT_WEIGHTS + 1) * n_parameters * _WEIGHT_BYTES, 0)


def shortage(room: Room, *, taken: int = 0) -> str:
    """A sentence that says how much room is missing and where, "" where there is enough. ``taken``
    are bytes that the run has written already."""
    wanted: dict[int, tuple[Path, int]] = {}
    for folder, n_bytes in (
        (Path(settings.RUNS_DIR), max(0, room.runs - taken)),
        (Path(settings.MODELS_DIR), room.models),
    ):
        place = _nearest(folder)
        disk = place.stat().st_dev
        first, before = wanted.get(disk, (folder, 0))
        wanted[disk] = (first, before + n_bytes)
    for folder, n_bytes in wanted.values():
        missing = n_bytes + RESERVE_BYTES - free_bytes(folder)
        if missing > 0:
            return (
                f"The training needs {in_bytes(n_bytes)} on the disk of {folder}, and"
                f" {in_bytes(RESERVE_BYTES)} must stay free there: {in_bytes(missing)} are missing."
                " Make room on that disk, choose a smaller base, or keep fewer weights (average,"
                " keep=last)."
            )
    return ""


def refuse_without_room(room: Room, *, taken: int = 0) -> None:
    """Raise ``UserError`` with the sentence of ``shortage``."""
    if sentence := shortage(room, taken=taken):
        raise UserError(sentence)


def free_bytes(folder: Path) -> int:
    """What the site may still write there; the folder need not exist yet."""
    return shutil.disk_usage(_nearest(folder)).free


def bytes_in(folder: Path) -> int:
    """What lies below the folder, 0 where it is not there."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def in_bytes(n_bytes: int) -> str:
    """Such as "640 MB" or "2.3 GB"."""
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{max(1, round(n_bytes / 1e6))} MB"


def _nearest(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.is_dir())


# What ended runs left


def sweep_ended_runs() -> int:
    """Remove checkpoints and trial models that runs and trials left which have ended or are gone
    from the database, and all of a series that is gone; how many folders it was.

    A run removes its own when it ends, so there is something only where a machine was switched off
    at the wrong moment, or a project was deleted. A folder that a process holds is left alone.
    """
    runs = Path(settings.RUNS_DIR)
    alive = {run.folder.name for run in TrainingRun.objects.unfinished()}
    trying = {
        f"{TRIAL_PREFIX}{job}" for job in Job.objects.unfinished().values_list("pk", flat=True)
    }
    known = {series.folder.name for series in TrainingSeries.objects.only("pk")}
    n_swept = 0
    for left in [*runs.glob("run-*/out"), *runs.glob(f"{TRIAL_PREFIX}*"), *runs.glob("series-*")]:
        owner = left.parent if left.name == "out" else left
        if owner.name in alive | trying | known:
            continue
        n_swept += _remove_unless_held(left, owner)
    return n_swept


def _remove_unless_held(left: Path, owner: Path) -> bool:
    """Remove ``left`` unless somebody trains in ``owner``; nobody can begin to meanwhile."""
    with ExitStack() as stack:
        try:
            lock = stack.enter_context((owner / "lock").open("ab"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        shutil.rmtree(left, ignore_errors=True)
    log.info("left_behind_removed", owner=owner.name)
    return True
