"""Finds a model by name and says whether it may be loaded.

A name is ``bundled``, a folder, or a hub name found in the local Hugging Face cache; only then, and only when the caller allows it
and offline mode is off, is it fetched. Nothing here loads weights: a checkpoint is judged by its files and its config alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ner_engine.align import split_tag
from ner_engine.errors import ModelNotFoundError, UnsafeModelError

BUNDLED: Final = "bundled"
#: The folder of the model that comes with the product.
BUNDLED_FOLDER: Final = Path(__file__).resolve().parent.parent / "bundled" / "sd-ner-mini"

#: What a hub name may bring: never code, never pickled weights.
_FETCHED: Final = ("*.json", "*.safetensors", "*.txt", "*.model", "README.md")
_PICKLES: Final = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib"})
_GENERIC_LABEL: Final = re.compile(r"LABEL_\d+")
_HUB_NAME: Final = re.compile(r"[\w][\w.-]*(/[\w][\w.-]*)?")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder with weights in safetensors, ``config.json`` and a tokenizer, that may be loaded.

    ``id2label`` is the label list in the order of the model's outputs, empty for a base model without one.
    """

    name: str
    folder: Path
    config: Mapping[str, Any]
    id2label: tuple[str, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The entity types, in the order of the label list."""
        return tuple(dict.fromkeys(label for _, label in map(split_tag, self.id2label) if label))

    @property
    def max_length(self) -> int:
        """Tokens of one window: what the model was trained with where it says so, else what its positions allow."""
        positions = int(self.config.get("max_position_embeddings", 512))
        if self.config.get("model_type") in {"roberta", "xlm-roberta", "camembert", "mpnet"}:
            positions -= int(self.config.get("pad_token_id", 1)) + 1
        return min(int(self.config.get("window_tokens", 512)), positions)


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A line of ``python -m ner_engine models``."""

    name: str
    about: str
    labels: str
    licence: str


KNOWN_MODELS: Final = (
    KnownModel(BUNDLED, "MiniLM, six layers, trained on SourceData's panels; comes with the product", "sd-nlp with DISEASE", "CC BY 4.0"),
    KnownModel("EMBO/sd-ner", "RoBERTa base, trained on EMBO/sd-nlp", "sd-nlp", "see its card"),
    KnownModel(
        "fran-martinez/scibert_scivocab_cased_ner_jnlpba",
        "SciBERT cased, trained on JNLPBA",
        "protein, cell_type, DNA, cell_line, RNA",
        "see its card",
    ),
    KnownModel(
        "StivenLancheros/Biobert-base-cased-v1.2-finetuned-ner-CRAFT",
        "BioBERT 1.2, trained on CRAFT",
        "Sequence, Cell, Protein, Gene, Taxon, Chemical",
        "see its card",
    ),
    KnownModel(
        "StivenLancheros/roberta-base-biomedical-clinical-es-finetuned-ner-CRAFT_AugmentedTransfer_EN",
        "Spanish biomedical RoBERTa, trained on augmented CRAFT, then on CRAFT",
        "Sequence, Cell, Protein, Gene, Taxon, Chemical",
        "see its card",
    ),
)


def is_here(name: str) -> bool:
    """Whether ``name`` can be loaded without a network."""
    try:
        find(name)
    except (ModelNotFoundError, UnsafeModelError):
        return False
    return True


def find(name_or_dir: str | Path, *, may_fetch: bool = False) -> Checkpoint:
    """The tagger ``name_or_dir``: bundled, a folder, or a hub name.

    Raises ``ModelNotFoundError`` where there is none (the message has the command that fetches it), ``UnsafeModelError`` for one that must
    not or cannot be loaded as a tagger.
    """
    checkpoint = find_base(name_or_dir, may_fetch=may_fetch)
    if not checkpoint.id2label:
        raise UnsafeModelError(f"{checkpoint.name} has no label list: give id2label in its config.json the names of its labels, or train it first")
    return checkpoint


def find_base(name_or_dir: str | Path, *, may_fetch: bool = False) -> Checkpoint:
    """As ``find``, for a model to train from, which needs no label list."""
    name, folder = _locate(str(name_or_dir), may_fetch)
    _refuse_pickles(name, folder)
    config = _read_json(name, folder / "config.json")
    _refuse_code(name, folder, config)
    return Checkpoint(name, folder, config, _label_list(name, config))


def _locate(name: str, may_fetch: bool) -> tuple[str, Path]:
    if name == BUNDLED:
        if not (BUNDLED_FOLDER / "config.json").is_file():
            raise ModelNotFoundError("the bundled model is missing from this installation; install the package again")
        return name, BUNDLED_FOLDER
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder.resolve().name, folder
    if not _HUB_NAME.fullmatch(name) or ".." in name:
        raise ModelNotFoundError(f"there is no folder {name}, and it is no hub name either; give a folder, a hub name or bundled")
    return name, _from_hub(name, may_fetch)


def _from_hub(name: str, may_fetch: bool) -> Path:
    from huggingface_hub import constants, snapshot_download  # noqa: PLC0415 - half a second that a folder does not need
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError  # noqa: PLC0415

    try:
        return _complete(Path(snapshot_download(name, local_files_only=True)))
    except LocalEntryNotFoundError:
        pass
    command = f"hf download {name} " + " ".join(f'--include "{pattern}"' for pattern in _FETCHED)
    if not may_fetch or constants.is_offline_mode():
        raise ModelNotFoundError(f"{name} is not in the local Hugging Face cache; fetch it on a machine with a network: {command}")
    try:
        return Path(snapshot_download(name, allow_patterns=list(_FETCHED), etag_timeout=10))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ModelNotFoundError(f"{name} is not in the local cache and could not be fetched; when there is a network: {command}") from error


def _complete(snapshot: Path) -> Path:
    """The snapshot, where it holds a config: a cache may know a name by a single other file."""
    from huggingface_hub.errors import LocalEntryNotFoundError  # noqa: PLC0415

    if not (snapshot / "config.json").is_file():
        raise LocalEntryNotFoundError("the cached snapshot has no config.json")
    return snapshot


def _refuse_pickles(name: str, folder: Path) -> None:
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in _PICKLES)
    has_safetensors = any(folder.glob("*.safetensors"))
    if pickles and has_safetensors:
        raise UnsafeModelError(
            f"{name} holds pickled files ({', '.join(pickles)}), which can run code when they are read; delete them, the safetensors are enough"
        )
    if pickles:
        raise UnsafeModelError(
            f"{name} has its weights as a pickle ({', '.join(pickles)}), which can run code when it is read; convert them to model.safetensors"
        )
    if not has_safetensors:
        raise ModelNotFoundError(f"{name} holds no weights; a model folder has config.json, tokenizer.json and model.safetensors")


def _read_json(name: str, path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelNotFoundError(f"{name} has no {path.name}; a model folder has config.json, tokenizer.json and model.safetensors") from None
    except ValueError as error:
        raise UnsafeModelError(f"{name}: its {path.name} is not JSON; fetch or save the model again") from error
    if not isinstance(value, dict):
        raise UnsafeModelError(f"{name}: its {path.name} is not a JSON object; fetch or save the model again")
    return value


def _refuse_code(name: str, folder: Path, config: Mapping[str, Any]) -> None:
    tokenizer_config = folder / "tokenizer_config.json"
    settings = [config, _read_json(name, tokenizer_config)] if tokenizer_config.is_file() else [config]
    for found in settings:
        asked = [key for key in ("auto_map", "custom_pipelines", "trust_remote_code") if found.get(key)]
        if asked:
            raise UnsafeModelError(f"{name} asks to run code of its own ({asked[0]}), which is never done; use a model of a known architecture")


def _label_list(name: str, config: Mapping[str, Any]) -> tuple[str, ...]:
    """``id2label`` in the order of its numbers; empty where it is absent or holds generic names only."""
    found = config.get("id2label")
    if not found:
        return ()
    try:
        by_id = {int(key): value for key, value in found.items()}
    except (AttributeError, ValueError) as error:
        raise UnsafeModelError(f"{name}: id2label in its config.json must map numbers to label names") from error
    names = tuple(by_id.get(index) for index in range(len(by_id)))
    if not all(isinstance(label, str) and label for label in names) or len(set(names)) != len(names):
        raise UnsafeModelError(f"{name}: id2label in its config.json must name each number from 0 on once")
    labels = tuple(str(label) for label in names)
    return () if all(_GENERIC_LABEL.fullmatch(label) for label in labels) else labels
