"""``manage.py snapshot_rules PROJECT [options] [--json]``"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from annotator.accounts.actors import SYSTEM
from annotator.common.commands import JsonCommand, Outcome
from annotator.corpus.management.commands.import_documents import project_named
from annotator.datasets.models import OverCap
from annotator.datasets.snapshots.guard import Rules, change_snapshot_rules


class Command(JsonCommand):
    help = (
        "Show or change the rules for a project's snapshots. Rules that are not named stay"
        " unchanged."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("project", metavar="PROJECT", help="the project's slug, such as demo")
        parser.add_argument(
            "--swept-cap",
            type=float,
            metavar="FRACTION",
            help="largest allowed fraction of bulk-accepted entities (0-1)",
        )
        parser.add_argument(
            "--over-cap",
            choices=OverCap.values,
            help="above it: refuse the snapshot, or leave out the least reviewed panels",
        )
        parser.add_argument(
            "--swept-weight",
            type=float,
            metavar="WEIGHT",
            help="weight of such an entity in training (0-1)",
        )
        parser.add_argument(
            "--near-duplicate",
            type=float,
            metavar="FRACTION",
            help="common three-word sequences that make two panels near-duplicates (0-1)",
        )

    def perform(self, *, project: str, **options: Any) -> Outcome:
        source = project_named(project)
        rules = Rules.of(source)
        values = rules.as_json()
        changes = {}
        for name in values:
            if options[name] is not None:
                changes[name] = options[name]
        if changes:
            rules = change_snapshot_rules(project=source, actor=SYSTEM, **{**values, **changes})
            values = rules.as_json()
        lines = [f"{name:16}{value}" for name, value in values.items()]
        return Outcome({"project": source.slug, **values}, lines)
