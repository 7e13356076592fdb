"""Checks of model folders: pickles, code, missing parts, labels and tokenizers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ner_engine.errors import ModelNotFoundError, UnsafeModelError
from ner_engine.inference.loading import load_classifier, load_tokenizer, save_tokenizer
from ner_engine.registry.catalogue import find
from ner_engine.registry.checkpoint_files import has_tokenizer, n_parameters
from tests.ner_engine.checkpoints import (
    SENTENCES,
    as_snapshot,
    edit_config,
    save_with_vocabulary,
)
from tests.ner_engine.registry.systems import JNLPBA, SD_NER, labels_of


def test_a_pickle_is_refused_with_ways_to_safetensors(
    tiny: Path, cache: Path, tmp_path: Path
) -> None:
    pickled = shutil.copytree(tiny, tmp_path / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    as_snapshot(pickled, cache, JNLPBA)
    with pytest.raises(
        UnsafeModelError,
        match=r"on a machine that holds nothing of value, or take a revision.*refs/pr/N",
    ):
        find(JNLPBA)
    with pytest.raises(UnsafeModelError, match=r"on a machine that holds nothing of value$"):
        find(pickled)


def test_a_model_without_weights_is_not_found(tiny: Path, cache: Path, tmp_path: Path) -> None:
    bare = shutil.copytree(tiny, tmp_path / "bare")
    (bare / "model.safetensors").unlink()
    as_snapshot(bare, cache, JNLPBA)
    with pytest.raises(ModelNotFoundError, match=r"holds no weights.*may have a pickle only"):
        find(JNLPBA)


def test_a_part_of_the_weights_that_is_missing_is_named(tiny: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny, tmp_path / "model")
    weights = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors").rename(folder / weights["a"])
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weights}))
    with pytest.raises(ModelNotFoundError, match=r"model-00002-of-00002\.safetensors"):
        find(folder)


def test_a_model_without_a_tokenizer_names_the_missing_one(
    tiny: Path, cache: Path, tmp_path: Path
) -> None:
    for name in (SD_NER, "org/unknown"):
        bare = shutil.copytree(tiny, tmp_path / name)
        (bare / "tokenizer.json").unlink()
        as_snapshot(bare, cache, name)
    with pytest.raises(
        ModelNotFoundError,
        match=(
            "uses the tokenizer of FacebookAI/roberta-base, which is not here; download it: hf"
            " download"
        ),
    ):
        find(SD_NER)
    with pytest.raises(ModelNotFoundError, match="org/unknown has no tokenizer"):
        find("org/unknown")


def test_a_tokenizer_that_does_not_fit_is_refused(
    tiny: Path, cache: Path, tmp_path: Path, vocabularies: Path
) -> None:
    bare = shutil.copytree(tiny, tmp_path / "sd-ner")
    (bare / "tokenizer.json").unlink()
    as_snapshot(vocabularies / "roberta-base", cache, "roberta-base")
    with pytest.raises(UnsafeModelError, match="its tokenizer has 50265 tokens, its weights"):
        load_tokenizer(find(bare))
    with pytest.raises(UnsafeModelError, match="its tokenizer has"):
        load_tokenizer(find(edit_config(shutil.copytree(tiny, tmp_path / "small"), vocab_size=7)))


@pytest.mark.parametrize("text", ["{", '{"version": "1.0"}'])
def test_a_broken_tokenizer_is_said_in_a_sentence(tiny: Path, tmp_path: Path, text: str) -> None:
    folder = shutil.copytree(tiny, tmp_path / "model")
    (folder / "tokenizer.json").write_text(text)
    with pytest.raises(UnsafeModelError, match="its tokenizer cannot be read"):
        load_tokenizer(folder)


def test_a_trained_model_gets_the_tokenizer_of_its_base(
    cache: Path, vocabularies: Path, tmp_path: Path
) -> None:
    saved = save_with_vocabulary(
        tmp_path / "model", vocabularies / "roberta-base", labels=labels_of(SD_NER)
    )
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        (saved / name).unlink()
    as_snapshot(saved, cache, SD_NER)
    as_snapshot(vocabularies / "roberta-base", cache, "roberta-base")
    (tmp_path / "trained").mkdir()
    save_tokenizer(find(SD_NER), tmp_path / "trained")
    assert (
        load_tokenizer(tmp_path / "trained").encode(SENTENCES[0]).ids
        == load_tokenizer(find(SD_NER)).encode(SENTENCES[0]).ids
    )


def broken(tiny: Path, tmp_path: Path, **changes: Any) -> Path:
    return edit_config(shutil.copytree(tiny, tmp_path / "broken"), **changes)


@pytest.mark.parametrize("key", ["auto_map", "custom_pipelines", "trust_remote_code"])
def test_a_config_that_asks_for_code_is_refused(tiny: Path, tmp_path: Path, key: str) -> None:
    with pytest.raises(UnsafeModelError, match=rf"run its own code \({key}\)"):
        find(broken(tiny, tmp_path, **{key: {"AutoModel": "model.Model"}}))


def test_a_tokenizer_that_asks_for_code_is_refused(tiny: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny, tmp_path / "model")
    (folder / "tokenizer_config.json").write_text('{"auto_map": {"AutoTokenizer": "t.T"}}')
    with pytest.raises(UnsafeModelError, match="run its own code"):
        find(folder)


@pytest.mark.parametrize(
    ("id2label", "sentence"),
    [
        (["O", "B-CELL"], "must map numbers to label names"),
        ({"zero": "O"}, "must map numbers to label names"),
        ({"0": "O", "2": "B-CELL"}, "each number from 0 a different name"),
        ({"0": "O", "1": "O"}, "each number from 0 a different name"),
        ({"0": "O", "1": ""}, "each number from 0 a different name"),
        ({"0": "O", "1": 7}, "each number from 0 a different name"),
        ({"0": "LABEL_0", "1": "LABEL_1"}, "has no label list"),
        ({}, "has no label list"),
    ],
)
def test_a_bad_label_list_is_refused(
    tiny: Path, tmp_path: Path, id2label: Any, sentence: str
) -> None:
    with pytest.raises(UnsafeModelError, match=sentence):
        find(broken(tiny, tmp_path, id2label=id2label))


def test_labels_are_in_the_order_of_their_numbers(tiny: Path, tmp_path: Path) -> None:
    folder = broken(tiny, tmp_path, id2label={"10": "I-X", **{str(n): f"B-{n}" for n in range(10)}})
    assert find(folder).id2label == (*(f"B-{n}" for n in range(10)), "I-X")


def test_a_folder_without_a_config_is_no_model(tiny: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny, tmp_path / "model")
    (folder / "config.json").unlink()
    with pytest.raises(ModelNotFoundError, match=r"has no config\.json; a model folder has"):
        find(folder)


@pytest.mark.parametrize(("text", "sentence"), [("{", "is not JSON"), ("[]", "not a JSON object")])
def test_a_broken_config_is_refused(tiny: Path, tmp_path: Path, text: str, sentence: str) -> None:
    folder = shutil.copytree(tiny, tmp_path / "model")
    (folder / "config.json").write_text(text)
    with pytest.raises(UnsafeModelError, match=sentence):
        find(folder)


def test_a_pickle_beside_safetensors_is_refused(tiny: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny, tmp_path / "model")
    (folder / "optimizer.PT").write_bytes(b"")
    with pytest.raises(UnsafeModelError, match=r"pickled files \(optimizer\.PT\)"):
        find(folder)


def test_an_index_without_a_weight_map_is_refused(tiny: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny, tmp_path / "model")
    (folder / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(UnsafeModelError, match="has no weight_map"):
        find(folder)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["tokenizer.json"], True),
        (["vocab.txt"], True),
        (["vocab.json", "merges.txt"], True),
        (["spiece.model"], True),
        (["vocab.json"], False),
        (["merges.txt", "config.json"], False),
    ],
)
def test_a_complete_tokenizer_is_recognised(
    tmp_path: Path, files: list[str], expected: bool
) -> None:
    for name in files:
        (tmp_path / name).touch()
    assert has_tokenizer(tmp_path) is expected


def test_parameters_are_counted_in_the_headers(tiny: Path) -> None:
    checkpoint = find(tiny)
    network = load_classifier(checkpoint)
    assert checkpoint.n_parameters == sum(each.numel() for each in network.parameters())


@pytest.mark.parametrize("data", [b"", b"\x08\0\0\0\0\0\0\0no json!", b"\xff" * 8])
def test_a_file_that_is_not_safetensors_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(data)
    with pytest.raises(UnsafeModelError, match="is not a safetensors file"):
        n_parameters("model", tmp_path / "model.safetensors")
