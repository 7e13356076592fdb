"""``manage.py check_annotations [PROJECT] [--json]``"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from django.db.models import QuerySet

from annotator.common.commands import JsonCommand, Outcome
from annotator.corpus.annotations import CHUNK, damage_of
from annotator.corpus.management.commands.import_documents import project_named
from annotator.corpus.models import Document


class Command(JsonCommand):
    help = (
        "Check every text against its hash, and every panel and entity against its text. Exit code"
        " 1: damage was found; it is listed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "project", metavar="PROJECT", nargs="?", default="", help="only this project"
        )

    def perform(self, *, project: str, **_: Any) -> Outcome:
        documents: QuerySet[Document] = Document.objects.all()
        if project:
            documents = project_named(project).documents.all()
        total = documents.count()
        rows = (
            documents.order_by("pk")
            .prefetch_related("segments", "layers__spans")
            .iterator(chunk_size=CHUNK)
        )
        damaged: list[str] = []
        for n, document in enumerate(rows, start=1):
            self.progress(n, total, "legends checked")
            name = f"legend {document.pk} ({document})"
            damaged += [f"{name}: {damage}" for damage in damage_of(document)]
        lines = [*damaged, f"{total:,} legends checked, {len(damaged):,} damaged places."]
        return Outcome({"documents": total, "damaged": damaged}, lines, is_partial=bool(damaged))
