"""Arguments that several commands share."""

from __future__ import annotations

import argparse

import pytest

from ner_engine.cli.arguments import add_series, recipe_of, series_plan, settings_of
from ner_engine.errors import EngineError, TrainingError
from ner_engine.registry.hyperparameters import HYPERPARAMETERS, Learner
from ner_engine.registry.plans import CURVE, LABEL_ERRORS


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_series(parser, data="texts", max_steps=150)
    return parser.parse_args(["--data", "d", "--out", "o", *arguments])


def test_settings_are_pairs() -> None:
    args = parsed("--set", "epochs=2", "--set", "labels=A=B")
    assert settings_of(args) == {"epochs": "2", "labels": "A=B"}


def test_a_setting_without_a_value_is_refused() -> None:
    with pytest.raises(EngineError, match="--set epochs must be NAME=VALUE"):
        settings_of(parsed("--set", "epochs"))


@pytest.mark.parametrize(
    "name", [row.name for row in HYPERPARAMETERS.values() if row.learner != Learner.LANGUAGE_MODEL]
)
def test_every_row_of_the_table_can_be_set(name: str) -> None:
    default = HYPERPARAMETERS[name].default
    typed = ",".join(default) if isinstance(default, tuple) else str(default)
    assert getattr(recipe_of(parsed("--set", f"{name}={typed}")), name) == default


def test_a_plan_takes_the_base_of_its_recipe() -> None:
    plan = series_plan(parsed(), LABEL_ERRORS, folds=3, near_duplicate=0.5)
    assert plan.base == "bundled"
    assert plan.max_steps == 150


def test_a_plan_takes_the_options_of_its_command() -> None:
    plan = series_plan(parsed("--seed", "7", "--max-steps", "9"), CURVE, shares="0.5,1")
    assert plan.shares == (0.5, 1.0)
    assert plan.seed == 7
    assert plan.max_steps == 9


def test_an_impossible_plan_is_refused() -> None:
    with pytest.raises(TrainingError, match="folds"):
        series_plan(parsed(), LABEL_ERRORS, folds=1, near_duplicate=0.5)
