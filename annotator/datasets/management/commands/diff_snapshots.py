"""``manage.py diff_snapshots PROJECT OLD NEW [--json]``"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from annotator.accounts.actors import SYSTEM
from annotator.common.commands import JsonCommand, Outcome
from annotator.corpus.management.commands.import_documents import project_named
from annotator.datasets.commands import snapshot_numbered
from annotator.datasets.snapshots.comparison import CHANGES
from annotator.datasets.snapshots.services import compare_snapshots


class Command(JsonCommand):
    help = (
        "Compare a snapshot with an older one: legends added, removed or changed, and their"
        " entities by label."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("project", metavar="PROJECT", help="the project's slug, such as demo")
        parser.add_argument("old", type=int, metavar="OLD", help="number of the older snapshot")
        parser.add_argument("new", type=int, metavar="NEW", help="number of the newer snapshot")

    def perform(self, *, project: str, old: int, new: int, **_: Any) -> Outcome:
        source = project_named(project)
        changes = compare_snapshots(
            old=snapshot_numbered(source, old), new=snapshot_numbered(source, new), actor=SYSTEM
        )
        legends = [f"{n:,} {kind}" for kind, n in changes["legends"].items()]
        lines = [f"Legends: {', '.join(legends)}."]
        columns = ("old", "new", *CHANGES)
        lines.append(f"{'':16}" + "".join(f"{column:>12}" for column in columns))
        for label, counts in changes["labels"].items():
            numbers = [f"{counts[column]:>12,}" for column in columns]
            lines.append(f"{label:16}{''.join(numbers)}")
        lines += [f"{one} to {other}: {n:,}" for one, other, n in changes["relabelled"]]
        return Outcome({"project": source.slug, "old": old, "new": new, **changes}, lines)
