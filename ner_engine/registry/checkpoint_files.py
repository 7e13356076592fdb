"""Checks of a model folder before it is loaded, by its file names and its JSON files alone."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ner_engine.errors import ModelNotFoundError, UnsafeModelError
from ner_engine.files import sha256_of
from ner_engine.registry.hub_names import MODEL_FILES, download_command, has_owner, revisions_of

_PICKLES: Final = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib"})
_GENERIC_LABEL: Final = re.compile(r"LABEL_\d+")
_CODE_KEYS: Final = ("auto_map", "custom_pipelines", "trust_remote_code")
#: The model type of a packed checkpoint is this and its own type. Programs that do not know the
#: packing then refuse the folder instead of reading int8 rows as weights.
PACKED_TYPE: Final = "packed-"
_CONTENTS: Final = "a model folder has config.json, tokenizer.json and model.safetensors"


def has_tokenizer(folder: Path) -> bool:
    """Return whether a folder has a complete tokenizer.

    That is tokenizer.json, vocab.txt, vocab.json with merges.txt, or a SentencePiece model.
    """
    files = {path.name for path in folder.iterdir()}
    if files & {"tokenizer.json", "vocab.txt"} or files >= {"vocab.json", "merges.txt"}:
        return True
    return any(name.endswith(".model") for name in files)


def n_parameters(name: str, path: Path) -> int:
    """Return the number of parameters in a safetensors file, read from its header.

    The file begins with the length of the header in eight bytes. The header is JSON and has the
    shape of each tensor. Raise ``UnsafeModelError`` if the file is not safetensors.
    """
    try:
        with path.open("rb") as stream:
            header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
        return sum(
            math.prod(tensor["shape"]) for key, tensor in header.items() if key != "__metadata__"
        )
    except (ValueError, KeyError, TypeError, AttributeError, MemoryError, OverflowError) as error:
        raise UnsafeModelError(
            f"{name}: {path.name} is not a safetensors file; download or write it again"
        ) from error


def weights_sha256(folder: Path) -> str:
    """Return the SHA-256 of the weight files, in the order of their names."""
    return sha256_of(sorted(folder.glob("*.safetensors")))


def read_config(name: str, folder: Path) -> dict[str, Any]:
    """Return the folder's config.json; a packed checkpoint has its own model type again.

    Raise as ``read_json``.
    """
    config = read_json(name, folder / "config.json")
    model_type = config.get("model_type")
    if config.get("packed_weights") and isinstance(model_type, str):
        config["model_type"] = model_type.removeprefix(PACKED_TYPE)
    return config


def read_json(name: str, path: Path) -> dict[str, Any]:
    """Return the object in a JSON file of the model ``name``.

    Raise ``ModelNotFoundError`` if the file is missing, ``UnsafeModelError`` if it is not an
    object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelNotFoundError(f"{name} has no {path.name}; {_CONTENTS}") from None
    except ValueError as error:
        raise UnsafeModelError(
            f"{name}: its {path.name} is not JSON; download or save the model again"
        ) from error
    if not isinstance(value, dict):
        raise UnsafeModelError(
            f"{name}: its {path.name} is not a JSON object; download or save the model again"
        )
    return value


def label_list(name: str, config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return ``id2label`` of a config in the order of its numbers.

    It is empty if missing, or if all names are generic (LABEL_0). Raise ``UnsafeModelError`` if it
    does not give each number from 0 one name.
    """
    id2label = config.get("id2label")
    if not id2label:
        return ()
    try:
        by_id = {int(key): value for key, value in id2label.items()}
    except (AttributeError, ValueError) as error:
        raise UnsafeModelError(
            f"{name}: id2label in its config.json must map numbers to label names"
        ) from error
    labels = []
    for label in map(by_id.get, range(len(by_id))):
        if _is_label(label):
            labels.append(label)
    if len(labels) != len(by_id) or len(set(labels)) != len(labels):
        raise UnsafeModelError(
            f"{name}: id2label in its config.json must give each number from 0 a different name"
        )
    if all(_GENERIC_LABEL.fullmatch(str(label)) for label in labels):
        return ()
    return tuple(str(label) for label in labels)


def _is_label(label: object) -> bool:
    return isinstance(label, str) and bool(label)


def refuse_unsafe_weights(name: str, folder: Path) -> None:
    """Raise ``UnsafeModelError`` if the folder has pickled files.

    Raise ``ModelNotFoundError`` if it has no weights.
    """
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in _PICKLES)
    has_safetensors = any(folder.glob("*.safetensors"))
    if pickles and has_safetensors:
        raise UnsafeModelError(
            f"{name} holds pickled files ({', '.join(pickles)}), which can run code when they are"
            " read; delete them, the safetensors are enough"
        )
    if pickles:
        raise UnsafeModelError(
            f"{name} has its weights as a pickle ({', '.join(pickles)}), which can run code when it"
            f" is read; convert them to model.safetensors{_safe_way(name)}"
        )
    if not has_safetensors:
        raise ModelNotFoundError(f"{name} holds no weights; {_CONTENTS}{_hint_on_pickles(name)}")


def _hint_on_pickles(name: str) -> str:
    if not has_owner(name):
        return ""
    return (
        "; its publisher may have a pickle only, which is never downloaded: use a model with"
        f" model.safetensors{_safe_way(name)}"
    )


def _safe_way(name: str) -> str:
    """Return the end of a sentence: how to get safetensors without reading a pickle here."""
    elsewhere = " on a machine that holds nothing of value"
    if not has_owner(name):
        return elsewhere
    plain, revisions = revisions_of(name)
    if revisions[-1] != "main":
        command = download_command(plain, MODEL_FILES, revisions[-1])
        return f"{elsewhere}, or download its revision that has them: {command}"
    command = download_command(plain, MODEL_FILES, "refs/pr/N")
    return (
        f"{elsewhere}, or take a revision that has them:"
        " https://huggingface.co/spaces/safetensors/convert proposes one as refs/pr/N (see the"
        f" model's discussions); download it with {command} and name it {plain}@refs/pr/N"
    )


def refuse_missing_parts(name: str, folder: Path) -> None:
    """Raise ``ModelNotFoundError`` if a file of weights that the index lists is missing."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return
    parts = read_json(name, index).get("weight_map")
    if not isinstance(parts, dict):
        raise UnsafeModelError(
            f"{name}: its {index.name} has no weight_map; download or save the model again"
        )
    for part in sorted(set(parts.values())):
        if not (folder / Path(str(part)).name).is_file():
            raise ModelNotFoundError(
                f"{name} lacks a part of its weights ({part}); download or copy it again"
            )


def refuse_code(name: str, folder: Path, config: Mapping[str, Any]) -> None:
    """Raise ``UnsafeModelError`` if the config or the tokenizer's config asks to run code."""
    configs = [config]
    if (folder / "tokenizer_config.json").is_file():
        configs.append(read_json(name, folder / "tokenizer_config.json"))
    for each in configs:
        for key in _CODE_KEYS:
            if each.get(key):
                raise UnsafeModelError(
                    f"{name} asks to run its own code ({key}), which is never allowed; use a model"
                    " of a known architecture"
                )
