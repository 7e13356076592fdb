"""``manage.py import_documents PROJECT FILE… [--from FORMAT] [--labels gold|suggestions|none]
[--json]``"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from annotator.common.commands import Outcome
from annotator.common.errors import UserError
from annotator.corpus.imports import JOB_KIND, FileLabels, ImportPayload, check_choices
from annotator.corpus.models import Project
from annotator.jobs.commands import JobCommand
from ner_engine.formats import FORMATS


class Command(JobCommand):
    help = (
        "Import figure legends from files, folders and zips into a project. Legends that are in the"
        " project already are skipped. Exit code 0: all legends are in the project; 1: some were"
        " refused, and are listed; 2: nothing could be imported."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "project", metavar="PROJECT", help="the project's address, such as demo"
        )
        parser.add_argument("files", metavar="FILE", nargs="+", help="a file, a folder or a zip")
        parser.add_argument(
            "--from",
            dest="source_format",
            default="",
            metavar="FORMAT",
            help=f"{', '.join(FORMATS)} (default: detected from the content)",
        )
        parser.add_argument(
            "--labels",
            default=str(FileLabels.GOLD),
            metavar="|".join(FileLabels),
            help=(
                "gold: accept legends with the entities that people labelled (default);"
                " suggestions: import all entities as suggestions; none: import no entities"
            ),
        )

    def perform(
        self, *, project: str, files: list[str], source_format: str, labels: str, **_: Any
    ) -> Outcome:
        target = project_named(project)
        check_choices(source_format, labels)
        paths = [str(Path(file).resolve()) for file in files]
        job = self.run_job(
            kind=JOB_KIND,
            scope=target.scope,
            payload=ImportPayload(
                project=target.pk, source_format=source_format, labels=labels, paths=paths
            ),
        )
        report = job.result
        counts = report["counts"]
        nothing = not (
            report["imported"]
            or report["already_there"]
            or counts.get("images")
            or counts.get("images_already_there")
        )
        return Outcome(
            {"project": target.slug, "job": job.pk, **report},
            self._lines(report),
            is_partial=bool(report["n_problems"]),
            is_failed=nothing,
        )

    def _lines(self, report: dict[str, Any]) -> list[str]:
        lines = [f"{name:32}{n:>12,}" for name, n in report["counts"].items()]
        lines.append(
            f"Imported {report['imported']:,} legends with {report['panels']:,} panels and"
            f" {report['spans']:,} entities in {report['seconds']:.1f} s;"
            f" {report['already_there']:,} were there already, {report['n_problems']:,} problems."
        )
        lines += report["acceptance"]
        lines += report["notes"]
        shown = report["problems"]
        lines += [f"  {problem}" for problem in shown]
        if report["n_problems"] > len(shown):
            lines.append(f"  … and {report['n_problems'] - len(shown):,} more")
        return lines


def project_named(slug: str) -> Project:
    """Return the project at that address. Raise ``UserError`` with the known addresses."""
    project = Project.objects.filter(slug=slug).select_related("label_set").first()
    if project is None:
        known = ", ".join(Project.objects.values_list("slug", flat=True)[:10])
        if not known:
            known = "none yet; create one with manage.py create_project"
        raise UserError(f'There is no project "{slug}". Projects: {known}.')
    return project
