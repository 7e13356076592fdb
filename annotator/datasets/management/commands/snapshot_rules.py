"""``manage.py snapshot_rules PROJECT [--swept-cap SHARE] [--over-cap refuse|leave_out] …
[--json]``"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from annotator.accounts.actors import SYSTEM
from annotator.common.commands import JsonCommand, Outcome
from annotator.corpus.management.commands.import_documents import project_named
from annotator.datasets.guard import Rules, change_snapshot_rules
from annotator.datasets.models import OverCap


class Command(JsonCommand):
    help = (
        "Show, or change, the rules by which a project's snapshots are frozen. What is not named"
        " stays as it is."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "project", metavar="PROJECT", help="the project's address, such as demo"
        )
        parser.add_argument(
            "--swept-cap",
            type=float,
            metavar="SHARE",
            help="of entities that nobody decided by themselves, at most (0-1)",
        )
        parser.add_argument(
            "--over-cap",
            choices=OverCap.values,
            help="beyond it: refuse the snapshot, or leave out the most swept panels",
        )
        parser.add_argument(
            "--swept-weight",
            type=float,
            metavar="WEIGHT",
            help="what such an entity weighs in training (0-1)",
        )
        parser.add_argument(
            "--near-duplicate",
            type=float,
            metavar="SHARE",
            help="of three-word sequences: nearly the same from here on (0-1)",
        )

    def perform(self, *, project: str, **told: Any) -> Outcome:
        source = project_named(project)
        rules = Rules.of(source)
        changes = {name: told[name] for name in rules.as_json() if told[name] is not None}
        if changes:
            rules = change_snapshot_rules(
                project=source, actor=SYSTEM, **{**rules.as_json(), **changes}
            )
        return Outcome(
            {"project": source.slug, **rules.as_json()},
            [f"{name:16}{value}" for name, value in rules.as_json().items()],
        )
