"""Finds a model by name and says whether it may be loaded.

A name is bundled, a folder, or a hub name. A hub name is looked for in the folder of models
(``SD_MODEL_DIR``, ``--model-dir``), then in the local Hugging Face cache; only then, and only when
the caller allows it and offline mode is off, is it fetched, from the hub or from the mirror that
``HF_ENDPOINT`` names. ``NAME@REVISION`` asks for one revision. Nothing here loads weights: a
checkpoint is judged by its files and its config alone.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ner_engine.align import split_tag
from ner_engine.errors import ModelNotFoundError, UnsafeModelError
from ner_engine.registry.known_models import BUNDLED, KNOWN_MODELS, KnownModel, known_model

#: The folders of the models that come with the product.
BUNDLED_FOLDERS: Final[Mapping[str, Path]] = {
    name: Path(__file__).resolve().parent.parent / "bundled" / folder
    for name, folder in {
        BUNDLED: "sd-ner-mini",
        "bundled-panels": "sd-panels-mini",
        "bundled-geneprod-roles": "sd-geneprod-roles-mini",
        "bundled-smallmol-roles": "sd-smallmol-roles-mini",
    }.items()
}
#: The environment variable that names a folder of models by name: DIR/EMBO/sd-ner, DIR/sd-ner, or a
#: hub cache's DIR/models--EMBO--sd-ner.
MODEL_DIR: Final = "SD_MODEL_DIR"

#: What a hub name may bring: never code, never pickled weights.
_FETCHED: Final = ("*.json", "*.safetensors", "*.txt", "*.model", "README.md")
_TOKENIZER_FETCHED: Final = ("*.json", "*.txt")
_PICKLES: Final = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib"})
_GENERIC_LABEL: Final = re.compile(r"LABEL_\d+")
_HUB_NAME: Final = re.compile(r"(?P<name>\w[\w.-]*(/\w[\w.-]*)?)(@(?P<revision>\w[\w./-]*))?")
_CONTENTS: Final = "a model folder has config.json, tokenizer.json and model.safetensors"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder with weights in safetensors, ``config.json`` and a tokenizer, that may be loaded.

    ``id2label`` is the label list in the order of the model's outputs, empty for a base model
    without one. ``tokenizer_from`` is the folder of another model whose tokenizer it takes, None
    where it has its own.
    """

    name: str
    folder: Path
    config: Mapping[str, Any]
    id2label: tuple[str, ...]
    tokenizer_from: Path | None = None

    @property
    def tokenizer_folder(self) -> Path:
        """Where its tokenizer lies."""
        return self.tokenizer_from or self.folder

    @property
    def labels(self) -> tuple[str, ...]:
        """The entity types, in the order of the label list."""
        return tuple(dict.fromkeys(label for _, label in map(split_tag, self.id2label) if label))

    @property
    def max_length(self) -> int:
        """Tokens of one window: what the model was trained with where it says so, else what its
        positions allow."""
        positions = int(self.config.get("max_position_embeddings", 512))
        if self.config.get("model_type") in {"roberta", "xlm-roberta", "camembert", "mpnet"}:
            positions -= int(self.config.get("pad_token_id", 1)) + 1
        return min(int(self.config.get("window_tokens", 512)), positions)

    @property
    def n_parameters(self) -> int:
        """How many numbers its weights are, read from the heads of their files. Raises
        ``UnsafeModelError`` for a file that is no safetensors."""
        return sum(
            _n_parameters(self.name, path) for path in sorted(self.folder.glob("*.safetensors"))
        )


@dataclass(frozen=True, slots=True)
class Listed:
    """A known model, and what keeps it from being loaded here without a network: ``problem``, ""
    where nothing does."""

    model: KnownModel
    problem: str

    @property
    def is_here(self) -> bool:
        return not self.problem

    @property
    def remark(self) -> str:
        """The problem without the commands at its end, where they are shown by themselves."""
        return self.problem.partition(": hf download")[0]

    @property
    def commands(self) -> tuple[str, ...]:
        """What fetches it on a machine with a network; nothing for one that is here or comes with
        the product."""
        return () if self.is_here or self.model.is_bundled else _commands(self.model.name)

    def as_json(self) -> dict[str, Any]:
        """The facts of the model, ``here``, ``problem`` and ``commands``."""
        return {
            **self.model.as_json(),
            "here": self.is_here,
            "problem": self.problem,
            "commands": list(self.commands),
        }


def listing() -> list[Listed]:
    """All models known by name, and which of them are here."""
    return [Listed(model, _problem(model)) for model in KNOWN_MODELS.values()]


def _problem(model: KnownModel) -> str:
    try:
        find(model.name) if model.id2label else find_base(model.name)
    except (ModelNotFoundError, UnsafeModelError) as error:
        return str(error)
    return ""


def find(name_or_dir: str | Path, *, may_fetch: bool = False) -> Checkpoint:
    """The tagger ``name_or_dir``: bundled, a folder, or a hub name.

    Raises ``ModelNotFoundError`` where there is none (the message has the command that fetches it),
    ``UnsafeModelError`` for one that must not or cannot be loaded as a tagger.
    """
    checkpoint = find_base(name_or_dir, may_fetch=may_fetch)
    if not checkpoint.id2label:
        raise UnsafeModelError(
            f"{checkpoint.name} has no label list: give id2label in its config.json the names of"
            " its labels, or train it first"
        )
    return checkpoint


def find_base(name_or_dir: str | Path, *, may_fetch: bool = False) -> Checkpoint:
    """As ``find``, for a model to train from, which needs no label list."""
    name, folder = _locate(str(name_or_dir), may_fetch)
    _refuse_pickles(name, folder)
    config = _read_json(name, folder / "config.json")
    _refuse_missing_parts(name, folder)
    tokenizer = None if has_tokenizer(folder) else _foreign_tokenizer(name, may_fetch)
    for place in (folder, tokenizer or folder):
        _refuse_code(name, place, config)
    return Checkpoint(name, folder, config, _label_list(name, config), tokenizer)


def _n_parameters(name: str, path: Path) -> int:
    """A safetensors file begins with the length of its head in eight bytes; the head is JSON and
    has the shape of each tensor."""
    try:
        with path.open("rb") as stream:
            head = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
        return sum(
            math.prod(tensor["shape"]) for key, tensor in head.items() if key != "__metadata__"
        )
    except (ValueError, KeyError, TypeError, AttributeError, MemoryError, OverflowError) as error:
        raise UnsafeModelError(
            f"{name}: {path.name} is no safetensors file; fetch or write it again"
        ) from error


# Where a name leads


def _locate(name: str, may_fetch: bool) -> tuple[str, Path]:
    if name in BUNDLED_FOLDERS:
        if not (BUNDLED_FOLDERS[name] / "config.json").is_file():
            raise ModelNotFoundError(
                f"{name} is not part of this installation; train one (`models` names its recipe)"
                " and give its folder"
            )
        return name, BUNDLED_FOLDERS[name]
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _name_of(folder), folder
    asked = _HUB_NAME.fullmatch(name)
    if not asked or ".." in name:
        raise ModelNotFoundError(
            f"there is no folder {name}, and it is no hub name either; give a folder, a hub name or"
            " bundled"
        )
    here = _here(name)
    may_fetch = may_fetch and not _is_offline()
    if here and (not may_fetch or any(here.glob("*.safetensors"))):
        return name, here
    return name, _fetched(name, may_fetch)


def _name_of(folder: Path) -> str:
    """A folder's own name, or the hub name where it is a snapshot of a hub cache."""
    folder = folder.resolve()
    repository = folder.parent.parent.name
    is_snapshot = folder.parent.name == "snapshots" and repository.startswith("models--")
    return "/".join(repository.split("--")[1:]) if is_snapshot else folder.name


def _here(name: str) -> Path | None:
    """The folder of a hub name on this machine: the first that holds weights in safetensors, else
    the first that holds a config."""
    places = [place for place in _places(name) if (place / "config.json").is_file()]
    return next(
        (place for place in places if any(place.glob("*.safetensors"))),
        places[0] if places else None,
    )


def _places(name: str) -> Iterator[Path]:
    """Where a hub name may lie, the likeliest first."""
    plain, revisions = _revisions(name)
    if chosen := os.environ.get(MODEL_DIR):
        models = Path(chosen).expanduser()
        yield from (models / name, models / plain, models / plain.rpartition("/")[2])
        yield from _snapshots(models, plain, revisions)
    from huggingface_hub import (  # noqa: PLC0415
        constants,
    )

    yield from _snapshots(Path(constants.HF_HUB_CACHE), plain, revisions)


def _revisions(name: str) -> tuple[str, tuple[str, ...]]:
    """The name without its revision, and the revisions that will do: the one asked for, else main
    and the one that is known to have safetensors."""
    plain, _, revision = name.partition("@")
    known = KNOWN_MODELS.get(plain)
    return plain, (
        (revision,)
        if revision
        else ("main", *((known.revision,) if known and known.revision else ()))
    )


def _snapshots(cache: Path, name: str, revisions: Sequence[str]) -> Iterator[Path]:
    """The snapshots of a hub cache, read from its files.

    ``snapshot_download`` would call one incomplete that was fetched without the pickles beside its
    weights.
    """
    repository = cache / f"models--{name.replace('/', '--')}"
    for revision in revisions:
        reference = repository / "refs" / revision
        commit = reference.read_text(encoding="utf-8").strip() if reference.is_file() else revision
        if (repository / "snapshots" / commit).is_dir():
            yield repository / "snapshots" / commit


def _fetched(name: str, may_fetch: bool) -> Path:
    commands = " && ".join(_commands(name))
    if not may_fetch:
        raise ModelNotFoundError(
            f"{name} is not in the local Hugging Face cache; fetch it on a machine with a network:"
            f" {commands}"
        )
    plain, revisions = _revisions(name)
    found = _download(plain, _FETCHED, revisions[-1])
    if found is None:
        raise ModelNotFoundError(
            f"{name} is not in the local cache and could not be fetched; when there is a network:"
            f" {commands}"
        )
    return found


def _download(name: str, patterns: Sequence[str], revision: str = "main") -> Path | None:
    """The snapshot of a hub name, fetched into the cache; None where that cannot be done."""
    from huggingface_hub import (  # noqa: PLC0415
        snapshot_download,
    )
    from huggingface_hub.errors import (  # noqa: PLC0415
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
    )

    try:
        return Path(
            snapshot_download(
                name, revision=revision, allow_patterns=list(patterns), etag_timeout=10
            )
        )
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError):
        return None


def _is_offline() -> bool:
    from huggingface_hub import constants  # noqa: PLC0415

    return constants.is_offline_mode()


def _commands(name: str) -> tuple[str, ...]:
    """What fetches a model, and the tokenizer that it takes from another where that is not here
    either."""
    plain, revisions = _revisions(name)
    command = _command(plain, _FETCHED, revisions[-1])
    known = known_model(plain)
    if (
        known
        and known.tokenizer_names
        and not known.has_own_tokenizer
        and not any(map(_tokenizer_here, known.tokenizer_names))
    ):
        return (command, _command(known.tokenizer_names[0], _TOKENIZER_FETCHED))
    return (command,)


def _command(name: str, patterns: Sequence[str], revision: str = "main") -> str:
    chosen = "" if revision == "main" else f" --revision {revision}"
    return f"hf download {name}{chosen} " + " ".join(
        f'--include "{pattern}"' for pattern in patterns
    )


# Tokenizers


def has_tokenizer(folder: Path) -> bool:
    """Whether a folder holds a whole tokenizer: tokenizer.json, vocab.txt, vocab.json with
    merges.txt, or a SentencePiece model."""
    files = {path.name for path in folder.iterdir()}
    return (
        bool(files & {"tokenizer.json", "vocab.txt"})
        or {"vocab.json", "merges.txt"} <= files
        or any(name.endswith(".model") for name in files)
    )


def _foreign_tokenizer(name: str, may_fetch: bool) -> Path:
    """The folder of the tokenizer that a model without one is known to take. Raises
    ``ModelNotFoundError`` where that is not known or not here."""
    known = known_model(name)
    if not known or not known.tokenizer_names:
        raise ModelNotFoundError(
            f"{name} has no tokenizer; put the tokenizer.json of the model that it was trained from"
            " into its folder"
        )
    for tokenizer in known.tokenizer_names:
        if found := _tokenizer_here(tokenizer):
            return found
    wanted = known.tokenizer_names[0]
    if may_fetch and not _is_offline() and (found := _download(wanted, _TOKENIZER_FETCHED)):
        return found
    command = _command(wanted, _TOKENIZER_FETCHED)
    raise ModelNotFoundError(
        f"{name} takes the tokenizer of {wanted}, which is not here; fetch it: {command}"
    )


def _tokenizer_here(name: str) -> Path | None:
    return next((place for place in _places(name) if place.is_dir() and has_tokenizer(place)), None)


# What may not be loaded


def _refuse_pickles(name: str, folder: Path) -> None:
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
        published = (
            "; its publisher may have a pickle only, which is never fetched: take one with"
            " model.safetensors" + _safe_way(name)
        )
        raise ModelNotFoundError(
            f"{name} holds no weights; {_CONTENTS}{published if _is_of_the_hub(name) else ''}"
        )


def _safe_way(name: str) -> str:
    """How to come by safetensors without reading a pickle here."""
    elsewhere = " on a machine that holds nothing of value"
    if not _is_of_the_hub(name):
        return elsewhere
    plain, revisions = _revisions(name)
    if revisions[-1] != "main":
        return (
            f"{elsewhere}, or fetch its revision that has them:"
            f" {_command(plain, _FETCHED, revisions[-1])}"
        )
    return (
        f"{elsewhere}, or take a revision that has them:"
        " https://huggingface.co/spaces/safetensors/convert proposes one as refs/pr/N (see the"
        f" model's discussions), which {_command(plain, _FETCHED, 'refs/pr/N')} fetches and"
        f" {plain}@refs/pr/N names"
    )


def _is_of_the_hub(name: str) -> bool:
    return "/" in name


def _refuse_missing_parts(name: str, folder: Path) -> None:
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return
    parts = _read_json(name, index).get("weight_map")
    if not isinstance(parts, dict):
        raise UnsafeModelError(
            f"{name}: its {index.name} has no weight_map; fetch or save the model again"
        )
    missing = sorted(
        part for part in set(parts.values()) if not (folder / Path(str(part)).name).is_file()
    )
    if missing:
        raise ModelNotFoundError(
            f"{name} lacks a part of its weights ({missing[0]}); fetch or copy it again"
        )


def _read_json(name: str, path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelNotFoundError(f"{name} has no {path.name}; {_CONTENTS}") from None
    except ValueError as error:
        raise UnsafeModelError(
            f"{name}: its {path.name} is not JSON; fetch or save the model again"
        ) from error
    if not isinstance(value, dict):
        raise UnsafeModelError(
            f"{name}: its {path.name} is not a JSON object; fetch or save the model again"
        )
    return value


def _refuse_code(name: str, folder: Path, config: Mapping[str, Any]) -> None:
    tokenizer_config = folder / "tokenizer_config.json"
    settings = (
        [config, _read_json(name, tokenizer_config)] if tokenizer_config.is_file() else [config]
    )
    for found in settings:
        asked = [
            key for key in ("auto_map", "custom_pipelines", "trust_remote_code") if found.get(key)
        ]
        if asked:
            raise UnsafeModelError(
                f"{name} asks to run code of its own ({asked[0]}), which is never done; use a model"
                " of a known architecture"
            )


def _label_list(name: str, config: Mapping[str, Any]) -> tuple[str, ...]:
    """``id2label`` in the order of its numbers; empty where it is absent or holds generic names
    only."""
    found = config.get("id2label")
    if not found:
        return ()
    try:
        by_id = {int(key): value for key, value in found.items()}
    except (AttributeError, ValueError) as error:
        raise UnsafeModelError(
            f"{name}: id2label in its config.json must map numbers to label names"
        ) from error
    names = tuple(by_id.get(index) for index in range(len(by_id)))
    if not all(isinstance(label, str) and label for label in names) or len(set(names)) != len(
        names
    ):
        raise UnsafeModelError(
            f"{name}: id2label in its config.json must name each number from 0 on once"
        )
    labels = tuple(str(label) for label in names)
    return () if all(_GENERIC_LABEL.fullmatch(label) for label in labels) else labels
