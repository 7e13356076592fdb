"""Columns that several lists share."""

from __future__ import annotations

from unfold.decorators import display

from annotator.learning.models import TrainingRun, TrainingSeries


class SnapshotRowColumns:
    """Columns of rows that belong to a snapshot."""

    @display(description="Snapshot", ordering="snapshot")
    def snapshot_number(self, row: TrainingRun | TrainingSeries) -> str:
        """Return the number of the row's snapshot."""
        return f"{row.snapshot.number}"
