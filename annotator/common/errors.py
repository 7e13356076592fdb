"""Errors that a person can do something about."""

from __future__ import annotations

import errno
from typing import Final

from ner_engine.errors import EngineError


class UserError(Exception):
    """Carries one sentence for the user: what is wrong and what to do. Pages show it, commands print it, jobs end with it."""


#: What the disk may have against a file: no room, no right, a limit, or something else in the place.
_DISK_ERRORS: Final = frozenset(
    {
        *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS),
        *(errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.EIO),
    }
)


def sentence_of(error: BaseException) -> str:
    """What a person is told of ``error``; "" where only the log can say what it means."""
    if isinstance(error, UserError | EngineError):
        return str(error)
    if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
        place = f" to {error.filename}" if error.filename else ""
        return f"A file could not be written{place} ({error.strerror}). Make room on the disk, or let the site write there, then start it again."
    return ""
