"""The exit codes of all commands."""

from enum import IntEnum
from typing import Final


class ExitCode(IntEnum):
    """How a command ended. ``SOME_REFUSED`` is for commands that read many inputs."""

    SUCCESS = 0
    SOME_REFUSED = 1
    FAILED = 2
    CANCELLED = 3


def after_refusing(n_refused: int) -> ExitCode:
    """Return the exit code of a command that refused so many of its inputs."""
    if n_refused:
        return ExitCode.SOME_REFUSED
    return ExitCode.SUCCESS


#: For the help of commands that read many inputs.
OF_INPUTS: Final = """\
exit codes:
  0  all inputs were processed
  1  some inputs or lines were refused, the others were processed
  2  the command failed"""
#: For the help of commands that write one folder or file.
OF_ONE_RESULT: Final = """\
exit codes:
  0  the result was written
  2  the command failed"""
#: For the help of commands that train.
OF_TRAINING: Final = """\
exit codes:
  0  finished
  2  failed; the error event says why
  3  cancelled; continue with --resume"""
