"""Models as archives that other programs load."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.models import Project
from annotator.learning.models import ModelOrigin, ModelVersion
from annotator.learning.serving.archives import archive_name, model_archive, model_files
from annotator.learning.tagging.services import register_model, serving_model


def unzipped(pieces: Any, folder: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        archive.extractall(folder)
    (found,) = folder.iterdir()
    return found


@pytest.mark.django_db
def test_a_download_loads_with_plain_transformers(
    trained: ModelVersion, client_of: Callable[[User], Client], admin: User, tmp_path: Path
) -> None:
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    response = client_of(admin).get(
        reverse("admin:learning_modelversion_download", args=[trained.pk])
    )
    assert response["Content-Disposition"] == 'attachment; filename="autophagy-run-7.zip"'
    folder = unzipped(response.streaming_content, tmp_path / "out")
    assert {"config.json", "model.safetensors", "tokenizer.json", "README.md"} <= {
        path.name for path in folder.iterdir()
    }
    assert not (folder / "notes.txt").exists()
    model = AutoModelForTokenClassification.from_pretrained(folder)
    assert set(trained.labels) <= {
        label.removeprefix("B-") for label in model.config.id2label.values()
    }
    assert AutoTokenizer.from_pretrained(folder)("HeLa cells")["input_ids"]


@pytest.mark.django_db
def test_the_bundled_model_is_unpacked_for_a_download(project: Project, tmp_path: Path) -> None:
    from transformers import AutoModelForTokenClassification

    model = serving_model(project)
    folder = unzipped(model_archive(model=model, actor=SYSTEM), tmp_path / "out")
    loaded = AutoModelForTokenClassification.from_pretrained(folder)
    assert {parameter.dtype.is_floating_point for parameter in loaded.parameters()} == {True}
    assert not hasattr(loaded.config, "packed_weights")


@pytest.mark.django_db
def test_a_download_needs_the_right_to_export(
    trained: ModelVersion, curator: User, reviewer: User, tiny_folders: list[Path]
) -> None:
    with pytest.raises(PermissionDenied):
        model_archive(model=trained, actor=curator)
    assert next(iter(model_archive(model=trained, actor=reviewer)))


@pytest.mark.django_db
def test_changed_files_and_models_of_a_hub_are_not_given_away(
    trained: ModelVersion, tiny: ModelVersion, tiny_folders: list[Path]
) -> None:
    (Path(trained.path) / "config.json").write_text(
        (Path(trained.path) / "config.json").read_text() + " ", encoding="utf-8"
    )
    with pytest.raises(UserError, match="are not those it was registered with"):
        model_archive(model=trained, actor=SYSTEM)
    ModelVersion.objects.filter(pk=tiny.pk).update(origin=ModelOrigin.HUB)
    with pytest.raises(UserError, match="comes from a hub"):
        model_archive(model=register_model(location=str(tiny_folders[0])), actor=SYSTEM)


def test_the_name_of_an_archive_is_safe_as_a_file_name() -> None:
    assert archive_name(ModelVersion(name="../a b/c?")) == "a-b-c"


def test_an_archive_without_usable_characters_has_its_keys_name() -> None:
    assert archive_name(ModelVersion(pk=7, name="…")) == "model-7"


def test_only_files_of_a_model_belong_to_it(tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors", "notes.txt", "README.md", "optimizer.pt"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    assert model_files(tmp_path) == ["README.md", "config.json", "model.safetensors"]
