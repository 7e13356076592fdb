"""``train``: fine-tune a model by a recipe."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import Final

from ner_engine.cli.arguments import add_base, add_model_dir, add_training, recipe_of
from ner_engine.cli.events import Channel, run_options, run_with_events
from ner_engine.cli.exit_codes import OF_TRAINING
from ner_engine.registry.hyperparameters import HYPERPARAMETERS

HELP: Final = "Fine-tune a model by a recipe."
EPILOG: Final = f"""\
{textwrap.fill("Hyperparameters: " + ", ".join(sorted(HYPERPARAMETERS)), width=92)}

Standard output has one JSON object per line; "event" is its kind:
  start      recipe, base, labels, steps, epochs, examples, processes, packed, precision,
             device, resumed_at, examples_per_step (over all processes)
  step       step, steps, epoch, loss, learning_rate, examples_per_second, seconds_left,
             memory_bytes (peak)
  eval       step, epoch, loss, eval_loss, by_label, micro, macro, words with accuracy and
             by_word (scores on held-out texts)
  blending:  shares (number of compared fractions of the base; blend=auto)
  blend      share_of_base, micro_f1 as [fraction of the base model, F1 on eval]
  done       out, weights_of_steps (empty: the last step), scores by split (eval, and test
             if there is a test.jsonl)
  cancelled  step, steps (after SIGTERM or Ctrl-C: the step was finished and a checkpoint
             written)
  error      message
A recipe with augment_share trains twice; events of the first training have
"phase": "augmented". Everything else is written to standard error.

Several accelerators or hosts: accelerate launch --multi_gpu --num_processes N -m ner_engine
train ... Only the first process prints events, and batch_size counts the examples of a step
over all processes. The launcher has its own exit codes; the last event shows how the run ended.
{OF_TRAINING}"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``train``."""
    add_model_dir(parser)
    parser.add_argument(
        "--recipe",
        required=True,
        metavar="NAME",
        help="such as quick, sd-ner, panelization or geneprod-roles",
    )
    parser.add_argument(
        "--data",
        required=True,
        type=Path,
        metavar="DIR",
        help="folder with train, eval and test as .jsonl (project JSONL, sd-nlp) or .iob2",
    )
    add_base(
        parser,
        "a folder, bundled, or a name in the local Hugging Face cache (default: the recipe's)",
    )
    add_training(parser)


def run(args: argparse.Namespace) -> int:
    """Train, and return the exit code."""
    return run_with_events(args, _train)


def _train(args: argparse.Namespace, channel: Channel) -> Path | None:
    recipe = recipe_of(args)
    from ner_engine.training.fine_tune import train  # noqa: PLC0415 - torch

    return train(
        recipe, data=args.data, base=args.base or recipe.base, **run_options(args, channel)
    )
