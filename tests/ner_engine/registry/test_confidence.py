"""The file of a calibration: written, read again, and refused where anything in it is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ner_engine.errors import UnsafeModelError
from ner_engine.registry.checkpoint_files import weights_sha256
from ner_engine.registry.confidence import (
    FILE,
    Calibration,
    FittedOn,
    read_calibration,
    write_calibration,
)
from ner_engine.scoring.platt import Platt
from ner_engine.scoring.reliability import reliability

TABLE = reliability(np.array([0.9, 0.8, 0.35]), np.array([True, True, False]))


def calibration(weights: str = "", **changes: Any) -> Calibration:
    facts = FittedOn("eval.jsonl", "abc", papers=12, texts=80, predictions=900)
    values: dict[str, Any] = {
        "weights_sha256": weights,
        "fitted_on": facts,
        "overall": Platt(0.6, -0.5),
        "by_label": {"CELL": Platt(0.7, -1.0)},
        "steps": ("affixes",),
        "log_loss": {"raw": 0.6, "overall": 0.46},
        "before": TABLE,
        "after": TABLE,
    }
    return Calibration(**values | changes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with weights and the calibration that was fitted on them."""
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    write_calibration(tmp_path, calibration(weights_sha256(tmp_path)))
    return tmp_path


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    value = json.loads((folder / FILE).read_text(encoding="utf-8"))
    change(value)
    (folder / FILE).write_text(json.dumps(value), encoding="utf-8")


def test_a_written_calibration_is_read_again(folder: Path) -> None:
    found = read_calibration("mini", folder)
    assert found is not None
    assert found.as_json() == calibration(weights_sha256(folder)).as_json()


def test_a_model_without_the_file_has_none(tmp_path: Path) -> None:
    assert read_calibration("mini", tmp_path) is None


def test_a_label_with_its_own_scaling_uses_it() -> None:
    found = calibration()
    assert found.confidence("CELL", 0.9) == round(Platt(0.7, -1.0).probability(0.9), 4)
    assert found.confidence("TISSUE", 0.9) == round(Platt(0.6, -0.5).probability(0.9), 4)


def test_other_weights_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"others")
    with pytest.raises(UnsafeModelError, match="fitted on other weights; fit it again"):
        read_calibration("mini", folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"__import__"', "[" * 100_000])
def test_a_file_that_is_no_object_is_refused(folder: Path, text: str) -> None:
    (folder / FILE).write_text(text, encoding="utf-8")
    with pytest.raises(UnsafeModelError, match=r"mini: its calibration\.json cannot be read"):
        read_calibration("mini", folder)


def test_a_huge_file_is_refused_unread(folder: Path) -> None:
    (folder / FILE).write_bytes(b" " * 1_000_001)
    with pytest.raises(UnsafeModelError, match="larger than 1 MB"):
        read_calibration("mini", folder)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda value: value.update(format=2), "format 2"),
        (lambda value: value.update(method="pickle"), "method pickle"),
        (lambda value: value.pop("overall"), "overall is missing"),
        (lambda value: value["overall"].update(slope=-1), "-1 does not lie between"),
        (lambda value: value["overall"].update(slope=0), "a slope must be above 0"),
        (lambda value: value["overall"].update(slope=True), "True is not a number"),
        (lambda value: value["overall"].update(intercept="os"), "os is not a number"),
        (lambda value: value["by_label"]["CELL"].update(slope=float("nan")), "nan"),
        (lambda value: value["fitted_on"].update(papers=-1), "-1 is not a number of things"),
        (lambda value: value["reliability"]["after"]["bins"].pop(), "must have 10 rows"),
        (lambda value: value["reliability"]["after"].update(brier=2), "2 does not lie between"),
    ],
)
def test_a_wrong_number_is_named(
    folder: Path, change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    edit(folder, change)
    with pytest.raises(UnsafeModelError, match=reason):
        read_calibration("mini", folder)


def test_the_sentence_says_what_it_brought() -> None:
    assert calibration().sentence() == (
        "confidence calibrated on 900 predictions in 80 texts of 12 papers: calibration error"
        " 0.217 before, 0.217 after"
    )
