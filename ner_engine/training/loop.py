"""The loop that fine-tuning and pre-training share: its folder, steps, events, checkpoints by the
clock, and which weights are kept in the end.

It runs on one processor or accelerator, or on several processes that accelerate's launcher (or
torchrun) starts: the first of them speaks, measures and writes, all learn from their share of each
batch, and a decision of one (to stop, to write a checkpoint) is everyone's.
"""

from __future__ import annotations

import json
import math
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Protocol

import torch
from accelerate import PartialState
from safetensors.torch import load_file, load_model, save_model
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback, TrainingArguments

from ner_engine.errors import TrainingError
from ner_engine.inference.backends import cpu_precision
from ner_engine.inference.windows import IGNORED
from ner_engine.registry.recipes import Recipe
from ner_engine.training.batching import BatchOrder, MicroBatch, token_loss

#: Events of a run: start, step, eval, blending, blend, done, cancelled (see ``cli`` for their
#: fields).
Emit = Callable[[Mapping[str, Any]], None]
#: How long processes wait for the first of them while it measures.
_PATIENCE: Final = timedelta(hours=12)


# The folder of a run


def claim(out: Path, started: Mapping[str, Any], *, resume: bool) -> None:
    """Make ``out`` the folder of the run ``started`` with these facts, or check that it is. Raises
    ``TrainingError`` where it is another's."""
    if (out / "model").exists():
        raise TrainingError(f"{out.name} already holds a finished model; give another folder")
    stored = out / "run.json"
    if stored.is_file() and any(out.rglob("checkpoint-*/trainer_state.json")):
        if not resume:
            raise TrainingError(
                f"{out.name} holds an unfinished run; go on with it by --resume, or give another"
                " folder"
            )
        before = json.loads(stored.read_text(encoding="utf-8"))
        now = json.loads(json.dumps(started))
        changed = sorted(
            name for name in before if before[name] != now.get(name)
        )  # an older program's run knows fewer names
        if changed:
            raise TrainingError(
                f"the run in {out.name} was started with another {', '.join(changed)}; start a new"
                " one in another folder"
            )
        return
    out.mkdir(parents=True, exist_ok=True)
    part = stored.with_name(stored.name + ".part")
    part.write_text(json.dumps(started, indent=1), encoding="utf-8")
    part.replace(stored)


def last_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint in ``folder``; ``trainer_state.json`` is what is written last
    of one."""
    found = [
        path for path in folder.glob("checkpoint-*") if (path / "trainer_state.json").is_file()
    ]
    return max(found, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


class History:
    """The evaluations of a run, a JSON line each, over all of its resumptions."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, event: Mapping[str, Any]) -> None:
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(event) + "\n")

    def read(self, until: int | None = None) -> list[dict[str, Any]]:
        """In order of their step, up to step ``until``; a step that was run twice counts as it was
        run last."""
        if not self._path.is_file():
            return []
        events = [
            json.loads(line)
            for line in self._path.read_text(encoding="utf-8").splitlines()
            if line.endswith("}")
        ]
        return [
            event
            for step, event in sorted({event["step"]: event for event in events}.items())
            if until is None or step <= until
        ]


# Processes


def processes() -> PartialState:
    """Which of how many processes this one is; they find each other where there are several."""
    return PartialState(cpu=not torch.cuda.is_available(), timeout=_PATIENCE)


def anyones(flags: Sequence[bool], device: torch.device) -> list[bool]:
    """For each flag whether any process raised it; all processes ask at the same step."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return list(flags)
    raised = torch.tensor([float(flag) for flag in flags], device=device)
    torch.distributed.all_reduce(raised, op=torch.distributed.ReduceOp.MAX)
    return [value > 0 for value in raised.tolist()]


# Settings


def training_arguments(recipe: Recipe, n_steps: int, out: Path) -> TrainingArguments:
    """The trainer's settings for a run of the recipe in the folder ``out``."""
    on_gpu = torch.cuda.is_available()
    return TrainingArguments(
        output_dir=str(out / "checkpoints"),
        per_device_train_batch_size=recipe.batch_size,  # over all processes; ``RunTrainer`` deals the examples out  # noqa: E501
        max_steps=n_steps,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        warmup_steps=round(recipe.warmup * n_steps),
        weight_decay=recipe.weight_decay,
        adam_beta1=recipe.adam_beta1,
        adam_beta2=recipe.adam_beta2,
        adam_epsilon=recipe.adam_epsilon,
        max_grad_norm=recipe.max_grad_norm,
        bf16=runs_in_bf16(recipe),
        activation_checkpointing=recipe.gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False},
        logging_steps=max(1, min(10, n_steps // 20)),
        logging_nan_inf_filter=False,  # a loss that is no number is not averaged away but ends the run  # noqa: E501
        save_strategy="no",  # the reporter asks for checkpoints by the clock
        save_total_limit=2,
        report_to="none",
        disable_tqdm=True,
        seed=recipe.seed,
        dataloader_pin_memory=on_gpu,
        remove_unused_columns=False,
        use_cpu=not on_gpu,
        ddp_find_unused_parameters=False,
        ddp_timeout=round(_PATIENCE.total_seconds()),
    )


def runs_in_bf16(recipe: Recipe) -> bool:
    """Whether the recipe asks for it and the machine is fast in it."""
    fast = (
        torch.cuda.is_bf16_supported() if torch.cuda.is_available() else cpu_precision() == "bf16"
    )
    return recipe.precision == "bf16" and fast


# Steps


class RunTrainer(Trainer):
    """The stock trainer with batches of its own, and no pickle beside the weights.

    Which examples a step learns from depends on seed and epoch alone; ``data_collator`` cuts them
    into micro-batches. The loss is the mean over all labelled tokens of a step, however they are
    cut and dealt out; ``label_weights`` weigh tokens by their label, a micro-batch's own
    ``weights`` by their example. ``grouped``: see ``BatchOrder``.
    """

    def __init__(
        self,
        *,
        grouped: bool = True,
        label_weights: torch.Tensor | None = None,
        smoothing: float = 0.0,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self._grouped, self._smoothing = grouped, smoothing
        self._label_weights = None if label_weights is None else label_weights.to(self.args.device)

    def get_train_dataloader(self) -> DataLoader[Any]:
        examples: Any = self.train_dataset
        order = BatchOrder(
            examples.lengths,
            self.args.per_device_train_batch_size,
            self.args.seed,
            grouped=self._grouped,
            epoch=lambda: int(
                (self.state.epoch or 0.0) + 1e-6
            ),  # also when a run is taken up in the middle of an epoch
            process=self.args.process_index,
            n_processes=self.args.world_size,
        )
        return DataLoader(
            examples,
            batch_sampler=order,
            collate_fn=self.data_collator,
            pin_memory=self.args.dataloader_pin_memory,
        )

    def _get_num_items_in_batch(
        self, batch_samples: list[Any], device: torch.device
    ) -> torch.Tensor:
        """The weight of all labelled tokens of a step, over all processes."""
        weight = sum(
            (self.weight(row, device) for batch in batch_samples for row in batch),
            torch.zeros((), device=device),
        )
        if self.args.world_size > 1:
            torch.distributed.all_reduce(weight)
        return weight

    def training_step(
        self, model: Any, inputs: Any, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        model.train()
        total = torch.zeros((), device=self.args.device)
        rows: list[MicroBatch] = inputs or [_IDLE]
        # processes average their gradients, the loss is a mean over all of them
        share = self.args.world_size / max(float(num_items_in_batch), 1e-9)
        # entered once for all micro-batches: weights are brought to bf16 once a step
        with torch.autocast(self.args.device.type, torch.bfloat16, enabled=self.args.bf16):
            for index, row in enumerate(rows):
                with nullcontext() if index == len(rows) - 1 else self.accelerator.no_sync(model):
                    loss = self.loss_sum(model, self._prepare_inputs(row)) * share
                    self.accelerator.backward(loss)
                total += loss.detach()
        return total

    def loss_sum(self, model: Any, row: MicroBatch) -> torch.Tensor:
        """The loss of a micro-batch, summed over its labelled tokens."""
        logits = model(**{name: value for name, value in row.items() if name not in _TRUTH}).logits
        return token_loss(
            logits, row["labels"], self._label_weights, self._smoothing, row.get("weights")
        )

    def weight(self, row: MicroBatch, device: torch.device) -> torch.Tensor:
        """What the labelled tokens of a micro-batch count for together."""
        labels = row["labels"].to(device)
        is_labelled = labels != IGNORED
        if self._label_weights is None and "weights" not in row:
            return torch.tensor(float(is_labelled.sum()), device=device)
        counts = (
            torch.ones_like(labels, dtype=torch.float32)
            if "weights" not in row
            else row["weights"].to(device)
        )
        return (
            counts[is_labelled]
            if self._label_weights is None
            else counts[is_labelled] * self._label_weights[labels[is_labelled]]
        ).sum()

    def _save(
        self, output_dir: str | None = None, state_dict: dict[str, torch.Tensor] | None = None
    ) -> None:
        network: Any = self.model
        network.save_pretrained(output_dir, state_dict=state_dict)


#: What of a micro-batch is not for the model to read.
_TRUTH: Final = frozenset({"labels", "weights"})
#: What a process computes whose share of a batch is empty: it has to answer the others.
_IDLE: Final[MicroBatch] = {
    "input_ids": torch.zeros((1, 1), dtype=torch.long),
    "labels": torch.full((1, 1), IGNORED),
}


# Weights


class KeptWeights:
    """The weights of evaluations that may become the model's: the best one's, or the last few's for
    their mean.

    Which those are follows from the recipe and the history alone, so a run that is taken up again
    keeps what it would have kept.
    """

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self._folder, self._recipe = folder, recipe

    def wanted(self, events: Sequence[Mapping[str, Any]]) -> list[int]:
        """Steps of the evaluations whose weights are kept; none where the last weights are taken as
        they are."""
        if self._recipe.average:
            return [event["step"] for event in events[-self._recipe.average :]]
        return [best_of(events)["step"]] if events and self._recipe.keep == "best" else []

    def keep(self, network: Any, events: Sequence[Mapping[str, Any]]) -> None:
        """Store the weights as they are at the last of ``events``, if they are wanted."""
        step = events[-1]["step"]
        if step in self.wanted(events):
            self._folder.mkdir(parents=True, exist_ok=True)
            part = self._file(step).with_suffix(".part")
            save_model(network, str(part))
            part.replace(self._file(step))

    def let_go(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Remove what is no longer wanted; only once a checkpoint was written from which the run
        would go on."""
        wanted = {self._file(step) for step in self.wanted(events)}
        for path in self._folder.glob("weights-*"):
            if path not in wanted:
                path.unlink()

    def put_into(self, network: Any, events: Sequence[Mapping[str, Any]]) -> list[int]:
        """Give the network the weights that were kept, or their mean; the steps they are from.
        Raises ``TrainingError`` where they are gone."""
        steps = self.wanted(events)
        gone = [step for step in steps if not self._file(step).is_file()]
        if gone:
            raise TrainingError(
                f"the weights of step {gone[0]} are gone from {self._folder}; start the run anew in"
                " another folder"
            )
        if len(steps) == 1:
            load_model(network, str(self._file(steps[0])))
        elif steps:
            own = dict(network.named_parameters())
            with torch.no_grad():
                for position, step in enumerate(steps):
                    for name, tensor in load_file(str(self._file(step))).items():
                        own[name].mul_(position / (position + 1)).add_(
                            tensor.to(own[name].device), alpha=1 / (position + 1)
                        )
        return steps

    def _file(self, step: int) -> Path:
        return self._folder / f"weights-{step}.safetensors"


def best_of(events: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The evaluation with the highest micro F1, the first of equal ones."""
    return max(events, key=lambda event: (event["micro"]["f1"], -event["step"]))


# Events


def peak_memory(device: str) -> int:
    """The most that this process has taken up so far, in bytes: of the accelerator's memory where
    it computes there, else of the machine's."""
    if device == "cuda":
        return int(torch.cuda.max_memory_allocated())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux kilobytes


class Measured(Protocol):
    """What an evaluation found, as the fields of its event."""

    def as_json(self) -> dict[str, Any]: ...


class Reported(Protocol):
    """A run as the reporter sees it."""

    recipe: Recipe
    emit: Emit
    stop_requested: Callable[[], bool]
    history: History
    steps_per_epoch: int
    n_steps: int

    def measure(self, device: str) -> Measured | None: ...


class Reporter(TrainerCallback):
    """Turns the trainer's calls into events, the clock into checkpoints, and a request to stop into
    both.

    ``stopped_early`` says whether the recipe's patience with evaluations that were no better came
    to its end.
    """

    def __init__(self, run: Reported, device: str) -> None:
        self._run, self._device = run, device
        self._saved_at = time.monotonic()
        self._logged_at, self._logged_step = time.monotonic(), -1
        self._losses: list[float] = []
        self._kept: KeptWeights | None = None
        self.stopped_early = False
        per_epoch = run.recipe.evals_per_epoch
        self._eval_every = max(1, round(run.steps_per_epoch / per_epoch)) if per_epoch else 0

    def on_train_begin(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        self._logged_at, self._logged_step = time.monotonic(), state.global_step
        self._kept = KeptWeights(Path(str(args.output_dir)), self._run.recipe)
        if args.process_index:
            torch.manual_seed(args.seed + args.process_index)  # no two processes drop out the same

    def on_step_end(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        is_due = time.monotonic() - self._saved_at >= self._run.recipe.checkpoint_seconds
        stop, is_due = anyones([self._run.stop_requested(), is_due], args.device)
        if stop or is_due:
            control.should_save = True
            self._saved_at = time.monotonic()
        control.should_training_stop = control.should_training_stop or stop
        control.should_log = control.should_log or self._is_eval_step(state.global_step)

    def on_log(self, args: TrainingArguments, state: Any, control: Any, **kwargs: Any) -> None:
        logs: Mapping[str, float] = kwargs.get("logs") or {}
        if "loss" not in logs:
            return
        self._losses.append(float(logs["loss"]))
        if not math.isfinite(self._losses[-1]):
            raise TrainingError(
                f"by step {state.global_step} the loss was no longer a number, so nothing more can"
                " be learned; choose a lower learning_rate, or precision=fp32"
            )
        if args.process_index == 0:
            self._run.emit(self._step_event(args, state, logs))
        if self._is_eval_step(state.global_step):
            if args.process_index == 0:
                self._evaluate(state, kwargs.get("model"))
            (self.stopped_early,) = anyones([self._is_enough(state)], args.device)
            control.should_training_stop = control.should_training_stop or self.stopped_early
        self._logged_at, self._logged_step = time.monotonic(), state.global_step

    def on_save(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        if args.process_index == 0 and self._kept:
            self._kept.let_go(self._run.history.read(until=state.global_step))

    def _is_eval_step(self, step: int) -> bool:
        return bool(self._eval_every) and (
            step % self._eval_every == 0 or step == self._run.n_steps
        )

    def _step_event(
        self, args: TrainingArguments, state: Any, logs: Mapping[str, float]
    ) -> dict[str, Any]:
        per_second = (state.global_step - self._logged_step) / max(
            time.monotonic() - self._logged_at, 1e-9
        )
        return {
            "event": "step",
            "step": state.global_step,
            "steps": self._run.n_steps,
            "epoch": round(state.global_step / self._run.steps_per_epoch, 4),
            "loss": round(float(logs["loss"]), 5),
            "learning_rate": float(logs["learning_rate"]),
            "examples_per_second": round(per_second * args.per_device_train_batch_size, 2),
            "seconds_left": (
                round((self._run.n_steps - state.global_step) / per_second) if per_second else None
            ),
            "memory_bytes": peak_memory(self._device),
        }

    def _evaluate(self, state: Any, network: Any) -> None:
        found = self._run.measure(self._device)
        if found is None:
            return
        loss = sum(self._losses) / len(self._losses)
        self._losses = []
        epoch = round(state.global_step / self._run.steps_per_epoch, 4)
        event = {
            "event": "eval",
            "step": state.global_step,
            "epoch": epoch,
            "loss": round(loss, 5),
            **found.as_json(),
        }
        self._run.history.add(event)
        if self._kept:
            self._kept.keep(network, self._run.history.read(until=state.global_step))
        self._run.emit(event)

    def _is_enough(self, state: Any) -> bool:
        """Whether as many evaluations as the recipe is patient for have passed since the best
        one."""
        patience = self._run.recipe.patience
        events = self._run.history.read(until=state.global_step) if patience else []
        return (
            bool(events)
            and sum(event["step"] > best_of(events)["step"] for event in events) >= patience
        )
