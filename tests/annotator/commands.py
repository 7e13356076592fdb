"""Management commands as a shell sees them: exit code, output, the JSON of the last line."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

from django.core.management import call_command, get_commands, load_command_class


@dataclass(frozen=True)
class Ended:
    """How a command ended. ``summary`` is what ``--json`` printed."""

    code: int
    out: str
    err: str

    @property
    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return found


def run_command(name: str, *arguments: object) -> Ended:
    """Run ``manage.py NAME ARGUMENTS…`` in this process."""
    command: Any = load_command_class(get_commands()[name], name)
    command._called_from_command_line = True
    out, err, code = io.StringIO(), io.StringIO(), 0
    try:
        call_command(command, *map(str, arguments), stdout=out, stderr=err)
    except SystemExit as end:
        code = int(end.code or 0)
    return Ended(code, out.getvalue(), err.getvalue())
