"""``manage.py automatic_training PROJECT [--on | --off] [--panels N] [--days N] [--recipe NAME]
[--set NAME=VALUE] [--look] [--json]``"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from annotator.accounts.actors import SYSTEM
from annotator.common.commands import JsonCommand, Outcome
from annotator.corpus.management.commands.import_documents import project_named
from annotator.learning.commands import settings_of
from annotator.learning.training.automatic import change_automatic_training, look_at, standing_of
from annotator.learning.training.recipes import DEFAULT_RECIPE


class Command(JsonCommand):
    help = (
        "Switch automatic training of a project on or off; without --on and --off, print its"
        " status. It trains and evaluates candidates, and never promotes one. Exit code 0: it is as"
        " asked for; 2: nothing changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "project", metavar="PROJECT", help="the project's address, such as demo"
        )
        switch = parser.add_mutually_exclusive_group()
        switch.add_argument(
            "--on",
            action="store_true",
            help="train after --panels newly accepted panels, or after --days days",
        )
        switch.add_argument("--off", action="store_true", help="train only when a user starts it")
        parser.add_argument(
            "--panels", type=int, metavar="N", help="train after so many newly accepted panels"
        )
        parser.add_argument(
            "--days",
            type=int,
            metavar="N",
            help="train after so many days if legends were accepted",
        )
        parser.add_argument(
            "--recipe",
            default=DEFAULT_RECIPE,
            metavar="NAME",
            help="recipe with the hyperparameters (default: %(default)s)",
        )
        parser.add_argument(
            "--set",
            dest="hyperparameters",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="replace a hyperparameter of the recipe",
        )
        parser.add_argument(
            "--look",
            action="store_true",
            help="check now whether a training is due, as a worker does every minute",
        )

    def perform(
        self,
        *,
        project: str,
        on: bool,
        off: bool,
        panels: int | None,
        days: int | None,
        recipe: str,
        hyperparameters: list[str],
        look: bool,
        **_: Any,
    ) -> Outcome:
        target = project_named(project)
        if on or off:
            settings = settings_of(hyperparameters)
            change_automatic_training(
                project=target,
                actor=SYSTEM,
                is_on=on,
                every_panels=panels,
                every_days=days,
                recipe=recipe,
                hyperparameters=settings,
            )
        if look:
            look_at(target)
        standing = standing_of(project=target, actor=SYSTEM)
        now = standing.settings
        status = "on" if now.is_on else "off"
        lines = [f"Automatic training of {target.slug} is {status}. {now.check_result}".strip()]
        rounds = []
        for each in standing.rounds:
            outcome = each.outcome or "Unfinished."
            lines.append(f"{each.created_at:%Y-%m-%d %H:%M}  {each.reason} {outcome}")
            rounds.append({"reason": each.reason, "run": each.run_id, "outcome": each.outcome})
        facts = {
            "project": target.slug,
            "is_on": now.is_on,
            "every_panels": now.every_panels,
            "every_days": now.every_days,
            "recipe": now.recipe,
            "hyperparameters": now.hyperparameters,
            "check_result": now.check_result,
            "said": now.check_result,  # its old name
            "rounds": rounds,
        }
        return Outcome(facts, lines)
