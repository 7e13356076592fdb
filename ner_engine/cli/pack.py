"""``pack``: write a small copy of a model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from ner_engine.cli.arguments import add_new_folder
from ner_engine.cli.exit_codes import OF_ONE_RESULT, ExitCode
from ner_engine.schema import texts_of

HELP: Final = "Make a model small: int8 weights, and only the tokens that a training text uses."
EPILOG: Final = OF_ONE_RESULT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pack``."""
    parser.add_argument("--model", required=True, type=Path, metavar="DIR", help="a trained model")
    parser.add_argument(
        "--texts",
        type=Path,
        metavar="FILE.jsonl",
        help="the training texts whose tokens are kept (default: keep all tokens)",
    )
    add_new_folder(parser)


def run(args: argparse.Namespace) -> int:
    """Write the packed model, print its size, and return the exit code."""
    from ner_engine.inference.packing import pack  # noqa: PLC0415 - torch
    from ner_engine.training.data import read_panels  # noqa: PLC0415 - torch

    texts = None
    if args.texts:
        texts = texts_of(read_panels(args.texts))
    pack(args.model, args.out, texts)
    n_bytes = sum(path.stat().st_size for path in args.out.iterdir())
    print(f"{n_bytes / 1e6:.1f} MB")
    return ExitCode.SUCCESS
