"""The table of hyperparameters: one row is enough for recipes, settings and their checks."""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path
from typing import Any

import pytest

import ner_engine
from ner_engine.errors import TrainingError
from ner_engine.registry.hyperparameters import (
    HYPERPARAMETERS,
    Hyperparameter,
    Hyperparameters,
    Learner,
    checked_value,
    hyperparameters,
    rows_of,
)
from ner_engine.registry.recipes import FILL_MASK, Recipe, recipe_named

ROWS = pytest.mark.parametrize("row", HYPERPARAMETERS.values(), ids=HYPERPARAMETERS.keys())


def read_of_recipes(folder: Path) -> set[str]:
    """Return the names that the modules of ``folder`` read of a recipe."""
    names = set()
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value).endswith("recipe"):
                names.add(node.attr)
    return names


def typed(value: Any) -> str:
    """Return the value as a user types it."""
    return ",".join(value) if isinstance(value, tuple) else str(value)


def test_every_row_is_a_field_of_a_recipe() -> None:
    others = {"name", "about", "base", "task"}
    assert {field.name for field in dataclasses.fields(Recipe)} == set(HYPERPARAMETERS) | others


def test_every_field_of_the_table_is_a_row() -> None:
    assert list(HYPERPARAMETERS) == [field.name for field in dataclasses.fields(Hyperparameters)]


def test_the_training_code_uses_every_row() -> None:
    training = Path(ner_engine.__file__).parent / "training"
    assert set(HYPERPARAMETERS) - read_of_recipes(training) == set()


@ROWS
def test_a_row_says_what_it_means_in_a_sentence(row: Hyperparameter) -> None:
    assert row.meaning.endswith(".")
    assert row.permitted


@ROWS
def test_a_row_permits_its_default(row: Hyperparameter) -> None:
    row.check(row.default)


@ROWS
def test_a_row_parses_its_default_as_typed(row: Hyperparameter) -> None:
    assert row.parse(typed(row.default)) == row.default


@ROWS
def test_a_setting_of_any_row_reaches_the_recipe(row: Hyperparameter) -> None:
    recipe = recipe_named("bio-lm" if row.learner == Learner.LANGUAGE_MODEL else "quick")
    changed = recipe.with_settings({row.name: typed(row.default)})
    assert getattr(changed, row.name) == row.default


@ROWS
def test_a_row_is_listed_for_its_learner_alone(row: Hyperparameter) -> None:
    for_tagger = Recipe(name="a", about="").hyperparameters()
    for_language_model = Recipe(name="a", about="", task=FILL_MASK).hyperparameters()
    has_labels = row.name == "labels"
    assert (row.name in for_tagger) == (row.learner != Learner.LANGUAGE_MODEL and not has_labels)
    assert (row.name in for_language_model) == (row.learner != Learner.TAGGER and not has_labels)


@pytest.mark.parametrize("row", [row for row in hyperparameters() if row.is_number])
def test_a_number_outside_its_range_is_refused(row: Hyperparameter) -> None:
    for value in (row.low - 1, row.high + 1):
        with pytest.raises(TrainingError, match=f"{row.name} must lie between"):
            row.check(value)


@pytest.mark.parametrize("row", [row for row in hyperparameters() if row.is_number])
def test_both_ends_of_a_range_are_permitted(row: Hyperparameter) -> None:
    row.check(row.low)
    row.check(row.high)


@pytest.mark.parametrize("row", [row for row in hyperparameters() if row.choices])
def test_a_word_that_is_not_a_choice_is_refused(row: Hyperparameter) -> None:
    with pytest.raises(TrainingError, match=f"{row.name} must be one of"):
        row.check("something else")


def test_a_row_added_to_a_table_is_parsed_checked_and_listed() -> None:
    @dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
    class Longer(Hyperparameters):
        momentum: float = dataclasses.field(
            default=0.5,
            metadata={"row": Hyperparameter("", 0.5, "Momentum of SGD.", low=0.0, high=1.0)},
        )

    row = rows_of(Longer)["momentum"]
    assert row.permitted == "0 to 1"
    assert row.parse("0.25") == 0.25
    with pytest.raises(TrainingError, match="momentum must lie between 0 and 1, not 2"):
        row.check(2.0)


@pytest.mark.parametrize(
    ("name", "permitted"),
    [
        ("warmup", "0 to 1"),
        ("adam_epsilon", "1e-12 to 0.01"),
        ("batch_size", "whole number, 1 to 4,096"),
        ("keep", "last or best"),
        ("gradient_checkpointing", "true or false"),
        ("labels", "names, separated by commas"),
    ],
)
def test_permitted_values_are_described(name: str, permitted: str) -> None:
    assert HYPERPARAMETERS[name].permitted == permitted


def test_a_value_is_checked_without_regard_to_the_others() -> None:
    assert checked_value("average", "3") == 3


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("average", "-1", "average must lie between 0 and 1000, not -1"),
        ("seed", "9" * 60, "not 99999999999999999999$"),
        ("epochs", "many", "epochs cannot be 'many'; give 0.001 to 1,000"),
        ("batch_size", "1.5", "batch_size cannot be '1.5'"),
        ("base", "x", "there is no hyperparameter base; there are adam_beta1"),
    ],
)
def test_an_impossible_value_is_refused(name: str, text: str, sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        checked_value(name, text)


@pytest.mark.parametrize(("text", "value"), [("on", True), ("False", False), (" 1 ", True)])
def test_booleans_are_read_in_several_spellings(text: str, value: bool) -> None:
    assert checked_value("gradient_checkpointing", text) is value


def test_names_are_stripped_and_empty_ones_dropped() -> None:
    assert checked_value("labels", " A, ,B ,") == ("A", "B")
