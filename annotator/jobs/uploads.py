"""Uploaded files, stored from the request until the end of the job that reads them.

Each upload gets a folder with a generated name. A file's own name is stored as data and never used
in a path.
"""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings

from annotator.common.errors import UserError
from annotator.common.storable import storable_text
from annotator.jobs.errors import JobInterruptedError, JobLostError
from annotator.jobs.models import Job

if TYPE_CHECKING:
    from django.core.files.uploadedfile import UploadedFile

MAX_FILES: Final = 200
#: A younger folder may belong to a request that has not stored its job yet.
FORGOTTEN_AFTER_SECONDS: Final = 3600


@dataclass(frozen=True, slots=True)
class Upload:
    """An uploaded file.

    ``key`` is its folder and file under UPLOADS_DIR, ``name`` its name on the user's machine.
    """

    key: str
    name: str

    @property
    def path(self) -> Path:
        return Path(settings.UPLOADS_DIR) / self.key

    def as_json(self) -> dict[str, str]:
        return {"key": self.key, "name": self.name}

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Upload:
        return cls(key=str(facts["key"]), name=str(facts["name"]))


@contextmanager
def keep_uploads(files: Sequence[UploadedFile[Any]]) -> Iterator[list[Upload]]:
    """Store the files under UPLOADS_DIR; they are removed again if the block raises.

    Raise ``UserError`` if there is no file, or they are too many or too large.
    """
    _check(files)
    folder = Path(settings.UPLOADS_DIR) / uuid.uuid4().hex
    folder.mkdir(parents=True)
    try:
        yield [_keep(file, folder, number) for number, file in enumerate(files, start=1)]
    except BaseException:
        shutil.rmtree(folder)
        raise


@contextmanager
def uploads_of_run(facts: Iterable[Mapping[str, Any]]) -> Iterator[list[Upload]]:
    """Hand the uploads in a job's payload to its run, and remove them after the block.

    They stay if the block is interrupted or the job was lost: another run will need them.
    """
    uploads = [Upload.from_json(each) for each in facts]
    try:
        yield uploads
    except (JobInterruptedError, JobLostError):
        raise
    except BaseException:
        remove_uploads(uploads)
        raise
    remove_uploads(uploads)


def remove_uploads(uploads: Sequence[Upload]) -> None:
    """Remove the files with their folder."""
    for folder in {upload.path.parent for upload in uploads}:
        shutil.rmtree(folder, ignore_errors=True)


def remove_forgotten_uploads() -> int:
    """Remove uploads that no unfinished job will read, such as those of cancelled jobs.

    Return the number of removed folders.
    """
    root = Path(settings.UPLOADS_DIR)
    if not root.is_dir():
        return 0
    unfinished = (
        Job.objects.unfinished()
        .filter(arguments__has_key="uploads")
        .values_list("arguments", flat=True)
    )
    needed = set()
    for arguments in unfinished:
        for upload in arguments["uploads"]:
            needed.add(upload["key"].partition("/")[0])
    old = time.time() - FORGOTTEN_AFTER_SECONDS
    n_removed = 0
    for folder in root.iterdir():
        if folder.is_dir() and folder.name not in needed and folder.stat().st_mtime < old:
            shutil.rmtree(folder, ignore_errors=True)
            n_removed += 1
    return n_removed


def _check(files: Sequence[UploadedFile[Any]]) -> None:
    if not files:
        raise UserError("Choose at least one file.")
    if len(files) > MAX_FILES:
        raise UserError(f"More than {MAX_FILES} files were chosen. Pack them into one zip archive.")
    if sum(file.size or 0 for file in files) > settings.MAX_UPLOAD_BYTES:
        raise UserError(
            f"The files are larger than {settings.MAX_UPLOAD_BYTES // 1024**2} MB in total. Upload"
            " them in parts, or ask an administrator to import them on the server."
        )


def _keep(file: UploadedFile[Any], folder: Path, number: int) -> Upload:
    target = folder / str(number)
    with target.open("xb") as stream:
        for chunk in file.chunks():
            stream.write(chunk)
    return Upload(
        key=f"{folder.name}/{number}", name=storable_text(file.name or f"file {number}")[:200]
    )
