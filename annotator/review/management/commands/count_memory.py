"""``manage.py count_memory [PROJECT] [--json]``"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from annotator.common.commands import JsonCommand, Outcome
from annotator.corpus.management.commands.import_documents import project_named
from annotator.corpus.models import Project
from annotator.review.memory.services import count_missing


class Command(JsonCommand):
    help = (
        "Count the decisions of accepted legends that the project's memory does not know: those"
        " that were accepted before there was a memory."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "project", metavar="PROJECT", nargs="?", default="", help="count this project only"
        )

    def perform(self, *, project: str, **_: Any) -> Outcome:
        projects = [project_named(project)] if project else list(Project.objects.order_by("pk"))
        counted = {each.slug: count_missing(each) for each in projects}
        lines = [f"{slug}: {n:,} legends counted." for slug, n in counted.items()]
        return Outcome({"counted": counted}, lines)
