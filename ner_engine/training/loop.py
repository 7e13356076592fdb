"""The loop that fine-tuning and pre-training share: steps, events, checkpoints, evaluations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, TrainingArguments

from ner_engine.registry.recipes import Recipe
from ner_engine.training.attention import takes_packed
from ner_engine.training.batching import MICRO_TOKENS, Batcher
from ner_engine.training.events import Emit
from ner_engine.training.reporter import Evaluated, Reporter
from ner_engine.training.run_folder import History, last_checkpoint, step_of
from ner_engine.training.trainer import RunTrainer, runs_in_bf16, training_arguments


def batcher_for(network: Any, recipe: Recipe) -> Batcher:
    """Return the batcher for the network on this machine; packed if the network can be."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return Batcher.of(
        network.config.to_dict(),
        budget=recipe.micro_tokens or MICRO_TOKENS[device],
        packed=takes_packed(network),
    )


class Loop:
    """The steps of one training in its folder ``out``.

    ``evaluate`` scores the current weights during the training; it returns None if no text is held
    out. ``reached`` is the last step that was run.
    """

    def __init__(
        self,
        recipe: Recipe,
        *,
        n_examples: int,
        out: Path,
        evaluate: Callable[[], Evaluated | None],
        emit: Emit,
        stop_requested: Callable[[], bool],
    ) -> None:
        self.recipe, self.emit, self.stop_requested = recipe, emit, stop_requested
        self.evaluate = evaluate
        self.steps_per_epoch = math.ceil(n_examples / recipe.batch_size)
        self.n_steps = math.ceil(self.steps_per_epoch * recipe.epochs)
        self.history = History(out / "history.jsonl")
        self.reached = 0
        self._out = out

    def run(
        self,
        network: Any,
        examples: Any,
        *,
        start: Mapping[str, Any],
        resume: bool,
        trainer_class: type[RunTrainer] = RunTrainer,
        **settings: Any,
    ) -> bool:
        """Run all steps, or as many as the recipe's patience allows.

        Return False if the run was asked to stop before. ``start`` is added to the start event,
        ``settings`` are the trainer's.
        """
        arguments = training_arguments(self.recipe, self.n_steps, self._out)
        reporter = Reporter(self, str(arguments.device.type))
        trainer = trainer_class(
            model=network,
            args=arguments,
            train_dataset=examples,
            data_collator=batcher_for(network, self.recipe),
            callbacks=[reporter],
            grouped=not takes_packed(network),
            **settings,
        )
        trainer.remove_callback(PrinterCallback)
        checkpoint = last_checkpoint(self._out) if resume else None
        resumed_at = step_of(checkpoint) if checkpoint else 0
        facts = self._start_facts(arguments, len(examples), takes_packed(network))
        self.emit({"event": "start", **facts, "resumed_at": resumed_at, **start})
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        self.reached = trainer.state.global_step
        if self.reached < self.n_steps and not reporter.stopped_early:
            self.emit({"event": "cancelled", "step": self.reached, "steps": self.n_steps})
            return False
        return True

    def _start_facts(
        self, arguments: TrainingArguments, n_examples: int, packed: bool
    ) -> dict[str, Any]:
        return {
            "recipe": self.recipe.name,
            "steps": self.n_steps,
            "epochs": self.recipe.epochs,
            "examples": n_examples,
            "examples_per_step": self.recipe.batch_size,
            "processes": arguments.world_size,
            "packed": packed,
            "precision": "bf16" if runs_in_bf16(self.recipe) else "fp32",
            "device": str(arguments.device),
        }
