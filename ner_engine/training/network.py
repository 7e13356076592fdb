"""A token classifier in training: network, tokenizer and label list."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from ner_engine.inference.backends import (
    Backend,
    LeanBackend,
    PlainBackend,
    Probabilities,
    cpu_precision,
)
from ner_engine.inference.evaluation import Evaluation, Watcher, evaluate
from ner_engine.inference.loading import load_classifier, load_tokenizer, save_tokenizer
from ner_engine.inference.tagger import Tagger
from ner_engine.inference.windows import TextEncoder
from ner_engine.registry.catalogue import Checkpoint
from ner_engine.registry.recipes import Recipe
from ner_engine.registry.tasks import TASKS
from ner_engine.schema import Document
from ner_engine.training.attention import choose_attention
from ner_engine.training.examples import IGNORED, Examples


@dataclass(frozen=True, slots=True)
class TaggerNetwork:
    """A network in training with its tokenizer and label list."""

    base: Checkpoint
    network: Any
    encoder: TextEncoder
    id2label: tuple[str, ...]

    @classmethod
    def load(cls, base: Checkpoint, recipe: Recipe) -> TaggerNetwork:
        """Return the base model; its head is kept if it has the recipe's types, else replaced."""
        transformers.set_seed(recipe.seed)
        keeps_head = set(base.labels) == set(recipe.labels)
        id2label = tuple(base.id2label) if keeps_head else _label_list(recipe)
        window = min(recipe.max_length, base.max_length)
        settings = {
            "hidden_dropout_prob": recipe.dropout,
            "attention_probs_dropout_prob": recipe.attention_dropout,
            "window_tokens": window,
            "span_task": recipe.task,
        }
        if recipe.layers:
            n_layers = int(base.config["num_hidden_layers"])
            settings["num_hidden_layers"] = min(recipe.layers, n_layers)
        network = load_classifier(
            base, settings=settings, new_labels=None if keeps_head else id2label
        )
        choose_attention(network, recipe.packing)
        encoder = TextEncoder(load_tokenizer(base), max_length=window)
        return cls(base, network, encoder, id2label)

    @property
    def label2id(self) -> dict[str, int]:
        return {label: index for index, label in enumerate(self.id2label)}

    def examples(self, documents: Sequence[Document], recipe: Recipe) -> Examples:
        """Return the windows of the documents with their labels."""
        return Examples(documents, self.encoder, self.label2id, TASKS[recipe.task])

    def evaluate(
        self, documents: Sequence[Document], recipe: Recipe, watch: Watcher | None = None
    ) -> Evaluation:
        """Return the scores of the current weights; ``watch`` is called with each text."""
        labels = (example.labels for example in self.examples(documents, recipe))
        backend = _LossMeter(self._backend(), labels)
        tagger = Tagger("candidate", backend, self.encoder, self.id2label)
        evaluation = evaluate(tagger, documents, TASKS[recipe.task], watch=watch)
        return dataclasses.replace(evaluation, loss=backend.loss)

    def tagger(self) -> Tagger:
        """Return a tagger with the current weights and raw scores."""
        return Tagger("candidate", self._backend(), self.encoder, self.id2label)

    def _backend(self) -> Backend:
        config = self.network.config.to_dict()
        if torch.cuda.is_available():
            return PlainBackend(self.network, device="cuda")
        if LeanBackend.can_run(config):
            return LeanBackend(config, self.network.state_dict(), precision=cpu_precision())
        return PlainBackend(self.network, device="cpu")

    def save(self, folder: Path) -> None:
        """Write weights, config and tokenizer in the format any Hugging Face program reads."""
        self.network.save_pretrained(folder)
        save_tokenizer(self.base, folder)


def _label_list(recipe: Recipe) -> tuple[str, ...]:
    """Return O, then the prefixed labels of each type."""
    prefixes = TASKS[recipe.task].prefixes
    return ("O", *(f"{prefix}-{label}" for label in recipe.labels for prefix in prefixes))


class _LossMeter:
    """A backend that also measures the loss, from the probabilities that tagging needs anyway.

    ``labels`` has the labels of each window in the order the windows are run, ``IGNORED`` where a
    token has none.
    """

    def __init__(self, backend: Backend, labels: Iterator[Sequence[int]]) -> None:
        self._backend, self._labels = backend, labels
        self._sum, self._count = 0.0, 0

    @property
    def loss(self) -> float:
        """Mean cross entropy in nats over the labelled tokens so far."""
        return self._sum / max(self._count, 1)

    @property
    def device(self) -> str:
        return self._backend.device

    def run(self, windows: Sequence[Sequence[int]]) -> list[Probabilities]:
        results = self._backend.run(windows)
        for probabilities in results:
            labels = np.array(next(self._labels))
            (labelled,) = np.nonzero(labels != IGNORED)
            true = np.maximum(probabilities[labelled, labels[labelled]], 1e-12)
            self._sum -= float(np.log(true).sum())
            self._count += len(labelled)
        return results
