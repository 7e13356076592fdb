"""``calibrate``: calibrate a model's confidence, and measure its int8 scales."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ner_engine.cli.exit_codes import OF_ONE_RESULT, ExitCode
from ner_engine.errors import CalibrationError
from ner_engine.schema import texts_of

if TYPE_CHECKING:
    from ner_engine.inference.backends.scales import Scales
    from ner_engine.registry.catalogue import Checkpoint
    from ner_engine.registry.confidence import Calibration
    from ner_engine.schema import Document

HELP: Final = "Calibrate a model's confidence on gold texts; measure int8 scales and their F1 cost."
EPILOG: Final = OF_ONE_RESULT
_ROWS: Final = "project JSONL or sd-nlp rows"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``calibrate``."""
    parser.add_argument(
        "--model",
        default="bundled",
        metavar="bundled|NAME|DIR",
        help="the model; its folder receives the calibration and the scales (default: bundled)",
    )
    parser.add_argument(
        "--texts",
        type=Path,
        metavar="FILE.jsonl",
        help=f"typical texts for int8 scales, {_ROWS}; not needed if the model has scales already",
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="GOLD.jsonl",
        help=(
            f"gold texts that the model was not trained on, {_ROWS}; without them confidence is"
            " not calibrated, and int8 is used on request only"
        ),
    )
    parser.add_argument(
        "--limit",
        type=int,
        default=1500,
        metavar="N",
        help="maximum number of gold rows, evenly spread (default: 1500)",
    )
    parser.add_argument(
        "--only",
        choices=["confidence", "int8"],
        help="do one of both (default: confidence, and int8 if --texts or scales are there)",
    )
    parser.add_argument(
        "--task",
        metavar="NAME",
        help="as for evaluate (default: the task in the model's config)",
    )
    parser.add_argument(
        "--name", default="", metavar="TEXT", help="what to call the gold texts (default: the file)"
    )
    parser.add_argument(
        "--all-panels",
        action="store_true",
        help="use short panels and panels without entities too; curators must have looked at them",
    )


def run(args: argparse.Namespace) -> int:
    """Write the calibration and the scales, print the results, and return the exit code."""
    from ner_engine.inference.backends.scales import FILE, write_scales  # noqa: PLC0415 - torch
    from ner_engine.registry.catalogue import find  # noqa: PLC0415

    checkpoint = find(args.model)
    if args.only == "confidence" and not args.data:
        raise CalibrationError("confidence is calibrated on gold texts; name a file with --data")
    wants_int8 = args.only != "confidence"
    if args.data and not args.only:
        wants_int8 = args.texts or (checkpoint.folder / FILE).is_file()
    if args.data and args.only != "int8":
        try:
            print(_calibrate_confidence(checkpoint, args).sentence())
        except CalibrationError as error:
            if not wants_int8:
                raise
            print(f"confidence is not calibrated: {error}", file=sys.stderr)
    if not wants_int8:
        return ExitCode.SUCCESS
    scales = _scales(checkpoint, args.texts)
    if args.data:
        scales = _with_cost(checkpoint, scales, args)
    write_scales(checkpoint.folder, scales)
    print(scales.sentence())
    return ExitCode.SUCCESS


def _calibrate_confidence(checkpoint: Checkpoint, args: argparse.Namespace) -> Calibration:
    """Fit the confidence of the model, and write it beside the weights and onto the card."""
    from ner_engine.inference.confidence import calibrate, raw_predictions  # noqa: PLC0415 - torch
    from ner_engine.inference.tagger import load_tagger  # noqa: PLC0415 - torch
    from ner_engine.registry.checkpoint_files import weights_sha256  # noqa: PLC0415
    from ner_engine.registry.confidence import write_calibration  # noqa: PLC0415
    from ner_engine.registry.confidence_card import write_on_card  # noqa: PLC0415
    from ner_engine.registry.tasks import evaluation_texts, task_of  # noqa: PLC0415
    from ner_engine.training.data import read_documents  # noqa: PLC0415 - torch

    tagger = load_tagger(args.model, raw_scores=True)
    task = task_of(args.task or checkpoint.config.get("span_task"), tagger.labels)
    documents = read_documents(args.data)
    if args.all_panels:
        texts = [text for text in task.texts(documents) if task.is_example(text)]
    else:
        texts = list(evaluation_texts(documents, task))
    texts = _spread(texts, args.limit)
    calibration = calibrate(
        texts,
        raw_predictions(tagger, texts, task),
        task,
        affixes=tagger.affixes,
        weights_sha256=weights_sha256(checkpoint.folder),
        data=args.name or args.data.name,
    )
    write_calibration(checkpoint.folder, calibration)
    write_on_card(checkpoint.folder, calibration, tagger.affixes)
    return calibration


def _spread(texts: Sequence[Document], limit: int) -> list[Document]:
    """Return about ``limit`` of the texts, evenly spread."""
    return list(texts[:: max(1, len(texts) // max(1, limit))])


def _with_cost(checkpoint: Checkpoint, scales: Scales, args: argparse.Namespace) -> Scales:
    """Return the scales with the F1 that int8 costs on the gold texts."""
    from ner_engine.inference.int8_scales import evaluate_int8  # noqa: PLC0415 - torch
    from ner_engine.training.data import read_panels  # noqa: PLC0415 - torch

    return evaluate_int8(checkpoint, scales, _spread(read_panels(args.data), args.limit))


def _scales(checkpoint: Checkpoint, texts: Path | None) -> Scales:
    """Return new scales measured on ``texts``, or without these the model's own."""
    from ner_engine.inference.backends.scales import read_scales  # noqa: PLC0415 - torch
    from ner_engine.inference.int8_scales import measure_ranges  # noqa: PLC0415 - torch
    from ner_engine.training.data import read_panels  # noqa: PLC0415 - torch

    if texts:
        return measure_ranges(checkpoint, texts_of(read_panels(texts)))
    scales = read_scales(checkpoint)
    if scales is None:
        raise CalibrationError(
            f"{checkpoint.name} has no scales yet; name a file of texts with --texts"
        )
    return scales
