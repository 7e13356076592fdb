"""The int8 scales of a model: a file beside its weights, with the F1 that int8 costs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ner_engine.errors import CalibrationError
from ner_engine.files import write_text_atomically
from ner_engine.inference.backends.lean import LINEARS, Ranges, is_fast_in_int8
from ner_engine.inference.backends.linear import weight_limit
from ner_engine.registry.catalogue import Checkpoint
from ner_engine.registry.checkpoint_files import weights_sha256

FILE: Final = "int8-scales.json"
FORMAT: Final = 1
#: Points of micro F1 that int8 may cost to be used by default.
MAX_COST: Final = 0.5
_MAX_ACTIVATION: Final = 1e6


@dataclass(frozen=True, slots=True)
class F1Cost:
    """Micro F1 of character spans, in percent, on ``n_documents`` gold texts.

    ``int8`` is by the largest int8 weight (see ``weight_limit``).
    """

    n_documents: int
    fp32: float
    int8: Mapping[int, float]

    def is_acceptable(self, limit: int) -> bool:
        """Return whether int8 with this largest weight costs at most ``MAX_COST``."""
        return limit in self.int8 and self.int8[limit] >= self.fp32 - MAX_COST


@dataclass(frozen=True, slots=True)
class Scales:
    """The input ranges of the linear layers, measured on ``n_texts`` texts.

    ``weights_sha256`` is that of the model's weights. ``cost`` is None if it was not measured.
    """

    weights_sha256: str
    n_texts: int
    ranges: Ranges
    cost: F1Cost | None = None

    def sentence(self) -> str:
        """Return in words what int8 costs, and where it is used."""
        if not self.cost:
            return (
                f"scales from {self.n_texts} texts; the cost of int8 was not measured, so it is"
                " used on request only"
            )
        parts = []
        for limit, f1 in self.cost.int8.items():
            processors = "with VNNI" if limit == 127 else "without VNNI"
            use = "used" if self.cost.is_acceptable(limit) else "not used"
            parts.append(f"{f1 - self.cost.fp32:+.2f} on processors {processors} ({use})")
        return (
            f"micro F1 on {self.cost.n_documents} texts: fp32 {self.cost.fp32:.2f}, int8"
            f" {', '.join(parts)}"
        )


def write_scales(folder: Path, scales: Scales) -> None:
    """Write the file of the model folder completely or not at all."""
    value: dict[str, Any] = {
        "format": FORMAT,
        "weights_sha256": scales.weights_sha256,
        "texts": scales.n_texts,
        "ranges": {
            name: [round(low, 5), round(high, 5)] for name, (low, high) in scales.ranges.items()
        },
    }
    if scales.cost:
        value["f1"] = {
            "documents": scales.cost.n_documents,
            "fp32": round(scales.cost.fp32, 3),
            "int8": {str(limit): round(f1, 3) for limit, f1 in scales.cost.int8.items()},
        }
    write_text_atomically(folder / FILE, json.dumps(value, indent=1) + "\n")


def read_scales(checkpoint: Checkpoint) -> Scales | None:
    """Return the model's scales, or None if it has none.

    Raise ``CalibrationError`` if they cannot be read, or belong to other weights.
    """
    path = checkpoint.folder / FILE
    if not path.is_file():
        return None
    advice = "measure them again with `python -m ner_engine calibrate`, or delete the file"
    try:
        scales = _parsed(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CalibrationError(f"{checkpoint.name}: its {FILE} cannot be read; {advice}") from error
    if not _fits(scales, checkpoint):
        raise CalibrationError(
            f"{checkpoint.name}: its {FILE} was measured on other weights; {advice}"
        )
    return scales


def _fits(scales: Scales, checkpoint: Checkpoint) -> bool:
    n_layers = int(checkpoint.config["num_hidden_layers"])
    names = set()
    for index in range(n_layers):
        for name in LINEARS:
            names.add(f"{index}.{name}")
    return set(scales.ranges) == names and scales.weights_sha256 == weights_sha256(
        checkpoint.folder
    )


def _parsed(value: Mapping[str, Any]) -> Scales:
    if value["format"] != FORMAT:
        raise ValueError(f"format {value['format']}")
    ranges = {}
    for name, (low, high) in value["ranges"].items():
        ranges[str(name)] = (float(low), float(high))
    for low, high in ranges.values():
        if not -_MAX_ACTIVATION < low <= high < _MAX_ACTIVATION:
            raise ValueError(f"no range from {low} to {high}")
    f1 = value.get("f1")
    cost = None
    if f1:
        by_limit = {}
        for limit, of_limit in f1["int8"].items():
            by_limit[int(limit)] = float(of_limit)
        cost = F1Cost(int(f1["documents"]), float(f1["fp32"]), by_limit)
    return Scales(str(value["weights_sha256"]), int(value["texts"]), ranges, cost)


def ranges_of(checkpoint: Checkpoint) -> Ranges:
    """Return the model's ranges, whatever int8 costs. Raise ``CalibrationError`` without any."""
    if scales := read_scales(checkpoint):
        return scales.ranges
    raise CalibrationError(
        f"{checkpoint.name} has no {FILE}, which int8 needs; write it with `python -m ner_engine"
        " calibrate`"
    )


def ranges_to_use(checkpoint: Checkpoint) -> Ranges | None:
    """Return the ranges if this machine should run the model in int8 by default, else None.

    They must fit, this processor must be fast in int8, and int8 must cost little F1.
    """
    try:
        scales = read_scales(checkpoint)
    except CalibrationError:
        return None
    if not scales or not scales.cost or not is_fast_in_int8():
        return None
    return scales.ranges if scales.cost.is_acceptable(weight_limit()) else None
