"""Snapshots as archives to download: packed while they are sent, so that no copy lies about."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from annotator.datasets.freezing import TOKENIZED
from ner_engine.split import SPLITS

if TYPE_CHECKING:
    from annotator.datasets.models import Snapshot

#: What a snapshot can be downloaded as: the folder in which it lies, and what people read of it.
FORMS: Final[Mapping[str, str]] = {
    "jsonl": "JSONL: character spans with their lineage, nothing lost",
    "sd-nlp": "sd-nlp: words with IOB2 labels, panels and figures",
    "sd-nlp-tokenized": "sd-nlp, tokenised: tokens of roberta-base, cut at 512",
}
_FOLDERS: Final[Mapping[str, Sequence[str]]] = {
    "jsonl": ("",),
    "sd-nlp": ("sd_panels/", "sd_figs/"),
    "sd-nlp-tokenized": (f"{TOKENIZED}sd_panels/", f"{TOKENIZED}sd_figs/"),
}
_PIECE: Final = 1 << 20
#: Weights: numbers without a pattern.
_INCOMPRESSIBLE: Final = ".safetensors"


def files_of(folder: Path, form: str) -> list[str]:
    """The files of a form below the snapshot's folder; none where the form is unknown or was not
    written."""
    names = [f"{sub}{side}.jsonl" for sub in _FOLDERS.get(form, ()) for side in SPLITS]
    return names if all((folder / name).is_file() for name in names) else []


def stem(snapshot: Snapshot, form: str) -> str:
    """What an archive is called, without its ending."""
    return f"{snapshot.project.slug}-snapshot-{snapshot.number}-{form}"


class _Pipe:
    """What is written into it is taken out of it again; it cannot be wound back."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""

    def taken(self) -> bytes:
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data


def zip_stream(folder: Path, names: Sequence[str], *, top: str, when: datetime) -> Iterator[bytes]:
    """A zip of the files below one folder ``top``, in pieces of a few megabytes at most; the same
    files give the same bytes."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:  # type: ignore[call-overload]
        for name in names:
            entry = zipfile.ZipInfo(
                f"{top}/{name.removeprefix(TOKENIZED)}", date_time=when.timetuple()[:6]
            )
            entry.compress_type = (
                zipfile.ZIP_STORED if name.endswith(_INCOMPRESSIBLE) else zipfile.ZIP_DEFLATED
            )
            with (
                (folder / name).open("rb") as source,
                archive.open(entry, "w", force_zip64=True) as target,
            ):
                while piece := source.read(_PIECE):
                    target.write(piece)
                    if data := pipe.taken():
                        yield data
    yield pipe.taken()
