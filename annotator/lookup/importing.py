"""Import: a file of a database becomes the current dictionary, all of it or nothing."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from annotator.accounts.actors import Actor, log_name, user_of
from annotator.common.errors import UserError
from annotator.jobs.payloads import Payload
from annotator.jobs.services import enqueue
from annotator.jobs.uploads import keep_uploads, remove_forgotten_uploads
from annotator.lookup.access import require_import
from annotator.lookup.databases import DATABASES, TAXONOMY, Database, database_with_key
from annotator.lookup.entries import BadLine, Entry
from annotator.lookup.models import Dictionary
from annotator.lookup.readers import read
from annotator.lookup.store import Counts, build
from ner_engine.files import sha256_of

if TYPE_CHECKING:
    from django.core.files.uploadedfile import UploadedFile

    from annotator.jobs.models import Job
    from annotator.jobs.runs import JobRun

log = structlog.get_logger(__name__)

JOB_KIND: Final = "import_dictionary"
SCOPE: Final = "dictionaries:all"
#: Refused lines that are kept word for word.
MAX_PROBLEMS: Final = 100
#: A file of which a larger fraction of lines is refused is the wrong file.
MAX_REFUSED: Final = 0.01
#: So many refused lines are never too many.
ALWAYS_TOLERATED: Final = 10
#: A file without a row that is older than this was left by a killed import.
_FORGOTTEN_AFTER_SECONDS: Final = 86_400


@dataclass(frozen=True)
class DictionaryPayload(Payload):
    """What to import: an upload, or a path on the server."""

    database: str
    name: str
    version: str
    path: str = ""
    uploads: list[dict[str, str]] = field(default_factory=list)


def start_dictionary_import(
    *,
    file: UploadedFile[Any],
    database: str,
    actor: Actor,
    name: str = "",
    version: str = "",
) -> Job:
    """Store the uploaded file and import it in the background.

    Raises ``PermissionDenied``, and ``UserError`` for an unknown database or a file too large.
    """
    require_import(actor)
    chosen = known_database(database)
    remove_forgotten_uploads()
    with keep_uploads([file]) as uploads, transaction.atomic():
        payload = DictionaryPayload(
            database=chosen.key,
            name=name or chosen.name,
            version=version,
            uploads=[upload.as_json() for upload in uploads],
        )
        return enqueue(kind=JOB_KIND, scope=SCOPE, payload=payload, actor=actor)


def known_database(key: str) -> Database:
    """Return the database of that name in commands. Raises ``UserError``."""
    database = database_with_key(key)
    if database is None:
        keys = ", ".join(each.key for each in DATABASES)
        raise UserError(f"“{key}” is not a database. Choose one of {keys}.")
    return database


def import_dictionary(
    *,
    path: Path,
    source: str,
    database: str,
    actor: Actor,
    name: str = "",
    version: str = "",
    run: JobRun | None = None,
) -> Dictionary:
    """Import a file and make it the current dictionary of that database and name.

    Until the last moment the version before stays current. Raises ``PermissionDenied``, and
    ``UserError`` if the file cannot be read or too many of its lines are refused.
    """
    require_import(actor)
    chosen = known_database(database)
    if not path.is_file():
        raise UserError(f"There is no file {path}. Give the path of a file on the server.")
    _remove_forgotten_files()
    importer = Importer(chosen, path, run)
    file = f"{chosen.key}-{uuid.uuid4().hex[:12]}.sqlite3"
    counts = importer.build(Path(settings.DICTIONARIES_DIR) / file)
    row = Dictionary(
        database=chosen.key,
        name=(name or chosen.name)[:100],
        version=version[:100],
        file=file,
        source=source[:200],
        sha256=sha256_of([path]),
        n_entries=counts.n_entries,
        n_names=counts.n_names,
        n_obsolete=counts.n_obsolete,
        n_problems=importer.n_refused,
        problems=importer.problems,
        imported_by=user_of(actor),
    )
    _make_current(row, actor, run)
    return row


@dataclass
class Importer:
    """One import: it counts lines, keeps what was refused, and says how far it is."""

    database: Database
    path: Path
    run: JobRun | None = None
    n_read: int = 0
    n_refused: int = 0
    problems: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def build(self, target: Path) -> Counts:
        """Write the file of the dictionary; return what it holds."""
        counts = Counts()
        for counts in build(target, self._entries()):
            self._progress(counts)
        return counts

    def _entries(self) -> Iterator[Entry]:
        for each in read(self.path, self.database):
            self.n_read += 1
            if isinstance(each, BadLine):
                self._refuse(each)
            else:
                yield self._with_own_species(each)
        self._check_refused()
        if self.n_read == self.n_refused:
            raise UserError(
                f"The file holds no entry of {self.database.name}. Was another database meant?"
                f" {' '.join(self.problems[:1])}"
            )

    def _with_own_species(self, entry: Entry) -> Entry:
        """Return the entry; one of the taxonomy is of the species that it names."""
        if self.database.name != TAXONOMY:
            return entry
        return replace(entry, taxon=int(entry.id))

    def _refuse(self, line: BadLine) -> None:
        self.n_refused += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(str(line))
        if self.n_refused > 100 * ALWAYS_TOLERATED:
            self._check_refused()

    def _check_refused(self) -> None:
        tolerated = max(ALWAYS_TOLERATED, MAX_REFUSED * self.n_read)
        if self.n_refused > tolerated:
            raise UserError(
                f"{self.n_refused:,} of the first {self.n_read:,} entries are refused, which is too"
                f" many for a file of {self.database.name}. Nothing was imported. The first:"
                f" {' '.join(self.problems[:3])}"
            )

    def _progress(self, counts: Counts) -> None:
        if self.run is not None:
            self.run.check()
            message = f"Entries read: {counts.n_entries:,}, names: {counts.n_names:,}"
            self.run.report(done=counts.n_entries, total=0, message=message)


def _make_current(row: Dictionary, actor: Actor, run: JobRun | None) -> None:
    """Put the row in place of the one before, whose file goes once that is certain."""
    try:
        with transaction.atomic():
            if run is not None:
                run.hold()
            same = Dictionary.objects.current().filter(database=row.database, name=row.name)
            before = list(same.select_for_update())
            same.update(replaced_at=timezone.now())
            row.save()
    except BaseException:
        row.path.unlink(missing_ok=True)
        raise
    for each in before:
        each.path.unlink(missing_ok=True)
    log.info(
        "dictionary_imported",
        dictionary=row.pk,
        database=row.database,
        entries=row.n_entries,
        names=row.n_names,
        actor=log_name(actor),
    )


def remove_dictionary(*, dictionary: Dictionary, actor: Actor) -> None:
    """Take a dictionary out of use and remove its file. Identifiers that were chosen stay."""
    require_import(actor)
    Dictionary.objects.current().filter(pk=dictionary.pk).update(replaced_at=timezone.now())
    dictionary.path.unlink(missing_ok=True)
    log.info("dictionary_removed", dictionary=dictionary.pk, actor=log_name(actor))


def _remove_forgotten_files() -> None:
    """Remove files that a killed import left without a row."""
    folder = Path(settings.DICTIONARIES_DIR)
    if not folder.is_dir():
        return
    known = set(Dictionary.objects.current().values_list("file", flat=True))
    old = time.time() - _FORGOTTEN_AFTER_SECONDS
    for path in folder.glob("*.sqlite3"):
        if path.name not in known and path.stat().st_mtime < old:
            path.unlink(missing_ok=True)
