"""Names of models on the Hugging Face hub: where their files lie, and how to download them.

``NAME@REVISION`` asks for one revision. ``HF_ENDPOINT`` may name a mirror of the hub.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from ner_engine.registry.known_models import KNOWN_MODELS

#: The environment variable for a folder of models: DIR/EMBO/sd-ner, DIR/sd-ner, or DIR as a hub
#: cache, DIR/models--EMBO--sd-ner.
MODEL_DIR: Final = "SD_MODEL_DIR"

#: The files of a model to download: never code, never pickled weights.
MODEL_FILES: Final = ("*.json", "*.safetensors", "*.txt", "*.model", "README.md")
TOKENIZER_FILES: Final = ("*.json", "*.txt")
_HUB_NAME: Final = re.compile(r"(?P<name>\w[\w.-]*(/\w[\w.-]*)?)(@(?P<revision>\w[\w./-]*))?")


def is_hub_name(name: str) -> bool:
    """Return whether ``name`` is a valid name on the hub, with or without a revision."""
    return _HUB_NAME.fullmatch(name) is not None and ".." not in name


def has_owner(name: str) -> bool:
    """Return whether ``name`` has the form owner/name, as models of the hub have."""
    return "/" in name


def revisions_of(name: str) -> tuple[str, tuple[str, ...]]:
    """Return the name without its revision, and the acceptable revisions.

    These are the requested one, or else main and the one known to have safetensors.
    """
    plain, _, revision = name.partition("@")
    if revision:
        return plain, (revision,)
    known = KNOWN_MODELS.get(plain)
    if known and known.revision:
        return plain, ("main", known.revision)
    return plain, ("main",)


def folders_of(name: str) -> Iterator[Path]:
    """Yield the folders on this machine where a hub name may lie, the likeliest first."""
    plain, revisions = revisions_of(name)
    if chosen := os.environ.get(MODEL_DIR):
        models = Path(chosen).expanduser()
        yield from (models / name, models / plain, models / plain.rpartition("/")[2])
        yield from _snapshots(models, plain, revisions)
    from huggingface_hub import constants  # noqa: PLC0415

    yield from _snapshots(Path(constants.HF_HUB_CACHE), plain, revisions)


def local_folder(name: str) -> Path | None:
    """Return the folder of a hub name on this machine, None if there is none.

    It is the first folder with weights in safetensors, or else the first with a config.
    """
    folders = []
    for folder in folders_of(name):
        if (folder / "config.json").is_file():
            folders.append(folder)
    for folder in folders:
        if any(folder.glob("*.safetensors")):
            return folder
    return folders[0] if folders else None


def _snapshots(cache: Path, name: str, revisions: Sequence[str]) -> Iterator[Path]:
    """Yield the snapshots of a hub cache, read from its files.

    ``snapshot_download`` would treat a snapshot without the repository's pickles as incomplete.
    """
    repository = cache / f"models--{name.replace('/', '--')}"
    for revision in revisions:
        reference = repository / "refs" / revision
        commit = revision
        if reference.is_file():
            commit = reference.read_text(encoding="utf-8").strip()
        if (repository / "snapshots" / commit).is_dir():
            yield repository / "snapshots" / commit


def repository_name(folder: Path) -> str:
    """Return the hub name of a snapshot in a hub cache, or else the name of the folder."""
    folder = folder.resolve()
    repository = folder.parent.parent.name
    if folder.parent.name == "snapshots" and repository.startswith("models--"):
        return "/".join(repository.split("--")[1:])
    return folder.name


def is_offline() -> bool:
    """Return whether the offline mode of the hub's library is on."""
    from huggingface_hub import constants  # noqa: PLC0415

    return constants.is_offline_mode()


def download(name: str, patterns: Sequence[str], revision: str = "main") -> Path | None:
    """Return the snapshot of a hub name, downloaded to the cache; None if the download fails."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415
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


def download_command(name: str, patterns: Sequence[str], revision: str = "main") -> str:
    """Return the shell command that downloads these files of a hub name."""
    chosen = "" if revision == "main" else f" --revision {revision}"
    included = " ".join(f'--include "{pattern}"' for pattern in patterns)
    return f"hf download {name}{chosen} {included}"
