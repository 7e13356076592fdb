"""``manage.py diff_snapshots PROJECT OLD NEW [--json]``"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from annotator.accounts.actors import SYSTEM
from annotator.common.commands import JsonCommand, Outcome
from annotator.corpus.management.commands.import_documents import project_named
from annotator.datasets.commands import snapshot_numbered
from annotator.datasets.diffs import CHANGES
from annotator.datasets.services import compare_snapshots


class Command(JsonCommand):
    help = (
        "Say what a snapshot has otherwise than an older one: legends that came, went or changed,"
        " and their entities by label."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "project", metavar="PROJECT", help="the project's address, such as demo"
        )
        parser.add_argument("old", type=int, metavar="OLD", help="the number of a snapshot")
        parser.add_argument("new", type=int, metavar="NEW", help="the number of another")

    def perform(self, *, project: str, old: int, new: int, **_: Any) -> Outcome:
        source = project_named(project)
        found = compare_snapshots(
            old=snapshot_numbered(source, old), new=snapshot_numbered(source, new), actor=SYSTEM
        )
        lines = [
            "Legends: " + ", ".join(f"{n:,} {kind}" for kind, n in found["legends"].items()) + "."
        ]
        columns = ("old", "new", *CHANGES)
        lines.append(f"{'':16}" + "".join(f"{column:>12}" for column in columns))
        lines += [
            f"{label:16}" + "".join(f"{counts[column]:>12,}" for column in columns)
            for label, counts in found["labels"].items()
        ]
        lines += [f"{one} to {other}: {n:,}" for one, other, n in found["relabelled"]]
        return Outcome({"project": source.slug, "old": old, "new": new, **found}, lines)
