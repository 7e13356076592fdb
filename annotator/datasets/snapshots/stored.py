"""The counts and the report that a snapshot stores as JSON, as types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class SplitCounts:
    """The contents of one split of a snapshot.

    ``untouched_panels`` were found by a model and not changed by a curator. ``labels`` and
    ``swept`` (bulk-accepted entities) count by label, ``decisions`` by kind of decision.
    """

    panels: int = 0
    untouched_panels: int = 0
    papers: int = 0
    spans: int = 0
    labels: Mapping[str, int] = field(default_factory=dict)
    decisions: Mapping[str, int] = field(default_factory=dict)
    swept: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> SplitCounts:
        """Return the counts; those that an earlier version did not store are zero."""
        return cls(**{name: stored[name] for name in cls.__dataclass_fields__ if name in stored})

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def n_bulk_accepted(self) -> int:
        return sum(self.swept.values())


@dataclass(frozen=True, slots=True)
class SnapshotReport:
    """The report of a snapshot.

    ``figures`` counts rows of whole figures by split; ``left_out`` panels by reason. ``lossy``
    holds (form, message, number of entities). ``tokenizer`` is empty if the tokenised form was not
    written. ``files`` maps a name to its ``bytes`` and ``sha256``.
    """

    labels: tuple[str, ...] = ()
    guideline: str = ""
    figures: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    figures_left_out: int = 0
    n_lossy: int = 0
    lossy: tuple[tuple[str, str, int], ...] = ()
    tokenizer: str = ""
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> SnapshotReport:
        """Return the report; fields that an earlier version did not store are empty."""
        fields = {name: stored[name] for name in cls.__dataclass_fields__ if name in stored}
        for name in ("labels", "lossy"):
            if name in fields:
                fields[name] = tuple(fields[name])
        return cls(**fields)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "labels": list(self.labels), "lossy": list(self.lossy)}
