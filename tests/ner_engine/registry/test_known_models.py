"""The known models: their facts, and how a name leads to them."""

from __future__ import annotations

import json

import pytest

from ner_engine.registry.known_models import KNOWN_MODELS, known_model
from ner_engine.registry.label_schemes import SCHEMES
from ner_engine.registry.recipes import RECIPES
from tests.ner_engine.registry.systems import CRAFT, SD_NER, labels_of


def test_each_known_model_has_a_scheme_and_a_recipe() -> None:
    for model in KNOWN_MODELS.values():
        labels = {label[2:] for label in model.id2label} - {""}
        assert model.about
        assert model.licence
        assert model.citation
        assert model.recipe in RECIPES
        if model.scheme in SCHEMES:
            assert labels <= set(SCHEMES[model.scheme].labels)
        else:
            assert model.task != "entities"
        assert (model.task == "fill_mask") == (not model.id2label)
        assert known_model(model.name.rpartition("/")[2]) == model


@pytest.mark.parametrize(
    "name", ["EMBO/sd-ner", "sd-ner", "EMBO/sd-ner@refs/pr/2", "somewhere/sd-ner", "sd-ner@main"]
)
def test_a_model_is_known_by_any_form_of_its_name(name: str) -> None:
    model = known_model(name)
    assert model is not None
    assert model.name == SD_NER


@pytest.mark.parametrize("name", ["", "sd", "EMBO", "EMBO/sd-ner-v9", "sd-ner/model"])
def test_an_unknown_name_is_none(name: str) -> None:
    assert known_model(name) is None


def test_bundled_models_are_those_of_the_product() -> None:
    assert [model.name for model in KNOWN_MODELS.values() if model.is_bundled] == [
        "bundled",
        "bundled-panels",
        "bundled-geneprod-roles",
        "bundled-smallmol-roles",
    ]


def test_labels_keep_the_published_order() -> None:
    assert labels_of(SD_NER)[:3] == ("O", "I-SMALL_MOLECULE", "B-SMALL_MOLECULE")
    assert labels_of("EMBO/sd-ner-v2")[:3] == ("O", "B-SMALL_MOLECULE", "I-SMALL_MOLECULE")
    assert labels_of(CRAFT)[-1] == "O"


@pytest.mark.parametrize(
    ("name", "own"), [("bundled", True), (SD_NER, False), ("EMBO/sd-ner-v2", True), (CRAFT, True)]
)
def test_a_model_says_whose_tokenizer_it_uses(name: str, own: bool) -> None:
    assert KNOWN_MODELS[name].has_own_tokenizer is own


def test_a_tokenizer_of_another_model_has_a_hub_name() -> None:
    for model in KNOWN_MODELS.values():
        if not model.has_own_tokenizer:
            assert model.tokenizer_names


def test_the_facts_of_a_model_are_json() -> None:
    facts = KNOWN_MODELS[SD_NER].as_json()
    assert facts["name"] == SD_NER
    assert json.loads(json.dumps(facts))["tokenizer_names"] == [
        "FacebookAI/roberta-base",
        "roberta-base",
    ]
