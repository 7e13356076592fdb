"""Snapshots of accepted legends: requested, built, verified, compared and downloaded."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog
from django.db import transaction
from django.db.models import Max

from annotator.accounts.actors import Actor, log_name, user_of
from annotator.common.errors import UserError, sentence_of
from annotator.common.files import workbench
from annotator.common.storable import storable_text
from annotator.corpus.access import Action, require
from annotator.corpus.models import Project
from annotator.datasets.models import Snapshot, SnapshotState, SplitFile
from annotator.datasets.snapshots import archives
from annotator.datasets.snapshots.build import remove_folder, write_snapshot
from annotator.datasets.snapshots.comparison import difference
from annotator.datasets.snapshots.contents import content_hash
from annotator.datasets.snapshots.filters import SnapshotFilter
from annotator.datasets.snapshots.guard import Rules
from annotator.datasets.snapshots.splits import SplitRule, hash_of_splits, read_split
from annotator.jobs.errors import JobInterruptedError, JobLostError, JobStoppedError
from annotator.jobs.payloads import Payload
from annotator.jobs.services import enqueue
from ner_engine.text import TOKENIZER_VERSION

if TYPE_CHECKING:
    from annotator.jobs.runs import JobRun

log = structlog.get_logger(__name__)

SNAPSHOT_KIND: Final = "freeze_snapshot"
_CANCELLED: Final = "The snapshot was cancelled before it was complete."


@dataclass(frozen=True)
class SnapshotPayload(Payload):
    """The snapshot to build."""

    snapshot: int


def freeze_snapshot(
    *,
    project: Project,
    actor: Actor,
    note: str = "",
    filters: SnapshotFilter | None = None,
    split_file: SplitFile | None = None,
) -> Snapshot:
    """Freeze the accepted legends that ``filters`` selects, in the background.

    The snapshot is BUILDING until its job has ended. Papers belong to the split that
    ``split_file`` names; papers not in the file follow the fixed rule. Raises
    ``PermissionDenied``; ``UserError`` if the filter selects nothing; ``JobConflictError`` while
    another snapshot is being built.
    """
    with transaction.atomic():
        snapshot = add_snapshot(
            project=project, actor=actor, note=note, filters=filters, split_file=split_file
        )
        snapshot.job = enqueue(
            kind=SNAPSHOT_KIND,
            scope=project.scope,
            payload=SnapshotPayload(snapshot.pk),
            actor=actor,
        )
        snapshot.save(update_fields=["job"])
    return snapshot


def add_snapshot(
    *,
    project: Project,
    actor: Actor,
    note: str = "",
    filters: SnapshotFilter | None = None,
    split_file: SplitFile | None = None,
) -> Snapshot:
    """Create the row of a snapshot to build, with the project's current rules."""
    require(actor, project, Action.TRAIN)
    filters = filters or SnapshotFilter()
    filters.check(project)
    _check_any_legend(project, filters)
    if split_file is not None and split_file.project_id != project.pk:
        raise UserError("The split file belongs to another project. Upload it to this one.")
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        last = project.snapshots.aggregate(last=Max("number"))["last"] or 0
        return Snapshot.objects.create(
            project=project,
            number=last + 1,
            note=note[:200],
            filters=filters.as_json(),
            rules=Rules.of(project).as_json(),
            split_rule=SplitRule(split_file.splits if split_file else {}).version,
            split_file=split_file,
            tokenizer_version=TOKENIZER_VERSION,
            created_by=user_of(actor),
        )


def _check_any_legend(project: Project, filters: SnapshotFilter) -> None:
    if not project.documents.accepted().exists():
        raise UserError(
            "There is no accepted legend to freeze yet. Accept some on the review page first."
        )
    if not filters.legends(project).exists():
        conditions = "; ".join(filters.in_words())
        raise UserError(f"No accepted legend matches the filter ({conditions}). Widen the filter.")


def add_split_file(
    *, project: Project, actor: Actor, name: str, lines: Iterable[bytes]
) -> SplitFile:
    """Store a split file (see ``snapshots.splits``) for the project; the same split only once.

    Raises ``PermissionDenied``, ``UserError``.
    """
    require(actor, project, Action.TRAIN)
    splits = read_split(lines)
    facts = {"name": storable_text(name)[:200], "splits": splits, "created_by": user_of(actor)}
    split_file, is_new = SplitFile.objects.get_or_create(
        project=project, sha256=hash_of_splits(splits), defaults=facts
    )
    if is_new:
        log.info(
            "split_file_added",
            project=project.pk,
            papers=len(splits),
            actor=log_name(actor),
        )
    return split_file


def build_snapshot(*, snapshot: Snapshot, run: JobRun | None = None) -> Snapshot:
    """Write the snapshot's files and make it READY.

    On an error the snapshot is FAILED with the error's sentence, and its files are removed.
    """
    try:
        write_snapshot(snapshot, run)
    except (JobInterruptedError, JobLostError):
        raise
    except JobStoppedError:
        _fail_snapshot(snapshot, _CANCELLED)
        raise
    except Exception as error:
        sentence = sentence_of(error)
        _fail_snapshot(
            snapshot, sentence or "The snapshot could not be written; see the log of its job."
        )
        raise
    snapshot.refresh_from_db()
    log.info(
        "snapshot_frozen",
        snapshot=snapshot.pk,
        project=snapshot.project_id,
        hash=snapshot.content_hash,
    )
    return snapshot


def _fail_snapshot(snapshot: Snapshot, sentence: str) -> None:
    Snapshot.objects.filter(pk=snapshot.pk).move(SnapshotState.FAILED, error=sentence)
    remove_folder(snapshot.folder)


def verify_snapshot(*, snapshot: Snapshot) -> None:
    """Raise ``UserError`` unless the snapshot is READY and its files are unchanged."""
    _check_ready(snapshot)
    try:
        current_hash = content_hash(snapshot.folder)
    except OSError as error:
        raise UserError(
            f"The files of snapshot {snapshot.number} are missing ({error.strerror}). Make a new"
            " snapshot."
        ) from error
    if current_hash != snapshot.content_hash:
        raise UserError(
            f"The files of snapshot {snapshot.number} were changed since it was frozen. Make a new"
            " snapshot."
        )


def _check_ready(snapshot: Snapshot) -> None:
    if not snapshot.is_ready:
        raise UserError(
            f"Snapshot {snapshot.number} is not ready. Wait until it is complete, or make a new"
            " one."
        )


def settle_snapshots(*, project: Project) -> None:
    """Fail the unfinished snapshots whose job has ended, because it was cancelled or gave up."""
    unfinished = (
        project.snapshots.filter(state=SnapshotState.BUILDING)
        .exclude(job=None)
        .select_related("job")
    )
    for snapshot in unfinished:
        if snapshot.job is not None and snapshot.job.is_final:
            _fail_snapshot(snapshot, snapshot.job.error or _CANCELLED)


def compare_snapshots(*, old: Snapshot, new: Snapshot, actor: Actor) -> dict[str, Any]:
    """Return the difference of ``new`` from ``old`` (see ``snapshots.comparison.difference``).

    Snapshots never change, so the difference is stored beside them. Raises ``PermissionDenied``;
    ``UserError`` if the snapshots belong to two projects, one is not ready, or files were changed.
    """
    require(actor, new.project, Action.VIEW)
    if old.project_id != new.project_id or old.pk == new.pk:
        raise UserError("Choose two different snapshots of one project.")
    path = new.folder.with_name(f"diff-{old.number}-{new.number}.json")
    hashes = [old.content_hash, new.content_hash]
    for snapshot in (old, new):
        _check_ready(snapshot)
    with contextlib.suppress(FileNotFoundError):
        stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if stored.pop("of") == hashes:
            return stored
    for snapshot in (old, new):
        verify_snapshot(snapshot=snapshot)
    changes = difference(old.folder, new.folder)
    with workbench(path) as bench:
        text = json.dumps({"of": hashes, **changes}, ensure_ascii=False)
        (bench / path.name).write_text(text, encoding="utf-8")
        (bench / path.name).replace(path)
    return changes


def snapshot_file(*, snapshot: Snapshot, name: str, actor: Actor) -> Path:
    """Return ``lossy.jsonl`` or ``left_out.jsonl`` of a READY snapshot, for download.

    Raises ``PermissionDenied``, ``UserError``.
    """
    require(actor, snapshot.project, Action.EXPORT)
    _check_ready(snapshot)
    path = snapshot.folder / name
    if name not in ("lossy.jsonl", "left_out.jsonl") or not path.is_file():
        raise UserError(f"Snapshot {snapshot.number} has no such file. Make a new snapshot.")
    return path


def snapshot_archive(*, snapshot: Snapshot, form: str, actor: Actor) -> Iterator[bytes]:
    """Return a zip of the snapshot in one of ``archives.FORMS``, in pieces.

    Nothing is stored on disk. Raises ``PermissionDenied``, ``UserError``.
    """
    require(actor, snapshot.project, Action.EXPORT)
    _check_ready(snapshot)
    names = archives.files_of(snapshot.folder, form)
    if not names:
        raise UserError(f"Snapshot {snapshot.number} was not written in that form.")
    log.info("snapshot_downloaded", snapshot=snapshot.pk, form=form, actor=log_name(actor))
    return archives.zip_stream(
        snapshot.folder, names, top=archives.stem(snapshot, form), when=snapshot.created_at
    )
