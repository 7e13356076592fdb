"""What a wheel or an image of the program holds: the bundled model, the demo's legends, and the
names of whose work they are."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from safetensors import safe_open

ROOT = Path(__file__).resolve().parents[2]
BUNDLED = ROOT / "ner_engine/bundled/sd-ner-mini"
MODELS = sorted(BUNDLED.parent.iterdir())


def test_every_data_file_is_named_as_package_data() -> None:
    named = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "setuptools"
    ]["package-data"]
    found = {
        path
        for package, patterns in named.items()
        for pattern in patterns
        for path in ROOT.joinpath(*package.split(".")).glob(pattern)
    }
    for package in ("annotator", "ner_engine"):
        data = {
            path
            for path in (ROOT / package).rglob("*")
            if path.is_file() and path.suffix not in {".py", ".pyc"}
        }
        assert data - found == set()
    assert BUNDLED / "model.safetensors" in found
    assert ROOT / "annotator/demo_data/legends/01-autophagy.txt" in found


def test_the_bundled_models_are_small() -> None:
    assert {model.name for model in MODELS} == {
        "sd-ner-mini",
        "sd-panels-mini",
        "sd-geneprod-roles-mini",
        "sd-smallmol-roles-mini",
    }
    assert sum(path.stat().st_size for model in MODELS for path in model.iterdir()) <= 60_000_000


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_a_bundled_model_has_tensors_alone_and_a_full_card(
    model: Path,
) -> None:
    assert {path.suffix for path in model.iterdir()} == {".safetensors", ".json", ".md"}
    with safe_open(model / "model.safetensors", framework="numpy") as weights:
        assert any("classifier" in name for name in weights.keys())  # noqa: SIM118 - no mapping
    card = (model / "README.md").read_text(encoding="utf-8")
    for words in (
        "SHA-256 of the data",
        "CC BY 4.0",
        "python -m ner_engine train",
        "python -m ner_engine evaluate",
        "## What was tried",
        "| micro average",
    ):
        assert words in card


def test_the_notice_names_all_third_party_work() -> None:
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    for words in (
        "all-MiniLM-L6-v2",
        "Apache License 2.0",
        "SourceData (EMBO)",
        "CC BY 4.0",
        "10.1038/nmeth.4471",
        "annotator/demo_data/",
        "htmx",
    ):
        assert words in notice
    for path in re.findall(r"\b(?:ner_engine|annotator)/[\w./-]*\w/?", notice):
        assert (ROOT / path).exists(), path
