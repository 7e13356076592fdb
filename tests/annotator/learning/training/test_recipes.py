"""A row of the engine's table of hyperparameters reaches the site's form and its checks."""

from __future__ import annotations

import pytest

from annotator.common.errors import UserError
from annotator.corpus.models import Project
from annotator.learning.forms.training import StartForm
from annotator.learning.training.recipes import (
    check_hyperparameter,
    checked_hyperparameters,
    defaults_of,
    hyperparameters,
    recipes,
)
from ner_engine.registry.hyperparameters import HYPERPARAMETERS, Learner

#: The rows that a person can set for a training run of the site.
ASKED = [
    row.name
    for row in HYPERPARAMETERS.values()
    if row.learner != Learner.LANGUAGE_MODEL and not row.selects_examples
]


def test_the_site_offers_the_rows_of_token_classifiers() -> None:
    assert [each.name for each in hyperparameters()] == ASKED


@pytest.mark.django_db
def test_the_form_has_a_field_for_every_offered_row() -> None:
    form = StartForm(projects=Project.objects.all())
    assert set(form.fields) == {"snapshot", "recipe", "base", *ASKED}


@pytest.mark.parametrize("name", ASKED)
def test_a_run_accepts_the_default_of_every_offered_row(name: str) -> None:
    default = HYPERPARAMETERS[name].default
    assert checked_hyperparameters("quick", {name: default})[name] == default


@pytest.mark.parametrize("name", ASKED)
def test_an_unreadable_value_of_any_row_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=name):
        check_hyperparameter(name, "?")


def test_a_recipe_states_a_default_for_every_offered_row() -> None:
    for facts in recipes().values():
        assert list(defaults_of(facts)) == ASKED
