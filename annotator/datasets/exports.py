"""Accepted legends into files: streamed, complete or not at all, and only if every stored entity
still fits its text."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from annotator.common.errors import UserError
from annotator.common.files import workbench
from annotator.corpus.annotations import engine_documents
from annotator.corpus.models import Document, Project
from ner_engine import schema
from ner_engine.errors import FormatError
from ner_engine.formats import Problem, Report
from ner_engine.formats.convert import Target, write_documents
from ner_engine.formats.sd_nlp import DEFAULT, PUBLIC

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from annotator.jobs.runs import JobRun

#: What a project may be exported as, and what people read of it.
EXPORT_FORMATS: Final[Mapping[str, str]] = {
    "sd-nlp": "sd-nlp: words with IOB2 labels, panels and figures",
    "sd-nlp-tokenized": "sd-nlp, tokenised: tokens of roberta-base, cut at 512",
    "jsonl": "JSONL: character spans with their decisions, nothing lost",
}
#: Named word for word in an error or a report; the rest is counted.
MAX_NAMED: Final = 20
_REPORT: Final = "report.json"
#: All that an export writes; a folder with nothing else in it is an earlier export, which a new one
#: may replace.
_FILES_OF_AN_EXPORT: Final = frozenset(
    {"sd_panels", "sd_figs", "train.jsonl", "eval.jsonl", "test.jsonl", "lossy.jsonl", _REPORT}
)


class DamagedAnnotationsError(UserError):
    """Stored texts or entities are not what they were; nothing was written."""


@dataclass
class AcceptedLegends:
    """The accepted legends of a project as engine documents, in order of their id, in constant
    memory; ``damaged`` fills on the way.

    Their ids are those of their source and ``attributes["lineage"]`` says what they were made from,
    so that a row finds its way back to its screen.
    """

    project: Project
    run: JobRun | None = None
    damaged: list[Problem] = field(default_factory=list)
    #: Those of the project's accepted legends that are asked for; None for all.
    chosen: QuerySet[Document] | None = None

    def __iter__(self) -> Iterator[schema.Document]:
        accepted = self.project.documents.accepted() if self.chosen is None else self.chosen
        total = accepted.count()
        for n, document in enumerate(
            engine_documents(accepted, on_problem=self.damaged.append, with_suggestions=False),
            start=1,
        ):
            if self.run is not None:
                self.run.check()
                self.run.report(
                    done=n,
                    total=total,
                    message="Reading legends" if self.chosen is not None else "Writing legends",
                )
            yield _with_lineage(document)


def refuse_damage(
    damaged: Sequence[Problem], *, advice: str = "Mend them, then start again."
) -> None:
    """Raise ``DamagedAnnotationsError`` naming what is damaged, where anything is."""
    if damaged:
        more = f" And {len(damaged) - MAX_NAMED} more." if len(damaged) > MAX_NAMED else ""
        count = (
            "1 accepted legend is"
            if len(damaged) == 1
            else f"{len(damaged):,} accepted legends are"
        )
        raise DamagedAnnotationsError(
            f"Nothing was written, because {count} damaged. {' '.join(_named(damaged))}{more}"
            f" {advice}"
        )


def _named(damaged: Sequence[Problem]) -> list[str]:
    """The first of them as sentences that say which legend it is."""
    return [
        problem.message if problem.where in problem.message else str(problem)
        for problem in damaged[:MAX_NAMED]
    ]


def _with_lineage(document: schema.Document) -> schema.Document:
    facts = dict(document.attributes)
    external_id = str(facts.pop("external_id"))
    del facts["state"]
    lineage = {
        "document": int(document.id),
        "sha256": facts.pop("sha256"),
        "revision": facts.pop("revision"),
    }
    return replace(document, id=external_id, attributes={**facts, "lineage": lineage})


@dataclass(frozen=True, slots=True)
class ExportChoice:
    """What to write. ``public_form`` is the sd-nlp of the public converter to the letter;
    ``tokenizer`` a folder or cached name."""

    format_name: str
    tokenizer: str
    public_form: bool = False
    leave_out_damaged: bool = False

    def target(self) -> Target:
        """Raises ``UserError`` for a format that is not written."""
        if self.format_name not in EXPORT_FORMATS:
            raise UserError(
                f'"{self.format_name}" is no export format; formats are'
                f" {', '.join(EXPORT_FORMATS)}."
            )
        return Target(
            self.format_name,
            flavour=PUBLIC if self.public_form else DEFAULT,
            tokenizer=self.tokenizer,
        )


def write_export(
    project: Project, choice: ExportChoice, out: Path, run: JobRun | None = None
) -> dict[str, Any]:
    """Write the accepted legends of ``project`` into the folder ``out``; the report.

    Raises ``UserError`` where nothing is accepted, ``out`` holds something else, or the tokenizer
    is missing; ``DamagedAnnotationsError``.
    """
    target = choice.target()
    report = Report()
    with whole_folder(out) as part:
        try:
            n = write_documents(
                AcceptedLegends(project, run, report.problems), target, part, report
            )
        except FormatError as error:
            raise UserError(f"{error}.") from error
        if not choice.leave_out_damaged or not n:
            refuse_damage(
                report.problems,
                advice="Mend them, or have them left out (export_dataset --leave-out-damaged).",
            )
        if not n:
            raise UserError(
                "There is no accepted legend to export yet. Accept some on the review page first."
            )
    return {
        "format": choice.format_name,
        "documents": n,
        "counts": dict(sorted(report.counts.items())),
        "n_lossy": report.counts["lossy"],
        "n_left_out": len(report.problems),
        "left_out": _named(report.problems),
    }


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A folder to write into that becomes ``out`` when the block ends well, and vanishes when it
    does not.

    An earlier export at ``out`` is replaced in one rename; anything else there is left alone and
    ``UserError`` raised.
    """
    _check_free(out)
    with workbench(out) as bench:
        part = bench / "new"
        part.mkdir()
        yield part
        _put_in_place(part, out, bench / "old")


def _check_free(out: Path) -> None:
    if out.is_dir() and {path.name for path in out.iterdir()} <= _FILES_OF_AN_EXPORT:
        return
    if out.exists() or out.is_symlink():
        raise UserError(
            f"{out} holds something else already. Name a new folder; an earlier export is the only"
            " thing that is replaced."
        )


def _put_in_place(part: Path, out: Path, old: Path) -> None:
    if out.exists():
        out.rename(old)
    try:
        part.rename(out)
    except OSError:
        if old.exists():
            old.rename(out)
        raise


def zip_folder(folder: Path, archive: Path) -> None:
    """Pack the files of ``folder`` under the archive's own name."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as packed:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            packed.write(path, f"{archive.stem}/{path.relative_to(folder)}")
