"""Exports and snapshots of accepted legends: asked for, written, frozen."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Max, QuerySet

from annotator.accounts.actors import Actor, log_name, user_of
from annotator.common.bulk import insert_rows
from annotator.common.errors import UserError, sentence_of
from annotator.common.files import workbench
from annotator.common.storable import storable_text
from annotator.corpus.access import Action, require
from annotator.corpus.models import Project
from annotator.datasets import archives
from annotator.datasets.diffs import difference
from annotator.datasets.exports import (
    AcceptedLegends,
    ExportChoice,
    refuse_damage,
    write_export,
    zip_folder,
)
from annotator.datasets.filters import SnapshotFilter
from annotator.datasets.freezing import LineFiles, Plan, SnapshotWriter, names_of_files
from annotator.datasets.guard import Rules
from annotator.datasets.models import (
    Snapshot,
    SnapshotQuerySet,
    SnapshotRow,
    SnapshotState,
    SplitFile,
)
from annotator.datasets.snapshots import content_hash, contents_of, hashes_of
from annotator.datasets.splits import SplitRule, read_split, sides_hash
from annotator.jobs.errors import JobInterruptedError, JobLostError, JobStoppedError
from annotator.jobs.models import Job, JobState
from annotator.jobs.payloads import Payload
from annotator.jobs.services import enqueue
from ner_engine.errors import FormatError
from ner_engine.formats.sd_nlp import load_tokenizer
from ner_engine.text import TOKENIZER_VERSION

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from annotator.jobs.runs import JobRun

log = structlog.get_logger(__name__)

EXPORT_KIND: Final = "export_dataset"
SNAPSHOT_KIND: Final = "freeze_snapshot"
#: Archives that are kept for a project; older ones go when a new one is there.
KEPT_ARCHIVES: Final = 5


# Exports


@dataclass(frozen=True)
class ExportPayload(Payload):
    """What to export in which format: into ``out_dir``, or into an archive if it is empty."""

    project: int
    format_name: str
    out_dir: str = ""
    public_form: bool = False
    tokenizer: str = ""
    leave_out_damaged: bool = False


@dataclass(frozen=True)
class SnapshotPayload(Payload):
    """The snapshot to build."""

    snapshot: int


def export_dataset(
    *,
    project: Project,
    format_name: str,
    out_dir: Path | str,
    actor: Actor,
    run: JobRun | None = None,
    tokenizer: str = "",
    public_form: bool = False,
    leave_out_damaged: bool = False,
) -> dict[str, Any]:
    """Write all accepted legends of the project into ``out_dir``, complete or not at all; the
    report.

    sd-nlp gives ``sd_panels/`` and ``sd_figs/`` with train, eval and test by paper; ``lossy.jsonl``
    names each entity that words cannot hold and ``report.json`` counts. Raises
    ``PermissionDenied``; ``DamagedAnnotationsError`` naming each legend whose text or entities are
    not what they were; ``UserError`` where nothing is accepted, the folder holds something else, or
    the format or tokenizer is unknown.
    """
    require(actor, project, Action.EXPORT)
    choice = ExportChoice(
        format_name, tokenizer or settings.EXPORT_TOKENIZER, public_form, leave_out_damaged
    )
    report = write_export(project, choice, Path(out_dir).resolve(), run)
    log.info(
        "dataset_exported",
        project=project.pk,
        format=format_name,
        documents=report["documents"],
        actor=log_name(actor),
    )
    return report


def start_export(
    *,
    project: Project,
    format_name: str,
    actor: Actor,
    public_form: bool = False,
    leave_out_damaged: bool = False,
) -> Job:
    """Export in the background into an archive to download; see ``archive_of``. Raises
    ``PermissionDenied``, ``UserError``."""
    require(actor, project, Action.EXPORT)
    ExportChoice(format_name, "").target()
    return enqueue(
        kind=EXPORT_KIND,
        scope=project.scope,
        payload=ExportPayload(
            project=project.pk,
            format_name=format_name,
            public_form=public_form,
            leave_out_damaged=leave_out_damaged,
        ),
        actor=actor,
    )


def export_to_archive(
    *, project: Project, format_name: str, actor: Actor, run: JobRun, **choices: Any
) -> dict[str, Any]:
    """Write an export and pack it into the job's archive; the report."""
    archive = _archive_path(run.job)
    with workbench(archive) as bench:
        report = export_dataset(
            project=project,
            format_name=format_name,
            out_dir=bench / "out",
            actor=actor,
            run=run,
            **choices,
        )
        run.report(message="Packing")
        run.check()
        zip_folder(bench / "out", bench / archive.name)
        with transaction.atomic():
            run.hold()
            (bench / archive.name).replace(archive)
    _remove_old_archives(archive.parent)
    return {**report, "archive": archive.name, "bytes": archive.stat().st_size}


def exports_of(project: Project) -> QuerySet[Job]:
    """The project's exports, newest first: those of pages and programs, which leave an archive, and
    those of commands, which leave a folder."""
    return Job.objects.filter(scope=project.scope, kind=EXPORT_KIND)


def archive_of(job: Job) -> Path | None:
    """The archive that the export job made, None where it made none or it was removed since."""
    if job.kind != EXPORT_KIND or job.state != JobState.SUCCEEDED or "archive" not in job.result:
        return None
    path = _archive_path(job)
    return path if path.is_file() else None


def _archive_path(job: Job) -> Path:
    folder = Path(settings.VAR_DIR) / "exports" / job.scope.replace(":", "-")
    payload = ExportPayload.of(job)
    slug = Project.objects.values_list("slug", flat=True).get(pk=payload.project)
    return folder / f"{slug}-{payload.format_name}-{job.pk}.zip"


def _remove_old_archives(folder: Path) -> None:
    archives = sorted(folder.glob("*.zip"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in archives[KEPT_ARCHIVES:]:
        path.unlink(missing_ok=True)


# Snapshots


def freeze_snapshot(
    *,
    project: Project,
    actor: Actor,
    note: str = "",
    filters: SnapshotFilter | None = None,
    split_file: SplitFile | None = None,
) -> Snapshot:
    """Freeze the project's accepted legends, those that ``filters`` asks for, in the background; it
    is BUILDING until its job has ended.

    Papers lie on the side that ``split_file`` says, those it does not name by the fixed rule.
    Raises ``PermissionDenied``; ``UserError`` where nothing is as asked for; ``JobConflictError``
    while another is being built.
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
    """The row of a snapshot that is still to be built, by the project's rules as they are now."""
    require(actor, project, Action.TRAIN)
    filters = filters or SnapshotFilter()
    filters.check(project)
    if split_file is not None and split_file.project_id != project.pk:
        raise UserError("The split file belongs to another project. Upload it to this one.")
    if not project.documents.accepted().exists():
        raise UserError(
            "There is no accepted legend to freeze yet. Accept some on the review page first."
        )
    if not filters.legends(project).exists():
        raise UserError(
            f"No accepted legend is as you ask for ({'; '.join(filters.in_words())}). Ask for less."
        )
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        last = project.snapshots.aggregate(last=Max("number"))["last"] or 0
        return Snapshot.objects.create(
            project=project,
            number=last + 1,
            note=note[:200],
            filters=filters.as_json(),
            rules=Rules.of(project).as_json(),
            split_rule=SplitRule(split_file.sides if split_file else {}).version,
            split_file=split_file,
            tokenizer_version=TOKENIZER_VERSION,
            created_by=user_of(actor),
        )


def add_split_file(
    *, project: Project, actor: Actor, name: str, lines: Iterable[bytes]
) -> SplitFile:
    """Keep a split (see ``datasets.splits``) for the project's snapshots; the same split is kept
    once. Raises ``PermissionDenied``, ``UserError``."""
    require(actor, project, Action.TRAIN)
    sides = read_split(lines)
    facts = {"name": storable_text(name)[:200], "sides": sides, "created_by": user_of(actor)}
    split_file, is_new = SplitFile.objects.get_or_create(
        project=project, sha256=sides_hash(sides), defaults=facts
    )
    if is_new:
        log.info(
            "split_file_added",
            project=project.pk,
            papers=len(sides),
            actor=log_name(actor),
        )
    return split_file


def build_snapshot(*, snapshot: Snapshot, run: JobRun | None = None) -> Snapshot:
    """Write the snapshot's files and make it READY; on an error it is FAILED with the sentence, and
    no file of it stays."""
    try:
        facts = _write_snapshot(snapshot, run)
    except (JobInterruptedError, JobLostError):
        raise
    except JobStoppedError:
        _fail_snapshot(snapshot, "It was cancelled before it was complete.")
        raise
    except Exception as error:
        _fail_snapshot(
            snapshot, sentence_of(error) or "It could not be written; the log of its job says why."
        )
        raise
    log.info(
        "snapshot_frozen",
        snapshot=snapshot.pk,
        project=snapshot.project_id,
        hash=facts["content_hash"],
    )
    snapshot.refresh_from_db()
    return snapshot


def _write_snapshot(snapshot: Snapshot, run: JobRun | None) -> dict[str, Any]:
    folder = snapshot.folder
    _remove(folder)
    with workbench(folder) as bench:
        place = bench / folder.name
        place.mkdir()
        facts, rows = _fill(place, snapshot, run)
        with transaction.atomic():
            if run is not None:
                run.hold()
            insert_rows(
                SnapshotRow,
                ("snapshot", "side", "offset", "document"),
                [(snapshot.pk, *row) for row in rows],
            )
            if not _row_of(snapshot).move(SnapshotState.READY, error="", **facts):
                raise JobLostError
            place.rename(folder)
    return facts


def _fill(
    place: Path, snapshot: Snapshot, run: JobRun | None
) -> tuple[dict[str, Any], Sequence[tuple[str, int, int]]]:
    """Write the snapshot's files into ``place``; the facts of its row, and (side, byte, document)
    of each panel in it."""
    plan, tokenizer = _plan(snapshot), _tokenizer()
    legends = AcceptedLegends(
        snapshot.project,
        run,
        chosen=SnapshotFilter.from_json(snapshot.filters).legends(snapshot.project),
    )
    with LineFiles(place, names_of_files(tokenized=tokenizer is not None)) as files:
        writer = SnapshotWriter(files, plan, tokenizer)
        writer.write(legends)
        refuse_damage(legends.damaged)
        if run is not None:
            run.report(message="Looking for what is nearly the same")
        gone = writer.choose()
    files.take_out(gone)
    contents = contents_of(place)
    if not contents.counts["train"]["panels"]:
        raise UserError(
            f"None of the {writer.left_out.total()} accepted panels can be learned from"
            f" ({_reasons(writer.left_out)}). Accept legends of more papers."
        )
    for path in place.rglob("*.jsonl"):
        path.chmod(0o444)
    report = {
        "labels": list(plan.labels),
        "guideline": plan.guideline,
        "figures": contents.figures,
        "left_out": dict(writer.left_out),
        "figures_left_out": writer.figures_left_out,
        "n_lossy": sum(n for _, _, n in contents.lossy),
        "lossy": contents.lossy,
        "tokenizer": settings.EXPORT_TOKENIZER if tokenizer is not None else "",
        "files": hashes_of(place),
    }
    return {
        "content_hash": content_hash(place),
        "counts": contents.counts,
        "report": report,
    }, contents.rows


def _plan(snapshot: Snapshot) -> Plan:
    filters, split_file = SnapshotFilter.from_json(snapshot.filters), snapshot.split_file
    return Plan(
        labels=filters.labels_of(snapshot.project),
        decisions=filters.decisions,
        split=SplitRule(split_file.sides if split_file is not None else {}),
        rules=Rules(**snapshot.rules) if snapshot.rules else Rules.of(snapshot.project),
        guideline=_guideline_version(snapshot.project),
    )


def _guideline_version(project: Project) -> str:
    """The label set with its version, and a piece of the hash of all that the guideline says:
    another text is another version."""
    labels = project.label_set.labels.order_by("code").values_list("code", "guideline")
    said = json.dumps([project.guideline, [list(label) for label in labels]], ensure_ascii=False)
    return f"{project.label_set} {hashlib.sha256(said.encode()).hexdigest()[:12]}"


def _tokenizer() -> Tokenizer | None:
    """The tokenizer of the tokenised form; None where it is not on this machine, and then that form
    is not written."""
    try:
        return load_tokenizer(settings.EXPORT_TOKENIZER)
    except FormatError:
        return None


def _reasons(left_out: Mapping[str, int]) -> str:
    return (
        "; ".join(f"{n} {reason}" for reason, n in left_out.items())
        or "all of them lie on the held-out sides"
    )


def _row_of(snapshot: Snapshot) -> SnapshotQuerySet:
    return Snapshot.objects.filter(pk=snapshot.pk)


def _fail_snapshot(snapshot: Snapshot, sentence: str) -> None:
    _row_of(snapshot).move(SnapshotState.FAILED, error=sentence)
    _remove(snapshot.folder)


def _remove(folder: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)


def verify_snapshot(*, snapshot: Snapshot) -> None:
    """Raise ``UserError`` unless the snapshot is READY and its files are what was frozen."""
    _check_ready(snapshot)
    try:
        found = content_hash(snapshot.folder)
    except OSError as error:
        raise UserError(
            f"The files of snapshot {snapshot.number} are not there ({error.strerror}). Make a new"
            " snapshot."
        ) from error
    if found != snapshot.content_hash:
        raise UserError(
            f"The files of snapshot {snapshot.number} were changed since it was frozen. Make a new"
            " snapshot."
        )


def _check_ready(snapshot: Snapshot) -> None:
    if not snapshot.is_ready:
        raise UserError(
            f"Snapshot {snapshot.number} is not ready. Wait for its end, or make a new one."
        )


def settle_snapshots(*, project: Project) -> None:
    """Fail the snapshots whose job ended without them: cancelled while it waited, or given up."""
    unfinished = (
        project.snapshots.filter(state=SnapshotState.BUILDING)
        .exclude(job=None)
        .select_related("job")
    )
    for snapshot in unfinished:
        if snapshot.job is not None and snapshot.job.is_final:
            _fail_snapshot(
                snapshot, snapshot.job.error or "It was cancelled before it was complete."
            )


def compare_snapshots(*, old: Snapshot, new: Snapshot, actor: Actor) -> dict[str, Any]:
    """What ``new`` has otherwise than ``old`` (see ``datasets.diffs.difference``).

    Neither ever changes, so what was found once is kept beside them. Raises ``PermissionDenied``;
    ``UserError`` for snapshots of two projects, one that is not ready, or one whose files were
    changed.
    """
    require(actor, new.project, Action.VIEW)
    if old.project_id != new.project_id or old.pk == new.pk:
        raise UserError("Choose two different snapshots of one project.")
    kept = new.folder.with_name(f"diff-{old.number}-{new.number}.json")
    for snapshot in (old, new):
        _check_ready(snapshot)
    with contextlib.suppress(FileNotFoundError):
        stored: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        if stored.pop("of") == [old.content_hash, new.content_hash]:
            return stored
    for snapshot in (old, new):
        verify_snapshot(snapshot=snapshot)
    found = difference(old.folder, new.folder)
    with workbench(kept) as bench:
        (bench / kept.name).write_text(
            json.dumps({"of": [old.content_hash, new.content_hash], **found}, ensure_ascii=False),
            encoding="utf-8",
        )
        (bench / kept.name).replace(kept)
    return found


def snapshot_file(*, snapshot: Snapshot, name: str, actor: Actor) -> Path:
    """``lossy.jsonl`` or ``left_out.jsonl`` of a READY snapshot, to be downloaded. Raises
    ``PermissionDenied``, ``UserError``."""
    require(actor, snapshot.project, Action.EXPORT)
    _check_ready(snapshot)
    path = snapshot.folder / name
    if name not in ("lossy.jsonl", "left_out.jsonl") or not path.is_file():
        raise UserError(f"Snapshot {snapshot.number} has no such file. Make a new snapshot.")
    return path


def snapshot_archive(*, snapshot: Snapshot, form: str, actor: Actor) -> Iterator[bytes]:
    """A zip of the snapshot in one of ``archives.FORMS``, piece by piece: nothing is kept on disk.
    Raises ``PermissionDenied``, ``UserError``."""
    require(actor, snapshot.project, Action.EXPORT)
    _check_ready(snapshot)
    names = archives.files_of(snapshot.folder, form)
    if not names:
        raise UserError(f"Snapshot {snapshot.number} was not written in that form.")
    log.info("snapshot_downloaded", snapshot=snapshot.pk, form=form, actor=log_name(actor))
    return archives.zip_stream(
        snapshot.folder, names, top=archives.stem(snapshot, form), when=snapshot.created_at
    )
