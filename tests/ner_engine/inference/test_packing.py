"""Packed checkpoints: what this engine reads from them, and that other programs refuse them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForTokenClassification, pipeline

from ner_engine.errors import UnsafeModelError
from ner_engine.inference.packing import pack, read_weights, unpack
from ner_engine.inference.tagger import load_tagger
from ner_engine.registry.catalogue import BUNDLED_FOLDERS, find
from tests.ner_engine.checkpoints import edit_config, save_bert

TEXT = "HeLa cells were treated with rapamycin."


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return save_bert(tmp_path / "plain")


@pytest.fixture
def packed(plain: Path, tmp_path: Path) -> Path:
    pack(plain, tmp_path / "packed", [TEXT])
    return tmp_path / "packed"


def config_of(folder: Path) -> dict[str, object]:
    config: dict[str, object] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return config


@pytest.mark.parametrize("folder", BUNDLED_FOLDERS.values(), ids=lambda folder: folder.name)
def test_stock_transformers_refuses_a_bundled_model(folder: Path) -> None:
    with pytest.raises(ValueError, match="packed-bert"):
        AutoModelForTokenClassification.from_pretrained(folder, local_files_only=True)


def test_a_stock_pipeline_refuses_a_packed_folder(packed: Path) -> None:
    with pytest.raises(ValueError, match="packed-bert"):
        pipeline("token-classification", model=str(packed))


def test_the_engine_reads_the_own_type_of_a_packed_model(packed: Path) -> None:
    assert config_of(packed)["model_type"] == "packed-bert"
    assert find(packed).config["model_type"] == "bert"


def test_a_packed_model_can_be_packed_again(packed: Path, tmp_path: Path) -> None:
    pack(packed, tmp_path / "again", None)
    assert config_of(tmp_path / "again") == config_of(packed)


def test_an_unpacked_bundled_model_works_in_stock_transformers(tmp_path: Path) -> None:
    unpack(BUNDLED_FOLDERS["bundled"], tmp_path / "unpacked")
    assert config_of(tmp_path / "unpacked")["model_type"] == "bert"
    stock = pipeline(
        "token-classification", model=str(tmp_path / "unpacked"), aggregation_strategy="first"
    )
    ours = load_tagger("bundled", device="cpu", precision="fp32").tag([TEXT])[0]
    theirs = [(each["start"], each["end"], each["entity_group"]) for each in stock(TEXT)]
    assert theirs == [(span.start, span.end, span.label) for span in ours]


def test_a_packed_folder_of_an_older_version_still_loads(packed: Path) -> None:
    edit_config(packed, model_type="bert")
    assert find(packed).config["model_type"] == "bert"
    weights = read_weights(packed, config_of(packed))
    assert all(tensor.dtype == torch.float32 for tensor in weights.values())


def test_an_unknown_packing_is_refused_with_what_to_do(packed: Path) -> None:
    edit_config(packed, packed_weights="int4-blocks-9")
    with pytest.raises(UnsafeModelError, match=r"packed as int4-blocks-9.*update the program"):
        read_weights(packed, config_of(packed))
