"""What a snapshot holds: panels as training examples, each with its lineage, split by paper, and a hash over all of it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Final

from annotator.common.errors import UserError
from ner_engine.formats import Report
from ner_engine.formats.jsonl import document_to_json
from ner_engine.formats.sd_nlp import figure_passage, panel_passages, word_row
from ner_engine.schema import Document, Segment, Span
from ner_engine.split import SIDES, side_of

#: A panel must be longer than this to be an example: the rule of the public data sets.
MIN_CHARACTERS: Final = 80
TOO_SHORT: Final = f"{MIN_CHARACTERS} characters or fewer"
NO_ENTITY: Final = "no entity of the project's labels"
REPEATED: Final = "the same text as another panel"
#: Which side keeps a text that occurs on several: what is held out must never be trained on.
_KEEPS_FIRST: Final = ("test", "eval", "train")
_FOLDERS: Final = ("", "sd_panels/")


def examples_of(document: Document, labels: Iterable[str], left_out: Counter[str]) -> Iterator[Document]:
    """The panels of a legend that count as examples, spans at the panel's own offsets; why others do not is counted in ``left_out``.

    ``document.attributes["lineage"]`` goes into each with its panel and the decisions on it.
    """
    known = frozenset(labels)
    for segment in document.segments or (Segment(0, len(document.text)),):
        text = document.text[segment.start : segment.end]
        gold = tuple(
            span.moved(-segment.start) for span in document.gold if span.label in known and segment.start <= span.start and span.end <= segment.end
        )
        if len(text) <= MIN_CHARACTERS:
            left_out[TOO_SHORT] += 1
        elif not gold:
            left_out[NO_ENTITY] += 1
        else:
            panel = segment.id or f"{document.id}:{segment.marker or segment.start}"
            yield Document(id=panel, text=text, doi=document.doi, gold=gold, attributes={"lineage": _lineage(document, segment, panel, gold)})


def _lineage(document: Document, segment: Segment, panel: str, gold: tuple[Span, ...]) -> dict[str, Any]:
    decisions = Counter(str(span.attributes.get("decision") or "unknown") for span in gold)
    place = {"panel": panel, "start": segment.start, "end": segment.end, "paper": document.group}
    return {**document.attributes["lineage"], **place, "decisions": dict(sorted(decisions.items()))}


@dataclass
class SnapshotWriter:
    """Writes examples and figures of legends into ``folder``: project JSONL, and sd-nlp beside it with the same rows in the same order.

    Memory holds a digest for each panel and nothing else of it. ``finish`` takes out what occurs twice.
    """

    folder: Path
    labels: tuple[str, ...]
    left_out: Counter[str] = field(default_factory=Counter)
    report: Report = field(default_factory=Report)
    figures: Counter[str] = field(default_factory=Counter)
    _digests: dict[str, list[bytes]] = field(default_factory=lambda: {side: [] for side in SIDES})
    _streams: dict[str, IO[str]] = field(default_factory=dict)

    def write(self, documents: Iterable[Document]) -> None:
        """Write all examples, then take out repeated texts."""
        with ExitStack() as stack:
            for name in ("lossy.jsonl", *(f"{folder}{side}.jsonl" for side in SIDES for folder in (*_FOLDERS, "sd_figs/"))):
                path = self.folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                self._streams[name] = stack.enter_context(path.open("w", encoding="utf-8", newline="\n"))
            self.report.on_loss = lambda loss: self._line("lossy.jsonl", {"where": loss.where, "message": loss.message})
            for document in documents:
                self._write_legend(document)
        self._take_out_repeated()

    def _write_legend(self, document: Document) -> None:
        side = side_of(document.group)
        n_before = len(self._digests[side])
        for panel in examples_of(document, self.labels, self.left_out):
            self._line(f"{side}.jsonl", document_to_json(panel))
            for passage in panel_passages(panel, self.report):
                self._line(f"sd_panels/{side}.jsonl", word_row(passage, self.report))
            self._digests[side].append(hashlib.blake2b(panel.text.encode(), digest_size=16).digest())
        if len(self._digests[side]) > n_before:
            self.figures[side] += 1
            self._line(f"sd_figs/{side}.jsonl", word_row(figure_passage(_with_known_labels(document, self.labels)), self.report))

    def _line(self, name: str, row: dict[str, Any]) -> None:
        self._streams[name].write(json.dumps(row, ensure_ascii=False) + "\n")

    def _take_out_repeated(self) -> None:
        seen: set[bytes] = set()
        for side in _KEEPS_FIRST:
            repeated = set()
            for number, digest in enumerate(self._digests[side]):
                if digest in seen:
                    repeated.add(number)
                seen.add(digest)
            if repeated:
                self.left_out[REPEATED] += len(repeated)
                for folder in _FOLDERS:
                    _without_lines(self.folder / f"{folder}{side}.jsonl", repeated)


def _with_known_labels(document: Document, labels: Iterable[str]) -> Document:
    known = frozenset(labels)
    return replace(document, gold=tuple(span for span in document.gold if span.label in known))


def _without_lines(path: Path, numbers: set[int]) -> None:
    part = path.with_name(path.name + ".part")
    with path.open(encoding="utf-8", newline="\n") as source, part.open("w", encoding="utf-8", newline="\n") as target:
        target.writelines(line for number, line in enumerate(source) if number not in numbers)
    part.replace(path)


def content_hash(folder: Path) -> str:
    """SHA-256 over the three JSONL files, in hexadecimal digits; model cards name the data of a training by the same hash."""
    digest = hashlib.sha256()
    for side in SIDES:
        path = folder / f"{side}.jsonl"
        digest.update(f"{side}:{path.stat().st_size}\n".encode())
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def rows_of(folder: Path, side: str) -> Iterator[dict[str, Any]]:
    """The rows of one side as they were written."""
    with (folder / f"{side}.jsonl").open(encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line)


def count_rows(folder: Path) -> dict[str, Any]:
    """Panels, papers and entities by label of each side, from the files: ``{side: {"panels", "papers", "spans", "labels", "decisions"}}``."""
    return {side: _count_side(folder, side) for side in SIDES}


def _count_side(folder: Path, side: str) -> dict[str, Any]:
    labels: Counter[str] = Counter()
    decisions: Counter[str] = Counter()
    papers: set[str] = set()
    n = 0
    for row in rows_of(folder, side):
        n += 1
        labels.update(span["label"] for span in row["spans"])
        decisions.update(row["attributes"]["lineage"]["decisions"])
        papers.add(row["attributes"]["lineage"]["paper"])
    counts = {"panels": n, "papers": len(papers), "spans": labels.total()}
    return {**counts, "labels": dict(sorted(labels.items())), "decisions": dict(sorted(decisions.items()))}


_WAY_OUT: Final = "Make a new snapshot and train on it from a model that did not learn from this paper, the bundled one for instance."


class LeakError(UserError):
    """A paper or a text that a model learned from is among those it would be judged on."""


def refuse_leak(trained_on: Iterable[Path], held_out: Path) -> None:
    """Raise ``LeakError`` naming the first paper in the train sides of the snapshots ``trained_on`` that the test side of ``held_out`` holds too.

    Papers are compared by the lineage of each row, texts by their own hash, so that a file put together by hand is seen through as well.
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
                    f"The paper {paper} is among those the model learned from and those it is judged on, so its scores would mean nothing. {_WAY_OUT}"
                )
            if (other := texts.get(_text_digest(row))) is not None:
                raise LeakError(
                    f"A panel of the paper {other}, on which the model is judged, has the same text as panel {row['id']} of {paper}, from which it "
                    f"learned, so its scores would mean nothing. {_WAY_OUT}"
                )


def _paper(row: dict[str, Any]) -> str:
    return str(row["attributes"]["lineage"]["paper"]).strip().lower()


def _text_digest(row: dict[str, Any]) -> bytes:
    return hashlib.blake2b(row["text"].encode(), digest_size=16).digest()
