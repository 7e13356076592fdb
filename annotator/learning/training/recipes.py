"""Recipes and hyperparameters of the training runs that the site offers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from annotator.common.errors import UserError
from ner_engine.errors import TrainingError
from ner_engine.registry.hyperparameters import (
    HYPERPARAMETERS,
    Hyperparameter,
    Learner,
    checked_value,
)
from ner_engine.registry.plans import plan_of
from ner_engine.registry.recipes import FILL_MASK, RECIPES, Recipe
from ner_engine.registry.tasks import TASKS
from ner_engine.schema import Document

DEFAULT_RECIPE: Final = "quick"


def recipes() -> dict[str, Recipe]:
    """Return the recipes that learn from reviewed legends, by name."""
    return {name: recipe for name, recipe in RECIPES.items() if recipe.task != FILL_MASK}


def recipe_named(name: str) -> Recipe:
    """Return the recipe ``name``. Raise ``UserError`` if there is none."""
    known = recipes()
    if name not in known:
        raise UserError(f"There is no recipe {name}; there are {', '.join(known)}.")
    return known[name]


def hyperparameters() -> list[Hyperparameter]:
    """Return the hyperparameters that a training run of the site can be given."""
    return [
        row
        for row in HYPERPARAMETERS.values()
        if row.learner != Learner.LANGUAGE_MODEL and not row.selects_examples
    ]


def defaults_of(recipe: Recipe) -> dict[str, Any]:
    """Return the recipe's value of each hyperparameter that the site offers."""
    return {row.name: getattr(recipe, row.name) for row in hyperparameters()}


def check_hyperparameter(name: str, value: str) -> None:
    """Raise ``UserError`` if ``name`` does not permit the value, whatever the others are."""
    try:
        checked_value(name, value)
    except TrainingError as error:
        raise UserError(f"{error}.") from error


def checked_hyperparameters(recipe: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return all hyperparameters of a run: the recipe's, replaced by those in ``settings``.

    Raises ``UserError`` if the recipe, a name or a value is not permitted.
    """
    texts = {name: str(value) for name, value in settings.items()}
    try:
        changed = recipe_named(recipe).with_settings(texts)
    except TrainingError as error:
        raise UserError(f"{error}.") from error
    return defaults_of(changed)


def check_series(
    *, program: str, recipe: str, base: str, settings: Mapping[str, Any], options: Mapping[str, Any]
) -> None:
    """Raise ``UserError`` if the engine would refuse the training series.

    ``program`` is a value of ``SeriesKind``; an empty ``base`` stands for the recipe's.
    """
    texts = {name: str(value) for name, value in settings.items()}
    try:
        plan_of(program, recipe=recipe, base=base, settings=texts, options=options).check()
    except TrainingError as error:
        raise UserError(f"{error}.") from error


def example_rule(recipe: str) -> Callable[[Document], bool]:
    """Return a function that says whether the recipe uses a row of a snapshot as an example."""
    rules = recipe_named(recipe)
    task = TASKS[rules.task]
    labelled_only = rules.panels == "labelled"

    def is_example(document: Document) -> bool:
        if len(document.text) <= rules.min_characters:
            return False
        return task.is_example(document, labelled_only=labelled_only)

    return is_example
