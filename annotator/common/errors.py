"""Errors that a person can do something about."""

from __future__ import annotations

import errno
import shutil
from typing import Final

from ner_engine.errors import EngineError


class UserError(Exception):
    """Carries one sentence for the user: what is wrong and what to do. Pages show it, commands
    print it, jobs end with it."""


#: What the disk may have against a file: no room, no right, a limit, or something else in the
#: place.
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
        return _written_nowhere(
            f" to {error.filename}" if error.filename else "", str(error.strerror)
        )
    if (
        isinstance(error, shutil.Error)
        and error.args
        and isinstance(error.args[0], list)
        and error.args[0]
    ):
        _, target, why = error.args[0][
            0
        ]  # of each file of a folder that could not be copied: from where, to where, and the error as text  # noqa: E501
        return _written_nowhere(f" to {target}", str(why))
    return ""


def _written_nowhere(place: str, why: str) -> str:
    return (
        f"A file could not be written{place} ({why}). Make room on the disk, or let the site write"
        " there, then start it again."
    )
