"""The trainer that fine-tuning and pre-training share, and its settings for a recipe."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

import torch
from torch.utils.data import DataLoader
from transformers import Trainer, TrainingArguments

from ner_engine.inference.backends import cpu_precision
from ner_engine.registry.recipes import Recipe
from ner_engine.training.batching import BatchOrder, MicroBatch
from ner_engine.training.examples import IGNORED
from ner_engine.training.loss import token_loss
from ner_engine.training.processes import TIMEOUT

#: Parts of a micro-batch that the model does not read.
_TARGETS: Final = frozenset({"labels", "weights"})
#: A process whose part of a batch is empty computes this, because the others wait for it.
_IDLE: Final[MicroBatch] = {
    "input_ids": torch.zeros((1, 1), dtype=torch.long),
    "labels": torch.full((1, 1), IGNORED),
}


def training_arguments(recipe: Recipe, n_steps: int, out: Path) -> TrainingArguments:
    """Return the trainer's settings for a run of the recipe in the folder ``out``."""
    on_gpu = torch.cuda.is_available()
    return TrainingArguments(
        output_dir=str(out / "checkpoints"),
        # Over all processes: ``RunTrainer`` distributes the examples.
        per_device_train_batch_size=recipe.batch_size,
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
        # A loss that is not a number must end the run, not be averaged away.
        logging_nan_inf_filter=False,
        save_strategy="no",  # the reporter asks for checkpoints by the clock
        save_total_limit=2,
        report_to="none",
        disable_tqdm=True,
        seed=recipe.seed,
        dataloader_pin_memory=on_gpu,
        remove_unused_columns=False,
        use_cpu=not on_gpu,
        ddp_find_unused_parameters=False,
        ddp_timeout=round(TIMEOUT.total_seconds()),
    )


def runs_in_bf16(recipe: Recipe) -> bool:
    """Return whether the recipe asks for bf16 and the machine is fast in it."""
    if recipe.precision != "bf16":
        return False
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return cpu_precision() == "bf16"


class RunTrainer(Trainer):
    """The trainer of transformers with its own batches, and without pickles beside the weights.

    Seed and epoch alone decide which examples a step learns from; ``data_collator`` cuts them into
    micro-batches. The loss is the mean over all labelled tokens of a step, however they are cut
    and distributed. ``label_weights`` weigh tokens by label, a micro-batch's own ``weights`` by
    example. ``grouped``: see ``BatchOrder``.
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

    def current_epoch(self) -> int:
        """Return the epoch, counted from 0; correct also if resumed within an epoch."""
        return int((self.state.epoch or 0.0) + 1e-6)

    def get_train_dataloader(self) -> DataLoader[Any]:
        examples: Any = self.train_dataset
        order = BatchOrder(
            examples.lengths,
            self.args.per_device_train_batch_size,
            self.args.seed,
            grouped=self._grouped,
            epoch=self.current_epoch,
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
        """Return the weight of all labelled tokens of a step, over all processes."""
        weight = torch.zeros((), device=device)
        for batch in batch_samples:
            for row in batch:
                weight = weight + self.weight(row, device)
        if self.args.world_size > 1:
            torch.distributed.all_reduce(weight)
        return weight

    def training_step(
        self, model: Any, inputs: Any, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        model.train()
        total = torch.zeros((), device=self.args.device)
        rows: list[MicroBatch] = inputs or [_IDLE]
        # Processes average their gradients, but the loss is a mean over all of them.
        scale = self.args.world_size / max(float(num_items_in_batch), 1e-9)
        # Entered once for all micro-batches: weights are cast to bf16 once per step.
        with torch.autocast(self.args.device.type, torch.bfloat16, enabled=self.args.bf16):
            for index, row in enumerate(rows):
                is_last = index == len(rows) - 1
                with nullcontext() if is_last else self.accelerator.no_sync(model):
                    loss = self.loss_sum(model, self._prepare_inputs(row)) * scale
                    self.accelerator.backward(loss)
                total += loss.detach()
        return total

    def loss_sum(self, model: Any, row: MicroBatch) -> torch.Tensor:
        """Return the loss of a micro-batch, summed over its labelled tokens."""
        inputs = {name: value for name, value in row.items() if name not in _TARGETS}
        return token_loss(
            model(**inputs).logits,
            row["labels"],
            self._label_weights,
            self._smoothing,
            row.get("weights"),
        )

    def weight(self, row: MicroBatch, device: torch.device) -> torch.Tensor:
        """Return the total weight of the labelled tokens of a micro-batch."""
        labels = row["labels"].to(device)
        is_labelled = labels != IGNORED
        labels = labels[is_labelled]
        weights = torch.ones_like(labels, dtype=torch.float32)
        if "weights" in row:
            weights = row["weights"].to(device)[is_labelled]
        if self._label_weights is not None:
            weights = weights * self._label_weights[labels]
        return weights.sum()

    def _save(
        self, output_dir: str | None = None, state_dict: dict[str, torch.Tensor] | None = None
    ) -> None:
        network: Any = self.model
        network.save_pretrained(output_dir, state_dict=state_dict)
