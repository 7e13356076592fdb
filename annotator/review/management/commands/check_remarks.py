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
        "Count every legend's open flags and questions again. Exit code 1: a legend has another"
        " number, and is named."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "project", metavar="PROJECT", nargs="?", default="", help="only this project"
        )
        parser.add_argument(
            "--repair", action="store_true", help="put the right numbers in place of the wrong ones"
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
    said = f"{document.n_flags} flags and {document.n_questions} questions"
    return (
        f"legend {document.pk} ({document}): {said} are told, {right['n_flags']} and"
        f" {right['n_questions']} are open"
    )
