"""The writing of accepted legends into files: streamed, and complete or not at all.

Nothing is written unless every stored entity fits its text.
"""

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

#: The formats of an export, with their descriptions.
EXPORT_FORMATS: Final[Mapping[str, str]] = {
    "sd-nlp": "sd-nlp: words with IOB2 labels, panels and figures",
    "sd-nlp-tokenized": "sd-nlp, tokenised: tokens of roberta-base, cut at 512",
    "jsonl": "JSONL: character spans with their decisions, nothing lost",
}
#: Number of problems that an error or a report names; the rest is counted.
MAX_NAMED: Final = 20
_REPORT: Final = "report.json"
#: All files that an export writes. A folder that holds nothing else is an earlier export, which a
#: new one may replace.
_FILES_OF_AN_EXPORT: Final = frozenset(
    {"sd_panels", "sd_figs", "train.jsonl", "eval.jsonl", "test.jsonl", "lossy.jsonl", _REPORT}
)


class DamagedAnnotationsError(UserError):
    """Stored texts or entities are damaged; nothing was written."""


@dataclass
class AcceptedLegends:
    """The accepted legends of a project as engine documents, by ascending id, in constant memory.

    The documents have the ids of their source, and their provenance in ``attributes["lineage"]``,
    by which a row is traced back to its review page. ``damaged`` fills during iteration.
    ``chosen`` are the accepted legends to read; None reads all.
    """

    project: Project
    run: JobRun | None = None
    damaged: list[Problem] = field(default_factory=list)
    chosen: QuerySet[Document] | None = None

    def __iter__(self) -> Iterator[schema.Document]:
        accepted = self.project.documents.accepted() if self.chosen is None else self.chosen
        total = accepted.count()
        message = "Writing legends" if self.chosen is None else "Reading legends"
        documents = engine_documents(
            accepted, on_problem=self.damaged.append, with_suggestions=False
        )
        for n, document in enumerate(documents, start=1):
            if self.run is not None:
                self.run.check()
                self.run.report(done=n, total=total, message=message)
            yield _with_lineage(document)


def refuse_damage(
    damaged: Sequence[Problem], *, advice: str = "Repair them, then start again."
) -> None:
    """Raise ``DamagedAnnotationsError`` naming the damaged legends, if there are any."""
    if not damaged:
        return
    count = f"{len(damaged):,} accepted legends are"
    if len(damaged) == 1:
        count = "1 accepted legend is"
    sentences = _sentences(damaged)
    if len(damaged) > MAX_NAMED:
        sentences.append(f"And {len(damaged) - MAX_NAMED} more.")
    raise DamagedAnnotationsError(
        f"Nothing was written, because {count} damaged. {' '.join(sentences)} {advice}"
    )


def _sentences(damaged: Sequence[Problem]) -> list[str]:
    """Return the first problems as sentences that name the legend."""
    sentences = []
    for problem in damaged[:MAX_NAMED]:
        is_named = problem.where in problem.message
        sentences.append(problem.message if is_named else str(problem))
    return sentences


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
    """The format and options of an export.

    ``public_form`` writes sd-nlp exactly as the public converter does; ``tokenizer`` is a folder
    or a cached name.
    """

    format_name: str
    tokenizer: str
    public_form: bool = False
    leave_out_damaged: bool = False

    def target(self) -> Target:
        """Return the format to write. Raises ``UserError`` for an unknown format."""
        if self.format_name not in EXPORT_FORMATS:
            raise UserError(
                f'"{self.format_name}" is not an export format; formats are'
                f" {', '.join(EXPORT_FORMATS)}."
            )
        flavour = PUBLIC if self.public_form else DEFAULT
        return Target(self.format_name, flavour=flavour, tokenizer=self.tokenizer)


def write_export(
    project: Project, choice: ExportChoice, out: Path, run: JobRun | None = None
) -> dict[str, Any]:
    """Write the accepted legends of ``project`` into the folder ``out``; return the report.

    Raises ``UserError`` if no legend is accepted, ``out`` holds other files, or the tokenizer is
    missing; ``DamagedAnnotationsError``.
    """
    target = choice.target()
    report = Report()
    with whole_folder(out) as part:
        legends = AcceptedLegends(project, run, report.problems)
        try:
            n = write_documents(legends, target, part, report)
        except FormatError as error:
            raise UserError(f"{error}.") from error
        if not choice.leave_out_damaged or not n:
            refuse_damage(
                report.problems,
                advice="Repair them, or leave them out (export_dataset --leave-out-damaged).",
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
        "left_out": _sentences(report.problems),
    }


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """Yield a folder to write into, which becomes ``out`` if the block succeeds.

    If the block fails, the folder is removed. An earlier export at ``out`` is replaced in one
    rename. Raises ``UserError`` if ``out`` holds anything else, which is left alone.
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
            f"{out} already holds other files. Name a new folder, or one that holds only an earlier"
            " export."
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
    """Pack the files of ``folder`` into ``archive``, below a folder of the archive's name."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as packed:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            packed.write(path, f"{archive.stem}/{path.relative_to(folder)}")
