"""Small training runs: rows, recipes, events and the weights they end with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from ner_engine.registry.recipes import Recipe, recipe_named

#: A run of a few seconds with a tiny model; without dropout, so that runs can be compared.
SHORT = {
    "epochs": "3",
    "batch_size": "8",
    "min_characters": "0",
    "labels": "auto",
    "dropout": "0",
    "precision": "fp32",
    "evals_per_epoch": "1",
}


def rows(n: int, side: str, *, papers: str = "") -> list[dict[str, Any]]:
    found = []
    for number in range(n):
        name = f"Prot{number % 7}"
        text = (
            f"Levels of {name} in HeLa cells treated for {number} h, panel {side}"
            + " and so on" * (number % 4)
            + "."
        )
        at = {"GENEPROD": (text.index(name), len(name)), "CELL": (text.index("HeLa"), 10)}
        spans = [
            {
                "start": start,
                "end": start + size,
                "label": label,
                "text": text[start : start + size],
            }
            for label, (start, size) in at.items()
        ]
        found.append(
            {
                "id": f"{side}{number}",
                "doi": f"10.1/{papers or side}{number % 3}",
                "text": text,
                "spans": spans,
            }
        )
    return found


def write(folder: Path, sides: Mapping[str, list[dict[str, Any]]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for side, found in sides.items():
        (folder / f"{side}.jsonl").write_text(
            "".join(json.dumps(row) + "\n" for row in found), encoding="utf-8"
        )
    return folder


def recipe(**settings: str) -> Recipe:
    return recipe_named("sd-ner-mini").with_settings(SHORT | settings)


class Events(list[dict[str, Any]]):
    """The events of a run."""

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self if event["event"] == kind]

    @property
    def losses(self) -> list[float]:
        return [event["loss"] for event in self.of("step")]

    @property
    def step(self) -> int:
        return max((event["step"] for event in self.of("step")), default=0)


Run = Callable[..., Events]


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(str(out / "model/model.safetensors"))


def same(left: Path, right: Path) -> bool:
    one, other = weights(left), weights(right)
    return one.keys() == other.keys() and all(
        torch.equal(tensor, other[name]) for name, tensor in one.items()
    )
