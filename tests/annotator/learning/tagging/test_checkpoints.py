"""Facts about the files of a model."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from annotator.common.errors import UserError
from annotator.corpus.models import Document, Project
from annotator.jobs.models import Job
from annotator.learning.models import ModelVersion
from annotator.learning.tagging.checkpoints import inspect_model, verify_model
from annotator.learning.tagging.services import (
    find_model,
    register_model,
)
from ner_engine.errors import EngineError, UnsafeModelError
from tests.annotator.commands import run_command

pytestmark = pytest.mark.django_db
ImportLegends = Callable[..., list[Document]]


def test_a_model_without_a_named_task_for_its_roles_is_refused(
    tmp_path: Path, step_folders: dict[str, Path]
) -> None:
    from tests.ner_engine.checkpoints import edit_config

    shutil.copytree(step_folders["geneprod_roles"], tmp_path / "roles")
    with pytest.raises(UnsafeModelError, match='write "span_task" into its config'):
        register_model(location=str(edit_config(tmp_path / "roles", span_task=None)))


def poisoned(folder: Path, how: str) -> Path:
    """A tiny checkpoint that must not be loaded."""
    from tests.ner_engine.checkpoints import edit_config, save_bert

    save_bert(folder, labels=None if how == "no labels" else ("O", "B-CELL", "I-CELL"))
    if how == "pickle":
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    if how == "pickle beside":
        (folder / "optimizer.pt").touch()
    if how == "remote code":
        edit_config(folder, auto_map={"AutoModelForTokenClassification": "evil.Model"})
    return folder


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ("pickle", "as a pickle"),
        ("pickle beside", "holds pickled files"),
        ("no labels", "has no label list"),
        ("remote code", "asks to run its own code"),
    ],
)
def test_an_unsafe_checkpoint_neither_tags_nor_is_trained_from(
    how: str,
    sentence: str,
    project: Project,
    tiny: ModelVersion,
    import_legends: ImportLegends,
    tmp_path: Path,
) -> None:
    import_legends(1, labels="gold")
    folder = poisoned(tmp_path / "poisoned", how)
    with pytest.raises(EngineError, match=sentence):
        find_model(name=str(folder), project=project)
    for command in (["pretag", "autophagy", "--model"], ["train", "autophagy", "--base"]):
        ended = run_command(*command, folder)
        assert ended.code == 2, ended.err
        assert sentence in ended.err, ended.err
    assert list(ModelVersion.objects.all()) == [tiny]
    assert not Job.objects.exists()


def test_facts_name_the_task_and_the_labels(step_folders: dict[str, Path]) -> None:
    facts = inspect_model(step_folders["panels"])
    assert facts.task == "panels"
    assert facts.labels == ("PANEL_START",)


def test_the_size_in_memory_is_that_of_the_weights(step_folders: dict[str, Path]) -> None:
    folder = step_folders["panels"]
    facts = inspect_model(folder)
    assert facts.n_bytes == (folder / "model.safetensors").stat().st_size


def test_the_hash_covers_the_tokenizer(tmp_path: Path, step_folders: dict[str, Path]) -> None:
    folder = Path(shutil.copytree(step_folders["panels"], tmp_path / "copy"))
    before = inspect_model(folder).sha256
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text() + " ")
    assert inspect_model(folder).sha256 != before


def test_a_copy_of_a_model_has_the_same_hash(tmp_path: Path, step_folders: dict[str, Path]) -> None:
    folder = Path(shutil.copytree(step_folders["panels"], tmp_path / "copy"))
    assert inspect_model(folder).sha256 == inspect_model(step_folders["panels"]).sha256


def test_changed_files_of_a_registered_model_are_refused(
    tmp_path: Path, step_folders: dict[str, Path]
) -> None:
    folder = Path(shutil.copytree(step_folders["panels"], tmp_path / "copy"))
    model = register_model(location=str(folder))
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text() + " ")
    with pytest.raises(UserError, match="are not those it was registered with"):
        verify_model(model)


def test_unchanged_files_of_a_registered_model_are_accepted(step_folders: dict[str, Path]) -> None:
    model = register_model(location=str(step_folders["panels"]))
    assert verify_model(model).sha256 == model.weights_sha256
