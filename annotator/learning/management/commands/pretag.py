"""``manage.py pretag PROJECT [--model NAME] [--json]``"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from annotator.common.commands import Outcome
from annotator.corpus.management.commands.import_documents import project_named
from annotator.jobs.commands import JobCommand
from annotator.learning.commands import model_named
from annotator.learning.models import ModelTask
from annotator.learning.tagging.services import (
    PRETAG_KIND,
    pretag_payload,
    waiting_pretagging,
)


class Command(JobCommand):
    help = (
        "Suggest entities for every undecided legend of a project. Runs in this process, without a"
        " worker. Decided legends stay as they are. Exit code 0: all are tagged; 1: the model could"
        " not tag some, which are named; 2: nothing was tagged."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "project", metavar="PROJECT", help="the project's address, such as demo"
        )
        parser.add_argument(
            "--model",
            default="",
            metavar="NAME",
            help=(
                "a model version's name, bundled, a folder, or a name in the local Hugging Face"
                " cache (default: the project's serving model)"
            ),
        )

    def perform(self, *, project: str, model: str, **_: Any) -> Outcome:
        target = project_named(project)
        chosen = model_named(model, target)
        waiting = waiting_pretagging(project=target, model_version=chosen)
        job = self.run_job(
            kind=PRETAG_KIND,
            scope=target.scope,
            payload=pretag_payload(target, chosen),
            waiting=waiting,
        )
        report = job.result
        lines = [
            f"Tagged {report['documents']:,} legends with {report['model']}: {report['spans']:,}"
            " suggestions."
        ]
        if not report["documents"]:
            lines = [
                "No legend waits for tagging: every undecided one has suggestions by"
                f" {report['model']}."
            ]
        else:
            lines += [
                f"{ModelTask(task).label.capitalize()} by {name}."
                for task, name in report["steps"].items()
            ]
            lines.append(
                f"Roles on {report['roles']:,} of them; {report['panels']:,} panels predicted."
            )
        if report["unknown_labels"]:
            left_out = ", ".join(f"{label} {n:,}" for label, n in report["unknown_labels"].items())
            lines.append(f"Left out, because the project lacks the label: {left_out}.")
        lines += report["refused"]
        return Outcome(
            {"project": target.slug, "job": job.pk, **report},
            lines,
            is_partial=bool(report["n_refused"]),
        )
