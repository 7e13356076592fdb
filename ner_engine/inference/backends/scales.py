"""The file beside a model's weights that says how its activations become int8, and whether this was
found good enough."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ner_engine.errors import CalibrationError
from ner_engine.inference.backends.lean import LINEARS, Ranges, is_quick_in_int8
from ner_engine.inference.backends.linear import weight_limit
from ner_engine.registry.catalogue import Checkpoint

FILE: Final = "int8-scales.json"
FORMAT: Final = 1
#: Points of micro F1 that int8 may cost where it is switched on by itself.
MAY_COST: Final = 0.5


@dataclass(frozen=True, slots=True)
class Verdict:
    """Micro F1 of character spans, in percent, on ``n_documents`` with gold: fp32, and int8 by its
    largest weight (see ``weight_limit``)."""

    n_documents: int
    fp32: float
    int8: Mapping[int, float]

    def passes(self, limit: int) -> bool:
        return limit in self.int8 and self.int8[limit] >= self.fp32 - MAY_COST


@dataclass(frozen=True, slots=True)
class Scales:
    """Ranges for the weights with the sum ``weights_sha256``, measured on ``n_texts`` texts;
    without a verdict nobody knows what they cost."""

    weights_sha256: str
    n_texts: int
    ranges: Ranges
    verdict: Verdict | None = None

    def sentence(self) -> str:
        """For people: what int8 costs, and where it is used."""
        if not self.verdict:
            return (
                f"scales from {self.n_texts} texts; nobody knows yet what int8 costs, so it is used"
                " only where it is asked for"
            )
        kinds = {127: "with VNNI", 64: "without VNNI"}
        costs = [
            f"{f1 - self.verdict.fp32:+.2f} on processors {kinds[limit]}"
            f" ({'used' if self.verdict.passes(limit) else 'not used'})"
            for limit, f1 in self.verdict.int8.items()
        ]
        return (
            f"micro F1 on {self.verdict.n_documents} texts: fp32 {self.verdict.fp32:.2f}, int8"
            f" {', '.join(costs)}"
        )


def write_scales(folder: Path, scales: Scales) -> None:
    """Write the model folder's file, whole or not at all."""
    value: dict[str, Any] = {
        "format": FORMAT,
        "weights_sha256": scales.weights_sha256,
        "texts": scales.n_texts,
        "ranges": {name: [round(end, 5) for end in found] for name, found in scales.ranges.items()},
    }
    if scales.verdict:
        by_limit = {str(limit): round(f1, 3) for limit, f1 in scales.verdict.int8.items()}
        value["f1"] = {
            "documents": scales.verdict.n_documents,
            "fp32": round(scales.verdict.fp32, 3),
            "int8": by_limit,
        }
    part = folder / f"{FILE}.part"
    part.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    part.replace(folder / FILE)


def read_scales(checkpoint: Checkpoint) -> Scales | None:
    """The folder's scales, None where there are none. Raises ``CalibrationError`` where they cannot
    be read or are another model's."""
    path = checkpoint.folder / FILE
    if not path.is_file():
        return None
    again = "measure them again with `python -m ner_engine calibrate`, or delete the file"
    try:
        scales = _parsed(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CalibrationError(f"{checkpoint.name}: its {FILE} cannot be read; {again}") from error
    wanted = {
        f"{index}.{name}"
        for index in range(int(checkpoint.config["num_hidden_layers"]))
        for name in LINEARS
    }
    if set(scales.ranges) != wanted or scales.weights_sha256 != weights_sha256(checkpoint.folder):
        raise CalibrationError(
            f"{checkpoint.name}: its {FILE} was measured on other weights; {again}"
        )
    return scales


def _parsed(value: Mapping[str, Any]) -> Scales:
    if value["format"] != FORMAT:
        raise ValueError(f"format {value['format']}")
    found = value.get("f1")
    verdict = None
    if found:
        verdict = Verdict(
            int(found["documents"]),
            float(found["fp32"]),
            {int(limit): float(f1) for limit, f1 in found["int8"].items()},
        )
    ranges = {str(name): (float(low), float(high)) for name, (low, high) in value["ranges"].items()}
    if not all(-1e6 < low <= high < 1e6 for low, high in ranges.values()):
        raise ValueError("a range is none")
    return Scales(str(value["weights_sha256"]), int(value["texts"]), ranges, verdict)


def ranges_of(checkpoint: Checkpoint) -> Ranges:
    """The ranges, whatever they cost. Raises ``CalibrationError`` where there are none that fit."""
    if scales := read_scales(checkpoint):
        return scales.ranges
    raise CalibrationError(
        f"{checkpoint.name} has no {FILE}, which int8 needs; write it with `python -m ner_engine"
        " calibrate`"
    )


def ranges_to_use(checkpoint: Checkpoint) -> Ranges | None:
    """The ranges with which this machine may run the model in int8 by itself: they fit, the
    processor is quick at it, and it costs little F1."""
    try:
        scales = read_scales(checkpoint)
    except CalibrationError:
        return None
    may = scales and scales.verdict and scales.verdict.passes(weight_limit()) and is_quick_in_int8()
    return scales.ranges if scales and may else None


def weights_sha256(folder: Path) -> str:
    """Over the weight files in the order of their names."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
