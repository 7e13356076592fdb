"""Import: store the documents in files, with their panels and labels.

A batch of documents with all their rows is one transaction, so an interrupted import leaves only
complete documents. A repeated import skips documents that exist. The report names documents that
cannot be imported; the others are imported.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.db import DataError, IntegrityError, transaction
from django.utils import timezone

from annotator.accounts.actors import SYSTEM, Actor
from annotator.common.bulk import batches
from annotator.common.errors import UserError
from annotator.corpus.access import Action, require
from annotator.corpus.figure_import import Contents, PictureImport
from annotator.corpus.figures import remove_forgotten_pictures
from annotator.corpus.file_labels import FileLabels, sentences_of_acceptance
from annotator.corpus.import_checks import OtherForms, is_storable, why_refused
from annotator.corpus.models import (
    DecisionKind,
    Document,
    DocumentState,
    LayerKind,
    Project,
    Verdict,
)
from annotator.corpus.pictures import is_picture_name
from annotator.corpus.storing import mean_certainty, write_layers, write_segments
from annotator.jobs.payloads import Payload
from annotator.jobs.services import enqueue
from annotator.jobs.uploads import Upload, keep_uploads, remove_forgotten_uploads
from ner_engine import schema
from ner_engine.errors import FormatError, UnreadableError
from ner_engine.formats import Problem, Report, detect, named, read_inputs
from ner_engine.formats.foreign import sentence_of_rejected
from ner_engine.schema import text_hash
from ner_engine.text import words

if TYPE_CHECKING:
    from django.core.files.uploadedfile import UploadedFile

    from annotator.jobs.models import Job
    from annotator.jobs.runs import JobRun

#: The number of documents that are written in one transaction.
BATCH: Final = 250
#: The number of problems that the report lists; further ones are only counted.
MAX_PROBLEMS: Final = 1000
JOB_KIND: Final = "import_documents"
_OTHER_TEXT: Final = (
    "the project has this legend with another text, and a text never changes; give the new one its"
    " own id"
)
_FORMAT_OF_SUFFIX: Final = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".txt": "text"}


@dataclass(frozen=True)
class ImportPayload(Payload):
    """The project to import into, and the uploads or paths on the server to import."""

    project: int
    source_format: str
    labels: str
    uploads: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file to import: its path, and its name for the user."""

    path: Path
    name: str


def start_import(
    *,
    project: Project,
    files: Sequence[UploadedFile[Any]],
    source_format: str,
    labels: str,
    actor: Actor,
) -> Job:
    """Store the uploaded files and import them in the background.

    The files are removed when the job ends. Raise ``PermissionDenied`` or ``UserError`` (no file,
    too large, unknown format or choice).
    """
    require(actor, project, Action.IMPORT)
    check_choices(source_format, labels)
    remove_forgotten_uploads()
    remove_forgotten_pictures()
    with keep_uploads(files) as uploads, transaction.atomic():
        return enqueue(
            kind=JOB_KIND,
            scope=project.scope,
            payload=ImportPayload(
                project=project.pk,
                source_format=source_format,
                labels=str(labels),
                uploads=[upload.as_json() for upload in uploads],
            ),
            actor=actor,
        )


def import_paths(
    *,
    project: Project,
    paths: Iterable[Path | InputFile | Upload],
    source_format: str,
    labels: str,
    actor: Actor,
    run: JobRun | None = None,
) -> dict[str, Any]:
    """Import files, folders and zips; return the report (see ``Importer.report``).

    An empty ``source_format`` is detected from each file's content. Problems of a file or document
    are in the report. Raise ``PermissionDenied`` or ``UserError``.
    """
    require(actor, project, Action.IMPORT)
    check_choices(source_format, labels)
    importer = Importer(project, FileLabels(labels), run, actor=actor)
    files = []
    for path in paths:
        place = path if isinstance(path, Path) else path.path
        files.append(InputFile(place, path.name))
    importer.contents = {file.path: Contents.of(file.path, file.name) for file in files}
    for file in files:
        importer.take_file(file, source_format)
    importer.take_pictures(files)
    return importer.report()


def import_documents(
    *,
    project: Project,
    documents: Iterable[schema.Document],
    source_format: str,
    labels: str,
    actor: Actor,
    run: JobRun | None = None,
) -> dict[str, Any]:
    """Import parsed documents; return the report.

    Raise ``PermissionDenied`` or ``UserError``.
    """
    require(actor, project, Action.IMPORT)
    check_choices(source_format, labels)
    importer = Importer(project, FileLabels(labels), run)
    importer.take(documents, source_format)
    return importer.report()


def check_choices(source_format: str, labels: str) -> None:
    """Raise ``UserError`` unless both are known; the format may be empty."""
    if source_format:
        try:
            named(source_format)
        except FormatError as error:
            raise UserError(f"{error}.") from error
    if labels not in set(FileLabels):
        raise UserError(f'"{labels}" is not a choice for labels; choose {", ".join(FileLabels)}.')


@dataclass
class Importer:
    """One import into one project, batch by batch."""

    project: Project
    labels: FileLabels
    run: JobRun | None = None
    actor: Actor = SYSTEM
    contents: dict[Path, Contents] = field(default_factory=dict)
    reader_report: Report = field(default_factory=Report)
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    n_problems: int = 0
    other_forms: OtherForms = field(default_factory=OtherForms)
    formats: set[str] = field(default_factory=set)
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.known_labels = frozenset(
            self.project.label_set.labels.filter(retired_at=None).values_list("code", flat=True)
        )
        self.pictures = PictureImport(self.project, self.actor, self.run, self._problem)
        #: DOI and id of the legends in each file that also contains pictures.
        self.keys: dict[Path, set[tuple[str, str]]] = {}
        #: The same for the file that is being read, or None if it contains no pictures.
        self._current_keys: set[tuple[str, str]] | None = None

    @property
    def n_files(self) -> int:
        """The number of files with documents, including those in folders and zips."""
        return sum(each.n_files - each.n_pictures for each in self.contents.values())

    def take_file(self, file: InputFile, source_format: str) -> None:
        """Import the documents of one file, folder or zip; an empty format is detected.

        Its pictures are imported by ``take_pictures``.
        """
        contents = self.contents.get(file.path) or Contents(0, 0)
        if contents.is_pictures_alone:
            return
        try:
            format_name = source_format or guess_format(file)
        except UnreadableError as error:
            self._problem(error.where, error.message)
            return
        except FormatError as error:
            if not contents.n_pictures:
                self._problem(error.where, error.message)
            return
        if contents.n_pictures:
            self._current_keys = self.keys.setdefault(file.path, set())
        self.take(self._documents_in(file, format_name), format_name)
        self._current_keys = None
        # The reader of documents counts pictures among the files of other kinds.
        counts = self.reader_report.counts
        counts["files_of_other_kinds"] -= contents.n_pictures
        if counts["files_of_other_kinds"] <= 0:
            del counts["files_of_other_kinds"]

    def _documents_in(self, file: InputFile, format_name: str) -> Iterator[schema.Document]:
        options = {}
        if format_name == "jsonl" and self.labels != FileLabels.NONE:
            options["labels"] = self.known_labels
        names = {file.path: file.name}
        return read_inputs([file.path], format_name, self.reader_report, names=names, **options)

    def take_pictures(self, files: Sequence[InputFile]) -> None:
        """Attach the pictures in the files to legends, which may have been stored before."""
        inputs = []
        for file in files:
            contents = self.contents.get(file.path)
            if contents is not None and contents.n_pictures:
                inputs.append((file.path, file.name))
        self.pictures.take(inputs, self.keys)

    def take(self, documents: Iterable[schema.Document], source_format: str) -> None:
        """Import the documents batch by batch."""
        self.formats.add(source_format)
        for batch in batches(documents, BATCH):
            self._progress()
            self._write(batch, source_format)
            self._collect_problems()
        self._collect_problems()
        self._progress()

    def report(self) -> dict[str, Any]:
        """Return the results of the import, as JSON.

        ``counts``: what the reader counted in the files. ``imported``, ``already_there``,
        ``refused``: numbers of documents. ``accepted``, ``suggested``: the imported documents in
        these states. ``panels``, ``spans``: rows written. ``problems``: sentences, the first
        thousand of ``n_problems``. ``images_without_legend``: the first names of these images.
        ``acceptance``: sentences on how many were accepted, and why others were not.
        ``notes``: sentences on differences between the files and what was imported.
        """
        counts = {**self.reader_report.counts, **self.pictures.counts}
        return {
            "formats": sorted(self.formats),
            "labels": str(self.labels),
            "counts": dict(sorted(counts.items())),
            "imported": self.counts["imported"],
            "already_there": self.counts["already_there"],
            "refused": self.counts["refused"],
            "accepted": self.counts["accepted"],
            "suggested": self.counts["suggested"],
            "panels": self.counts["panels"],
            "spans": self.counts["spans"],
            "n_problems": self.n_problems,
            "problems": self.problems,
            "acceptance": sentences_of_acceptance(
                self.labels,
                imported=self.counts["imported"],
                accepted=self.counts["accepted"],
                suggested=self.counts["suggested"],
            ),
            "notes": self._notes(),
            "images_without_legend": self.pictures.unmatched,
            "seconds": round(time.monotonic() - self.started, 2),
        }

    def _notes(self) -> list[str]:
        notes = self.other_forms.notes()
        if n_rejected := self.reader_report.counts["rows_rejected"]:
            notes.append(sentence_of_rejected(n_rejected))
        return notes

    def _write(self, batch: Sequence[schema.Document], source_format: str) -> None:
        """Write a batch; if the database refuses it, write each document by itself."""
        try:
            self._write_at_once(batch, source_format)
        except (DataError, IntegrityError) as error:
            if len(batch) == 1:
                self._refuse(
                    batch[0],
                    f"the database refused it ({type(error).__name__}); look for unusual characters"
                    " or sizes in it",
                )
                return
            for document in batch:
                self._write([document], source_format)

    def _write_at_once(self, batch: Sequence[schema.Document], source_format: str) -> None:
        done: Counter[str] = Counter()
        with transaction.atomic():
            if self.run is not None:
                self.run.hold()
            # One import at a time compares with the stored documents.
            Project.objects.select_for_update(no_key=True).get(pk=self.project.pk)
            refusals: list[tuple[schema.Document, str]] = []
            fresh = list(self._fresh(batch, refusals, done))
            rows = Document.objects.bulk_create(
                self._document_row(document, source_format) for document in fresh
            )
            pairs = list(zip(rows, fresh, strict=True))
            done["imported"] = len(rows)
            done["panels"] = write_segments((row, document.segments) for row, document in pairs)
            done["spans"] = self._write_layers(pairs)
            done.update(row.state for row in rows if row.state != DocumentState.IMPORTED)
        self.counts.update(done)
        if self.labels != FileLabels.NONE:
            self.other_forms.take(fresh)
        for document, message in refusals:
            self._refuse(document, message)

    def _fresh(
        self,
        batch: Sequence[schema.Document],
        refusals: list[tuple[schema.Document, str]],
        done: Counter[str],
    ) -> Iterator[schema.Document]:
        """Yield the valid documents of the batch that the project does not have."""
        hashes = self._stored_hashes(batch)
        for document in batch:
            if message := self._refusal(document):
                refusals.append((document, message))
                continue
            digest = text_hash(document.text)
            key = (document.doi, document.id or digest)
            if self._current_keys is not None:
                self._current_keys.add(key)
            stored = hashes.setdefault(key, "")
            if not stored:
                hashes[key] = digest
                yield document
            elif stored == digest:
                done["already_there"] += 1
            else:
                refusals.append((document, _OTHER_TEXT))

    def _stored_hashes(self, batch: Sequence[schema.Document]) -> dict[tuple[str, str], str]:
        """Return the hashes of stored texts with a DOI and id of the batch."""
        dois, ids = set(), set()
        for document in batch:
            if is_storable(document.doi):
                dois.add(document.doi)
            if is_storable(document.id):
                ids.add(document.id)
            if not document.id and is_storable(document.text):
                ids.add(text_hash(document.text))
        rows = self.project.documents.filter(doi__in=dois, external_id__in=ids)
        hashes = {}
        for doi, external_id, digest in rows.values_list("doi", "external_id", "sha256"):
            hashes[doi, external_id] = digest
        return hashes

    def _refusal(self, document: schema.Document) -> str:
        if self.labels == FileLabels.NONE:
            return why_refused(document, None)
        return why_refused(document, self.known_labels)

    def _document_row(self, document: schema.Document, source_format: str) -> Document:
        state = DocumentState.IMPORTED
        accepted_at = None
        if self._gold_of(document):
            state = DocumentState.ACCEPTED
            accepted_at = timezone.now()
        elif self._suggestions_of(document):
            state = DocumentState.SUGGESTED
        digest = text_hash(document.text)
        return Document(
            project=self.project,
            external_id=document.id or digest,
            doi=document.doi,
            title=document.title,
            figure_label=document.label,
            image=document.image,
            text=document.text,
            sha256=digest,
            n_words=len(words(document.text)),
            n_panels=len(document.segments),
            attributes=dict(document.attributes),
            source_format=source_format,
            state=state,
            accepted_at=accepted_at,
            certainty=mean_certainty(self._suggestions_of(document)),
            lot=_lot_of(document.doi, document.id, digest),
        )

    def _gold_of(self, document: schema.Document) -> Sequence[schema.Span]:
        if self.labels == FileLabels.GOLD:
            return document.gold
        return ()

    def _suggestions_of(self, document: schema.Document) -> Sequence[schema.Span]:
        """Return the spans to review: none if the legend is accepted, and none without a label."""
        if self.labels == FileLabels.NONE or self._gold_of(document):
            return ()
        taken = {(span.start, span.end) for span in document.gold}
        spans = list(document.gold)
        spans += [span for span in document.suggestions if (span.start, span.end) not in taken]
        return [span for span in spans if span.label]

    def _write_layers(self, pairs: Sequence[tuple[Document, schema.Document]]) -> int:
        gold, suggested = [], []
        for row, document in pairs:
            if spans := self._gold_of(document):
                gold.append((row, spans))
            elif spans := self._suggestions_of(document):
                suggested.append((row, spans))
        n = write_layers(
            layers=gold,
            kind=LayerKind.IMPORTED,
            source="file",
            keeps_ids=True,
            decision=DecisionKind.IMPORTED,
            verdict=Verdict.ACCEPTED,
        )
        return n + write_layers(layers=suggested, kind=LayerKind.SUGGESTED, source="file")

    def _refuse(self, document: schema.Document, message: str) -> None:
        self.counts["refused"] += 1
        name = f"{document.doi} {document.label or document.id}".strip()
        self._problem(name[:200] or "a legend without a name", message)

    def _problem(self, where: str, message: str) -> None:
        self.n_problems += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(str(Problem(where, message)))

    def _collect_problems(self) -> None:
        """Move the reader's problems to the report, where their number is limited."""
        for problem in self.reader_report.problems:
            self._problem(problem.where, problem.message)
        self.reader_report.problems.clear()

    def _progress(self) -> None:
        if self.run is None:
            return
        self.run.check()
        n_read = self.counts["imported"] + self.counts["already_there"] + self.counts["refused"]
        done, total = n_read, 0
        if self.n_files > 1:
            total = self.n_files
            done = min(self.reader_report.counts["files"], total)
        self.run.report(
            done=done,
            total=total,
            message=f"Legends read: {n_read:,}, new: {self.counts['imported']:,}",
        )


def guess_format(file: InputFile) -> str:
    """Return the format of a file by its content, or by its name; pictures are ignored.

    Raise ``FormatError`` or ``UnreadableError``.
    """
    try:
        return detect(file.path, name=file.name, leaves_out=is_picture_name)
    except (FormatError, UnreadableError):
        if by_name := _FORMAT_OF_SUFFIX.get(Path(file.name).suffix.lower()):
            return by_name
        raise


def _lot_of(*facts: str) -> float:
    """Return a number from 0 to 1 for random order, from a hash: the same in every import."""
    return int(text_hash("\n".join(facts))[:13], 16) / 16**13
