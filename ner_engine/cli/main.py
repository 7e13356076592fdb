"""The entry point: parse the arguments, run the command, turn its errors into one sentence.

Each command loads only what it needs: ``--help`` and ``convert`` never load torch.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Final

from ner_engine.cli import (
    affixes,
    augment,
    calibrate,
    convert,
    curve,
    evaluate,
    label_errors,
    models,
    pack,
    pretrain,
    tag,
    train,
    unpack,
)
from ner_engine.cli.exit_codes import ExitCode
from ner_engine.errors import EngineError

#: Columns of the descriptions, which argparse does not wrap, because epilogs are laid out by hand.
_WIDTH: Final = 90
#: Each module has ``HELP``, ``EPILOG``, ``add_arguments(parser)`` and ``run(args)``.
COMMANDS: Final[Mapping[str, ModuleType]] = {
    "convert": convert,
    "tag": tag,
    "evaluate": evaluate,
    "train": train,
    "label-errors": label_errors,
    "curve": curve,
    "augment": augment,
    "pretrain": pretrain,
    "models": models,
    "affixes": affixes,
    "calibrate": calibrate,
    "pack": pack,
    "unpack": unpack,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    An engine error, or an operating system error, is printed as one sentence on standard error.
    """
    args = _parser().parse_args(argv)
    if getattr(args, "model_dir", None):
        # Read by the catalogue, here and in child processes.
        os.environ["SD_MODEL_DIR"] = str(args.model_dir)
    run: Callable[[argparse.Namespace], int] = args.run
    try:
        return run(args)
    except BrokenPipeError:
        # The reader has read enough. Without this Python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.SUCCESS
    except (EngineError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.FAILED
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ner_engine",
        description="Biomedical named entities in figure legends: convert, tag, train, evaluate.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=module.HELP,
            description=textwrap.fill(module.HELP, _WIDTH),
            epilog=module.EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser
