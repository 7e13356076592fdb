"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ner_engine.errors import EngineError
from ner_engine.registry.recipes import Recipe, recipe_named


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add ``--model``, ``--model-dir`` and ``--device``."""
    parser.add_argument(
        "--model",
        default="bundled",
        metavar="bundled|NAME|DIR",
        help="bundled, a hub name, or a folder (default: bundled)",
    )
    add_model_dir(parser)
    parser.add_argument(
        "--device",
        metavar="cpu|cuda|cuda:N",
        help="the device to run on (default: an accelerator if there is one)",
    )


def add_model_dir(parser: argparse.ArgumentParser) -> None:
    """Add ``--model-dir``."""
    text = (
        "a folder of models by name: DIR/EMBO/sd-ner, DIR/sd-ner, or DIR/models--EMBO--sd-ner as in"
        " a hub cache (default: SD_MODEL_DIR)"
    )
    parser.add_argument("--model-dir", type=Path, metavar="DIR", help=text)


def add_base(parser: argparse.ArgumentParser, text: str) -> None:
    """Add ``--base``, the model whose weights a training starts from."""
    parser.add_argument("--base", metavar="DIR_OR_NAME", help=text)


def add_run(parser: argparse.ArgumentParser, *, out: str, resume: str) -> None:
    """Add ``--out``, ``--resume`` and ``--set``, with help texts for the first two."""
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help=out)
    parser.add_argument("--resume", action="store_true", help=resume)
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a hyperparameter to another value than the recipe's; may be repeated",
    )


def add_training(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a command that trains one model (see ``add_run``)."""
    add_run(
        parser,
        out="receives checkpoints during the run and model/ at the end",
        resume="continue from the last checkpoint in --out, or start if there is none",
    )


def add_new_folder(parser: argparse.ArgumentParser) -> None:
    """Add ``--out`` for a folder that the command creates."""
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="a folder that does not exist yet"
    )


def values_by_name(option: str, form: str, pairs: Sequence[str]) -> dict[str, str]:
    """Return the pairs of an option; ``form`` is how they are written, such as NAME=VALUE.

    Raise ``EngineError`` for one without an equals sign.
    """
    values = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise EngineError(f"{option} {pair} must be {form}")
        values[name] = value
    return values


def settings_of(args: argparse.Namespace) -> dict[str, str]:
    """Return the hyperparameters of ``--set``."""
    return values_by_name("--set", "NAME=VALUE", args.settings)


def recipe_of(args: argparse.Namespace) -> Recipe:
    """Return the recipe of ``--recipe`` with the values of ``--set``."""
    return recipe_named(args.recipe).with_settings(settings_of(args))


def add_series(parser: argparse.ArgumentParser, *, data: str, max_steps: int) -> None:
    """Add the arguments of a training series; ``data`` is the help text of ``--data``."""
    add_model_dir(parser)
    parser.add_argument("--recipe", default="quick", metavar="NAME", help="recipe (default: quick)")
    parser.add_argument("--data", required=True, type=Path, metavar="DIR", help=data)
    add_base(parser, "as for train (default: the recipe's)")
    add_run(
        parser,
        out="receives the results; models are not kept",
        resume="continue an interrupted run in --out",
    )
    parser.add_argument(
        "--max-steps",
        type=int,
        default=max_steps,
        metavar="N",
        help=f"maximum steps of each training; 0: as the recipe says (default: {max_steps})",
    )
    parser.add_argument(
        "--seed", type=int, default=42, help="seed that assigns papers (default: 42)"
    )


def series_plan(args: argparse.Namespace, program: str, **options: Any) -> Any:
    """Return the plan of a training series. Raise ``TrainingError`` if it is impossible."""
    from ner_engine.registry.plans import plan_of  # noqa: PLC0415

    plan = plan_of(
        program,
        recipe=args.recipe,
        base=args.base or "",
        settings=settings_of(args),
        options={**options, "max_steps": args.max_steps, "seed": args.seed},
    )
    plan.check()
    return plan
