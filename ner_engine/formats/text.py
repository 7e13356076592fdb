"""Plain text: a legend a file, or a legend a line. Nothing is known of it but the text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, Final

from ner_engine.errors import FormatError
from ner_engine.formats.jsonl import checked_text, lines
from ner_engine.formats.report import Report
from ner_engine.schema import Document

MAX_FILE_BYTES: Final = 16 * 1024**2


def read(
    stream: IO[bytes], *, name: str, report: Report, per_line: bool = False
) -> Iterator[Document]:
    """The document of a file, or with ``per_line`` one of each line that is not empty; what cannot
    be text is refused by name.

    The text is kept as it is; a byte order mark and the line ends after it are the file's, not the
    legend's. A document's id is the file's name without its suffix, ``name:N`` for line N. Counts:
    files, documents, refused.
    """
    report.counts["files"] += 1
    stem = str(PurePosixPath(name).with_suffix(""))
    pieces = (
        lines(stream, name, report) if per_line else iter([(name, stream.read(MAX_FILE_BYTES + 1))])
    )
    for where, data in pieces:
        try:
            text = _decoded(data, where)
        except FormatError as error:
            report.counts["refused"] += 1
            report.problem(error.where, error.message)
            continue
        report.counts["documents"] += 1
        yield Document(id=f"{stem}:{where.rpartition(' ')[2]}" if per_line else stem, text=text)


def _decoded(data: bytes, where: str) -> str:
    if len(data) > MAX_FILE_BYTES:
        raise FormatError(
            f"the file is larger than {MAX_FILE_BYTES // 1024**2} MB; a plain text file holds one"
            " legend, or one a line",
            where=where,
        )
    if not data.strip():
        raise FormatError("the file is empty; export it again from its source", where=where)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(
            f"it is not valid UTF-8 (byte {error.start}); save the file as UTF-8", where=where
        ) from error
    return checked_text(text.rstrip("\r\n"), where)
