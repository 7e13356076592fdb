"""``manage.py create_project NAME [--slug SLUG] [--manager USERNAME] [--json]``"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from django.db import transaction

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.common.commands import JsonCommand, Outcome
from annotator.common.errors import UserError
from annotator.corpus.models import Role
from annotator.corpus.services import add_member, create_project


class Command(JsonCommand):
    help = "Create a project with the labels of sd-nlp."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", metavar="NAME")
        parser.add_argument(
            "--slug", default="", help="the project's address (default: derived from the name)"
        )
        parser.add_argument(
            "--manager", default="", metavar="USERNAME", help="the user who manages the project"
        )

    def perform(self, *, name: str, slug: str, manager: str, **_: Any) -> Outcome:
        user = User.objects.filter(username=manager).first()
        if manager and user is None:
            raise UserError(
                f'There is no user "{manager}". Create one with manage.py createsuperuser, or on'
                " the admin pages."
            )
        with transaction.atomic():
            project = create_project(name=name, slug=slug, actor=SYSTEM)
            if user is not None:
                add_member(project=project, user=user, role=Role.MANAGER, actor=SYSTEM)
        return Outcome(
            {"project": project.slug, "id": project.pk}, [f"Created project {project.slug}."]
        )
