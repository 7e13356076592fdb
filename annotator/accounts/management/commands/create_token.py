"""``manage.py create_token USER``: an API token for a program, printed once."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.accounts.tokens import create_token
from annotator.common.commands import JsonCommand, Outcome
from annotator.common.errors import UserError


class Command(JsonCommand):
    help = "Create an API token for a user. It is printed once, and only its hash is stored."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("username")
        parser.add_argument(
            "--name",
            default="made on the command line",
            help="the program that will use it (default: %(default)s)",
        )
        parser.add_argument(
            "--days", type=int, help="days until it expires (default: it never expires)"
        )

    def perform(self, *, username: str, name: str, days: int | None, **options: Any) -> Outcome:
        user = User.objects.filter(username=username, is_active=True).first()
        if user is None:
            raise UserError(
                f'There is no active user "{username}". Create one with manage.py createsuperuser,'
                " or on the admin pages."
            )
        token, secret = create_token(user=user, name=name, days=days, actor=SYSTEM)
        summary = {
            "token": secret,
            "id": token.pk,
            "name": token.name,
            "expires_at": token.expires_at,
        }
        return Outcome(summary=summary, lines=[secret])
