"""``manage.py serve``: run broker, worker and web server on this machine until Ctrl-C."""

from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandParser

from annotator.common.commands import JsonCommand, Outcome
from annotator.dashboard.serving import local_site


class Command(JsonCommand):
    help = (
        "Migrate the database and run the site until Ctrl-C: broker (REDIS_URL or embedded),"
        " worker and web server."
    )
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--host", default="127.0.0.1", help="address to listen on (default: %(default)s)"
        )
        parser.add_argument(
            "--port",
            type=int,
            default=8000,
            help="port to listen on, or the next free one (default: %(default)s)",
        )

    def perform(self, *, host: str, port: int, **options: Any) -> Outcome:
        with local_site() as site:
            call_command("migrate", verbosity=0, interactive=False)
            site.start_worker()
            address = site.start_web(host=host, port=port)
            self.stdout.write(
                f"sd-curator runs at {address}\nLogs: {site.log_dir}. Ctrl-C ends everything."
            )
            self.stdout.flush()
            try:
                site.watch()
            except KeyboardInterrupt:
                self.stdout.write("Stopping …")
        return Outcome(summary={"address": address}, lines=["All processes have ended."])
