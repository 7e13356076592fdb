"""The plan of a snapshot: which labels and decisions it holds, how it is split, by which rules."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from annotator.corpus.models import Project
from annotator.datasets.models import Snapshot
from annotator.datasets.snapshots.filters import SnapshotFilter
from annotator.datasets.snapshots.guard import Rules
from annotator.datasets.snapshots.splits import SplitRule
from ner_engine.formats.sd_nlp import Flavour


@dataclass(frozen=True, slots=True)
class Plan:
    """The contents asked of a snapshot; ``guideline`` names the version that curators follow."""

    labels: tuple[str, ...]
    decisions: tuple[str, ...]
    split: SplitRule
    rules: Rules
    guideline: str

    @property
    def flavour(self) -> Flavour:
        return Flavour(self.labels)

    @classmethod
    def of(cls, snapshot: Snapshot) -> Plan:
        """Return the plan of a snapshot that was asked for."""
        filters = SnapshotFilter.from_json(snapshot.filters)
        split_file = snapshot.split_file
        return cls(
            labels=filters.labels_of(snapshot.project),
            decisions=filters.decisions,
            split=SplitRule({} if split_file is None else split_file.splits),
            rules=Rules.of_snapshot(snapshot),
            guideline=_guideline_version(snapshot.project),
        )


def _guideline_version(project: Project) -> str:
    """Return the label set's version and the start of a hash over the guideline's whole text.

    A guideline with another text is another version.
    """
    labels = project.label_set.labels.order_by("code").values_list("code", "guideline")
    texts = json.dumps([project.guideline, [list(label) for label in labels]], ensure_ascii=False)
    return f"{project.label_set} {hashlib.sha256(texts.encode()).hexdigest()[:12]}"
