"""``manage.py export_dataset PROJECT --format sd-nlp|sd-nlp-tokenized|jsonl --out DIR [--json]``"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from annotator.common.commands import Outcome
from annotator.corpus.management.commands.import_documents import project_named
from annotator.datasets.exports.services import EXPORT_KIND, ExportPayload
from annotator.datasets.exports.writing import EXPORT_FORMATS
from annotator.jobs.commands import JobCommand


class Command(JobCommand):
    help = (
        "Write a project's accepted legends into a folder, split by paper; complete or not at all."
        " Exit code 0: all legends were written; 1: damaged legends were left out, as requested;"
        " 2: nothing was written."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("project", metavar="PROJECT", help="the project's slug, such as demo")
        parser.add_argument(
            "--format",
            dest="format_name",
            required=True,
            metavar="FORMAT",
            help=f"one of {', '.join(EXPORT_FORMATS)}",
        )
        parser.add_argument(
            "--out",
            dest="out_dir",
            required=True,
            metavar="DIR",
            help="a new folder, or that of an earlier export, which is replaced",
        )
        parser.add_argument(
            "--public-form",
            action="store_true",
            help="sd-nlp exactly as the public converter writes it, including its defects",
        )
        parser.add_argument(
            "--tokenizer",
            default="",
            metavar="DIR_OR_NAME",
            help="for sd-nlp-tokenized: a folder or a cached name (default: SD_TOKENIZER)",
        )
        parser.add_argument(
            "--leave-out-damaged",
            action="store_true",
            help="leave out damaged legends and name them, instead of writing nothing",
        )

    def perform(self, *, project: str, out_dir: str, **options: Any) -> Outcome:
        source = project_named(project)
        out = str(Path(out_dir).resolve())
        payload = ExportPayload(
            project=source.pk,
            format_name=options["format_name"],
            out_dir=out,
            public_form=options["public_form"],
            tokenizer=options["tokenizer"],
            leave_out_damaged=options["leave_out_damaged"],
        )
        job = self.run_job(kind=EXPORT_KIND, scope=source.scope, payload=payload)
        report = job.result
        lines = [f"{name:32}{n:>12,}" for name, n in report["counts"].items()]
        lines.append(
            f"Exported {report['documents']:,} accepted legends as {report['format']} into {out}."
        )
        if report["n_lossy"]:
            lines.append(
                f"{report['n_lossy']:,} entities do not fit words exactly; lossy.jsonl names each."
            )
        lines += [f"left out: {problem}" for problem in report["left_out"]]
        summary = {"project": source.slug, "job": job.pk, "out": out, **report}
        return Outcome(summary, lines, is_partial=bool(report["n_left_out"]))
