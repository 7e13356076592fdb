"""A masked language model in training, and its recall at masked positions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer

from ner_engine.chunks import chunks
from ner_engine.inference.loading import load_masked_lm, load_tokenizer, save_tokenizer
from ner_engine.inference.windows import TextEncoder
from ner_engine.registry.catalogue import Checkpoint
from ner_engine.registry.recipes import Recipe
from ner_engine.training.attention import choose_attention
from ner_engine.training.batching import Batcher, MicroBatch
from ner_engine.training.examples import IGNORED
from ner_engine.training.loss import token_loss
from ner_engine.training.masking import MaskedWindows
from ner_engine.training.trainer import RunTrainer, runs_in_bf16


class MaskedHead:
    """Restrict a network's head to labelled positions.

    Over a vocabulary of tens of thousands of tokens, the head is half of the work or more.
    """

    def __init__(self, network: Any) -> None:
        (head,) = (
            module for name, module in network.named_children() if name != network.base_model_prefix
        )
        head.register_forward_pre_hook(self._restrict)
        self._positions: torch.Tensor | None = None

    def _restrict(self, _: Any, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return args if self._positions is None else (args[0][self._positions], *args[1:])

    def logits(self, network: Any, row: MicroBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits ``(positions, vocabulary)`` and true ids ``(positions,)``."""
        positions = row["labels"] != IGNORED
        inputs = dict(row)
        del inputs["labels"]
        self._positions = positions
        try:
            logits = network(**inputs).logits
        finally:
            self._positions = None
        return logits, row["labels"][positions]


class MaskedTrainer(RunTrainer):
    """The trainer with logits at masked positions alone; it masks differently in each epoch."""

    def __init__(self, *, head: MaskedHead, train_dataset: MaskedWindows, **settings: Any) -> None:
        super().__init__(train_dataset=train_dataset, **settings)
        self._head = head
        train_dataset.epoch = self.current_epoch

    def loss_sum(self, model: Any, row: MicroBatch) -> torch.Tensor:
        return token_loss(*self._head.logits(model, row))


@dataclass(frozen=True, slots=True)
class Recall:
    """The fraction of masked tokens predicted right, and their mean cross entropy in nats."""

    texts: int
    positions: int
    recall: float
    masked_loss: float

    def as_json(self) -> dict[str, Any]:
        """Return ``{"documents", "positions", "recall", "masked_loss", "perplexity"}``."""
        return {
            "documents": self.texts,
            "positions": self.positions,
            "recall": round(self.recall, 4),
            "masked_loss": round(self.masked_loss, 4),
            "perplexity": round(math.exp(min(self.masked_loss, 700.0)), 3),
        }


@dataclass(frozen=True, slots=True)
class MaskedLanguageModel:
    """A network in training with its tokenizer."""

    base: Checkpoint
    network: Any
    head: MaskedHead
    tokenizer: Tokenizer
    encoder: TextEncoder
    has_new_head: bool

    @classmethod
    def load(cls, base: Checkpoint, recipe: Recipe) -> MaskedLanguageModel:
        """Return the base model as a masked language model."""
        transformers.set_seed(recipe.seed)
        dropout = {
            "hidden_dropout_prob": recipe.dropout,
            "attention_probs_dropout_prob": recipe.attention_dropout,
        }
        network, has_new_head = load_masked_lm(base, settings=dropout)
        choose_attention(network, recipe.packing)
        tokenizer = load_tokenizer(base)
        max_length = min(recipe.max_length, base.max_length)
        encoder = TextEncoder(tokenizer, max_length=max_length, overlap=0)
        return cls(base, network, MaskedHead(network), tokenizer, encoder, has_new_head)

    @torch.inference_mode()
    def recall(
        self, n_texts: int, windows: MaskedWindows, batcher: Batcher, recipe: Recipe
    ) -> Recall:
        """Return the recall of the current weights on the windows of ``n_texts`` texts."""
        was_training = self.network.training
        self.network.eval()
        n_right, loss, n_positions = 0, 0.0, 0
        order = np.argsort(windows.lengths, kind="stable").tolist()
        for indices in chunks(order, recipe.batch_size):
            for row in batcher([windows[index] for index in indices]):
                logits, truth = self._logits(row, bf16=runs_in_bf16(recipe))
                n_right += int((logits.argmax(dim=-1) == truth).sum())
                loss += float(token_loss(logits, truth))
                n_positions += len(truth)
        self.network.train(was_training)
        n = max(n_positions, 1)
        return Recall(n_texts, n_positions, n_right / n, loss / n)

    def _logits(self, row: MicroBatch, *, bf16: bool) -> tuple[torch.Tensor, torch.Tensor]:
        device = next(self.network.parameters()).device
        on_device: MicroBatch = {}
        for name, value in row.items():
            on_device[name] = value
            if isinstance(value, torch.Tensor):
                on_device[name] = value.to(device)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
            return self.head.logits(self.network, on_device)

    def save(self, folder: Path) -> None:
        """Write weights, config and tokenizer in the format any Hugging Face program reads."""
        self.network.save_pretrained(folder)
        save_tokenizer(self.base, folder)
