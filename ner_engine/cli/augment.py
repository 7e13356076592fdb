"""``augment``: add training texts with replaced entities."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Final

from ner_engine.cli.arguments import add_new_folder
from ner_engine.cli.exit_codes import OF_ONE_RESULT, ExitCode

HELP: Final = "Add training texts in which entities are replaced by other names of their label."
EPILOG: Final = OF_ONE_RESULT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``augment``."""
    parser.add_argument(
        "--data",
        required=True,
        type=Path,
        metavar="DIR",
        help="folder with train.jsonl, eval.jsonl, test.jsonl; eval and test are copied unchanged",
    )
    add_new_folder(parser)
    parser.add_argument(
        "--share",
        type=float,
        default=0.2,
        help="fraction of the entities to replace, 0-1 (default: 0.2)",
    )
    parser.add_argument(
        "--lists",
        nargs="+",
        metavar="FILE",
        help=(
            "replacement names: LABEL=FILE (an OBO ontology, or one name per line) or FILE (label,"
            " tab, name); default: the entities of the training texts"
        ),
    )
    parser.add_argument(
        "--seed", type=int, default=42, help="seed of all random choices (default: 42)"
    )


def run(args: argparse.Namespace) -> int:
    """Write the augmented folder, print a summary, and return the exit code."""
    from ner_engine.training.augment import augment_folder  # noqa: PLC0415 - torch
    from ner_engine.training.replacement_lists import read_lists  # noqa: PLC0415

    done = augment_folder(
        args.data,
        args.out,
        share=args.share,
        lists=read_lists(args.lists) if args.lists else None,
        seed=args.seed,
    )
    summary = {
        "texts": done.n_before,
        "copies": done.n_added,
        "names": done.names,
        "out": str(args.out),
    }
    print(json.dumps(summary, ensure_ascii=False))
    return ExitCode.SUCCESS
