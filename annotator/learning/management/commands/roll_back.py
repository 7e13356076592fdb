"""``manage.py roll_back PROJECT [--reason TEXT] [--json]``"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from annotator.accounts.actors import SYSTEM
from annotator.common.commands import JsonCommand, Outcome
from annotator.corpus.management.commands.import_documents import project_named
from annotator.learning.management.commands.promote import outcome_of
from annotator.learning.models import ModelTask
from annotator.learning.serving.promotion import roll_back


class Command(JsonCommand):
    help = (
        "Roll back the last promotion of a project: the model before it serves again."
        " Exit code 0: rolled back; 2: nothing changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("project", metavar="PROJECT", help="slug of the project, such as demo")
        parser.add_argument(
            "--task",
            default=ModelTask.ENTITIES.value,
            choices=ModelTask.values,
            help="pipeline stage (default: %(default)s)",
        )
        parser.add_argument("--reason", default="", help="a note for the log of promotions")

    def perform(self, *, project: str, task: str, reason: str, **_: Any) -> Outcome:
        return outcome_of(
            roll_back(project=project_named(project), task=task, actor=SYSTEM, reason=reason)
        )
