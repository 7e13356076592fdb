"""``manage.py import_dictionary FILE --database KEY [--name NAME] [--version VERSION] [--json]``"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from annotator.common.commands import Outcome
from annotator.common.errors import UserError
from annotator.jobs.commands import JobCommand
from annotator.lookup.databases import DATABASES
from annotator.lookup.importing import JOB_KIND, SCOPE, DictionaryPayload, known_database


class Command(JobCommand):
    help = (
        "Import a dictionary of identifiers: a table (TSV) or OBO, plain or packed with gzip. It"
        " replaces the dictionary of the same database and name once it is complete. Exit code 0:"
        " all is in; 1: some lines were refused; 2: nothing was imported."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Return a parser whose --version names the file's version, not Django's."""
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", metavar="FILE", help="a file on this machine")
        parser.add_argument(
            "--database",
            required=True,
            metavar="KEY",
            help=", ".join(database.key for database in DATABASES),
        )
        parser.add_argument(
            "--name",
            default="",
            help="needed for several of one database, such as “NCBI gene, mouse”",
        )
        parser.add_argument(
            "--version", default="", dest="file_version", help="the version of the file"
        )

    def perform(
        self, *, file: str, database: str, name: str, file_version: str, **_: Any
    ) -> Outcome:
        chosen = known_database(database)
        path = Path(file).resolve()
        if not path.is_file():
            raise UserError(f"There is no file {path}.")
        job = self.run_job(
            kind=JOB_KIND,
            scope=SCOPE,
            payload=DictionaryPayload(
                database=chosen.key,
                name=name or chosen.name,
                version=file_version,
                path=str(path),
            ),
        )
        report = job.result
        lines = [
            f"Imported {report['entries']:,} entries with {report['names']:,} names as"
            f" {report['name']}; {report['n_problems']:,} lines were refused.",
            *(f"  {problem}" for problem in report["problems"]),
        ]
        return Outcome({"job": job.pk, **report}, lines, is_partial=bool(report["n_problems"]))
