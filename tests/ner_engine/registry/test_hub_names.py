"""Names of models: where they are found, how they are downloaded, and how they are listed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from ner_engine.cli import main
from ner_engine.errors import ModelNotFoundError, UnsafeModelError
from ner_engine.registry.catalogue import MODEL_DIR, find, listing
from ner_engine.registry.known_models import KNOWN_MODELS
from tests.ner_engine.checkpoints import (
    as_snapshot,
)
from tests.ner_engine.registry.systems import CRAFT, SD_NER


@pytest.mark.parametrize("place", ["EMBO/sd-ner", "sd-ner"])
def test_a_folder_of_models_holds_them_by_name(tiny: Path, models: Path, place: str) -> None:
    shutil.copytree(tiny, models / place)
    found = find(SD_NER)
    assert found.name == SD_NER
    assert found.folder == models / place


def test_a_folder_of_models_may_be_a_hub_cache(tiny: Path, models: Path) -> None:
    assert find_folder(as_snapshot(tiny, models, SD_NER)) == find(SD_NER).folder


def find_folder(snapshot: Path) -> Path:
    assert find(snapshot).name == SD_NER, (
        "a snapshot is called by its hub name, so that the rules for that model hold"
    )
    return snapshot


def test_the_command_line_takes_the_folder_of_models(
    tiny: Path, cache: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MODEL_DIR, "")
    shutil.copytree(tiny, tmp_path / "models" / "sd-ner")
    assert main(["models", "--json", "--model-dir", str(tmp_path / "models")]) == 0
    assert {row["name"] for row in json.loads(capsys.readouterr().out) if row["here"]} == {
        "bundled",
        SD_NER,
    } | bundled_that_are_here()


def bundled_that_are_here() -> set[str]:
    return {listed.model.name for listed in listing() if listed.model.is_bundled and listed.is_here}


def test_a_revision_is_asked_for_by_name(tiny: Path, cache: Path) -> None:
    as_snapshot(tiny, cache, "org/model", revision="refs/pr/7")
    assert find("org/model@refs/pr/7").name == "org/model@refs/pr/7"
    with pytest.raises(ModelNotFoundError, match="hf download org/model --include"):
        find("org/model")


def test_a_known_revision_replaces_a_pickle_in_main(
    tiny: Path, cache: Path, tmp_path: Path
) -> None:
    pickled = shutil.copytree(tiny, tmp_path / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    as_snapshot(pickled, cache, SD_NER)
    with pytest.raises(
        UnsafeModelError, match=r"as a pickle.*hf download EMBO/sd-ner --revision refs/pr/2"
    ):
        find(SD_NER)
    good = as_snapshot(tiny, cache, SD_NER, revision="refs/pr/2")
    assert find(SD_NER).folder == good


def test_a_snapshot_without_its_pickles_is_complete(tiny: Path, cache: Path) -> None:
    """The hub's client keeps a list of what a repository holds and calls a snapshot without all of
    it incomplete."""
    snapshot = as_snapshot(tiny, cache, "org/model")
    trees = snapshot.parent.parent / "trees"
    trees.mkdir()
    (trees / f"{snapshot.name}.json").write_text(
        json.dumps([{"type": "file", "path": "pytorch_model.bin", "oid": "0", "size": 1}])
    )
    assert find("org/model").folder == snapshot


def test_a_missing_model_is_named_with_its_commands(cache: Path, vocabularies: Path) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        find(SD_NER)
    message = str(caught.value)
    assert (
        'hf download EMBO/sd-ner --revision refs/pr/2 --include "*.json" --include "*.safetensors"'
        in message
    )
    assert "hf download FacebookAI/roberta-base --include" in message
    as_snapshot(vocabularies / "roberta-base", cache, "FacebookAI/roberta-base")
    with pytest.raises(ModelNotFoundError) as caught:
        find(SD_NER)
    assert "roberta-base" not in str(caught.value)


def test_no_download_is_tried_offline(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "huggingface_hub.snapshot_download", lambda *_, **__: pytest.fail("a fetch was tried")
    )
    with pytest.raises(ModelNotFoundError, match="download it on a machine with a network"):
        find(SD_NER, may_fetch=True)


def test_a_download_takes_the_revision_with_safetensors(
    tiny: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []

    def fetch(name: str, **settings: Any) -> str:
        asked.append((name, settings))
        return str(tiny)

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    assert find(SD_NER, may_fetch=True).folder == tiny
    assert [(name, settings["revision"]) for name, settings in asked] == [(SD_NER, "refs/pr/2")]
    assert not any("bin" in pattern for pattern in asked[0][1]["allow_patterns"])


@pytest.mark.parametrize("name", ["../sd-ner", "a/b/c", "org/../model", "org/model@../x", "x y"])
def test_an_invalid_name_is_refused(cache: Path, name: str) -> None:
    with pytest.raises(ModelNotFoundError, match="not a hub name either"):
        find(name)


def test_the_list_says_which_models_are_here(cache: Path, tiny: Path, capsys: Any) -> None:
    as_snapshot(tiny, cache, SD_NER)
    assert main(["models"]) == 0
    text = capsys.readouterr().out
    assert "EMBO/sd-ner: here" in text
    assert "EMBO/sd-ner-v2: missing" in text
    assert "hf download EMBO/sd-ner-v2 --include" in text
    assert main(["models", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert set(rows) == set(KNOWN_MODELS)
    assert rows[SD_NER]["here"]
    assert not rows[SD_NER]["commands"]
    assert rows[CRAFT]["commands"][0].startswith(f"hf download {CRAFT} ")


def test_the_list_needs_no_torch() -> None:
    command = (
        "import sys; from ner_engine.registry.catalogue import listing; listing(); "
        "import ner_engine.registry.label_schemes; print('torch' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "False"
