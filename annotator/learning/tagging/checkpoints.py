"""Facts about the files of a model, read without loading it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from annotator.common.errors import UserError
from annotator.learning.models import ModelVersion
from ner_engine.errors import TrainingError, UnsafeModelError
from ner_engine.files import sha256_of_named
from ner_engine.registry import affixes, catalogue, confidence
from ner_engine.registry.affixes import Affixes, read_affixes
from ner_engine.registry.catalogue import Checkpoint
from ner_engine.registry.confidence import Calibration, read_calibration
from ner_engine.registry.known_models import known_model
from ner_engine.registry.tasks import task_of

#: Bytes in memory for each byte of packed (int8) weights on disk.
_UNPACKED: Final = 4
#: The files of a tokenizer that decide how it splits a text.
_TOKENIZER_FILES: Final = ("merges.txt", "tokenizer.json", "vocab.json", "vocab.txt")


@dataclass(frozen=True, slots=True)
class CheckpointFacts:
    """A model on disk.

    ``task`` is a name in ``ner_engine.registry.tasks``; ``n_bytes`` is about the memory it needs;
    ``is_packed`` says whether other programs can read its weights only once they are unpacked.
    ``sha256`` covers everything that decides its predictions: weights, config and tokenizer. Files
    that correct them afterwards (calibration, affixes, int8 scales) are not part of it.
    """

    name: str
    folder: Path
    task: str
    labels: tuple[str, ...]
    n_bytes: int
    is_packed: bool
    sha256: str


def inspect_model(name_or_dir: str | Path) -> CheckpointFacts:
    """Return the facts about a bundled model, a folder, or a cached hub name.

    Raises ``ModelNotFoundError`` or ``UnsafeModelError``, each with a sentence for the user.
    """
    checkpoint = catalogue.find(name_or_dir)
    files = _files_of(checkpoint)
    is_packed = bool(checkpoint.config.get("packed_weights"))
    n_bytes = sum(size for path, _, size in files if path.suffix == ".safetensors")
    return CheckpointFacts(
        name=checkpoint.name,
        folder=checkpoint.folder,
        task=_task_of(checkpoint),
        labels=checkpoint.labels,
        n_bytes=n_bytes * _UNPACKED if is_packed else n_bytes,
        is_packed=is_packed,
        sha256=_sha256(files),
    )


def calibration_of(model: ModelVersion) -> Calibration | None:
    """Return the calibration of the confidence of ``model``, or None if it has none.

    Raises as ``inspect_model``, and ``UnsafeModelError`` if the file cannot be trusted.
    """
    folder = inspect_model(model.path).folder
    if not correction_stamps(folder)[0]:
        return None
    weights = sorted(folder.glob("*.safetensors"))
    stamps = [(path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in weights]
    return _calibration(model.name, folder, correction_stamps(folder), tuple(stamps))


def affixes_of(model: ModelVersion) -> Affixes | None:
    """Return the affixes that come with ``model``, or None; raises as ``calibration_of``."""
    return read_affixes(model.name, inspect_model(model.path).folder)


def correction_stamps(folder: Path) -> tuple[int, ...]:
    """Return the times (ns) of the calibration and the affixes in a model folder, 0 if missing.

    Neither is part of a model's ``sha256``: a registered model can be calibrated again.
    """
    paths = [folder / name for name in (confidence.FILE, affixes.FILE)]
    return tuple(path.stat().st_mtime_ns if path.is_file() else 0 for path in paths)


def verify_model(model: ModelVersion) -> CheckpointFacts:
    """Return the facts about the files of ``model``.

    Raises ``UserError`` if the files changed since it was registered, else as ``inspect_model``.
    """
    facts = inspect_model(model.path)
    if model.weights_sha256 and facts.sha256 != model.weights_sha256:
        raise UserError(
            f"The files of {model.name} are not those it was registered with. Choose another model,"
            " or restore them from a backup."
        )
    return facts


def _files_of(checkpoint: Checkpoint) -> tuple[tuple[Path, int, int], ...]:
    """Return path, time of the last change (ns) and size of each file that decides predictions."""
    paths = [
        *checkpoint.folder.glob("*.safetensors"),
        checkpoint.folder / "config.json",
        *(checkpoint.tokenizer_folder / name for name in _TOKENIZER_FILES),
    ]
    present = []
    for path in sorted(paths):
        if path.is_file():
            status = path.stat()
            present.append((path, status.st_mtime_ns, status.st_size))
    return tuple(present)


def _task_of(checkpoint: Checkpoint) -> str:
    """Return the task in the model's config, else of the known model, else of its labels."""
    known = known_model(checkpoint.name)
    named = checkpoint.config.get("span_task") or (known.task if known else None)
    try:
        return task_of(named, checkpoint.labels).name
    except TrainingError as error:
        raise UnsafeModelError(
            f"{checkpoint.name}: its files do not name its task; write"
            ' "span_task" into its config.json: "entities", "panels", "geneprod_roles" or'
            ' "small_mol_roles"'
        ) from error


@lru_cache(maxsize=32)
def _calibration(
    name: str, folder: Path, stamps: tuple[int, ...], weights: tuple[tuple[str, int, int], ...]
) -> Calibration | None:
    """Return the calibration; it is read again when its file or the weights change."""
    return read_calibration(name, folder)


@lru_cache(maxsize=32)
def _sha256(files: tuple[tuple[Path, int, int], ...]) -> str:
    """Return one hash over the files; it is computed again when a size or a time changes."""
    return sha256_of_named((path.name, path) for path, *_ in files)
