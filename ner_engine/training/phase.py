"""One phase of a fine-tuning, in its own folder. Most runs have one; augmented ones have two."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ner_engine.inference.evaluation import Evaluation
from ner_engine.registry.cards import WeightAveraging
from ner_engine.registry.catalogue import Checkpoint
from ner_engine.registry.recipes import SHARES_OF_BASE, Recipe
from ner_engine.schema import Document
from ner_engine.scoring.comparison import Counts, counts_of
from ner_engine.split import Split
from ner_engine.training.events import Emit
from ner_engine.training.examples import IGNORED, Examples
from ner_engine.training.finishing import Finish
from ner_engine.training.folds import paper_of
from ner_engine.training.kept_weights import KeptWeights
from ner_engine.training.loop import Loop
from ner_engine.training.loss import balanced_weights
from ner_engine.training.network import TaggerNetwork
from ner_engine.training.processes import processes
from ner_engine.training.run_folder import store_model
from ner_engine.training.weight_averaging import average_with_base


class Phase:
    """The training of one model on given texts.

    After ``fit``, ``weights_of`` has the steps whose weights (or their mean) the model has, and is
    empty for the last step. ``blend`` is the weight averaging with the base model, or None.
    """

    def __init__(
        self,
        recipe: Recipe,
        model: TaggerNetwork,
        splits: Mapping[Split, Sequence[Document]],
        *,
        out: Path,
        emit: Emit,
        stop_requested: Callable[[], bool],
    ) -> None:
        self.recipe, self.model, self.emit = recipe, model, emit
        self.weights_of: list[int] = []
        self.blend: WeightAveraging | None = None
        self._out = out
        self._eval = splits["eval"]
        self._examples = model.examples(splits["train"], recipe)
        self._loop = Loop(
            recipe,
            n_examples=len(self._examples),
            out=out,
            evaluate=self._evaluate,
            emit=emit,
            stop_requested=stop_requested,
        )

    @property
    def evaluations(self) -> list[dict[str, Any]]:
        """The evaluations during the training, in order."""
        return self._loop.history.read()

    def fit(self, *, resume: bool, start: Mapping[str, Any] | None = None) -> bool:
        """Run the training; return False if it was asked to stop before the end.

        ``start`` is added to the start event.
        """
        facts = {
            "base": self.model.base.name,
            "labels": list(self.recipe.labels),
            "mean_weight": round(self._examples.mean_weight, 4),
            **(start or {}),
        }
        is_finished = self._loop.run(
            self.model.network,
            self._examples,
            start=facts,
            resume=resume,
            label_weights=self._label_weights(),
            smoothing=self.recipe.label_smoothing,
        )
        if is_finished and processes().is_main_process:
            kept = KeptWeights(self._out / "checkpoints", self.recipe)
            evaluations = self._loop.history.read(until=self._loop.reached)
            self.weights_of = kept.load_into(self.model.network, evaluations)
        return is_finished

    def average_with(self, base: Checkpoint) -> None:
        """Average the weights with those of ``base``, if the recipe asks for it.

        Nothing happens if the base predicts other labels.
        """
        recipe = self.recipe
        if recipe.blend == "off" or set(base.labels) != set(recipe.labels):
            return
        if not processes().is_main_process:
            return
        n_fractions = len(SHARES_OF_BASE) if recipe.blend == "auto" else 1
        self.emit({"event": "blending", "shares": n_fractions})
        self.blend = average_with_base(
            self.model.network,
            TaggerNetwork.load(base, recipe).network.state_dict(),
            None if recipe.blend == "auto" else float(recipe.blend),
            list(map(paper_of, self._eval)),
            self._counts,
        )
        self.emit({"event": "blend", **self.blend.as_json()})

    def store(self, card: str, finish: Finish | None = None) -> None:
        """Write the model with its card and ``finish``, and delete the checkpoints."""
        if processes().is_main_process:
            store_model(self._out, self.model.save, card, finish)
        processes().wait_for_everyone()

    def _evaluate(self) -> Evaluation | None:
        """Return the scores on the first held-out texts, or None if there are none."""
        held_out = self._eval[: self.recipe.eval_panels]
        return self.model.evaluate(held_out, self.recipe) if held_out else None

    def _counts(self) -> list[Counts]:
        """Return the counts of the current weights on each held-out text."""
        counts: list[Counts] = []
        self.model.evaluate(
            self._eval,
            self.recipe,
            watch=lambda _, gold, predicted: counts.append(counts_of(gold, predicted)),
        )
        return counts

    def _label_weights(self) -> torch.Tensor | None:
        if self.recipe.class_weights != "balanced":
            return None
        return balanced_weights(_all_labels(self._examples), len(self.model.id2label))


def _all_labels(examples: Examples) -> list[int]:
    labels = []
    for example in examples:
        for label in example.labels:
            if label != IGNORED:
                labels.append(label)
    return labels
