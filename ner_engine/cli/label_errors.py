"""``label-errors``: rank labels that a cross-validated model disagrees with."""

from __future__ import annotations

import argparse
from typing import Any, Final

from ner_engine.cli.arguments import add_series, series_plan
from ner_engine.cli.events import Channel, run_options, run_with_events
from ner_engine.cli.exit_codes import OF_TRAINING
from ner_engine.registry.plans import FEW_STEPS, LABEL_ERRORS

HELP: Final = "Rank labels that a cross-validated model disagrees with."
EPILOG: Final = f"""\
Standard output has one JSON object per line, as for `train`; step and steps count over all
trainings. Further events:
  part       part, number, parts (a training starts)
  looking    done, of (texts that its model has read)
  part_done  part, number, parts (stored in --out; --resume does not repeat the training)
  done       out, and the result; --out has result.json
{OF_TRAINING}"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``label-errors``."""
    add_series(
        parser,
        data="labelled texts as for train; all of train, eval and test that exist are searched",
        max_steps=FEW_STEPS,
    )
    parser.add_argument(
        "--folds",
        type=int,
        default=3,
        metavar="N",
        help="number of trainings; each model reads the papers of one fold (default: 3)",
    )
    parser.add_argument(
        "--near-duplicate",
        type=float,
        default=0.5,
        metavar="SIMILARITY",
        help="texts of at least this similarity (0-1) share a fold (default: 0.5)",
    )


def run(args: argparse.Namespace) -> int:
    """Search for label errors, and return the exit code."""
    return run_with_events(args, _find_label_errors)


def _find_label_errors(args: argparse.Namespace, channel: Channel) -> dict[str, Any] | None:
    plan = series_plan(args, LABEL_ERRORS, folds=args.folds, near_duplicate=args.near_duplicate)
    from ner_engine.training.label_errors import find_label_errors  # noqa: PLC0415 - torch

    return find_label_errors(plan, data=args.data, **run_options(args, channel))
