"""``curve``: measure a learning curve over growing numbers of papers."""

from __future__ import annotations

import argparse
from typing import Any, Final

from ner_engine.cli.arguments import add_series, series_plan
from ner_engine.cli.events import Channel, run_options, run_with_events
from ner_engine.cli.label_errors import EPILOG as SERIES_EPILOG
from ner_engine.registry.plans import CURVE

HELP: Final = (
    "Train on growing numbers of papers, and evaluate each model on the same held-out papers."
)
EPILOG: Final = SERIES_EPILOG


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``curve``."""
    add_series(parser, data="labelled texts as for train, with a test split", max_steps=0)
    parser.add_argument(
        "--shares",
        default="0.1,0.25,0.5,1",
        metavar="LIST",
        help="fractions of the training papers (default: 0.1,0.25,0.5,1)",
    )


def run(args: argparse.Namespace) -> int:
    """Measure the learning curve, and return the exit code."""
    return run_with_events(args, _learning_curve)


def _learning_curve(args: argparse.Namespace, channel: Channel) -> dict[str, Any] | None:
    plan = series_plan(args, CURVE, shares=args.shares)
    from ner_engine.training.learning_curve import learning_curve  # noqa: PLC0415 - torch

    return learning_curve(plan, data=args.data, **run_options(args, channel))
