"""``unpack``: write a packed model in the format that other programs read."""

from __future__ import annotations

import argparse
from typing import Final

from ner_engine.cli.arguments import add_new_folder
from ner_engine.cli.exit_codes import OF_ONE_RESULT, ExitCode

HELP: Final = "Write a packed model in the format that any Hugging Face program reads."
EPILOG: Final = OF_ONE_RESULT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``unpack``."""
    parser.add_argument(
        "--model",
        default="bundled",
        metavar="bundled|DIR",
        help="a packed model (default: bundled)",
    )
    add_new_folder(parser)


def run(args: argparse.Namespace) -> int:
    """Write the unpacked model, and return the exit code."""
    from ner_engine.inference.packing import unpack  # noqa: PLC0415 - torch
    from ner_engine.registry.catalogue import find  # noqa: PLC0415

    unpack(find(args.model).folder, args.out)
    return ExitCode.SUCCESS
