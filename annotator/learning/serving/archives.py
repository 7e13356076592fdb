"""Models as archives and folders that any Hugging Face program loads."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from annotator.common.errors import UserError
from annotator.corpus.access import Action, require
from annotator.datasets.snapshots.archives import zip_stream
from annotator.learning.models import ModelOrigin, ModelVersion
from annotator.learning.tagging.checkpoints import verify_model

if TYPE_CHECKING:
    from annotator.accounts.actors import Actor

CARD: Final = "README.md"
#: The files of a model, besides its weights; nothing else of a folder is published.
_FILES: Final = (
    "config.json",
    "model.safetensors.index.json",
    "merges.txt",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.json",
    "vocab.txt",
    CARD,
    "LICENSE",
)
_UNPACK_SECONDS: Final = 300


def archive_name(model: ModelVersion) -> str:
    """Return the name of the archive's only folder and, with ".zip", of the archive."""
    return re.sub(r"[^\w.-]+", "-", model.name).strip(".-") or f"model-{model.pk}"


def model_files(folder: Path) -> list[str]:
    """Return the names of the files in a folder that belong to a model."""
    weights = [path.name for path in folder.glob("*.safetensors")]
    others = [name for name in _FILES if (folder / name).is_file()]
    return sorted({*weights, *others})


def model_archive(*, model: ModelVersion, actor: Actor) -> Iterator[bytes]:
    """Return the chunks of a zip archive of the model, packed weights unpacked.

    The archive is made while it is sent. Raises ``PermissionDenied`` if the actor may not export
    from the model's project; ``UserError`` if the model's files changed or it comes from a hub;
    ``EngineError`` if the files are missing.
    """
    if model.project is not None:
        require(actor, model.project, Action.EXPORT)
    if model.origin == ModelOrigin.HUB:
        raise UserError(
            f"{model} comes from a hub. Download it there: `hf download {model.location}`."
        )
    facts = verify_model(model)
    if facts.is_packed:
        return _zip_of_unpacked(model, facts.folder)
    return _zip_of(model, facts.folder)


@contextmanager
def loadable_folder(model: ModelVersion) -> Iterator[Path]:
    """Yield a folder with the model as other programs load it.

    That is the model's own folder or, if its weights are packed, a temporary one with the weights
    unpacked. Raises ``UserError`` if the model's files changed or cannot be unpacked, and
    ``EngineError`` if they are missing.
    """
    facts = verify_model(model)
    if not facts.is_packed:
        yield facts.folder
        return
    with TemporaryDirectory() as temporary:
        yield _unpack(model, facts.folder, Path(temporary) / "model")


def _zip_of(model: ModelVersion, folder: Path) -> Iterator[bytes]:
    return zip_stream(folder, model_files(folder), top=archive_name(model), when=model.created_at)


def _zip_of_unpacked(model: ModelVersion, folder: Path) -> Iterator[bytes]:
    """Unpack at once, so that errors reach the caller; remove the folder after the last chunk."""
    temporary = TemporaryDirectory()
    try:
        unpacked = _unpack(model, folder, Path(temporary.name) / "model")
    except UserError:
        temporary.cleanup()
        raise
    return _then_clean_up(temporary, _zip_of(model, unpacked))


def _then_clean_up(temporary: TemporaryDirectory[str], chunks: Iterator[bytes]) -> Iterator[bytes]:
    with temporary:
        yield from chunks


def _unpack(model: ModelVersion, folder: Path, out: Path) -> Path:
    """Unpack the weights in a child process, because torch stays out of the web process."""
    command = [sys.executable, "-m", "ner_engine", "unpack"]
    command += ["--model", str(folder), "--out", str(out)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=_UNPACK_SECONDS)
    except (subprocess.SubprocessError, OSError) as error:
        raise UserError(
            f"{model} could not be unpacked. Free disk space for temporary files, then try again."
        ) from error
    return out
