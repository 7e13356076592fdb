"""The formats of documents, by name.

``read_inputs`` reads files, folders and zip archives of any format. An input that cannot be read
is named in the report, and reading continues with the next one. ``convert.write_documents`` writes
documents in any writable format.
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
    """A function that yields documents one by one and names in ``report`` what it refuses."""

    def __call__(self, stream: IO[bytes], *, name: str, report: Report) -> Iterator[Document]: ...


@dataclass(frozen=True, slots=True)
class Format:
    """A format of documents.

    Of a folder or archive, only files with one of ``suffixes`` are read. A file that is given by
    its own path is always read.
    """

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


#: The names of the formats that can be written.
WRITABLE: Final = tuple(name for name, form in FORMATS.items() if form.is_writable)


def read_inputs(
    paths: Iterable[Path],
    format_name: str,
    report: Report,
    *,
    names: Mapping[Path, str] | None = None,
    **options: Any,
) -> Iterator[Document]:
    """Yield the documents in ``paths`` (files, folders, zip archives).

    ``names`` replaces the name of a path in messages and ids. ``options`` are passed to the reader
    of the format. Files of a folder or archive with another suffix are skipped and counted as
    ``files_of_other_kinds``. An input that cannot be read is skipped and named in ``report``.

    Raise ``FormatError`` for an unknown format.
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
    """Yield the documents whose labels no other tool rejected; ``report`` counts the others.

    Training and evaluation read a text without entities as one that has none, so texts whose
    entities were rejected must be left out.
    """
    n_rejected = 0
    for document in documents:
        if document.is_rejected:
            n_rejected += 1
        else:
            yield document
    if n_rejected and report is not None:
        report.counts["rows_rejected_left_out"] += n_rejected
        report.note(
            "all inputs",
            f"{n_rejected:,} rejected texts were left out, because they would count as texts"
            " without entities",
        )


def named(format_name: str) -> Format:
    """Return the format ``format_name``. Raise ``FormatError`` if there is none."""
    try:
        return FORMATS[format_name]
    except KeyError as error:
        raise FormatError(
            f'"{format_name}" is not a format; choose one of {", ".join(FORMATS)}'
        ) from error


def detect(
    path: Path, *, name: str = "", leaves_out: Callable[[str], bool] = lambda _: False
) -> str:
    """Return the name of the format of a file, or of the first recognised file in a folder or zip.

    ``name`` replaces the name of ``path`` in messages. Files for whose names ``leaves_out`` returns
    true are skipped. If no format is recognised, raise ``UnreadableError`` if a file could not be
    read, and ``FormatError`` otherwise.
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
        if format_name := _format_of(source, head):
            return format_name
    if unreadable:
        raise _first_of(unreadable)
    reason = "no file in it has a known format"
    if report.problems:
        reason = report.problems[0].message
    raise FormatError(
        f"its format was not recognised ({reason}); choose one of {', '.join(FORMATS)}",
        where=name,
    )


def _first_of(errors: Sequence[UnreadableError]) -> UnreadableError:
    """Return the first error; its message counts the others."""
    first, n_others = errors[0], len(errors) - 1
    if not n_others:
        return first
    others = "1 other file" if n_others == 1 else f"{n_others:,} other files"
    return UnreadableError(f"{first.message}; {others} cannot be read either", where=first.where)


def _format_of(source: Source, head: bytes) -> str:
    """Return the format of a file that begins with ``head``, "" if it is not recognised."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"<"):
        return _format_of_xml(head)
    if start.startswith(b"{"):
        return _format_of_row(start.splitlines()[0])
    if iob2.looks_like(head.decode("utf-8-sig", errors="replace")):
        return "iob2"
    return "text" if source.name.lower().endswith(".txt") and start else ""


def _format_of_xml(head: bytes) -> str:
    is_article = b"<article" in head
    if b"<sd-panel" in head or (is_article and b"doi=" in head and b"<front" not in head):
        return "sourcedata-xml"
    return "jats" if is_article else ""


def _format_of_row(line: bytes) -> str:
    keys = _keys_of(line)
    if "spans" in keys:
        return "jsonl"  # Prodigy writes tokens beside spans
    if "words" in keys:
        return "sd-nlp"
    return "sd-nlp-tokenized" if keys & {"tokens", "input_ids"} else "jsonl"


def _keys_of(line: bytes) -> set[str]:
    """Return the keys of a row. If ``line`` is only its beginning, return those seen there."""
    try:
        return set(json.loads(line))
    except (ValueError, RecursionError):
        beginning = line[:2000]
    names = ("spans", "words", "tokens", "input_ids")
    keys = {key for key in names if f'"{key}"'.encode() in beginning}
    if _TOKENS_AS_OBJECTS.search(beginning):
        keys.add("spans")
    return keys


__all__ = [
    "FORMATS",
    "WRITABLE",
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
