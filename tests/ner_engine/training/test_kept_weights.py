"""The weights that a run keeps: those of the best evaluation, a mean, or the last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from ner_engine.errors import TrainingError
from ner_engine.registry.recipes import Recipe
from ner_engine.training.kept_weights import KeptWeights, best_of
from tests.ner_engine.training.runs import Run, recipe


def test_the_weights_of_the_best_evaluation_are_kept(run: Run, tmp_path: Path) -> None:
    told = run(tmp_path / "out", keep="best", learning_rate="0.01", epochs="4")
    best = best_of(told.of("eval"))
    assert told[-1]["weights_of_steps"] == [best["step"]]
    assert told[-1]["scores"]["eval"]["micro"] == best["micro"]
    assert "| kept |" in (tmp_path / "out/model/README.md").read_text()


def test_a_run_ends_after_its_patience(run: Run, tmp_path: Path) -> None:
    told = run(tmp_path / "out", patience="2", learning_rate="1e-8", epochs="50")
    assert len(told.of("eval")) == 3
    assert told[-1]["event"] == "done"


def events(*f1: float) -> list[dict[str, Any]]:
    return [{"step": 10 * number, "micro": {"f1": value}} for number, value in enumerate(f1, 1)]


def kept_of(
    folder: Path, asked: Recipe, history: list[dict[str, Any]]
) -> tuple[list[int], float, list[str]]:
    """A network that at step s has s everywhere, evaluated as ``history`` says: the steps kept, its
    weight in the end, what lies in the folder."""
    network, kept = torch.nn.Linear(2, 2), KeptWeights(folder, asked)
    for number, event in enumerate(history, 1):
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.fill_(event["step"])
        kept.keep(network, history[:number])
        kept.delete_unwanted(history[:number])
    steps = kept.load_into(network, history)
    return (
        steps,
        float(network.weight.detach()[0, 0]),
        sorted(path.name for path in folder.glob("*")),
    )


def test_the_first_of_equally_good_evaluations_is_the_best(tmp_path: Path) -> None:
    assert kept_of(tmp_path, recipe(keep="best"), events(0.2, 0.5, 0.5, 0.1)) == (
        [20],
        20.0,
        ["weights-20.safetensors"],
    )


def test_the_mean_is_over_the_last_evaluations(tmp_path: Path) -> None:
    steps, weight, files = kept_of(tmp_path, recipe(average="3"), events(0.2, 0.5, 0.5, 0.1))
    assert steps == [20, 30, 40]
    assert weight == pytest.approx(30.0)
    assert files == [f"weights-{step}.safetensors" for step in steps]


def test_the_last_weights_are_the_default(tmp_path: Path) -> None:
    assert kept_of(tmp_path, recipe(), events(0.9, 0.1)) == ([], 20.0, [])


def test_missing_weights_are_an_error(tmp_path: Path) -> None:
    history = events(0.2, 0.5)
    kept_of(tmp_path, recipe(keep="best"), history)
    (tmp_path / "weights-20.safetensors").unlink()
    with pytest.raises(TrainingError, match="step 20 are missing"):
        KeptWeights(tmp_path, recipe(keep="best")).load_into(torch.nn.Linear(2, 2), history)
