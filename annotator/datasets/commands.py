"""The shared parts of commands that make or name snapshots."""

from __future__ import annotations

from annotator.accounts.actors import SYSTEM
from annotator.common.errors import UserError
from annotator.corpus.models import Project
from annotator.datasets.models import Snapshot, SplitFile
from annotator.datasets.snapshots.filters import SnapshotFilter
from annotator.datasets.snapshots.services import (
    SNAPSHOT_KIND,
    SnapshotPayload,
    add_snapshot,
    settle_snapshots,
)
from annotator.jobs.commands import JobCommand


class SnapshotCommand(JobCommand):
    """A command that freezes a snapshot in its own process."""

    def freeze(
        self,
        project: Project,
        *,
        note: str = "",
        filters: SnapshotFilter | None = None,
        split_file: SplitFile | None = None,
    ) -> Snapshot:
        """Return a new snapshot, READY. Raises ``UserError`` if it could not be built."""
        snapshot = add_snapshot(
            project=project, actor=SYSTEM, note=note, filters=filters, split_file=split_file
        )
        try:
            self.run_job(
                kind=SNAPSHOT_KIND, scope=project.scope, payload=SnapshotPayload(snapshot.pk)
            )
        except UserError:
            # Without a job, another snapshot of the project is being built: this one never began.
            Snapshot.objects.filter(pk=snapshot.pk, job=None).delete()
            raise
        finally:
            settle_snapshots(project=project)
        snapshot.refresh_from_db()
        return snapshot


def snapshot_numbered(project: Project, number: int) -> Snapshot:
    """Return the project's snapshot of that number. Raises ``UserError`` with the numbers known."""
    snapshot = project.snapshots.filter(number=number).first()
    if snapshot is None:
        numbers = project.snapshots.values_list("number", flat=True)[:10]
        known = ", ".join(str(known) for known in numbers) or "none yet"
        raise UserError(f"There is no snapshot {number} in {project.slug}. Snapshots: {known}.")
    return snapshot
