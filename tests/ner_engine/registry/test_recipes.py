"""Recipes: the published figures, other values over them, and sentences for what cannot be."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ner_engine.errors import TrainingError
from ner_engine.registry.recipes import (
    FILL_MASK,
    RECIPES,
    Recipe,
    checked_value,
    hyperparameters,
    recipe_named,
)
from ner_engine.registry.tasks import TASKS
from ner_engine.schema import ENTITY_LABELS

#: What the authors of the five systems state of their runs.
PUBLISHED: dict[str, dict[str, Any]] = {
    "sd-ner": {
        "epochs": 0.6,
        "batch_size": 16,
        "learning_rate": 1e-4,
        "max_length": 512,
        "labels": ENTITY_LABELS[:7],
    },
    "scibert-jnlpba": {
        "epochs": 6.0,
        "batch_size": 32,
        "learning_rate": 5e-5,
        "max_length": 128,
        "warmup": 0.1,
        "dropout": 0.3,
        "keep": "best",
        "evals_per_epoch": 1.0,
        "labels": ("protein", "cell_type", "DNA", "cell_line", "RNA"),
    },
    "bio-lm": {
        "epochs": 3.0,
        "batch_size": 16,
        "learning_rate": 5e-5,
        "max_length": 512,
        "task": FILL_MASK,
    },
    "craft-augmented-transfer": {
        "epochs": 4.0,
        "batch_size": 8,
        "learning_rate": 3e-5,
        "seed": 42,
        "augment_share": 0.2,
    },
    "biobert-craft": {
        "epochs": 4.0,
        "batch_size": 8,
        "learning_rate": 3e-5,
        "seed": 42,
        "augment_share": 0.0,
    },
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_five_systems_have_the_hyperparameters_that_their_authors_state(name: str) -> None:
    recipe = recipe_named(name)
    wanted = {
        "weight_decay": 0.0,
        "adam_beta1": 0.9,
        "adam_beta2": 0.999,
        "adam_epsilon": 1e-8,
        "schedule": "linear",
    } | PUBLISHED[name]
    assert {field: getattr(recipe, field) for field in wanted} == wanted


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES.keys())
def test_every_recipe_can_be_run_and_none_can_be_changed_in_place(recipe: Recipe) -> None:
    recipe.check()
    assert recipe.task in {*TASKS, FILL_MASK}
    assert recipe.base
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.epochs = 9.0  # type: ignore[misc]


def test_other_values_are_read_as_their_fields_types() -> None:
    settings = {
        "epochs": "0.5",
        "batch_size": "4",
        "keep": "best",
        "labels": "A, B",
        "gradient_checkpointing": "on",
        "label_smoothing": "0.1",
    }
    changed = recipe_named("sd-ner").with_settings(settings)
    assert changed.epochs == 0.5
    assert changed.batch_size == 4
    assert changed.keep == "best"
    assert changed.labels == ("A", "B")
    assert changed.gradient_checkpointing is True
    assert changed.label_smoothing == 0.1
    assert (
        recipe_named("sd-ner")
        .with_settings({"gradient_checkpointing": str(False)})
        .gradient_checkpointing
        is False
    )


def test_what_a_recipe_was_run_with_makes_the_same_recipe_again() -> None:
    asked = recipe_named("quick").with_settings(
        {"class_weights": "balanced", "gradient_checkpointing": "True", "patience": "3"}
    )
    told = {name: str(value) for name, value in asked.hyperparameters().items() if name != "task"}
    assert recipe_named("quick").with_settings(told) == asked


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"speed": "9"}, "there is no hyperparameter speed"),
        ({"task": "panels"}, "there is no hyperparameter task"),
        ({"epochs": "many"}, "epochs cannot be 'many'"),
        ({"gradient_checkpointing": "perhaps"}, "gradient_checkpointing cannot be 'perhaps'"),
        ({"label_smoothing": "2"}, "label_smoothing must lie between 0 and 0.9"),
        ({"keep": "first"}, "keep must be one of last, best"),
        ({"labels": "A,A"}, "labels must name each entity type once"),
        ({"labels": "auto,A"}, "labels must be auto, or name the entity types"),
        ({"keep": "best", "average": "3"}, "not both"),
        ({"patience": "2", "evals_per_epoch": "0"}, "set evals_per_epoch above 0"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(settings: dict[str, str], sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        recipe_named("sd-ner").with_settings(settings)


def test_a_language_model_takes_nothing_that_is_about_labels() -> None:
    with pytest.raises(TrainingError, match="class_weights"):
        recipe_named("bio-lm").with_settings({"class_weights": "balanced"})
    assert "class_weights" not in recipe_named("bio-lm").hyperparameters()
    assert "mask_share" not in recipe_named("sd-ner").hyperparameters()


def test_an_unknown_recipe_is_answered_with_those_there_are() -> None:
    with pytest.raises(TrainingError, match="sd-ner, sd-ner-mini"):
        recipe_named("sd-nerd")


def test_every_field_but_what_makes_a_recipe_this_one_has_a_meaning_and_says_what_it_may_be() -> (
    None
):
    told = {each.name: each for each in hyperparameters()}
    assert set(told) == {field.name for field in dataclasses.fields(Recipe)} - {
        "name",
        "about",
        "base",
        "task",
    }
    assert all(each.meaning and each.permitted for each in told.values())
    assert told["warmup"].permitted == "0 to 1"
    assert told["batch_size"].permitted == "whole number, 1 to 4,096"
    assert told["keep"].permitted == "last or best"
    assert told["gradient_checkpointing"].permitted == "true or false"


def test_a_value_is_checked_by_itself_whatever_the_others_are() -> None:
    assert checked_value("average", "3") == 3
    for name, value, sentence in (
        ("average", "-1", "average must lie between"),
        ("seed", "9" * 60, "not 9999"),
        ("base", "x", "no hyperparameter"),
    ):
        with pytest.raises(TrainingError, match=sentence):
            checked_value(name, value)
