"""Files, folders and archives as named byte streams.

Archives are not trusted: paths, sizes, memory and compression ratios have limits.
"""

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

#: Limits for the unpacked size of one member of an archive, and of all members together.
MAX_MEMBER_BYTES: Final = 4 * 1024**3
MAX_ARCHIVE_BYTES: Final = 8 * 1024**3
MAX_MEMBERS: Final = 200_000
#: Memory limit for the dictionary of an xz file; ``xz -9`` needs 65 MB.
MAX_XZ_MEMORY: Final = 256 * 1024**2
#: Highest compression ratio of a large member. Real legends have 10 to 40; a higher one means a
#: zip bomb.
MAX_RATIO: Final = 200
RATIO_MATTERS_ABOVE: Final = 16 * 1024**2
#: Bytes read from an input at once.
_BUFFER_BYTES: Final = 1 << 16
#: Errors of the disk and the libraries for an input that is damaged, cut off or locked.
#: ``ValueError`` covers names that are not UTF-8, ``RuntimeError`` passwords and unknown
#: compression methods.
_DAMAGE: Final = (
    *(OSError, EOFError, ValueError, LookupError, ArithmeticError, RuntimeError),
    *(struct.error, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)


@dataclass(frozen=True, slots=True)
class Source:
    """A named input. ``open()`` returns its bytes, and is valid until the next source is taken.

    Opening and reading raise ``UnreadableError`` for any damage. ``name`` is the name of the file,
    or that of the folder or archive with the path in it; then ``is_inside`` is true.
    """

    name: str
    open: Callable[[], AbstractContextManager[IO[bytes]]]
    is_inside: bool = False


def open_inputs(
    paths: Iterable[Path], report: Report, *, names: Mapping[Path, str] | None = None
) -> Iterator[Source]:
    """Yield the inputs in ``paths`` (files, folders, zip archives) in a stable order.

    ``names`` maps a path to the name to show instead, such as that of an uploaded file. An input
    that cannot be opened is named in ``report``.
    """
    for path in paths:
        name = (names or {}).get(path, path.name)
        if path.is_dir():
            yield from _folder(path, report)
        elif path.is_file():
            yield from _file(path, name, report, is_inside=False)
        else:
            report.problem(name, "there is no such file; check the path")


def _folder(folder: Path, report: Report) -> Iterator[Source]:
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if not _is_junk(path.name):
            name = path.relative_to(folder.parent).as_posix()
            yield from _file(path, name, report, is_inside=True)


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
        report.problem(name, "it is not a zip archive, or was cut off; pack or copy it again")
    elif name.lower().endswith(".xz"):
        yield _source(name[: -len(".xz")], lambda: _Xz(path), is_inside=is_inside)
    else:
        yield _source(name, lambda: path.open("rb"), is_inside=is_inside)


def _source(name: str, open_bytes: Callable[[], Any], *, is_inside: bool) -> Source:
    """Return the source with the bytes of ``open_bytes()``."""

    def opened() -> io.BufferedReader:
        with _naming_damage(name):
            return io.BufferedReader(_Checked(name, open_bytes()), _BUFFER_BYTES)

    return Source(name, opened, is_inside)


@contextmanager
def _naming_damage(name: str) -> Iterator[None]:
    """Raise ``UnreadableError`` for the input ``name`` if its bytes cannot be read."""
    try:
        yield
    except _DAMAGE as error:
        raise UnreadableError(_sentence_of(error), where=name) from error


def _sentence_of(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:  # without the path on the server
        return f"it cannot be read ({error.strerror}); check the file and its permissions"
    reason = str(error)[:120] or type(error).__name__
    if isinstance(error, UnicodeError):
        reason = "a file name in it is not valid UTF-8"
    return f"it cannot be read to its end ({reason}); copy or pack it again"


class _Checked(io.RawIOBase):
    """The bytes of the input ``name``, with ``UnreadableError`` for any damage."""

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
    """An xz file that is unpacked while it is read, with limits on memory and size."""

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
        """Return at most ``size`` bytes, and none only at the end."""
        while True:
            if self._unpacker.eof:
                rest = self._unpacker.unused_data or self._packed.read(1 << 16)
                if not rest.strip(b"\0"):
                    return b""
                self._unpacker = self._new()
            else:
                rest = self._packed.read(1 << 16) if self._unpacker.needs_input else b""
                if self._unpacker.needs_input and not rest:
                    raise EOFError("the file was cut off")
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
        members = []
        for info in archive.infolist():
            if not info.filename.endswith("/"):
                members.append(info)
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
    """Return the reason to refuse an archive, "" if there is none."""
    if len(members) > MAX_MEMBERS:
        return f"the archive holds more than {MAX_MEMBERS:,} files; split it"
    if sum(info.file_size for info in members) > MAX_ARCHIVE_BYTES:
        return f"the archive unpacks to more than {MAX_ARCHIVE_BYTES // 1024**3} GB; split it"
    return ""


def _member_refusal(info: zipfile.ZipInfo) -> str:
    """Return the reason to refuse a member of an archive, "" if there is none."""
    return _name_refusal(info) or _content_refusal(info)


def _name_refusal(info: zipfile.ZipInfo) -> str:
    path = PurePosixPath(info.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", info.filename):
        return "its path leads out of the archive; it was skipped, pack the file under a plain name"
    if not path.name:
        return "it has no name; pack it again with a name"
    if path.suffix.lower() == ".zip":
        return "it is an archive in an archive; unpack it and give it by itself"
    return ""


def _content_refusal(info: zipfile.ZipInfo) -> str:
    if info.flag_bits & 0x1:
        return "it is encrypted; unpack it and import the file itself"
    if info.file_size > MAX_MEMBER_BYTES:
        return f"it unpacks to more than {MAX_MEMBER_BYTES // 1024**3} GB; split it"
    if _is_bomb(info):
        return "its compression ratio is too high for real data (a zip bomb?); it was skipped"
    if info.file_size == 0:
        return "the file is empty; export it again from its source"
    return ""


def _is_bomb(info: zipfile.ZipInfo) -> bool:
    ratio = info.file_size / max(1, info.compress_size)
    return info.file_size > RATIO_MATTERS_ABOVE and ratio > MAX_RATIO


def _is_junk(name: str) -> bool:
    """Return whether a file is a resource fork or folder note of a desktop system.

    A file named only ``.xml`` is data.
    """
    path = PurePosixPath(name)
    return (
        "__MACOSX" in path.parts
        or path.name in {".DS_Store", "Thumbs.db"}
        or path.name.startswith("._")
    )
