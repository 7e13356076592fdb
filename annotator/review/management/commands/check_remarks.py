"""``manage.py check_remarks [PROJECT] [--repair] [--json]``"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from annotator.common.commands import JsonCommand, Outcome
from annotator.corpus.management.commands.import_documents import project_named
from annotator.corpus.models import Document
from annotator.review.second_look.comments import miscounted, recount


class Command(JsonCommand):
    help = (
        "Recount the open flags and questions of every legend. Exit code 1 if a stored count is"
        " wrong; the legend is then named."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "project", metavar="PROJECT", nargs="?", default="", help="check this project only"
        )
        parser.add_argument(
            "--repair", action="store_true", help="replace wrong counts by the right ones"
        )

    def perform(self, *, project: str, repair: bool, **_: Any) -> Outcome:
        documents = project_named(project).documents.all() if project else Document.objects.all()
        wrong = list(miscounted(documents))
        if repair:
            for document, _right in wrong:
                recount(document_id=document.pk)
        total, found = documents.count(), [_in_words(document, right) for document, right in wrong]
        end = "repaired" if repair else "miscounted"
        lines = [*found, f"{total:,} legends checked, {len(found):,} {end}."]
        return Outcome(
            {"documents": total, end: found}, lines, is_partial=bool(found) and not repair
        )


def _in_words(document: Document, right: dict[str, int]) -> str:
    return (
        f"legend {document.pk} ({document}): {document.n_flags} flags and {document.n_questions}"
        f" questions are stored, {right['n_flags']} and {right['n_questions']} are open"
    )
