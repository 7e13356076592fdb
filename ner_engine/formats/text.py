"""Plain text: one legend per file, or one per line."""

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
    """Yield the document of a file, or with ``per_line`` one document per non-empty line.

    The text is kept unchanged, without a byte order mark and the line ends after it. The id of a
    document is the file's name without its suffix, with ``:N`` for line N. A file or line that is
    not text is refused and named in ``report``. Counts: files, documents, refused.
    """
    report.counts["files"] += 1
    stem = str(PurePosixPath(name).with_suffix(""))
    if per_line:
        pieces = lines(stream, name, report)
    else:
        pieces = iter([(name, stream.read(MAX_FILE_BYTES + 1))])
    for where, data in pieces:
        try:
            text = _decoded(data, where)
        except FormatError as error:
            report.counts["refused"] += 1
            report.problem(error.where, error.message)
            continue
        report.counts["documents"] += 1
        line = f":{where.rpartition(' ')[2]}" if per_line else ""
        yield Document(id=f"{stem}{line}", text=text)


def _decoded(data: bytes, where: str) -> str:
    if len(data) > MAX_FILE_BYTES:
        raise FormatError(
            f"the file is larger than {MAX_FILE_BYTES // 1024**2} MB; a plain text file has one"
            " legend, or one per line",
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
