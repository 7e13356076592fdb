"""Files and folders that appear complete or not at all, and hashes of files."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a path beside ``path``; whatever is written there is renamed to ``path`` at the end.

    If the block raises, the file or folder is removed and ``path`` stays as it was. Leftovers of a
    killed process are removed first.
    """
    part = path.with_name(f"{path.name}.part")
    remove_path(part)
    try:
        yield part
        part.replace(path)
    finally:
        remove_path(part)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder that is renamed to ``path`` at the end (see ``atomic_path``)."""
    with atomic_path(path) as part:
        part.mkdir(parents=True)
        yield part


@contextmanager
def atomic_file(path: Path, mode: str = "w", **options: Any) -> Iterator[IO[Any]]:
    """Yield a stream whose file is renamed to ``path`` at the end (see ``atomic_path``).

    Text is written as UTF-8. ``options`` go to ``Path.open``.
    """
    if "b" not in mode:
        options = {"encoding": "utf-8", **options}
    with atomic_path(path) as part, part.open(mode, **options) as stream:
        yield stream


def write_text_atomically(path: Path, text: str) -> None:
    """Write a UTF-8 file in one step: readers see the old text or the new one."""
    with atomic_file(path) as stream:
        stream.write(text)


def remove_path(path: Path) -> None:
    """Remove a file or a folder with all it holds, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sha256_of(paths: Iterable[Path]) -> str:
    """Return the SHA-256 over the contents of files, in their order, as hexadecimal digits."""
    digest = hashlib.sha256()
    for path in paths:
        _add_file(digest, path)
    return digest.hexdigest()


def sha256_of_named(files: Iterable[tuple[str, Path]]) -> str:
    """Return the SHA-256 over files, each after a line "name:size", as hexadecimal digits.

    Names and sizes keep files apart: moving bytes from one file to the next changes the hash.
    """
    digest = hashlib.sha256()
    for name, path in files:
        digest.update(f"{name}:{path.stat().st_size}\n".encode())
        _add_file(digest, path)
    return digest.hexdigest()


def _add_file(digest: hashlib._Hash, path: Path) -> None:
    with path.open("rb") as stream:
        hashlib.file_digest(stream, lambda: digest)
