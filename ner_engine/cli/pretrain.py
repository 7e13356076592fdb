"""``pretrain``: train an encoder further as a masked language model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from ner_engine.cli.arguments import add_base, add_model_dir, add_training, recipe_of
from ner_engine.cli.events import Channel, run_options, run_with_events
from ner_engine.cli.exit_codes import OF_TRAINING
from ner_engine.formats import FORMATS

HELP: Final = (
    "Train an encoder further on unlabelled texts, as a masked language model. The result is a base"
    " model for `train`."
)
EPILOG: Final = f"""\
Standard output has one JSON object per line; "event" is its kind:
  start      recipe, base, new_head, steps, epochs, examples, texts by split, device, resumed_at
  step       step, steps, epoch, loss, learning_rate, examples_per_second, seconds_left
  eval       step, epoch, loss, recall, masked_loss, perplexity (at masked positions of
             held-out texts)
  done       out, scores by split (eval and test, if texts were held out)
  cancelled  step, steps (after SIGTERM or Ctrl-C: the step was finished and a checkpoint
             written)
  error      message
Everything else is written to standard error.
{OF_TRAINING}"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pretrain``."""
    add_model_dir(parser)
    parser.add_argument(
        "--recipe", default="bio-lm", metavar="NAME", help="recipe (default: bio-lm)"
    )
    parser.add_argument(
        "--texts",
        required=True,
        type=Path,
        nargs="+",
        metavar="PATH",
        help=(
            "files, folders or zips; a .txt file has one text per line; a folder with train.jsonl"
            " has its own splits, other texts are split by paper"
        ),
    )
    parser.add_argument(
        "--from",
        dest="source_format",
        default="",
        choices=["", *FORMATS],
        metavar="FORMAT",
        help="format of the texts (default: detected)",
    )
    add_base(
        parser,
        "as for train (default: the recipe's); with or without a masked-language-model head",
    )
    add_training(parser)


def run(args: argparse.Namespace) -> int:
    """Pre-train, and return the exit code."""
    return run_with_events(args, _pretrain)


def _pretrain(args: argparse.Namespace, channel: Channel) -> Path | None:
    recipe = recipe_of(args)
    from ner_engine.training.pretrain import pretrain  # noqa: PLC0415 - torch

    return pretrain(
        recipe,
        texts=args.texts,
        base=args.base or recipe.base,
        source_format=args.source_format,
        **run_options(args, channel),
    )
