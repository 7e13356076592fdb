"""Settings of cross-validation for label errors and of learning curves.

They are checked before a model is loaded; this module does not need torch.
"""

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
#: Steps per fold of a cross-validation. A model for comparison needs no full training.
FEW_STEPS: Final = 150
_MIN_FOLDS: Final = 2
_MAX_FOLDS: Final = 20
#: The names of the commands.
LABEL_ERRORS: Final = "label-errors"
CURVE: Final = "curve"


@dataclass(frozen=True, slots=True)
class Search:
    """Settings of a search for label errors by cross-validation.

    Each of ``folds`` models is trained with ``recipe`` from ``base`` for at most ``max_steps``
    steps (0: as many as the recipe has). Texts with a similarity of at least ``near_duplicate``
    (Jaccard index of shingles, 0-1) are in one fold.
    """

    recipe: Recipe
    base: str | Path
    folds: int = 3
    max_steps: int = FEW_STEPS
    seed: int = 42
    near_duplicate: float = THRESHOLD

    def check(self) -> None:
        """Raise ``TrainingError`` if a setting is not permitted."""
        self.recipe.check()
        if self.recipe.task != ENTITIES.name:
            raise TrainingError(
                f"label errors are looked for among entities, but {self.recipe.name} learns"
                f" {self.recipe.task}; choose a recipe for entities"
            )
        if not _MIN_FOLDS <= self.folds <= _MAX_FOLDS:
            raise TrainingError(f"choose {_MIN_FOLDS} to {_MAX_FOLDS} folds, not {self.folds}")
        _check_steps(self.max_steps)
        if not 0 < self.near_duplicate <= 1:
            raise TrainingError(
                "the similarity of near duplicates must lie above 0 and be at most 1, not"
                f" {self.near_duplicate:g}"
            )


@dataclass(frozen=True, slots=True)
class Curve:
    """Settings of a learning curve.

    One model is trained for each of ``shares``, the fractions of the papers (0-1), with ``recipe``
    from ``base`` for at most ``max_steps`` steps (0: as many as the recipe has).
    """

    recipe: Recipe
    base: str | Path
    shares: tuple[float, ...] = SHARES
    max_steps: int = 0
    seed: int = 42

    def check(self) -> None:
        """Raise ``TrainingError`` if a setting is not permitted."""
        self.recipe.check()
        if self.recipe.task not in TASKS or not TASKS[self.recipe.task].by_panel:
            raise TrainingError(
                f"{self.recipe.name} does not learn from panels, so it has no learning curve;"
                " choose a recipe for entities or roles"
            )
        if any(not 0 < share <= 1 for share in self.shares):
            raise TrainingError(
                "each fraction must be above 0 and at most 1, such as 0.1, 0.25, 0.5 and 1"
            )
        if len(set(self.shares)) < 2:
            raise TrainingError(
                "a learning curve needs two points or more; give several fractions, such as 0.25,"
                " 0.5 and 1"
            )
        _check_steps(self.max_steps)


def _check_steps(max_steps: int) -> None:
    if max_steps < 0:
        raise TrainingError(
            f"there cannot be {max_steps} steps; give a positive number, or 0 for as many as the"
            " recipe has"
        )


def shares_of(typed: str) -> tuple[float, ...]:
    """Return the fractions in a text such as "0.25,0.5,1".

    Raise ``TrainingError`` if the text is not a list of numbers.
    """
    try:
        return tuple(float(part) for part in typed.split(","))
    except ValueError as error:
        raise TrainingError(
            f'the fractions "{typed}" must be numbers separated by commas, such as 0.25,0.5,1'
        ) from error


def plan_of(
    program: str,
    *,
    recipe: str,
    base: str | Path,
    settings: Mapping[str, str],
    options: Mapping[str, Any],
) -> Search | Curve:
    """Return the settings of the command ``program`` (``LABEL_ERRORS`` or ``CURVE``).

    ``settings`` replace hyperparameters of the recipe, ``options`` are the fields of ``Search`` or
    ``Curve``. An empty ``base`` means that of the recipe. Raise ``TrainingError`` for an unknown
    recipe or a value that cannot be parsed.
    """
    chosen = recipe_named(recipe).with_settings(settings)
    base = base or chosen.base
    if program == LABEL_ERRORS:
        return Search(chosen, base, **options)
    changes = dict(options)
    if "shares" in changes:
        changes["shares"] = shares_of(str(changes["shares"]))
    return Curve(chosen, base, **changes)
