"""Files, folders and zip archives as one stream of named byte streams; nothing in an archive is
trusted."""

from __future__ import annotations

import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

from ner_engine.errors import UnreadableError
from ner_engine.formats.report import Report

#: One member of an archive may unpack to this many bytes, and all of them together to that many.
MAX_MEMBER_BYTES: Final = 4 * 1024**3
MAX_ARCHIVE_BYTES: Final = 8 * 1024**3
MAX_MEMBERS: Final = 200_000
#: What the dictionary of an xz file may take; ``xz -9`` asks for 65 MB.
MAX_XZ_MEMORY: Final = 256 * 1024**2
#: Real legends pack 10 to 40 times; what packs more than this, beyond the first megabytes, is made
#: to fill the disk.
MAX_RATIO: Final = 200
RATIO_MATTERS_ABOVE: Final = 16 * 1024**2
#: Bytes that are read from an input at once.
_BUFFER_BYTES: Final = 1 << 16
#: What the disk and the libraries raise at an input that is damaged, cut off, locked or lies about
#: itself. ``ValueError`` covers names that are not UTF-8, ``RuntimeError`` passwords and unknown
#: methods of compression.
_DAMAGE: Final = (
    *(OSError, EOFError, ValueError, LookupError, ArithmeticError, RuntimeError),
    *(struct.error, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)


@dataclass(frozen=True, slots=True)
class Source:
    """A named input; ``open()`` gives its bytes as a context manager, until the next source is
    taken.

    Opening and reading raise ``UnreadableError``, whatever is wrong with the bytes. ``name`` is the
    file's name, or the name of the folder or archive and the path in it. ``is_inside`` tells files
    found in a folder or archive from those that were named themselves.
    """

    name: str
    open: Callable[[], AbstractContextManager[IO[bytes]]]
    is_inside: bool = False


def open_inputs(
    paths: Iterable[Path], report: Report, *, names: Mapping[Path, str] | None = None
) -> Iterator[Source]:
    """The inputs of ``paths`` (files, folders, zips) in a stable order; what cannot be opened is
    named in ``report``.

    ``names`` says what people call a file that lies under another name, such as an uploaded one.
    """
    for path in paths:
        if path.is_dir():
            for child in sorted(child for child in path.rglob("*") if child.is_file()):
                if not _is_junk(child.name):
                    yield from _file(
                        child, child.relative_to(path.parent).as_posix(), report, is_inside=True
                    )
        elif path.is_file():
            yield from _file(path, (names or {}).get(path, path.name), report, is_inside=False)
        else:
            report.problem(
                (names or {}).get(path, path.name), "there is no such file; check the path"
            )


def _file(path: Path, name: str, report: Report, *, is_inside: bool) -> Iterator[Source]:
    try:
        with _naming_damage(name):
            is_empty = path.stat().st_size == 0
            is_zip = not is_empty and zipfile.is_zipfile(path)
    except UnreadableError as error:
        report.problem(error.where, error.message)
        return
    if is_empty:
        report.problem(name, "the file is empty; export it again from its source")
    elif is_zip:
        yield from _members(path, name, report)
    elif name.lower().endswith(".zip"):
        report.problem(name, "it is no zip archive, or was cut off; pack or copy it again")
    elif name.lower().endswith(".xz"):
        yield _source(name[: -len(".xz")], lambda: _Xz(path), is_inside=is_inside)
    else:
        yield _source(name, lambda: path.open("rb"), is_inside=is_inside)


def _source(name: str, open_bytes: Callable[[], Any], *, is_inside: bool) -> Source:
    """The source whose bytes ``open_bytes`` gives."""

    def opened() -> io.BufferedReader:
        with _naming_damage(name):
            return io.BufferedReader(_Checked(name, open_bytes()), _BUFFER_BYTES)

    return Source(name, opened, is_inside)


@contextmanager
def _naming_damage(name: str) -> Iterator[None]:
    """Raise ``UnreadableError`` for the input of this name where its bytes cannot be read. The one
    place that knows what can go wrong."""
    try:
        yield
    except _DAMAGE as error:
        raise UnreadableError(_sentence_of(error), where=name) from error


def _sentence_of(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:  # without the path, which is the server's
        return f"it cannot be read ({error.strerror}); check the file and its permissions"
    reason = (
        "a file name in it is not valid UTF-8"
        if isinstance(error, UnicodeError)
        else str(error)[:120] or type(error).__name__
    )
    return f"it cannot be read to its end ({reason}); copy or pack it again"


class _Checked(io.RawIOBase):
    """The bytes of the input ``name``; whatever goes wrong with them is raised as
    ``UnreadableError``."""

    def __init__(self, name: str, stream: Any) -> None:
        self._name, self._bytes = name, stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with _naming_damage(self._name):
            data = self._bytes.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            with _naming_damage(self._name):
                self._bytes.close()
        super().close()


class _Xz(io.RawIOBase):
    """An xz file, unpacked while it is read, with bounds on memory and on what comes out."""

    def __init__(self, path: Path) -> None:
        self._packed = path.open("rb")
        self._unpacker = self._new()
        self._n_bytes = 0

    @staticmethod
    def _new() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_XZ_MEMORY)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._next(len(buffer))
        self._n_bytes += len(data)
        if self._n_bytes > MAX_MEMBER_BYTES:
            raise OSError(f"it unpacks to more than {MAX_MEMBER_BYTES // 1024**3} GB; split it")
        buffer[: len(data)] = data
        return len(data)

    def _next(self, size: int) -> bytes:
        """At most ``size`` bytes, none only at the end."""
        while True:
            if self._unpacker.eof:
                rest = self._unpacker.unused_data or self._packed.read(1 << 16)
                if not rest.strip(b"\0"):
                    return b""
                self._unpacker = self._new()
            else:
                rest = self._packed.read(1 << 16) if self._unpacker.needs_input else b""
                if self._unpacker.needs_input and not rest:
                    raise EOFError("the file ends before its content does")
            if data := self._unpacker.decompress(rest, size):
                return data

    def close(self) -> None:
        self._packed.close()
        super().close()


def _members(path: Path, archive_name: str, report: Report) -> Iterator[Source]:
    try:
        with _naming_damage(archive_name):
            archive = zipfile.ZipFile(path)
    except UnreadableError as error:
        report.problem(error.where, error.message)
        return
    with archive:
        members = [info for info in archive.infolist() if not info.filename.endswith("/")]
        refusal = _archive_refusal(members)
        if refusal:
            report.problem(archive_name, refusal)
            return
        for info in members:
            name = f"{archive_name}/{info.filename}"
            if _is_junk(info.filename):
                continue
            if refusal := _member_refusal(info):
                report.problem(name, refusal)
            else:
                yield _source(name, partial(archive.open, info), is_inside=True)


def _archive_refusal(members: list[zipfile.ZipInfo]) -> str:
    if len(members) > MAX_MEMBERS:
        return f"the archive holds more than {MAX_MEMBERS:,} files; split it"
    if sum(info.file_size for info in members) > MAX_ARCHIVE_BYTES:
        return f"the archive unpacks to more than {MAX_ARCHIVE_BYTES // 1024**3} GB; split it"
    return ""


def _member_refusal(info: zipfile.ZipInfo) -> str:
    path = PurePosixPath(info.filename.replace("\\", "/"))
    packs_too_well = info.file_size > RATIO_MATTERS_ABOVE and info.file_size > MAX_RATIO * max(
        1, info.compress_size
    )
    reasons = {
        "its path leads out of the archive; it was skipped, pack the file under a plain name": (
            path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", info.filename)
        ),
        "it has no name; pack it again under one": not path.name,
        "it is an archive in an archive; unpack it and give it by itself": (
            path.suffix.lower() == ".zip"
        ),
        "it is encrypted; unpack it and import the file itself": info.flag_bits & 0x1,
        f"it unpacks to more than {MAX_MEMBER_BYTES // 1024**3} GB; split it": (
            info.file_size > MAX_MEMBER_BYTES
        ),
        "it unpacks to a suspiciously large size (a zip bomb?); it was skipped": packs_too_well,
        "the file is empty; export it again from its source": info.file_size == 0,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _is_junk(name: str) -> bool:
    """Resource forks and folder notes that desktop systems leave. A file named only ``.xml`` is
    data, not junk."""
    path = PurePosixPath(name)
    return (
        "__MACOSX" in path.parts
        or path.name in {".DS_Store", "Thumbs.db"}
        or path.name.startswith("._")
    )
