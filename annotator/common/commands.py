"""The base of the site's management commands: ``--json``, progress on a terminal, exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotator.common.errors import UserError
from annotator.common.storable import storable_json
from ner_engine.errors import EngineError

EXIT_PARTIAL = 1
EXIT_FAILED = 2


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a command: ``summary`` for ``--json``, ``lines`` for a person.

    ``is_partial`` is set if some of the input was refused, ``is_failed`` if all of it was.
    """

    summary: dict[str, Any]
    lines: Sequence[str] = field(default_factory=tuple)
    is_partial: bool = False
    is_failed: bool = False


class JsonCommand(BaseCommand):
    """A command that implements ``perform(**options) -> Outcome``.

    Exit codes: 0 succeeded, 1 succeeded in part (the output lists what was refused), 2 failed. With
    ``--json`` the last line of output is one JSON object, or ``{"error": sentence}`` after a
    failure. A ``UserError`` or ``EngineError`` becomes one sentence on standard error. If the
    command runs through ``call_command``, a failure raises ``CommandError`` with that sentence.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--json",
            action="store_true",
            dest="as_json",
            help="print one JSON object as the last line of output",
        )

    def perform(self, *args: Any, **options: Any) -> Outcome:
        raise NotImplementedError

    def handle(self, *args: Any, **options: Any) -> None:
        as_json = bool(options.pop("as_json"))
        try:
            outcome = self.perform(**options)
        except (UserError, EngineError, PermissionDenied) as error:
            self._fail(str(error), as_json=as_json)
            return
        except KeyboardInterrupt:
            self._fail("Stopped. Run the command again to continue.", as_json=as_json)
            return
        finally:
            self._end_progress()
        if as_json:
            self.stdout.write(
                json.dumps(storable_json(outcome.summary), ensure_ascii=False, default=str)
            )
        else:
            for line in outcome.lines:
                self.stdout.write(line)
        if self._is_process and (outcome.is_partial or outcome.is_failed):
            self.stdout.flush()
            sys.exit(EXIT_FAILED if outcome.is_failed else EXIT_PARTIAL)

    def progress(self, done: int, total: int, message: str) -> None:
        """Show the progress, on a terminal only."""
        if not self.stderr.isatty():
            return
        amount = f"{done:,}"
        if total:
            amount = f"{100 * done / total:5.1f} %"
        self.stderr.write(f"\r\033[K{amount}  {message[:100]}", ending="")
        self._shows_progress = True

    _shows_progress = False

    def _end_progress(self) -> None:
        if self._shows_progress:
            self.stderr.write("\r\033[K", ending="")
            self._shows_progress = False

    @property
    def _is_process(self) -> bool:
        return bool(getattr(self, "_called_from_command_line", False))

    def _fail(self, sentence: str, *, as_json: bool) -> None:
        if not self._is_process:
            raise CommandError(sentence, returncode=EXIT_FAILED)
        self._end_progress()
        self.stderr.write(sentence)
        if as_json:
            self.stdout.write(json.dumps(storable_json({"error": sentence}), ensure_ascii=False))
        sys.exit(EXIT_FAILED)
