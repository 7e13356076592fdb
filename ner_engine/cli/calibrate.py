"""``calibrate``: measure a model's int8 scales."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ner_engine.cli.exit_codes import OF_INPUTS, ExitCode
from ner_engine.errors import CalibrationError

if TYPE_CHECKING:
    from ner_engine.inference.backends.scales import Scales
    from ner_engine.registry.catalogue import Checkpoint

HELP: Final = "Measure a model's int8 scales, and the F1 that int8 costs on gold texts."
EPILOG: Final = OF_INPUTS
_ROWS: Final = "project JSONL or sd-nlp rows"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``calibrate``."""
    parser.add_argument(
        "--model",
        default="bundled",
        metavar="bundled|NAME|DIR",
        help="the model; its folder receives the scales (default: bundled)",
    )
    parser.add_argument(
        "--texts",
        type=Path,
        metavar="FILE.jsonl",
        help=f"typical texts, {_ROWS}; not needed if the model has scales already",
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="GOLD.jsonl",
        help=f"held-out gold texts, {_ROWS}; without them int8 is used on request only",
    )
    parser.add_argument(
        "--limit",
        type=int,
        default=1500,
        metavar="N",
        help="maximum number of gold rows, evenly spread (default: 1500)",
    )


def run(args: argparse.Namespace) -> int:
    """Write the scales, print the result, and return the exit code."""
    from ner_engine.inference.backends.scales import write_scales  # noqa: PLC0415 - torch
    from ner_engine.inference.int8_scales import evaluate_int8  # noqa: PLC0415 - torch
    from ner_engine.registry.catalogue import find  # noqa: PLC0415
    from ner_engine.training.data import read_panels  # noqa: PLC0415 - torch

    checkpoint = find(args.model)
    scales = _scales(checkpoint, args.texts)
    if args.data:
        gold = read_panels(args.data)
        every = max(1, len(gold) // max(1, args.limit))
        scales = evaluate_int8(checkpoint, scales, gold[::every])
    write_scales(checkpoint.folder, scales)
    print(scales.sentence())
    return ExitCode.SUCCESS


def _scales(checkpoint: Checkpoint, texts: Path | None) -> Scales:
    """Return new scales measured on ``texts``, or without these the model's own."""
    from ner_engine.inference.backends.scales import read_scales  # noqa: PLC0415 - torch
    from ner_engine.inference.int8_scales import measure_ranges  # noqa: PLC0415 - torch
    from ner_engine.training.data import read_panels  # noqa: PLC0415 - torch

    if texts:
        return measure_ranges(checkpoint, [panel.text for panel in read_panels(texts)])
    scales = read_scales(checkpoint)
    if scales is None:
        raise CalibrationError(
            f"{checkpoint.name} has no scales yet; name a file of texts with --texts"
        )
    return scales
