"""``affixes``: learn the affixes that curators leave out of entities."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from ner_engine.cli.exit_codes import ExitCode
from ner_engine.errors import TrainingError

HELP: Final = "Learn which affixes curators leave out of entities, and store those that help."
EPILOG: Final = "exit codes: 0 the model has affixes now; 1 they did not help; 2 the command failed"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``affixes``."""
    parser.add_argument(
        "--model",
        default="bundled",
        metavar="bundled|NAME|DIR",
        help="the entity model; its folder receives affixes.json (default: bundled)",
    )
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="DIR",
        help=(
            "a data folder: train, from which affixes are learned, and eval, on which they must"
            " raise the model's F1"
        ),
    )
    parser.add_argument(
        "--name", default="", metavar="TEXT", help="what to call the data (default: the folder)"
    )


def run(args: argparse.Namespace) -> int:
    """Write the affixes, print their gain, and return the exit code."""
    from ner_engine.inference.confidence import helpful_affixes, raw_predictions  # noqa: PLC0415
    from ner_engine.inference.tagger import load_tagger  # noqa: PLC0415 - torch
    from ner_engine.registry.affixes import write_affixes  # noqa: PLC0415
    from ner_engine.registry.catalogue import find  # noqa: PLC0415
    from ner_engine.registry.tasks import ENTITIES, evaluation_texts, task_of  # noqa: PLC0415
    from ner_engine.training.data import read_documents, split_file  # noqa: PLC0415 - torch

    checkpoint = find(args.model)
    if task_of(checkpoint.config.get("span_task"), checkpoint.labels) is not ENTITIES:
        raise TrainingError(f"{checkpoint.name} predicts no entities, so it needs no affixes")
    tagger = load_tagger(args.model, raw_scores=True)
    taught = evaluation_texts(read_documents(split_file(args.data, "train")), ENTITIES)
    held_out = read_documents(split_file(args.data, "eval"))
    texts = list(evaluation_texts(held_out, ENTITIES))
    affixes = helpful_affixes(
        taught,
        texts,
        raw_predictions(tagger, texts, ENTITIES),
        learned_from=f"the train split of {args.name or args.data.name}",
    )
    if affixes is None:
        print("affixes do not raise the F1 on the eval texts; the model stays as it is")
        return ExitCode.SOME_REFUSED
    write_affixes(checkpoint.folder, affixes)
    print(
        f"{len(affixes.counts)} affixes; strict micro F1 on {len(texts):,} eval texts:"
        f" {affixes.f1['before']:.4f} before, {affixes.f1['after']:.4f} after. Calibrate the model"
        " again."
    )
    return ExitCode.SUCCESS
