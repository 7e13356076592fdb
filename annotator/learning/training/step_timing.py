"""A training tried out: a few steps of it, on rows of its snapshot, to learn how long the whole
would take on the worker's device.

The steps are those of the real recipe, with the base, in a process as a training has it; the model
is thrown away. Before them stands what only a worker has the time to look at: whether a text that
is held out is nearly one that would be learned from.
"""

from __future__ import annotations

import math
import shutil
import statistics
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings

from annotator.datasets.services import verify_snapshot
from annotator.datasets.snapshots import LeakError, rows_of
from annotator.jobs.errors import JobLostError
from annotator.learning import engine
from annotator.learning.tagging.checkpoints import verify_model
from annotator.learning.training.child_process import Event, Supervisor, wait_for_place
from annotator.learning.training.data import (
    TEST,
    data_of,
    engine_settings,
    predicted_labels,
    refuse_leaks,
)
from annotator.learning.training.disk_space import (
    TRIAL_PREFIX,
    Room,
    refuse_without_room,
    sweep_ended_runs,
)
from annotator.learning.training.recipes import example_rule
from ner_engine.formats.jsonl import document_from_json
from ner_engine.registry.catalogue import find_base
from ner_engine.registry.recipes import SHARES_OF_BASE
from ner_engine.registry.tasks import TASKS
from ner_engine.split import SPLITS, Split

if TYPE_CHECKING:
    from annotator.jobs.runs import JobRun
    from annotator.learning.training.plan import TrainingPlan

#: Steps that are run; the first is left out of the measure where there are others, because it makes
#: ready what later ones use.
STEPS: Final = 6
#: Texts that are tagged, for the time that measuring and judging take.
TAGGED: Final = 48
#: After so long no further step is waited for.
ENOUGH_SECONDS: Final = 90.0
#: Examples a second below which an event says 0.
_ROUNDED_TO_NOTHING: Final = 0.005
#: A step computes forwards and backwards, which is about three times tagging; taken where no text
#: could be tagged in time.
_TAGGING_SHARE: Final = 1 / 3
#: What a trial has otherwise than the run: nothing is measured on the way, nothing kept, and texts
#: are not copied.
_OF_A_TRIAL: Final[Mapping[str, Any]] = {
    "evals_per_epoch": 0,
    "keep": "last",
    "average": 0,
    "blend": "off",
    "patience": 0,
    "augment_share": 0,
    "checkpoint_seconds": 86_400,
}


class _EnoughError(Exception):
    """As much was measured as is waited for."""


@dataclass
class _Measured:
    """What a child said of itself; times in seconds."""

    began: float = field(default_factory=time.monotonic)
    to_start: float = 0.0
    examples: int = 0
    device: str = ""
    precision: str = ""
    steps: list[float] = field(default_factory=list)
    tagging: float | None = None
    memory_bytes: int = 0

    @property
    def step(self) -> float:
        return statistics.median(self.steps[1:] or self.steps)


def try_out(plan: TrainingPlan, run: JobRun) -> dict[str, Any]:
    """What was found: ``{"leak": sentence}`` where the run would be stopped by one, else how long
    it would take.

    ``{"leak": "", "device", "precision", "steps", "examples", "seconds_per_step", "n_measured",
    "memory_bytes", "seconds", "parts": [[what it is, its seconds]]}``. Raises ``UserError`` where
    the training could not begin, with the sentence that it would end with.
    """
    with _folder_of(run) as folder:
        wait_for_place(folder, run)
        verify_snapshot(snapshot=plan.snapshot)
        verify_model(plan.base)
        run.report(message="Comparing what is held out with what would be learned from")
        if leak := _leak(plan):
            return {"leak": leak}
        run.report(message="Choosing rows to try")
        sweep_ended_runs()
        refuse_without_room(Room.of_trial(find_base(plan.base.path).n_parameters))
        sample = _Sample.write(plan, folder / "data", run)
        return {"leak": "", **_estimate(plan, sample, _measure(plan, sample, folder, run))}


@contextmanager
def _folder_of(run: JobRun) -> Iterator[Path]:
    """The trial's folder; it goes with the block, unless somebody else has the job by then: the
    folder is theirs too."""
    folder = Path(settings.RUNS_DIR) / f"{TRIAL_PREFIX}{run.job.pk}"
    try:
        yield folder
    except JobLostError:
        raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def _leak(plan: TrainingPlan) -> str:
    try:
        refuse_leaks(plan.base, plan.snapshot)
    except LeakError as error:
        return str(error)
    return ""


# Which rows


@dataclass(frozen=True, slots=True)
class _Sample:
    """Rows of a snapshot, spread evenly over it: how many it wrote to learn from, and how many
    examples there are on each side."""

    n_written: int
    examples: Mapping[str, int]

    @classmethod
    def write(cls, plan: TrainingPlan, folder: Path, run: JobRun) -> _Sample:
        """Write ``train.jsonl`` and ``eval.jsonl`` into a folder."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        source = data_of(plan.snapshot, plan.task)
        usable = {
            side: [number for number, is_usable in enumerate(_usable(plan, side)) if is_usable]
            for side in SPLITS
        }
        run.check()
        wanted = _spread(usable["train"], STEPS * int(plan.hyperparameters["batch_size"]))
        n_written = _copy_lines(source / "train.jsonl", wanted, folder / "train.jsonl")
        held_out: Split = "eval" if usable["eval"] else "test"
        if usable[held_out]:
            _copy_lines(
                source / f"{held_out}.jsonl",
                _spread(usable[held_out], TAGGED),
                folder / "eval.jsonl",
            )
        return cls(n_written, {side: len(numbers) for side, numbers in usable.items()})


def _usable(plan: TrainingPlan, side: str) -> Iterator[bool]:
    """Of each line of a side whether it is an example; whole figures all are."""
    source = data_of(plan.snapshot, plan.task)
    if not TASKS[plan.task].by_panel:
        with (source / f"{side}.jsonl").open("rb") as stream:
            yield from (True for _ in stream)
        return
    is_example = example_rule(plan.recipe)
    yield from (
        is_example(document_from_json(row, f"{plan.snapshot}, {side}"))
        for row in rows_of(source, side)
    )


def _spread(numbers: Sequence[int], wanted: int) -> set[int]:
    """``wanted`` of the numbers, or all, at even distances."""
    share = len(numbers) / wanted if wanted < len(numbers) else 1.0
    return {numbers[int(index * share)] for index in range(min(wanted, len(numbers)))}


def _copy_lines(source: Path, wanted: set[int], target: Path) -> int:
    with source.open("rb") as lines, target.open("wb") as out:
        out.writelines(line for number, line in enumerate(lines) if number in wanted)
    return len(wanted)


# How long


def _measure(plan: TrainingPlan, sample: _Sample, folder: Path, run: JobRun) -> _Measured:
    """Run the steps in a child. Raises ``TrainingFailedError`` with what the training itself would
    end with."""
    batches = max(1, math.ceil(sample.n_written / int(plan.hyperparameters["batch_size"])))
    trial = {**plan.hyperparameters, **_OF_A_TRIAL, "epochs": STEPS / batches}
    command = engine.training_command(
        recipe=plan.recipe,
        data=folder / "data",
        base=plan.base.path,
        out=folder / "out",
        settings=engine_settings(plan.task, plan.snapshot, trial),
    )
    found = _Measured()

    def heard(event: Event) -> None:
        _hear(found, event, batch_size=int(plan.hyperparameters["batch_size"]))
        if event.get("event") == "step":
            run.report(
                done=int(event["step"]),
                total=STEPS,
                message=f"Trying step {event['step']} of {STEPS} on {found.device}",
            )

    run.report(message="Starting the training process")
    with suppress(_EnoughError):
        Supervisor(command, folder, run, heard).train()
    return found


def _hear(found: _Measured, event: Event, *, batch_size: int) -> None:
    kind = event.get("event")
    if kind == "start":
        found.to_start = time.monotonic() - found.began
        found.examples, found.device, found.precision = (
            int(event["examples"]),
            str(event["device"]),
            str(event["precision"]),
        )
    elif kind == "step":
        found.steps.append(
            batch_size / max(float(event["examples_per_second"]), _ROUNDED_TO_NOTHING)
        )
        found.memory_bytes = max(found.memory_bytes, int(event.get("memory_bytes", 0)))
        if sum(found.steps) > ENOUGH_SECONDS:
            raise _EnoughError
    elif kind == "done" and (scores := event["scores"].get("eval")) and scores["documents"]:
        found.tagging = float(scores["seconds"]) / int(scores["documents"])


def _estimate(plan: TrainingPlan, sample: _Sample, found: _Measured) -> dict[str, Any]:
    """What the whole run takes by what its first steps took."""
    settings_of_run = plan.hyperparameters
    batch_size, epochs = int(settings_of_run["batch_size"]), float(settings_of_run["epochs"])
    examples = round(sample.examples["train"] * found.examples / max(1, sample.n_written))
    per_epoch = math.ceil(examples / batch_size)
    steps = math.ceil(per_epoch * epochs)
    augmented = (
        math.ceil(math.ceil(2 * examples / batch_size) * epochs)
        if settings_of_run["augment_share"]
        else 0
    )
    tagging = (
        found.tagging if found.tagging is not None else found.step / batch_size * _TAGGING_SHARE
    )
    evals_per_epoch = float(settings_of_run["evals_per_epoch"])
    n_evals = (
        math.ceil(epochs * evals_per_epoch) * (2 if augmented else 1) if evals_per_epoch else 0
    )
    on_the_way = n_evals * min(int(settings_of_run["eval_panels"]), sample.examples["eval"])
    at_the_end = sample.examples["eval"] + sample.examples[TEST]
    blended = _n_weight_averages(plan) * sample.examples["eval"]
    parts = [
        ("getting ready", found.to_start),
        (f"{steps + augmented:,} steps", (steps + augmented) * found.step),
        (f"measuring on the way, {n_evals} times", on_the_way * tagging),
        ("choosing the share of the base", blended * tagging),
        ("measuring at the end", at_the_end * tagging),
        ("judging beside the model in service", 2 * sample.examples[TEST] * tagging),
    ]
    return {
        "device": found.device,
        "precision": found.precision,
        "steps": steps + augmented,
        "examples": examples,
        "seconds_per_step": round(found.step, 4),
        "n_measured": len(found.steps),
        "memory_bytes": found.memory_bytes,
        "seconds": round(sum(seconds for _, seconds in parts), 1),
        "parts": [[words, round(seconds, 1)] for words, seconds in _worth_telling(parts)],
    }


def _n_weight_averages(plan: TrainingPlan) -> int:
    """Return how many averages with the base model the run evaluates before it chooses one."""
    labels = predicted_labels(plan.task, plan.snapshot)
    if plan.hyperparameters["blend"] != "auto" or set(plan.base.labels) != set(labels):
        return 0
    return len(SHARES_OF_BASE)


def _worth_telling(parts: Iterable[tuple[str, float]]) -> Iterator[tuple[str, float]]:
    return ((words, seconds) for words, seconds in parts if seconds > 0)
