"""Settings of cross-validation and learning curves: permitted values, and sentences for others."""

from __future__ import annotations

from typing import Any

import pytest

from ner_engine.errors import TrainingError
from ner_engine.registry.plans import (
    CURVE,
    FEW_STEPS,
    LABEL_ERRORS,
    SHARES,
    Curve,
    Search,
    plan_of,
    shares_of,
)
from ner_engine.registry.recipes import recipe_named


def plan(program: str, recipe: str = "quick", base: str = "", **options: Any) -> Search | Curve:
    return plan_of(program, recipe=recipe, base=base, settings={}, options=options)


def test_label_errors_have_three_folds_by_default() -> None:
    search = plan(LABEL_ERRORS)
    assert isinstance(search, Search)
    assert search.folds == 3
    assert search.max_steps == FEW_STEPS == 150
    assert search.near_duplicate == 0.5


def test_an_empty_base_is_that_of_the_recipe() -> None:
    assert plan(LABEL_ERRORS).base == "bundled"
    assert plan(LABEL_ERRORS, base="folder").base == "folder"


def test_settings_change_the_recipe() -> None:
    changed = plan_of(CURVE, recipe="quick", base="", settings={"epochs": "7"}, options={})
    assert changed.recipe.epochs == 7.0


def test_a_curve_takes_its_fractions_from_a_text() -> None:
    curve = plan(CURVE, shares="0.5,1", max_steps=4)
    assert isinstance(curve, Curve)
    assert curve.shares == (0.5, 1.0)
    assert curve.max_steps == 4


def test_a_curve_has_four_fractions_by_default() -> None:
    curve = plan(CURVE)
    assert isinstance(curve, Curve)
    assert curve.shares == SHARES == (0.1, 0.25, 0.5, 1.0)


@pytest.mark.parametrize("text", ["", "0.5;1", "half", "0.5,,1"])
def test_a_text_that_is_no_list_of_numbers_is_refused(text: str) -> None:
    with pytest.raises(TrainingError, match="must be numbers separated by commas"):
        shares_of(text)


@pytest.mark.parametrize("folds", [2, 3, 20])
def test_two_to_twenty_folds_are_permitted(folds: int) -> None:
    Search(recipe_named("quick"), "bundled", folds).check()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"folds": 1}, "choose 2 to 20 folds, not 1"),
        ({"folds": 21}, "choose 2 to 20 folds, not 21"),
        ({"max_steps": -1}, "there cannot be -1 steps"),
        ({"near_duplicate": 0.0}, "must lie above 0 and be at most 1, not 0"),
        ({"near_duplicate": 1.01}, "at most 1, not 1.01"),
        ({"recipe": recipe_named("panelization")}, "panelization learns panels"),
        ({"recipe": recipe_named("bio-lm")}, "bio-lm learns fill_mask"),
    ],
)
def test_a_search_with_other_settings_is_refused(changes: dict[str, Any], sentence: str) -> None:
    settings: dict[str, Any] = {"recipe": recipe_named("quick"), "base": "bundled"} | changes
    with pytest.raises(TrainingError, match=sentence):
        Search(**settings).check()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"shares": (0.0, 1.0)}, "above 0"),
        ({"shares": (0.5, 1.01)}, "at most 1"),
        ({"shares": (0.5, 0.5)}, "two points or more"),
        ({"max_steps": -2}, "there cannot be -2 steps"),
        ({"recipe": recipe_named("panelization")}, "does not learn from panels"),
        ({"recipe": recipe_named("bio-lm")}, "does not learn from panels"),
    ],
)
def test_a_curve_with_other_settings_is_refused(changes: dict[str, Any], sentence: str) -> None:
    settings: dict[str, Any] = {"recipe": recipe_named("quick"), "base": "bundled"} | changes
    with pytest.raises(TrainingError, match=sentence):
        Curve(**settings).check()


def test_a_curve_for_roles_is_permitted() -> None:
    Curve(recipe_named("geneprod-roles"), "bundled", (0.5, 1.0), 0).check()


def test_the_recipe_is_checked_too() -> None:
    broken = recipe_named("quick").with_settings({"labels": "CELL"})
    object.__setattr__(broken, "labels", ())
    with pytest.raises(TrainingError, match="labels must name each entity type once"):
        Search(broken, "bundled").check()


def test_an_unknown_recipe_is_refused() -> None:
    with pytest.raises(TrainingError, match="there is no recipe fast"):
        plan(CURVE, recipe="fast")
