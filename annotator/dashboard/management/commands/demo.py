"""``manage.py demo``: create a demo project and serve it; with ``--once`` do not serve."""

from __future__ import annotations

import logging
import time
from typing import Any

from django.core.management.base import CommandParser

from annotator.common.commands import JsonCommand, Outcome
from annotator.dashboard.demo import (
    Account,
    Demo,
    credentials_path,
    legends_to_tag,
    prepare_demo,
    summary_of,
    tag_legends,
)
from annotator.dashboard.serving import Site, local_site


class Command(JsonCommand):
    help = (
        "Create a demo project, let a worker tag it, and serve the site until Ctrl-C. With --once"
        " the site is not served, and the last line of output is a JSON summary. A second run"
        " changes nothing."
    )
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--once",
            action="store_true",
            help=(
                "do not serve the site: wait until the worker has tagged, print a JSON summary and"
                " end all processes"
            ),
        )
        parser.add_argument(
            "--host", default="127.0.0.1", help="address to listen on (default: %(default)s)"
        )
        parser.add_argument(
            "--port",
            type=int,
            default=8000,
            help="port to listen on, or the next free one (default: %(default)s)",
        )
        parser.add_argument(
            "--timeout",
            type=float,
            default=900.0,
            help="seconds to wait until the worker has tagged (default: %(default)s)",
        )

    def handle(self, *args: Any, as_json: bool, once: bool, **options: Any) -> None:
        super().handle(*args, as_json=as_json or once, once=once, **options)

    def perform(
        self, *, once: bool, host: str, port: int, timeout: float, **options: Any
    ) -> Outcome:
        self._voice = self.stderr if once else self.stdout
        began_at = time.monotonic()
        # The lines below report progress, so the log shows warnings only.
        logging.getLogger("annotator").setLevel(logging.WARNING)
        with local_site() as site:
            demo = prepare_demo()
            site.start_worker()
            if not once:
                self._say_address(site.start_web(host=host, port=port), port, demo)
            n_waiting = legends_to_tag(demo.project)
            if n_waiting:
                self.say(f"The worker is tagging {n_waiting} legends with the bundled model …")
                job = tag_legends(site, demo, timeout=timeout, on_progress=self.progress)
                n_tagged = n_waiting - legends_to_tag(demo.project)
                self.say(f"Tagged {n_tagged} legends; the report is in job {job.pk}.")
            summary = summary_of(demo) | {"seconds": round(time.monotonic() - began_at, 1)}
            if not once:
                self._serve(site)
        return Outcome(
            summary=summary,
            lines=["All processes have ended. Your work is saved; make demo continues with it."],
        )

    def say(self, line: str) -> None:
        """Write a line for people to stdout, or to stderr if stdout gets the JSON summary."""
        self._end_progress()
        self._voice.write(line, str)
        self._voice.flush()

    def _serve(self, site: Site) -> None:
        """Serve until Ctrl-C, which is the normal end."""
        self.say(f"Logs: {site.log_dir}. Ctrl-C ends everything.")
        try:
            site.watch()
        except KeyboardInterrupt:
            self.say("Stopping …")

    def _say_address(self, address: str, wanted_port: int, demo: Demo) -> None:
        note = ""
        if not address.endswith(f":{wanted_port}/"):
            note = f" (port {wanted_port} is in use)"
        self.say(f"\nsd-curator runs at {address}{note}")
        for account in demo.accounts:
            self.say(f"  {account.username:<14} {_password_of(account):<20} ({account.what})")
        if any(account.is_new for account in demo.accounts):
            self.say(f"The passwords are in {credentials_path()}, which only you can read.")
        elif any(account.password for account in demo.accounts):
            self.say(f"The passwords are in {credentials_path()}.")
        if demo.accounts:
            self.say(
                f"Sign in as {demo.accounts[-1].username}, open “{demo.project}” and press Review"
                " legends.\n"
            )


def _password_of(account: Account) -> str:
    if account.is_new:
        return account.password
    if account.password:
        return "password as before"
    return "password changed"
