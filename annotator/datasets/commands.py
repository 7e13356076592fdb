"""What commands that make or name snapshots have in common."""

from __future__ import annotations

from annotator.accounts.actors import SYSTEM
from annotator.common.errors import UserError
from annotator.corpus.models import Project
from annotator.datasets.filters import SnapshotFilter
from annotator.datasets.models import Snapshot, SplitFile
from annotator.datasets.services import (
    SNAPSHOT_KIND,
    SnapshotPayload,
    add_snapshot,
    settle_snapshots,
)
from annotator.jobs.commands import JobCommand


class SnapshotCommand(JobCommand):
    """A command that freezes a snapshot here and now."""

    def freeze(
        self,
        project: Project,
        *,
        note: str = "",
        filters: SnapshotFilter | None = None,
        split_file: SplitFile | None = None,
    ) -> Snapshot:
        """The snapshot, READY. Raises ``UserError`` where it could not be made."""
        snapshot = add_snapshot(
            project=project, actor=SYSTEM, note=note, filters=filters, split_file=split_file
        )
        try:
            self.run_job(
                kind=SNAPSHOT_KIND, scope=project.scope, payload=SnapshotPayload(snapshot.pk)
            )
        except UserError:
            Snapshot.objects.filter(
                pk=snapshot.pk, job=None
            ).delete()  # another snapshot of the project is being built
            raise
        finally:
            settle_snapshots(project=project)
        snapshot.refresh_from_db()
        return snapshot


def snapshot_numbered(project: Project, number: int) -> Snapshot:
    """The project's snapshot of that number. Raises ``UserError`` with the numbers there are."""
    snapshot = project.snapshots.filter(number=number).first()
    if snapshot is None:
        known = (
            ", ".join(
                str(number) for number in project.snapshots.values_list("number", flat=True)[:10]
            )
            or "none yet"
        )
        raise UserError(f"There is no snapshot {number} in {project.slug}. Snapshots: {known}.")
    return snapshot
