"""The forms documents come in and go out in, by name.

``read_inputs`` is the one door in: files, folders and zips of any form become documents, and
whatever cannot is named in the report while the rest goes through. ``convert.write_documents`` is
the one door out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Final, Protocol

from ner_engine.errors import FormatError, UnreadableError
from ner_engine.formats import iob2, jats, jsonl, sd_nlp, sourcedata_xml, text
from ner_engine.formats.report import Problem, Report
from ner_engine.formats.sources import Source, open_inputs
from ner_engine.schema import Document


class Reader(Protocol):
    """Yields documents lazily; names in ``report`` what it refuses, and goes on."""

    def __call__(self, stream: IO[bytes], *, name: str, report: Report) -> Iterator[Document]: ...


@dataclass(frozen=True, slots=True)
class Format:
    """A form of documents. ``suffixes`` say which files of a folder or archive are taken; a file
    given by itself is always taken."""

    name: str
    title: str
    read: Reader
    suffixes: tuple[str, ...]
    is_writable: bool


#: Prodigy's tokens; those of sd-nlp are strings.
_TOKENS_AS_OBJECTS: Final = re.compile(rb'"tokens"\s*:\s*\[\s*\{')
_JSON_LINES: Final = (".jsonl", ".json", ".ndjson")

FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        each.name: each
        for each in (
            Format(
                "sourcedata-xml",
                "SourceData XML (curated figures)",
                sourcedata_xml.read,
                (".xml",),
                is_writable=False,
            ),
            Format(
                "jats",
                "JATS XML (figure captions of articles)",
                jats.read,
                (".xml", ".nxml"),
                is_writable=False,
            ),
            Format(
                "jsonl",
                "JSONL (a document a line, with spans)",
                jsonl.read,
                _JSON_LINES,
                is_writable=True,
            ),
            Format(
                "sd-nlp",
                "sd-nlp (words with IOB2 labels)",
                sd_nlp.read,
                _JSON_LINES,
                is_writable=True,
            ),
            Format(
                "sd-nlp-tokenized",
                "sd-nlp tokenised (roberta-base tokens)",
                sd_nlp.read,
                _JSON_LINES,
                is_writable=True,
            ),
            Format("text", "Plain text (a legend a file)", text.read, (".txt",), is_writable=True),
            Format(
                "iob2",
                "CoNLL / IOB2 (a word and its label a line)",
                iob2.read,
                (".iob2", ".iob", ".conll", ".bio", ".tsv"),
                is_writable=True,
            ),
        )
    }
)


def read_inputs(
    paths: Iterable[Path],
    format_name: str,
    report: Report,
    *,
    names: Mapping[Path, str] | None = None,
    **options: Any,
) -> Iterator[Document]:
    """The documents in ``paths`` (files, folders, zips), called by ``names`` where given;
    ``options`` go to the reader of the format.

    Raises ``FormatError`` for an unknown format. Everything else that goes wrong is named in
    ``report`` and skipped; files of a folder or archive that have another suffix are counted as
    ``files_of_other_kinds``.
    """
    form = named(format_name)
    for source in open_inputs(paths, report, names=names):
        if source.is_inside and not source.name.lower().endswith(form.suffixes):
            report.counts["files_of_other_kinds"] += 1
            continue
        try:
            with source.open() as stream:
                yield from form.read(stream, name=source.name, report=report, **options)
        except UnreadableError as error:
            report.problem(error.where, error.message)


def accepted(documents: Iterable[Document], report: Report | None = None) -> Iterator[Document]:
    """Yield the documents whose labels another tool did not reject; ``report`` counts the others.

    Whoever learns from gold, or judges by it, must take a text without entities as having none.
    """
    n_rejected = 0
    for document in documents:
        if document.is_rejected:
            n_rejected += 1
        else:
            yield document
    if n_rejected and report is not None:
        report.counts["rows_rejected_left_out"] += n_rejected
        said = "rejected texts were left out, since a text without entities would count as having"
        report.note("all inputs", f"{n_rejected:,} {said} none")


def named(format_name: str) -> Format:
    """The format of that name. Raises ``FormatError``."""
    try:
        return FORMATS[format_name]
    except KeyError as error:
        raise FormatError(
            f'"{format_name}" is no format; formats are {", ".join(FORMATS)}'
        ) from error


def detect(
    path: Path, *, name: str = "", leaves_out: Callable[[str], bool] = lambda _: False
) -> str:
    """Return the name of the format of a file (called ``name``), or of the first file in a folder
    or zip that has one.

    Files for whose names ``leaves_out`` is true are not looked at. Raises ``UnreadableError`` where
    no file has a known form and one cannot be read, ``FormatError`` where all can.
    """
    name = name or path.name
    report = Report()
    unreadable: list[UnreadableError] = []
    for source in open_inputs([path], report, names={path: name}):
        if leaves_out(source.name):
            continue
        try:
            with source.open() as stream:
                head = stream.read(65536)
        except UnreadableError as error:
            unreadable.append(error)
            continue
        if found := _format_of(source, head):
            return found
    if unreadable:
        raise unreadable[0] if len(unreadable) == 1 else _unreadable_together(unreadable)
    reason = report.problems[0].message if report.problems else "no file in it has a known form"
    raise FormatError(
        f"its format cannot be told ({reason}); name it, formats are {', '.join(FORMATS)}",
        where=name,
    )


def _unreadable_together(errors: Sequence[UnreadableError]) -> UnreadableError:
    first, n_others = errors[0], len(errors) - 1
    return UnreadableError(
        f"{first.message}; {n_others:,} more beside it cannot be read either", where=first.where
    )


def _format_of(source: Source, head: bytes) -> str:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"<"):
        if b"<sd-panel" in head or (
            b"<article" in head and b"doi=" in head and b"<front" not in head
        ):
            return "sourcedata-xml"
        return "jats" if b"<article" in head else ""
    if start.startswith(b"{"):
        return _format_of_row(start.splitlines()[0])
    if iob2.looks_like(head.decode("utf-8-sig", errors="replace")):
        return "iob2"
    return "text" if source.name.lower().endswith(".txt") and start else ""


def _format_of_row(line: bytes) -> str:
    """By the keys of the row; one too long for the piece that was read is told by what it begins
    with."""
    try:
        keys = set(json.loads(line))
    except (ValueError, RecursionError):
        keys = {
            key
            for key in ("spans", "words", "tokens", "input_ids")
            if f'"{key}"'.encode() in line[:2000]
        }
        if _TOKENS_AS_OBJECTS.search(line[:2000]):
            keys.add("spans")
    if "spans" in keys:
        return "jsonl"  # Prodigy writes tokens beside spans
    if "words" in keys:
        return "sd-nlp"
    return "sd-nlp-tokenized" if keys & {"tokens", "input_ids"} else "jsonl"


__all__ = [
    "FORMATS",
    "Format",
    "Problem",
    "Report",
    "Source",
    "accepted",
    "detect",
    "named",
    "open_inputs",
    "read_inputs",
]
