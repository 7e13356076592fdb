"""The job of a dry run: time a few steps of the run, on a sample of its snapshot.

The steps use the real recipe and base model, in a child process as a training run has it; the
model is removed. Before them comes the search for held-out texts that are near duplicates of
training texts, because only a worker has the time for it.
"""

from __future__ import annotations

import math
import shutil
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings

from annotator.datasets.snapshots.contents import rows_of
from annotator.datasets.snapshots.leaks import LeakError
from annotator.datasets.snapshots.services import verify_snapshot
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
    DRY_RUN_PREFIX,
    DiskSpace,
    refuse_without_space,
    remove_leftovers_of_ended_runs,
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

#: Steps that are timed. The first is left out if there are others, because it warms up the device.
STEPS: Final = 6
#: Texts that are tagged, to time the evaluations.
TAGGED: Final = 48
#: No further step is timed after this many seconds.
ENOUGH_SECONDS: Final = 90.0
#: Examples a second below which an event reports 0.
_ROUNDED_TO_NOTHING: Final = 0.005
#: Tagging takes about a third of a step, which computes forwards and backwards; used if no text
#: could be tagged in time.
_TAGGING_FRACTION: Final = 1 / 3
#: Hyperparameters that a dry run replaces: no evaluations, no checkpoints, no copies of texts.
_OVERRIDES: Final[Mapping[str, Any]] = {
    "evals_per_epoch": 0,
    "keep": "last",
    "average": 0,
    "blend": "off",
    "patience": 0,
    "augment_share": 0,
    "checkpoint_seconds": 86_400,
}


class _EnoughError(Exception):
    """Enough steps were timed."""


@dataclass
class _Timing:
    """The times that the child process reported, in seconds."""

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
        """The median time of a step."""
        return statistics.median(self.steps[1:] or self.steps)

    def add(self, event: Event, *, batch_size: int) -> None:
        """Take the figures of one event. Raises ``_EnoughError`` once there are enough steps."""
        kind = event.get("event")
        if kind == "start":
            self.to_start = time.monotonic() - self.began
            self.examples = int(event["examples"])
            self.device = str(event["device"])
            self.precision = str(event["precision"])
        elif kind == "step":
            rate = max(float(event["examples_per_second"]), _ROUNDED_TO_NOTHING)
            self.steps.append(batch_size / rate)
            self.memory_bytes = max(self.memory_bytes, int(event.get("memory_bytes", 0)))
            if sum(self.steps) > ENOUGH_SECONDS:
                raise _EnoughError
        elif kind == "done":
            scores = event["scores"].get("eval")
            if scores and scores["documents"]:
                self.tagging = float(scores["seconds"]) / int(scores["documents"])


def time_steps(plan: TrainingPlan, run: JobRun) -> dict[str, Any]:
    """Return the job's result: how long the run would take, or the leak that would stop it.

    ``{"leak": sentence}``, or ``{"leak": "", "device", "precision", "steps", "examples",
    "seconds_per_step", "n_measured", "memory_bytes", "seconds", "parts": [[name, seconds]]}``.
    Raises ``UserError`` if the run could not start, with the sentence it would fail with.
    """
    with _folder_of(run) as folder:
        wait_for_place(folder, run)
        verify_snapshot(snapshot=plan.snapshot)
        verify_model(plan.base)
        run.report(message="Comparing held-out texts with training texts")
        if leak := _leak(plan):
            return {"leak": leak}
        run.report(message="Choosing a sample of the snapshot")
        remove_leftovers_of_ended_runs()
        refuse_without_space(DiskSpace.of_dry_run(find_base(plan.base.path).n_parameters))
        sample = _Sample.write(plan, folder / "data", run)
        timing = _run_steps(plan, sample, folder, run)
        return {"leak": "", **_estimate(plan, sample, timing)}


@contextmanager
def _folder_of(run: JobRun) -> Iterator[Path]:
    """Yield the dry run's folder and remove it afterwards.

    A worker that lost the job leaves the folder to the one that has it.
    """
    folder = Path(settings.RUNS_DIR) / f"{DRY_RUN_PREFIX}{run.job.pk}"
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


# The sample


@dataclass(frozen=True, slots=True)
class _Sample:
    """Rows that are spread evenly over a snapshot.

    ``n_written`` are for training; ``examples`` counts all examples of each split.
    """

    n_written: int
    examples: Mapping[str, int]

    @classmethod
    def write(cls, plan: TrainingPlan, folder: Path, run: JobRun) -> _Sample:
        """Write ``train.jsonl`` and ``eval.jsonl`` into a folder."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        source = data_of(plan.snapshot, plan.task)
        usable = {split: _examples(plan, split) for split in SPLITS}
        run.check()
        wanted = _spread(usable["train"], STEPS * int(plan.hyperparameters["batch_size"]))
        _copy_lines(source / "train.jsonl", wanted, folder / "train.jsonl")
        held_out: Split = "eval" if usable["eval"] else "test"
        if usable[held_out]:
            tagged = _spread(usable[held_out], TAGGED)
            _copy_lines(source / f"{held_out}.jsonl", tagged, folder / "eval.jsonl")
        return cls(len(wanted), {split: len(numbers) for split, numbers in usable.items()})


def _examples(plan: TrainingPlan, split: str) -> list[int]:
    """Return the numbers of the lines that are examples; of whole figures, all are."""
    source = data_of(plan.snapshot, plan.task)
    if not TASKS[plan.task].by_panel:
        with (source / f"{split}.jsonl").open("rb") as stream:
            return [number for number, _ in enumerate(stream)]
    is_example = example_rule(plan.recipe)
    name = f"{plan.snapshot}, {split}"
    rows = enumerate(rows_of(source, split))
    return [number for number, row in rows if is_example(document_from_json(row, name))]


def _spread(numbers: Sequence[int], wanted: int) -> set[int]:
    """Return ``wanted`` of the numbers at even distances, or all if there are fewer."""
    if wanted >= len(numbers):
        return set(numbers)
    distance = len(numbers) / wanted
    return {numbers[int(index * distance)] for index in range(wanted)}


def _copy_lines(source: Path, wanted: set[int], target: Path) -> None:
    with source.open("rb") as lines, target.open("wb") as out:
        out.writelines(line for number, line in enumerate(lines) if number in wanted)


# The steps


def _run_steps(plan: TrainingPlan, sample: _Sample, folder: Path, run: JobRun) -> _Timing:
    """Run the steps in a child. Raises ``TrainingFailedError`` as the training itself would."""
    batch_size = int(plan.hyperparameters["batch_size"])
    batches = max(1, math.ceil(sample.n_written / batch_size))
    hyperparameters = {**plan.hyperparameters, **_OVERRIDES, "epochs": STEPS / batches}
    command = engine.training_command(
        recipe=plan.recipe,
        data=folder / "data",
        base=plan.base.path,
        out=folder / "out",
        settings=engine_settings(plan.task, plan.snapshot, hyperparameters),
    )
    timing = _Timing()

    def on_event(event: Event) -> None:
        timing.add(event, batch_size=batch_size)
        if event.get("event") == "step":
            step = int(event["step"])
            message = f"Timing step {step} of {STEPS} on {timing.device}"
            run.report(done=step, total=STEPS, message=message)

    run.report(message="Starting the training process")
    with suppress(_EnoughError):
        Supervisor(command, folder, run, on_event).train()
    return timing


# The estimate


def _estimate(plan: TrainingPlan, sample: _Sample, timing: _Timing) -> dict[str, Any]:
    """Return how long the whole run takes, extrapolated from its first steps."""
    work = _Work.of(plan, sample, timing)
    batch_size = int(plan.hyperparameters["batch_size"])
    tagging = timing.tagging
    if tagging is None:
        tagging = timing.step / batch_size * _TAGGING_FRACTION
    n_test = sample.examples[TEST]
    parts = {
        "starting": timing.to_start,
        f"{work.steps:,} steps": work.steps * timing.step,
        f"evaluations during training: {work.evaluations}": work.evaluated_texts * tagging,
        "weight averaging with the base model": work.averaging_texts * tagging,
        "final evaluation": (sample.examples["eval"] + n_test) * tagging,
        "evaluation beside the serving model": 2 * n_test * tagging,
    }
    return {
        "device": timing.device,
        "precision": timing.precision,
        "steps": work.steps,
        "examples": work.examples,
        "seconds_per_step": round(timing.step, 4),
        "n_measured": len(timing.steps),
        "memory_bytes": timing.memory_bytes,
        "seconds": round(sum(parts.values()), 1),
        "parts": [[name, round(seconds, 1)] for name, seconds in parts.items() if seconds > 0],
    }


@dataclass(frozen=True, slots=True)
class _Work:
    """The amount of work of a run: optimiser steps, evaluations, and texts that these tag."""

    examples: int
    steps: int
    evaluations: int
    evaluated_texts: int
    averaging_texts: int

    @classmethod
    def of(cls, plan: TrainingPlan, sample: _Sample, timing: _Timing) -> _Work:
        hyperparameters = plan.hyperparameters
        batch_size = int(hyperparameters["batch_size"])
        epochs = float(hyperparameters["epochs"])
        examples = round(sample.examples["train"] * timing.examples / max(1, sample.n_written))
        steps = math.ceil(math.ceil(examples / batch_size) * epochs)
        evaluations = math.ceil(epochs * float(hyperparameters["evals_per_epoch"]))
        if hyperparameters["augment_share"]:  # a pass on texts and copies comes first
            steps += math.ceil(math.ceil(2 * examples / batch_size) * epochs)
            evaluations *= 2
        n_eval = sample.examples["eval"]
        return cls(
            examples=examples,
            steps=steps,
            evaluations=evaluations,
            evaluated_texts=evaluations * min(int(hyperparameters["eval_panels"]), n_eval),
            averaging_texts=_n_weight_averages(plan) * n_eval,
        )


def _n_weight_averages(plan: TrainingPlan) -> int:
    """Return how many averages with the base model the run evaluates before it chooses one."""
    labels = predicted_labels(plan.task, plan.snapshot)
    if plan.hyperparameters["blend"] != "auto" or set(plan.base.labels) != set(labels):
        return 0
    return len(SHARES_OF_BASE)
