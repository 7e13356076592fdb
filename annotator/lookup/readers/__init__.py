"""Files of databases: a table (TSV) or OBO, plain or packed with gzip, read line by line.

for each in read(path, database):  # an Entry, or a BadLine
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from annotator.common.errors import UserError
from annotator.lookup.databases import Database
from annotator.lookup.entries import BadLine, Entry
from annotator.lookup.readers import obo, tables

#: Characters of the longest line that is read; gene_info has lines of some thousand.
MAX_LINE: Final = 1_000_000
_GZIP: Final = b"\x1f\x8b"


def read(path: Path, database: Database) -> Iterator[Entry | BadLine]:
    """Yield the entries of the file, and the lines that were refused, in order.

    Raises ``UserError`` if the file is no table and no OBO, is not UTF-8, or ends early.
    """
    with path.open("rb") as raw:
        is_packed = raw.read(2) == _GZIP
        raw.seek(0)
        stream = gzip.GzipFile(fileobj=raw) if is_packed else raw
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="strict", newline="\n")
        yield from _read_lines(_numbered(text), database)


def _read_lines(lines: Iterator[tuple[int, str]], database: Database) -> Iterator[Entry | BadLine]:
    first = next(lines, (0, ""))
    whole = _again(first, lines)
    if first[1].startswith(("format-version:", "[Term]", "[Typedef]", "ontology:", "!")):
        yield from obo.read(whole, database)
    elif "\t" in first[1]:
        yield from tables.read(whole, database)
    else:
        raise UserError(
            "The file is neither OBO (its first line would begin with “format-version:”) nor a"
            " table with tabs between its columns. The guide on dictionaries describes both."
        )


def _again(first: tuple[int, str], lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    yield first
    yield from lines


def _numbered(text: io.TextIOWrapper) -> Iterator[tuple[int, str]]:
    """Yield the lines with their numbers. Memory holds one line at a time."""
    number = 0
    while True:
        try:
            line = text.readline(MAX_LINE)
        except UnicodeDecodeError as error:
            raise UserError(
                f"The file is not UTF-8 after line {number:,}. Save it as UTF-8, then import it"
                " again."
            ) from error
        except (EOFError, OSError, zlib.error) as error:
            raise UserError(
                f"The packed file is damaged after line {number:,}. Get it again."
            ) from error
        if not line:
            return
        number += 1
        if len(line) == MAX_LINE:
            raise UserError(
                f"Line {number:,} is longer than {MAX_LINE:,} characters. Is this the right file?"
            )
        yield number, line.rstrip("\r\n")
