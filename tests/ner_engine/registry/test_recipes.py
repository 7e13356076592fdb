"""Recipes: published values, changed values, and refused ones."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ner_engine.errors import TrainingError
from ner_engine.registry.recipes import (
    FILL_MASK,
    RECIPES,
    Recipe,
    recipe_named,
)
from ner_engine.registry.tasks import TASKS
from ner_engine.schema import ENTITY_LABELS

#: The values that the authors of the five systems published.
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
def test_five_systems_have_their_published_hyperparameters(name: str) -> None:
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
def test_every_recipe_can_be_run(recipe: Recipe) -> None:
    recipe.check()
    assert recipe.task in {*TASKS, FILL_MASK}
    assert recipe.base


def test_a_recipe_cannot_be_changed_in_place() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe_named("quick").epochs = 9.0  # type: ignore[misc]


def test_settings_are_parsed_by_the_type_of_their_row() -> None:
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


def test_settings_leave_other_values_alone() -> None:
    changed = recipe_named("sd-ner").with_settings({"epochs": "2"})
    assert changed == dataclasses.replace(recipe_named("sd-ner"), epochs=2.0)


def test_stored_hyperparameters_restore_the_recipe() -> None:
    asked = recipe_named("quick").with_settings(
        {"class_weights": "balanced", "gradient_checkpointing": "True", "patience": "3"}
    )
    stored = {name: str(value) for name, value in asked.hyperparameters().items() if name != "task"}
    assert recipe_named("quick").with_settings(stored) == asked


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
        ({"keep": "best", "average": "3"}, "exclude each other"),
        ({"patience": "2", "evals_per_epoch": "0"}, "set evals_per_epoch above 0"),
    ],
)
def test_an_impossible_setting_is_refused(settings: dict[str, str], sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        recipe_named("sd-ner").with_settings(settings)


def test_a_language_model_refuses_label_settings() -> None:
    with pytest.raises(TrainingError, match="does not use class_weights"):
        recipe_named("bio-lm").with_settings({"class_weights": "balanced"})


def test_a_language_model_lists_no_label_settings() -> None:
    listed = recipe_named("bio-lm").hyperparameters()
    assert "mask_share" in listed
    assert "class_weights" not in listed


def test_a_token_classifier_lists_no_mask_settings() -> None:
    listed = recipe_named("sd-ner").hyperparameters()
    assert "class_weights" in listed
    assert "mask_share" not in listed


def test_an_unknown_task_is_refused() -> None:
    with pytest.raises(TrainingError, match="there is no task sentiment"):
        dataclasses.replace(recipe_named("quick"), task="sentiment").check()


def test_an_unknown_recipe_is_refused_with_the_known_names() -> None:
    with pytest.raises(TrainingError, match="sd-ner, sd-ner-mini"):
        recipe_named("sd-nerd")
