"""The files of a frozen snapshot: their rows, hashes and counts."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from annotator.corpus.models import DecisionKind
from annotator.datasets.snapshots.stored import SplitCounts
from ner_engine.files import sha256_of, sha256_of_named
from ner_engine.split import SPLITS


def content_hash(folder: Path) -> str:
    """Return the SHA-256 over the three JSONL files, in hexadecimal digits.

    Model cards name the training data by the same hash.
    """
    return sha256_of_named((split, folder / f"{split}.jsonl") for split in SPLITS)


def hashes_of(folder: Path) -> dict[str, dict[str, Any]]:
    """Return ``{name: {"bytes", "sha256"}}`` of all files below the folder."""
    hashes = {}
    for path in sorted(folder.rglob("*.jsonl")):
        hashes[path.relative_to(folder).as_posix()] = {
            "bytes": path.stat().st_size,
            "sha256": sha256_of([path]),
        }
    return hashes


def rows_of(folder: Path, split: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of one split as they were written."""
    with (folder / f"{split}.jsonl").open(encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line)


def row_at(folder: Path, split: str, offset: int) -> dict[str, Any]:
    """Return the row that begins at byte ``offset`` of a split's file."""
    with (folder / f"{split}.jsonl").open("rb") as stream:
        stream.seek(offset)
        row: dict[str, Any] = json.loads(stream.readline())
        return row


def paper_of(row: dict[str, Any]) -> str:
    """Return the key of the paper that a row comes from."""
    return str(row["attributes"]["lineage"]["paper"]).strip().lower()


def text_digest(row: dict[str, Any]) -> bytes:
    """Return a 16-byte hash of a row's text."""
    return hashlib.blake2b(row["text"].encode(), digest_size=16).digest()


@dataclass
class Contents:
    """The contents of a snapshot's files.

    ``figures`` counts rows of whole figures by split. ``lossy`` holds (form, message, number of
    entities). ``rows`` holds (split, byte at which the row begins, document) of each panel, split
    after split.
    """

    counts: dict[str, SplitCounts] = field(default_factory=dict)
    figures: dict[str, int] = field(default_factory=dict)
    lossy: list[tuple[str, str, int]] = field(default_factory=list)
    rows: list[tuple[str, int, int]] = field(default_factory=list)


def contents_of(folder: Path) -> Contents:
    """Count the contents of a snapshot's files."""
    contents = Contents()
    for split in SPLITS:
        contents.counts[split] = _count_split(folder, split, contents.rows)
        with (folder / "sd_figs" / f"{split}.jsonl").open("rb") as stream:
            contents.figures[split] = sum(1 for _ in stream)
    losses: Counter[tuple[str, str]] = Counter()
    with (folder / "lossy.jsonl").open(encoding="utf-8") as lines:
        for loss in map(json.loads, lines):
            losses[loss["form"], loss["message"].partition(";")[0]] += 1
    contents.lossy = [(form, message, n) for (form, message), n in sorted(losses.items())]
    return contents


def _count_split(folder: Path, split: str, rows: list[tuple[str, int, int]]) -> SplitCounts:
    """Count one split, and append the places of its rows to ``rows``."""
    labels: Counter[str] = Counter()
    decisions: Counter[str] = Counter()
    bulk_accepted: Counter[str] = Counter()
    papers: set[str] = set()
    n_panels = n_untouched = offset = 0
    with (folder / f"{split}.jsonl").open("rb") as stream:
        for line in stream:
            row = json.loads(line)
            lineage = row["attributes"]["lineage"]
            rows.append((split, offset, lineage["document"]))
            offset += len(line)
            n_panels += 1
            n_untouched += "panels_by" in lineage
            papers.add(paper_of(row))
            for span in row["spans"]:
                labels[span["label"]] += 1
                if span["attributes"].get("decision") == DecisionKind.BULK_ACCEPTED:
                    bulk_accepted[span["label"]] += 1
            decisions.update(lineage["decisions"])
    return SplitCounts(
        panels=n_panels,
        untouched_panels=n_untouched,
        papers=len(papers),
        spans=labels.total(),
        labels=dict(sorted(labels.items())),
        decisions=dict(sorted(decisions.items())),
        swept=dict(sorted(bulk_accepted.items())),
    )
