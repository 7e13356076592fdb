"""Errors that users can act on."""

from __future__ import annotations

import errno
import shutil
from typing import Final

from ner_engine.errors import EngineError


class UserError(Exception):
    """An error with one sentence for the user: what is wrong, and what to do.

    Pages show it, commands print it, and jobs store it.
    """


#: Errors of writing a file: no space, no permission, a limit, or another file in its place.
_DISK_ERRORS: Final = frozenset(
    {
        *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS),
        *(errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.EIO),
    }
)


def sentence_of(error: BaseException) -> str:
    """Return the sentence that users see for ``error``, or "" if it is for the log alone."""
    if isinstance(error, UserError | EngineError):
        return str(error)
    if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
        return _not_written(error.filename, str(error.strerror))
    if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list):
        # One (source, target, reason) for each file that ``shutil.copytree`` could not copy.
        for _, target, reason in error.args[0]:
            return _not_written(target, str(reason))
    return ""


def _not_written(target: object, reason: str) -> str:
    place = f" to {target}" if target else ""
    return (
        f"A file could not be written{place} ({reason}). Free disk space, or give the site"
        " permission to write there, then start it again."
    )
