"""Report a training: events, evaluations, and checkpoints by the clock."""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from transformers import TrainerCallback, TrainingArguments

from ner_engine.errors import TrainingError
from ner_engine.registry.recipes import Recipe
from ner_engine.training.events import Emit
from ner_engine.training.kept_weights import KeptWeights, best_of
from ner_engine.training.processes import any_process
from ner_engine.training.run_folder import History


class Evaluated(Protocol):
    """The result of an evaluation, as the fields of its event."""

    def as_json(self) -> dict[str, Any]: ...


class Reported(Protocol):
    """The facts of a training that the reporter needs.

    ``evaluate`` returns None if no text is held out.
    """

    recipe: Recipe
    emit: Emit
    stop_requested: Callable[[], bool]
    evaluate: Callable[[], Evaluated | None]
    history: History
    steps_per_epoch: int
    n_steps: int


class Reporter(TrainerCallback):
    """Turn the trainer's calls into events, the clock into checkpoints, a stop request into both.

    ``stopped_early`` is whether the recipe's patience ended the training.
    """

    def __init__(self, run: Reported, device: str) -> None:
        self._run, self._device = run, device
        self._saved_at = time.monotonic()
        self._logged_at, self._logged_step = time.monotonic(), -1
        self._losses: list[float] = []
        self._weights: KeptWeights | None = None
        self.stopped_early = False
        per_epoch = run.recipe.evals_per_epoch
        self._eval_every = max(1, round(run.steps_per_epoch / per_epoch)) if per_epoch else 0

    def on_train_begin(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        self._logged_at, self._logged_step = time.monotonic(), state.global_step
        self._weights = KeptWeights(Path(str(args.output_dir)), self._run.recipe)
        if args.process_index:  # each process needs its own dropout
            torch.manual_seed(args.seed + args.process_index)

    def on_step_end(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        is_due = time.monotonic() - self._saved_at >= self._run.recipe.checkpoint_seconds
        stop, is_due = any_process([self._run.stop_requested(), is_due], args.device)
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
                f"at step {state.global_step} the loss is not a finite number, so the model cannot"
                " learn any more; choose a lower learning_rate, or precision=fp32"
            )
        if args.process_index == 0:
            self._run.emit(self._step_event(args, state, logs))
        if self._is_eval_step(state.global_step):
            if args.process_index == 0:
                self._evaluate(state, kwargs.get("model"))
            (self.stopped_early,) = any_process([self._is_out_of_patience(state)], args.device)
            control.should_training_stop = control.should_training_stop or self.stopped_early
        self._logged_at, self._logged_step = time.monotonic(), state.global_step

    def on_save(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        if args.process_index == 0 and self._weights:
            self._weights.delete_unwanted(self._run.history.read(until=state.global_step))

    def _is_eval_step(self, step: int) -> bool:
        if not self._eval_every:
            return False
        return step % self._eval_every == 0 or step == self._run.n_steps

    def _step_event(
        self, args: TrainingArguments, state: Any, logs: Mapping[str, float]
    ) -> dict[str, Any]:
        step, n_steps = state.global_step, self._run.n_steps
        seconds = max(time.monotonic() - self._logged_at, 1e-9)
        per_second = (step - self._logged_step) / seconds
        return {
            "event": "step",
            "step": step,
            "steps": n_steps,
            "epoch": self._epoch(step),
            "loss": round(float(logs["loss"]), 5),
            "learning_rate": float(logs["learning_rate"]),
            "examples_per_second": round(per_second * args.per_device_train_batch_size, 2),
            "seconds_left": round((n_steps - step) / per_second) if per_second else None,
            "memory_bytes": peak_memory(self._device),
        }

    def _epoch(self, step: int) -> float:
        return round(step / self._run.steps_per_epoch, 4)

    def _evaluate(self, state: Any, network: Any) -> None:
        evaluation = self._run.evaluate()
        if evaluation is None:
            return
        mean_loss = sum(self._losses) / len(self._losses)
        self._losses = []
        event = {
            "event": "eval",
            "step": state.global_step,
            "epoch": self._epoch(state.global_step),
            "loss": round(mean_loss, 5),
            **evaluation.as_json(),
        }
        self._run.history.add(event)
        if self._weights:
            self._weights.keep(network, self._run.history.read(until=state.global_step))
        self._run.emit(event)

    def _is_out_of_patience(self, state: Any) -> bool:
        """Return whether ``patience`` evaluations have passed since the best one."""
        patience = self._run.recipe.patience
        if not patience:
            return False
        events = self._run.history.read(until=state.global_step)
        if not events:
            return False
        best: int = best_of(events)["step"]
        return len([event for event in events if event["step"] > best]) >= patience


def peak_memory(device: str) -> int:
    """Return the peak memory of this process in bytes, on its accelerator if it has one."""
    if device == "cuda":
        return int(torch.cuda.max_memory_allocated())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux kilobytes
