"""Weights of evaluations that may become the final model's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, load_model, save_model

from ner_engine.errors import TrainingError
from ner_engine.files import atomic_path
from ner_engine.registry.recipes import Recipe


def best_of(events: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the evaluation with the highest micro F1, the first of equal ones."""
    return max(events, key=lambda event: (event["micro"]["f1"], -event["step"]))


class KeptWeights:
    """The weights of the best evaluation, or of the last few for their mean.

    Recipe and history alone decide which are kept, so a resumed run keeps the same.
    """

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self._folder, self._recipe = folder, recipe

    def wanted(self, events: Sequence[Mapping[str, Any]]) -> list[int]:
        """Return the steps whose weights are kept; none if the last weights are the final ones."""
        if self._recipe.average:
            return [event["step"] for event in events[-self._recipe.average :]]
        if events and self._recipe.keep == "best":
            return [best_of(events)["step"]]
        return []

    def keep(self, network: Any, events: Sequence[Mapping[str, Any]]) -> None:
        """Store the weights, which are those of the last of ``events``, if they are wanted."""
        step = events[-1]["step"]
        if step in self.wanted(events):
            self._folder.mkdir(parents=True, exist_ok=True)
            with atomic_path(self._file(step)) as part:
                save_model(network, str(part))

    def delete_unwanted(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Delete weights that are no longer wanted.

        Call this only after a checkpoint was written from which the run would be resumed.
        """
        wanted = set(map(self._file, self.wanted(events)))
        for path in self._folder.glob("weights-*"):
            if path not in wanted:
                path.unlink()

    def load_into(self, network: Any, events: Sequence[Mapping[str, Any]]) -> list[int]:
        """Give the network the kept weights, or their mean; return the steps they are from.

        Raise ``TrainingError`` if a file of weights is missing.
        """
        steps = self.wanted(events)
        for step in steps:
            if not self._file(step).is_file():
                raise TrainingError(
                    f"the weights of step {step} are missing from {self._folder}; start the run"
                    " again in another folder"
                )
        if len(steps) == 1:
            load_model(network, str(self._file(steps[0])))
        elif steps:
            self._load_mean(network, steps)
        return steps

    def _load_mean(self, network: Any, steps: Sequence[int]) -> None:
        own = dict(network.named_parameters())
        with torch.no_grad():
            for n_before, step in enumerate(steps):
                for name, tensor in load_file(str(self._file(step))).items():
                    mean, new = own[name], tensor.to(own[name].device)
                    mean.mul_(n_before / (n_before + 1)).add_(new, alpha=1 / (n_before + 1))

    def _file(self, step: int) -> Path:
        return self._folder / f"weights-{step}.safetensors"
