"""``manage.py push_model MODEL OWNER/NAME [--project PROJECT] [--licence ID] [--public]
[--json]``"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from annotator.accounts.actors import SYSTEM
from annotator.common.commands import Outcome
from annotator.common.errors import UserError
from annotator.jobs.commands import JobCommand
from annotator.learning.models import ModelVersion
from annotator.learning.serving.hub import PUSH_KIND, offer_of, push_payload


class Command(JobCommand):
    help = (
        "Push a model with its card to a hub, in this process. SD_HUB_TOKEN holds the token. Exit"
        " code 0: pushed; 2: not pushed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "model", metavar="MODEL", help="name of a model version, such as demo-run-1"
        )
        parser.add_argument(
            "repository",
            metavar="OWNER/NAME",
            help="repository on the hub; it is created if missing",
        )
        parser.add_argument(
            "--licence",
            default="",
            metavar="ID",
            help="such as cc-by-4.0 (default: the one that its card, or that of its base, names)",
        )
        parser.add_argument("--public", action="store_true", help="make a new repository public")

    def perform(
        self, *, model: str, repository: str, licence: str, public: bool, **_: Any
    ) -> Outcome:
        found = ModelVersion.objects.select_related("project", "parent").filter(name=model).first()
        if found is None:
            raise UserError(f'There is no model "{model}".')
        named = licence or offer_of(model=found, actor=SYSTEM).proposed
        payload = push_payload(
            model=found, repository=repository, licence=named, is_private=not public, actor=SYSTEM
        )
        job = self.run_job(
            kind=PUSH_KIND,
            scope=found.project.scope if found.project is not None else "",
            payload=payload,
        )
        return Outcome(job.result, [f"{found} lies at {job.result['url']}, under {named}."])
