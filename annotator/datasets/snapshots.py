"""What a frozen snapshot holds, from its files: rows, their hash, and whether a model learned from
what it would be judged on."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from annotator.common.errors import UserError
from annotator.corpus.models import DecisionKind
from ner_engine.duplicates import ShingleIndex
from ner_engine.files import sha256_of, sha256_of_named
from ner_engine.split import SPLITS


def content_hash(folder: Path) -> str:
    """SHA-256 over the three JSONL files, in hexadecimal digits; model cards name the data of a
    training by the same hash."""
    return sha256_of_named((side, folder / f"{side}.jsonl") for side in SPLITS)


def hashes_of(folder: Path) -> dict[str, dict[str, Any]]:
    """``{name: {"bytes", "sha256"}}`` of all files below the folder."""
    found = {}
    for path in sorted(folder.rglob("*.jsonl")):
        found[path.relative_to(folder).as_posix()] = {
            "bytes": path.stat().st_size,
            "sha256": sha256_of([path]),
        }
    return found


def rows_of(folder: Path, side: str) -> Iterator[dict[str, Any]]:
    """The rows of one side as they were written."""
    with (folder / f"{side}.jsonl").open(encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line)


def row_at(folder: Path, side: str, offset: int) -> dict[str, Any]:
    """The row that begins at that byte of a side's file."""
    with (folder / f"{side}.jsonl").open("rb") as stream:
        stream.seek(offset)
        row: dict[str, Any] = json.loads(stream.readline())
        return row


@dataclass
class Contents:
    """What lies in a snapshot's files.

    ``counts``: ``{side: {"panels", "untouched_panels", "papers", "spans", "labels", "decisions",
    "swept"}}``, the last three by name; untouched are panels that a machine found and nobody looked
    at. ``figures``: rows of whole figures by side. ``lossy``: (form, message, how often). ``rows``:
    (side, byte at which the row begins, document) of each panel, side after side.
    """

    counts: dict[str, dict[str, Any]] = field(default_factory=dict)
    figures: dict[str, int] = field(default_factory=dict)
    lossy: list[tuple[str, str, int]] = field(default_factory=list)
    rows: list[tuple[str, int, int]] = field(default_factory=list)


def contents_of(folder: Path) -> Contents:
    """Count what lies in the files of a snapshot."""
    found = Contents()
    for side in SPLITS:
        found.counts[side] = _count_side(folder, side, found.rows)
        with (folder / "sd_figs" / f"{side}.jsonl").open("rb") as stream:
            found.figures[side] = sum(1 for _ in stream)
    losses: Counter[tuple[str, str]] = Counter()
    with (folder / "lossy.jsonl").open(encoding="utf-8") as lines:
        for loss in map(json.loads, lines):
            losses[loss["form"], loss["message"].partition(";")[0]] += 1
    found.lossy = [(form, message, n) for (form, message), n in sorted(losses.items())]
    return found


def _count_side(folder: Path, side: str, rows: list[tuple[str, int, int]]) -> dict[str, Any]:
    counters: dict[str, Counter[str]] = {
        "labels": Counter(),
        "decisions": Counter(),
        "swept": Counter(),
    }
    papers: set[str] = set()
    n = n_untouched = offset = 0
    with (folder / f"{side}.jsonl").open("rb") as stream:
        for line in stream:
            row = json.loads(line)
            lineage = row["attributes"]["lineage"]
            rows.append((side, offset, lineage["document"]))
            offset += len(line)
            n += 1
            n_untouched += "panels_by" in lineage
            papers.add(_paper(row))
            counters["labels"].update(span["label"] for span in row["spans"])
            counters["swept"].update(
                span["label"]
                for span in row["spans"]
                if span["attributes"].get("decision") == DecisionKind.BULK_ACCEPTED
            )
            counters["decisions"].update(lineage["decisions"])
    counts: dict[str, Any] = {
        "panels": n,
        "untouched_panels": n_untouched,
        "papers": len(papers),
        "spans": counters["labels"].total(),
    }
    return counts | {name: dict(sorted(counter.items())) for name, counter in counters.items()}


_WAY_OUT: Final = (
    "Make a new snapshot and train on it from a model that did not learn from this paper, the"
    " bundled one for instance."
)


class LeakError(UserError):
    """A paper or a text that a model learned from is among those it would be judged on."""


def refuse_leak(trained_on: Iterable[Path], held_out: Path) -> None:
    """Raise ``LeakError`` naming the first paper in the train sides of the snapshots ``trained_on``
    that the test side of ``held_out`` holds too.

    Papers are compared by the lineage of each row, texts by their own hash, so that a file put
    together by hand is seen through as well.
    """
    papers: set[str] = set()
    texts: dict[bytes, str] = {}
    for row in rows_of(held_out, "test"):
        papers.add(_paper(row))
        texts[_text_digest(row)] = _paper(row)
    for folder in trained_on:
        for row in rows_of(folder, "train"):
            if (paper := _paper(row)) in papers:
                raise LeakError(
                    f"The paper {paper} is among those the model learned from and those it is"
                    f" judged on, so its scores would mean nothing. {_WAY_OUT}"
                )
            if (other := texts.get(_text_digest(row))) is not None:
                raise LeakError(
                    f"A panel of the paper {other}, on which the model is judged, has the same text"
                    f" as panel {row['id']} of {paper}, from which it learned, so its scores would"
                    f" mean nothing. {_WAY_OUT}"
                )


def refuse_near_leak(trained_on: Iterable[Path], held_out: Path, threshold: float) -> None:
    """Raise ``LeakError`` naming a panel of the train sides of ``trained_on`` that is at least
    ``threshold`` (0-1) like one that is held out.

    What ``refuse_leak`` does not see: a text that was changed a little. It reads every text, some
    seconds for tens of thousands; for workers.
    """
    index = ShingleIndex()
    where: list[tuple[str, str]] = []
    ranks: list[int] = []
    seen: set[bytes] = set()
    sides = [(held_out, "test"), *((folder, "train") for folder in dict.fromkeys(trained_on))]
    for rank, (folder, side) in enumerate(sides):
        for row in rows_of(folder, side):
            if (digest := _text_digest(row)) not in seen:
                seen.add(digest)
                index.add(row["text"])
                where.append((_paper(row), row["id"]))
                ranks.append(min(rank, 1))
    for near in index.near_duplicates(ranks, threshold):
        (paper, panel), (other, other_panel) = where[near.number], where[near.like]
        raise LeakError(
            f"Panel {other_panel} of the paper {other}, on which the model is judged, is nearly the"
            f" same as panel {panel} of {paper}, from which it learned ({near.similarity:.0%} of"
            f" their three-word sequences), so its scores would mean nothing. {_WAY_OUT}"
        )


def _paper(row: dict[str, Any]) -> str:
    return str(row["attributes"]["lineage"]["paper"]).strip().lower()


def _text_digest(row: dict[str, Any]) -> bytes:
    return hashlib.blake2b(row["text"].encode(), digest_size=16).digest()
