"""Archives of snapshots to download, packed while they are sent: no copy is kept on disk."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from annotator.datasets.snapshots.line_files import TOKENIZED
from ner_engine.split import SPLITS

if TYPE_CHECKING:
    from annotator.datasets.models import Snapshot

#: The forms in which a snapshot can be downloaded, with their descriptions.
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
_BLOCK_BYTES: Final = 1 << 20
#: Weights of models: compression does not make them smaller.
_INCOMPRESSIBLE: Final = ".safetensors"


def files_of(folder: Path, form: str) -> list[str]:
    """Return the files of a form below the snapshot's folder.

    The list is empty if the form is unknown or was not written.
    """
    names = []
    for sub in _FOLDERS.get(form, ()):
        for split in SPLITS:
            names.append(f"{sub}{split}.jsonl")
    return names if all((folder / name).is_file() for name in names) else []


def stem(snapshot: Snapshot, form: str) -> str:
    """Return the name of an archive without its extension."""
    return f"{snapshot.project.slug}-snapshot-{snapshot.number}-{form}"


class _Pipe:
    """A write-only stream whose data is taken out piece by piece; it cannot seek."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: data is available at once."""

    def take(self) -> bytes:
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data


def zip_stream(folder: Path, names: Sequence[str], *, top: str, when: datetime) -> Iterator[bytes]:
    """Yield a zip of the files below one folder ``top``, in pieces of a few megabytes at most.

    The same files give the same bytes.
    """
    pipe = _Pipe()
    stream: Any = pipe  # a zip file needs less of its stream than the type says
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
        for name in names:
            entry = _entry(f"{top}/{name.removeprefix(TOKENIZED)}", when)
            with (
                (folder / name).open("rb") as source,
                archive.open(entry, "w", force_zip64=True) as target,
            ):
                while block := source.read(_BLOCK_BYTES):
                    target.write(block)
                    if data := pipe.take():
                        yield data
    yield pipe.take()


def _entry(name: str, when: datetime) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, date_time=when.timetuple()[:6])
    is_stored = name.endswith(_INCOMPRESSIBLE)
    entry.compress_type = zipfile.ZIP_STORED if is_stored else zipfile.ZIP_DEFLATED
    return entry
