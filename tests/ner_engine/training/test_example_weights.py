"""Weights of rows: what they change in a training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ner_engine.errors import TrainingError
from ner_engine.training.fine_tune import train
from tests.ner_engine.training.runs import Events, recipe, rows, same, write


def weighted(found: list[dict[str, Any]], weight: Callable[[int], Any]) -> list[dict[str, Any]]:
    """The rows as a snapshot writes them, with what each counts."""
    return [
        {**row, "attributes": {"lineage": {"weight": weight(number)}}}
        for number, row in enumerate(found)
    ]


def losses_and_model(
    folder: Path, base: Path, train_rows: list[dict[str, Any]], **settings: str
) -> tuple[Events, Path]:
    told = Events()
    data = write(folder / "data", {"train": train_rows, "eval": rows(9, "eval")})
    train(
        recipe(**settings),
        data=data,
        base=base,
        out=folder / "out",
        emit=lambda event: told.append(json.loads(json.dumps(event))),
    )
    return told, folder / "out"


@pytest.mark.parametrize("augment", ["0", "0.5"])
def test_a_row_of_weight_0_is_left_out(base: Path, tmp_path: Path, augment: str) -> None:
    found = rows(24, "train")
    told, out = losses_and_model(
        tmp_path / "a",
        base,
        weighted(found, lambda number: float(number % 3 > 0)),
        augment_share=augment,
        epochs="2",
    )
    _, without = losses_and_model(
        tmp_path / "b",
        base,
        [row for number, row in enumerate(found) if number % 3],
        augment_share=augment,
        epochs="2",
    )
    assert same(out, without)
    assert told.of("start")[-1]["texts_of_no_weight_left_out"] == 8


def test_only_the_ratio_of_weights_matters(base: Path, tmp_path: Path) -> None:
    found = rows(24, "train")
    plain, _ = losses_and_model(tmp_path / "a", base, found)
    halved, _ = losses_and_model(tmp_path / "b", base, weighted(found, lambda number: 0.5))
    mixed, _ = losses_and_model(
        tmp_path / "c", base, weighted(found, lambda number: 0.1 + number % 2)
    )
    assert halved.losses == pytest.approx(plain.losses, abs=2e-4)
    assert mixed.losses != pytest.approx(plain.losses, abs=2e-4)
    assert [told.of("start")[0]["mean_weight"] for told in (plain, halved, mixed)] == [
        1.0,
        0.5,
        0.6,
    ]


def test_class_weights_and_row_weights_multiply(base: Path, tmp_path: Path) -> None:
    found = rows(24, "train")
    balanced, _ = losses_and_model(tmp_path / "a", base, found, class_weights="balanced")
    halved, _ = losses_and_model(
        tmp_path / "b", base, weighted(found, lambda number: 0.5), class_weights="balanced"
    )
    assert halved.losses == pytest.approx(balanced.losses, abs=2e-4)


@pytest.mark.parametrize("weight", [-1, "much", None, True])
def test_an_invalid_weight_stops_the_run(base: Path, tmp_path: Path, weight: Any) -> None:
    with pytest.raises(TrainingError, match="the weight of train0 is"):
        losses_and_model(tmp_path / "a", base, weighted(rows(9, "train"), lambda number: weight))
