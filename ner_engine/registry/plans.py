"""What a series of short trainings is asked for, checked before anything is loaded: this module
needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ner_engine.duplicates import THRESHOLD
from ner_engine.errors import TrainingError
from ner_engine.registry.recipes import Recipe, recipe_named
from ner_engine.registry.tasks import ENTITIES, TASKS

SHARES: Final = (0.1, 0.25, 0.5, 1.0)
#: Steps of a training that only has to tell what does not fit the other papers.
FEW_STEPS: Final = 150
_FOLDS: Final = (2, 20)
#: The names of the commands.
LABEL_ERRORS: Final = "label-errors"
CURVE: Final = "curve"


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for label errors with: ``folds`` trainings by ``recipe`` from ``base``, of at
    most ``max_steps`` steps each (0: the recipe's)."""

    recipe: Recipe
    base: str | Path
    folds: int = 3
    max_steps: int = FEW_STEPS
    seed: int = 42
    near_duplicate: float = THRESHOLD

    def check(self) -> None:
        """Raise ``TrainingError`` for settings that cannot be."""
        self.recipe.check()
        if self.recipe.task != ENTITIES.name:
            raise TrainingError(
                f"label errors are looked for among entities, and {self.recipe.name} learns"
                f" {self.recipe.task}; take another recipe"
            )
        if not _FOLDS[0] <= self.folds <= _FOLDS[1]:
            raise TrainingError(
                f"there must be {_FOLDS[0]} to {_FOLDS[1]} folds, so that a model reads what it has"
                f" not seen, not {self.folds}"
            )
        _check_steps(self.max_steps)
        if not 0 < self.near_duplicate <= 1:
            raise TrainingError(
                "the similarity of near duplicates must lie above 0 and be at most 1, not"
                f" {self.near_duplicate:g}"
            )


@dataclass(frozen=True, slots=True)
class Curve:
    """Trainings by ``recipe`` from ``base`` on ``shares`` (0-1) of the papers, of at most
    ``max_steps`` steps each (0: as the recipe says)."""

    recipe: Recipe
    base: str | Path
    shares: tuple[float, ...] = SHARES
    max_steps: int = 0
    seed: int = 42

    def check(self) -> None:
        """Raise ``TrainingError`` for settings that cannot be."""
        self.recipe.check()
        if self.recipe.task not in TASKS or not TASKS[self.recipe.task].by_panel:
            raise TrainingError(
                f"{self.recipe.name} does not learn from panels, over which a curve is drawn; take"
                " a recipe for entities or roles"
            )
        if any(not 0 < share <= 1 for share in self.shares):
            raise TrainingError(
                "each share must lie above 0 and be at most 1, such as 0.1, 0.25, 0.5 and 1"
            )
        if len(set(self.shares)) < 2:
            raise TrainingError(
                "a curve needs two points or more; name several shares, such as 0.25, 0.5 and 1"
            )
        _check_steps(self.max_steps)


def _check_steps(max_steps: int) -> None:
    if max_steps < 0:
        raise TrainingError(
            f"there cannot be {max_steps} steps; give a number, or 0 for as many as the recipe has"
        )


def shares_of(typed: str) -> tuple[float, ...]:
    """The shares in "0.25,0.5,1". Raises ``TrainingError`` for what is no list of numbers."""
    try:
        return tuple(float(part) for part in typed.split(","))
    except ValueError as error:
        raise TrainingError(
            f'the shares "{typed}" must be numbers with commas between them, such as 0.25,0.5,1'
        ) from error


def plan_of(
    program: str,
    *,
    recipe: str,
    base: str | Path,
    settings: Mapping[str, str],
    options: Mapping[str, Any],
) -> Search | Curve:
    """What the command ``program`` is asked for by its ``options``; an empty ``base`` is the
    recipe's. Raises ``TrainingError``."""
    chosen = recipe_named(recipe).with_settings(settings)
    begins_with = base or chosen.base
    if program == LABEL_ERRORS:
        return Search(chosen, begins_with, **options)
    shares = shares_of(str(options["shares"])) if "shares" in options else SHARES
    return Curve(
        chosen,
        begins_with,
        shares,
        **{name: value for name, value in options.items() if name != "shares"},
    )
