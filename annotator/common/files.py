"""Files and folders that appear complete or not at all, even if their writer is killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def workbench(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``target`` to prepare it in; the folder is removed at the end.

    The caller renames the finished files out of it. Folders that killed processes left for the same
    target are removed first; a running process holds a lock on its folder.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in target.parent.glob(f".{target.name}.*.part"):
        _remove_if_left_behind(left)
    folder, lock = _locked_folder(target)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _locked_folder(target: Path) -> tuple[Path, int]:
    """Return a new folder and its lock.

    If another process removes the folder before it is locked, another one is created.
    """
    while True:
        folder = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
        folder.mkdir()
        with suppress(FileNotFoundError):
            lock = os.open(folder, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if folder.exists():
                return folder, lock
            os.close(lock)


def _remove_if_left_behind(folder: Path) -> None:
    with suppress(FileNotFoundError, NotADirectoryError):
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(lock)
