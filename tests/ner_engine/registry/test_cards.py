"""Model cards: sections, scores, and the licence in the front matter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_engine.registry.cards import (
    RunRecord,
    WeightAveraging,
    card,
    licence_in,
    split_card,
    table,
    with_licence,
)
from ner_engine.registry.recipes import recipe_named


def scores(f1: float, support: int = 4) -> dict[str, Any]:
    figures = {"precision": f1, "recall": f1, "f1": f1, "support": support}
    return {"by_label": {"CELL": figures}, "micro": figures, "macro": figures}


def evaluation(f1: float) -> dict[str, Any]:
    words = scores(f1) | {"accuracy": 0.9876, "by_word": scores(f1)}
    return {"documents": 1234} | scores(f1) | {"words": words}


def event(step: int, f1: float) -> dict[str, Any]:
    return {"epoch": step / 2, "step": step, "loss": 0.25, "eval_loss": 0.5} | evaluation(f1)


RECORD = RunRecord(
    recipe=recipe_named("quick"),
    base="org/base",
    command="python -m ner_engine train",
    labels=("CELL", "GENEPROD"),
    counts={"train": 12345, "test": 67},
    data_hash="abc123",
    history=(event(1, 0.5), event(2, 0.75)),
    scores={"eval": evaluation(0.75), "test": evaluation(0.5)},
    versions={"torch": "2.0", "python": "3.12"},
    machine="CPU in 2 threads",
)


def test_the_sections_are_those_of_a_model_hub() -> None:
    headings = [line for line in card(RECORD).splitlines() if line.startswith("#")]
    assert headings == [
        "# quick",
        "## Model description",
        "## Intended uses & limitations",
        "## Training data",
        "## Training procedure",
        "### Hyperparameters",
        "### Evaluations during training",
        "## Eval results",
        "### On eval (1,234 texts)",
        "### On test (1,234 texts)",
        "## Licence",
    ]


def test_a_card_begins_with_front_matter_for_the_hub() -> None:
    text = card(RECORD)
    assert text.startswith("---\npipeline_tag: token-classification\nlibrary_name: transformers\n")
    assert licence_in(text) == ""


@pytest.mark.parametrize(
    "sentence",
    [
        "Predicts entities in figure legends",
        "Labels: CELL, GENEPROD. Base model: org/base.",
        "Texts: 12,345 train, 67 test.",
        "SHA-256 of the data: `abc123`.",
        "Made with torch 2.0, python 3.12, on CPU in 2 threads.",
        "| learning_rate | 0.0002 |",
        "| 0.50 | 1 | 0.2500 | 0.5000 | 0.5000 | 0.5000 | 0.5000 | 0.9876 |  |",
        "| micro average | 0.7500 | 0.7500 | 0.7500 | 4 |",
        "(accuracy over all words 0.9876)",
        'pipeline("token-classification", model="FOLDER"',
        "The card of org/base names no licence.",
    ],
)
def test_a_card_states_the_facts_of_the_run(sentence: str) -> None:
    assert sentence in card(RECORD)


def test_a_role_model_is_used_by_our_command_only() -> None:
    text = card(replace(RECORD, recipe=recipe_named("geneprod-roles")))
    assert "python -m ner_engine tag" in text
    assert "from transformers import pipeline" not in text


def test_kept_weights_are_marked() -> None:
    text = card(replace(RECORD, weights_of=(2,)))
    assert "| 1.00 | 2 | 0.2500 | 0.5000 | 0.7500 | 0.7500 | 0.7500 | 0.9876 | kept |" in text
    assert "mean of the weights" not in text


def test_mean_weights_are_explained() -> None:
    text = card(replace(RECORD, weights_of=(1, 2)))
    assert text.count("| kept |") == 2
    assert "The model has the mean of the weights marked as kept." in text


def test_a_split_that_chose_the_weights_is_marked() -> None:
    text = card(replace(RECORD, weights_of=(2,)))
    assert "### On eval, by which the weights were chosen (1,234 texts)" in text
    assert "### On test (1,234 texts)" in text


def test_weight_averaging_is_explained() -> None:
    text = card(replace(RECORD, blend=WeightAveraging(0.25, {0.0: 0.5, 0.25: 0.625})))
    assert (
        "The weights are a mixture: 25% of the base's and 75% of the trained ones; micro F1 on the"
        " eval split by that fraction: 0%: 0.5000, 25%: 0.6250." in text
    )
    assert "### On eval, by which the weights were chosen" in text


def test_weight_averaging_without_measurement_chose_nothing() -> None:
    text = card(replace(RECORD, blend=WeightAveraging(0.5)))
    assert "50% of the base's and 50% of the trained ones." in text
    assert "### On eval (1,234 texts)" in text


def test_a_run_without_evaluations_says_so() -> None:
    text = card(replace(RECORD, history=(), scores={}))
    assert "The recipe asks for no evaluation during training." in text
    assert "There was no held-out split, so the model was not evaluated." in text


def test_an_evaluation_without_a_loss_has_an_empty_cell() -> None:
    bare = event(1, 0.5) | {"loss": None}
    assert "| 0.50 | 1 |  | 0.5000 |" in card(replace(RECORD, history=(bare,)))


def test_the_licence_of_the_base_is_named() -> None:
    assert "org/base is under mit." in card(replace(RECORD, base_licence="mit"))


def test_weight_averaging_is_stored_with_six_digits() -> None:
    assert WeightAveraging(0.25, {0.5: 2 / 3}).as_json() == {
        "share_of_base": 0.25,
        "micro_f1": [[0.5, 0.666667]],
    }


@pytest.mark.parametrize(
    ("front", "licence"),
    [
        ("license: MIT", "mit"),
        ("tags: a\nlicense: cc-by-4.0\nlanguage: en", "cc-by-4.0"),
        ("license:\n- apache-2.0\n- mit", "apache-2.0"),
        ("license: [mit, other]", "mit"),
        ("license: 'MIT'", "mit"),
        ("tags: a", ""),
        ("sublicense: mit", ""),
    ],
)
def test_the_licence_is_read_from_the_front_matter(front: str, licence: str) -> None:
    assert licence_in(f"---\n{front}\n---\n# Model\n") == licence


def test_the_licence_is_read_from_windows_lines() -> None:
    assert licence_in("---\r\nlicense: mit\r\n---\r\n# Model\r\n") == "mit"


@pytest.mark.parametrize("text", ["", "license: mit\n", "# Model\n---\nlicense: mit\n---\n"])
def test_a_text_without_front_matter_names_no_licence(text: str) -> None:
    assert licence_in(text) == ""


def test_a_cell_of_a_table_stays_one_cell() -> None:
    assert table(("a", "b"), [("x|y", "two\nlines")]) == (
        "| a | b |\n| --- | --- |\n| x/y | two lines |"
    )


@given(st.text(max_size=200), st.sampled_from(["mit", "cc-by-4.0"]))
def test_a_licence_changes_nothing_else_in_a_card(text: str, licence: str) -> None:
    for front in ("", "---\ntags:\n- a\n---\n", "---\nlicense: other\ntags: a\n---\n"):
        changed = with_licence(front + text, licence)
        assert licence_in(changed) == licence
        assert changed.endswith(text.replace("\r\n", "\n"))


@pytest.mark.parametrize(
    "named",
    [
        "license: [mit, other]",
        "license:\n- mit\n- other",
        "license: 'MIT' # as said",
        "license:\n  - mit",
    ],
)
def test_one_licence_replaces_several(named: str) -> None:
    card = f"---\ntags: a\n{named}\nlanguage: en\n---\n# Ours\n"
    assert licence_in(card) == "mit"
    assert (
        with_licence(card, "cc-by-4.0")
        == "---\ntags: a\nlicense: cc-by-4.0\nlanguage: en\n---\n# Ours\n"
    )


def test_an_empty_licence_is_filled() -> None:
    card = "---\nlicense:\ntags: a\n---\n"
    assert with_licence(card, "mit") == "---\nlicense: mit\ntags: a\n---\n"


def test_a_card_is_split_after_its_front_matter() -> None:
    assert split_card("---\r\ntags: a\r\n---\r\n# Ours\r\n") == ("tags: a", "# Ours\n")


def test_a_card_without_front_matter_is_all_markdown() -> None:
    assert split_card("# Ours\n---\n") == (None, "# Ours\n---\n")
