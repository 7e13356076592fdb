"""Find a model by name, and decide from its files whether it may be loaded.

A name is that of a bundled model, a folder, or a hub name. A hub name is searched in the folder of
models (``SD_MODEL_DIR``, ``--model-dir``), then in the local Hugging Face cache. It is downloaded
only if the caller allows it and offline mode is off. No weights are loaded here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ner_engine.align import split_tag
from ner_engine.errors import ModelNotFoundError, UnsafeModelError
from ner_engine.registry.checkpoint_files import (
    has_tokenizer,
    label_list,
    n_parameters,
    read_config,
    refuse_code,
    refuse_missing_parts,
    refuse_unsafe_weights,
)
from ner_engine.registry.hub_names import (
    MODEL_DIR,
    MODEL_FILES,
    TOKENIZER_FILES,
    download,
    download_command,
    folders_of,
    is_hub_name,
    is_offline,
    local_folder,
    repository_name,
    revisions_of,
)
from ner_engine.registry.known_models import BUNDLED, KNOWN_MODELS, KnownModel, known_model

_BUNDLED_FOLDER: Final = Path(__file__).resolve().parent.parent / "bundled"
#: The folders of the models that come with the product.
BUNDLED_FOLDERS: Final[Mapping[str, Path]] = {
    BUNDLED: _BUNDLED_FOLDER / "sd-ner-mini",
    "bundled-panels": _BUNDLED_FOLDER / "sd-panels-mini",
    "bundled-geneprod-roles": _BUNDLED_FOLDER / "sd-geneprod-roles-mini",
    "bundled-smallmol-roles": _BUNDLED_FOLDER / "sd-smallmol-roles-mini",
}
#: Architectures whose positions start after the padding token, as in RoBERTa.
_OFFSET_POSITIONS: Final = frozenset({"roberta", "xlm-roberta", "camembert", "mpnet"})


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder with safetensors, ``config.json`` and a tokenizer that may be loaded.

    ``id2label`` has the labels in the order of the model's outputs; it is empty for a base model.
    ``tokenizer_from`` is the folder of another model whose tokenizer it uses, None for its own.
    """

    name: str
    folder: Path
    config: Mapping[str, Any]
    id2label: tuple[str, ...]
    tokenizer_from: Path | None = None

    @property
    def tokenizer_folder(self) -> Path:
        """The folder of its tokenizer."""
        return self.tokenizer_from or self.folder

    @property
    def labels(self) -> tuple[str, ...]:
        """The entity types, in the order of ``id2label``."""
        return tuple(dict.fromkeys(label for _, label in map(split_tag, self.id2label) if label))

    @property
    def max_length(self) -> int:
        """Tokens per window: as in training if the config says so, at most the positions."""
        positions = int(self.config.get("max_position_embeddings", 512))
        if self.config.get("model_type") in _OFFSET_POSITIONS:
            positions -= int(self.config.get("pad_token_id", 1)) + 1
        return min(int(self.config.get("window_tokens", 512)), positions)

    @property
    def n_parameters(self) -> int:
        """The number of parameters, read from the headers of the files.

        Raise ``UnsafeModelError`` if a file is not safetensors.
        """
        paths = sorted(self.folder.glob("*.safetensors"))
        return sum(n_parameters(self.name, path) for path in paths)


@dataclass(frozen=True, slots=True)
class Listed:
    """A known model, and the ``problem`` with loading it here without a network ("" if none)."""

    model: KnownModel
    problem: str

    @property
    def is_here(self) -> bool:
        return not self.problem

    @property
    def hint(self) -> str:
        """The problem without the commands at its end, for pages that show them separately."""
        return self.problem.partition(": hf download")[0]

    @property
    def commands(self) -> tuple[str, ...]:
        """The commands that download it; none for a model that is here or bundled."""
        if self.is_here or self.model.is_bundled:
            return ()
        return _download_commands(self.model.name)

    def as_json(self) -> dict[str, Any]:
        """Return the facts of the model with ``here``, ``problem`` and ``commands``."""
        return {
            **self.model.as_json(),
            "here": self.is_here,
            "problem": self.problem,
            "commands": list(self.commands),
        }


def listing() -> list[Listed]:
    """Return all known models, each with the problem of loading it here."""
    return [Listed(model, _problem(model)) for model in KNOWN_MODELS.values()]


def _problem(model: KnownModel) -> str:
    find_model = find if model.id2label else find_base
    try:
        find_model(model.name)
    except (ModelNotFoundError, UnsafeModelError) as error:
        return str(error)
    return ""


def find(name_or_dir: str | Path, *, may_fetch: bool = False) -> Checkpoint:
    """Return the tagger ``name_or_dir``: a bundled model, a folder, or a hub name.

    ``may_fetch`` allows a download. Raise ``ModelNotFoundError`` if there is no such model (the
    message has the download command), ``UnsafeModelError`` if it must not or cannot be loaded.
    """
    checkpoint = find_base(name_or_dir, may_fetch=may_fetch)
    if not checkpoint.id2label:
        raise UnsafeModelError(
            f"{checkpoint.name} has no label list: add the names of its labels as id2label in its"
            " config.json, or train it first"
        )
    return checkpoint


def find_base(name_or_dir: str | Path, *, may_fetch: bool = False) -> Checkpoint:
    """Return the base model ``name_or_dir``, which needs no label list; otherwise as ``find``."""
    name, folder = _locate(str(name_or_dir), may_fetch=may_fetch)
    refuse_unsafe_weights(name, folder)
    config = read_config(name, folder)
    refuse_missing_parts(name, folder)
    tokenizer = None
    if not has_tokenizer(folder):
        tokenizer = _foreign_tokenizer(name, may_fetch=may_fetch)
        refuse_code(name, tokenizer, config)
    refuse_code(name, folder, config)
    return Checkpoint(name, folder, config, label_list(name, config), tokenizer)


def _locate(name: str, *, may_fetch: bool) -> tuple[str, Path]:
    """Return the proper name of a model, and its folder."""
    if name in BUNDLED_FOLDERS:
        return name, _bundled_folder(name)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return repository_name(folder), folder
    if not is_hub_name(name):
        raise ModelNotFoundError(
            f"there is no folder {name}, and it is not a hub name either; give a folder, a hub name"
            " or bundled"
        )
    local = local_folder(name)
    may_fetch = may_fetch and not is_offline()
    if local and (not may_fetch or any(local.glob("*.safetensors"))):
        return name, local
    return name, _downloaded(name, may_fetch=may_fetch)


def _downloaded(name: str, *, may_fetch: bool) -> Path:
    """Return the folder of a downloaded model, or raise ``ModelNotFoundError`` with commands."""
    commands = " && ".join(_download_commands(name))
    if not may_fetch:
        raise ModelNotFoundError(
            f"{name} is not in the local Hugging Face cache; download it on a machine with a"
            f" network: {commands}"
        )
    plain, revisions = revisions_of(name)
    folder = download(plain, MODEL_FILES, revisions[-1])
    if folder is None:
        raise ModelNotFoundError(
            f"{name} is not in the local cache and could not be downloaded; try again with a"
            f" network: {commands}"
        )
    return folder


def _bundled_folder(name: str) -> Path:
    folder = BUNDLED_FOLDERS[name]
    if not (folder / "config.json").is_file():
        raise ModelNotFoundError(
            f"{name} is not part of this installation; train one (`models` shows its recipe) and"
            " give its folder"
        )
    return folder


def _download_commands(name: str) -> tuple[str, ...]:
    """Return the commands that download a model, and its tokenizer if that is missing too."""
    plain, revisions = revisions_of(name)
    command = download_command(plain, MODEL_FILES, revisions[-1])
    known = known_model(plain)
    if not known or not known.tokenizer_names or known.has_own_tokenizer:
        return (command,)
    if any(map(_local_tokenizer, known.tokenizer_names)):
        return (command,)
    return (command, download_command(known.tokenizer_names[0], TOKENIZER_FILES))


def _foreign_tokenizer(name: str, *, may_fetch: bool) -> Path:
    """Return the folder of the tokenizer for a model that has none of its own.

    Raise ``ModelNotFoundError`` if that tokenizer is unknown or missing.
    """
    known = known_model(name)
    if not known or not known.tokenizer_names:
        raise ModelNotFoundError(
            f"{name} has no tokenizer; copy the tokenizer.json of the model that it was trained"
            " from to its folder"
        )
    for tokenizer in known.tokenizer_names:
        if folder := _local_tokenizer(tokenizer):
            return folder
    needed = known.tokenizer_names[0]
    if may_fetch and not is_offline() and (folder := download(needed, TOKENIZER_FILES)):
        return folder
    raise ModelNotFoundError(
        f"{name} uses the tokenizer of {needed}, which is not here; download it:"
        f" {download_command(needed, TOKENIZER_FILES)}"
    )


def _local_tokenizer(name: str) -> Path | None:
    for folder in folders_of(name):
        if folder.is_dir() and has_tokenizer(folder):
            return folder
    return None


__all__ = [
    "BUNDLED_FOLDERS",
    "MODEL_DIR",
    "Checkpoint",
    "Listed",
    "find",
    "find_base",
    "has_tokenizer",
    "listing",
]
