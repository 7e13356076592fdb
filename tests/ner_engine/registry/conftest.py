"""A hub cache, a folder of models, and a tiny model for the tests of the registry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from ner_engine.registry.catalogue import MODEL_DIR
from tests.ner_engine.checkpoints import save_roberta
from tests.ner_engine.registry.systems import SD_NER, labels_of


@pytest.fixture(autouse=True)
def _same_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The command line writes the folder of models into the environment; each test has its own."""
    monkeypatch.setenv(MODEL_DIR, "")
    yield


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache, offline."""
    folder = tmp_path / "hub"
    folder.mkdir()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.delenv(MODEL_DIR, raising=False)
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_roberta(tmp_path_factory.mktemp("tiny") / "tiny", labels=labels_of(SD_NER))


@pytest.fixture
def models(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv(MODEL_DIR, str(folder))
    return folder


@pytest.fixture
def vocabularies(shared_dir: Path) -> Path:
    return shared_dir / "tokenizers"
