"""CoNLL files with IOB2 labels: one word per line, its label in the last of two to four columns.

Columns are separated by a tab or spaces, and an empty line ends a sentence. IO, IOB1 and IOBES
labels are read too. The text of a sentence is its words, joined by one space.

If the file marks documents (``-DOCSTART-``, or a line such as ``###MEDLINE:95369245``), a document
has its sentences as lines. Without marks, or on request, each sentence is a document.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import IO, Final

from ner_engine.align import OUTSIDE, Unit, decode, encode
from ner_engine.errors import FormatError
from ner_engine.formats.jsonl import MAX_LABEL, check_labels, checked_text
from ner_engine.formats.report import Report
from ner_engine.schema import Document, Span
from ner_engine.text import word_boundaries

MAX_LINE_BYTES: Final = 64 * 1024
#: A longer sentence means that the file has lost its empty lines.
MAX_SENTENCE_WORDS: Final = 20_000
_LABEL: Final = re.compile(rf"O|[BIESLU]-\S{{1,{MAX_LABEL}}}")
MARK: Final = "-DOCSTART-"
_DOCUMENT_MARK: Final = re.compile(r"(?:-DOCSTART-|###\s*\w+:)(.*)")
_COLUMNS: Final = re.compile(r"[ \t]+")
#: Stand-ins for lines that cannot be read; no rule accepts them.
_TOO_LONG: Final = "\0"
_NOT_UTF8: Final = "\ufffd"


def read(
    stream: IO[bytes],
    *,
    name: str,
    report: Report,
    labels: Collection[str] | None = None,
    per_sentence: bool = False,
) -> Iterator[Document]:
    """Yield the documents of a file.

    A sentence with an unreadable line is left out, and ``report`` names the line. With
    ``per_sentence`` each sentence is a document even if the file marks documents. Then
    ``attributes["paper"]`` is the marked document, or the file, so that sentences of one paper
    stay in one split. A document with a label that is not in ``labels`` is refused (None permits
    all). Counts: files, documents, refused.
    """
    report.counts["files"] += 1
    stem = str(PurePosixPath(name).with_suffix(""))
    empty = True
    for marked in _marked_documents(_sentences(stream, name, report)):
        empty = False
        for document in _documents(marked, stem, per_sentence=per_sentence):
            where = f"{name}, document {document.id}"
            try:
                checked_text(document.text, where)
                check_labels(document, labels, where)
            except FormatError as error:
                report.counts["refused"] += 1
                report.problem(error.where, error.message)
                continue
            report.counts["documents"] += 1
            yield document
    if empty and not report.counts["refused"]:
        report.problem(name, "it has no sentence; each line must have a word and its label")


def looks_like(head: str) -> bool:
    """Return whether the first lines of a file, ``head``, are lines of this format."""
    lines = [line for line in head.splitlines()[:50] if line.strip()][:5]
    return bool(lines) and all(_DOCUMENT_MARK.match(line) or _is_row(line) for line in lines)


def _is_row(line: str) -> bool:
    try:
        _row(line)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Sentence:
    """Words and their labels; ``line`` is the number of the first line.

    If a document begins with this sentence, ``mark`` is its id ("" if it has none), else None.
    """

    line: int
    words: list[str]
    tags: list[str]
    mark: str | None


@dataclass(slots=True)
class _Marked:
    """The sentences between two marks. ``id`` is None before the first mark."""

    id: str | None
    sentences: list[_Sentence] = field(default_factory=list)


def _sentences(stream: IO[bytes], name: str, report: Report) -> Iterator[_Sentence]:
    """Yield the readable sentences; name the first bad line of the others in ``report``."""
    mark: str | None = None
    words: list[str] = []
    tags: list[str] = []
    first, broken = 1, False
    for number, line in _lines(stream):
        marked = _DOCUMENT_MARK.match(line)
        if line.strip() and not marked:
            first = first if words or broken else number
            try:
                word, tag = _row(line)
                _check_length(len(words) + 1)
            except ValueError as error:
                if not broken:
                    report.counts["refused"] += 1
                    report.problem(f"{name}, line {number}", f"{error}; its sentence was left out")
                broken = True
                continue
            words.append(word)
            tags.append(tag)
            continue
        if words and not broken:
            yield _Sentence(first, words, tags, mark)
            mark = None
        words, tags, broken = [], [], False
        if marked:
            mark = _mark_id(marked.group(1))
    if words and not broken:
        yield _Sentence(first, words, tags, mark)


def _check_length(n_words: int) -> None:
    if n_words > MAX_SENTENCE_WORDS:
        raise ValueError(
            f"the sentence has more than {MAX_SENTENCE_WORDS:,} words; put an empty line after each"
            " sentence"
        )


def _lines(stream: IO[bytes]) -> Iterator[tuple[int, str]]:
    """Yield each line with its number.

    A line that is too long comes as ``_TOO_LONG``, one that is not UTF-8 as ``_NOT_UTF8``.
    """
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        is_long = len(line) > MAX_LINE_BYTES
        while len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE_BYTES + 1)
        yield number, _TOO_LONG if is_long else _decoded(line, is_first=number == 1)


def _decoded(line: bytes, *, is_first: bool) -> str:
    try:
        return line.decode("utf-8-sig" if is_first else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        return _NOT_UTF8


def _row(line: str) -> tuple[str, str]:
    """Return word and label of a line. Raise ``ValueError`` that says what is wrong with it."""
    if line == _TOO_LONG:
        raise ValueError(f"it is longer than {MAX_LINE_BYTES // 1024} kB, the limit for a line")
    if line == _NOT_UTF8:
        raise ValueError("it is not valid UTF-8; save the file as UTF-8")
    parts = line.split("\t") if "\t" in line else _COLUMNS.split(line.strip(" "))
    columns = [part.strip() for part in parts]
    if not 2 <= len(columns) <= 4:
        number = "1 column" if len(columns) == 1 else f"{len(columns)} columns"
        raise ValueError(
            f"it has {number}; a line has a word, at most two further columns, and a label"
        )
    word, tag = columns[0], columns[-1]
    if not word:
        raise ValueError("it has a label but no word")
    if not _LABEL.fullmatch(tag):
        raise ValueError(
            f'"{tag[:40]}" in its last column is not a label; labels are O, B-NAME and I-NAME'
        )
    return word, tag


def _mark_id(rest: str) -> str:
    """Return the document id in the ``rest`` of a mark, "" if there is none.

    ``-DOCSTART- (10)`` and ``###MEDLINE:10`` have the id 10, ``-DOCSTART- -X- O O`` has none.
    """
    return " ".join(part for part in rest.split() if part not in {OUTSIDE, "-X-"}).strip("()")[:200]


def _marked_documents(sentences: Iterable[_Sentence]) -> Iterator[_Marked]:
    """Yield the sentences between marks; before the first mark, each sentence by itself."""
    current = _Marked(None)
    for sentence in sentences:
        if sentence.mark is not None:
            if current.sentences:
                yield current
            current = _Marked(sentence.mark)
        current.sentences.append(sentence)
        if current.id is None:
            yield current
            current = _Marked(None)
    if current.sentences:
        yield current


def _documents(marked: _Marked, stem: str, *, per_sentence: bool) -> Iterator[Document]:
    first = f"{stem}:{marked.sentences[0].line}"
    if marked.id is not None and not per_sentence:
        yield _document(marked.sentences, marked.id or first)
        return
    paper = stem if marked.id is None else marked.id or first
    for sentence in marked.sentences:
        yield _document([sentence], f"{marked.id or stem}:{sentence.line}", paper)


def _document(sentences: list[_Sentence], key: str, paper: str = "") -> Document:
    """Return a document with the text and the entities of ``sentences``, one line each."""
    text = "\n".join(" ".join(sentence.words) for sentence in sentences)
    gold: list[Span] = []
    start = 0
    for sentence in sentences:
        units: list[Unit] = []
        for word in sentence.words:
            units.append((start, start + len(word)))
            start += len(word) + 1
        for first, last, label in decode(units, sentence.tags):
            gold.append(Span(first, last, label, text[first:last]))
    return Document(
        id=key, text=text, gold=tuple(gold), attributes={"paper": paper} if paper else {}
    )


def write_document(document: Document, report: Report) -> str:
    """Return the lines of a document: its mark, then a word, a tab and a label per line.

    Words follow the rule of sd-nlp (see ``text.words``). An empty line follows each line of the
    text. ``report`` lists the spans that words cannot hold.
    """
    units = []
    for start, end in word_boundaries(document.text):
        first = document.text[start]
        if first == "\n" or not first.isspace():
            units.append((start, end))
    encoded = encode(units, document.gold)
    for span, reason in encoded.lossy:
        report.lose(f"{document.id}, {span.start}-{span.end} {span.label}", reason)
    lines = [f"{MARK} ({' '.join(document.id.split())})\t{OUTSIDE}", ""]
    for (start, end), label in zip(units, encoded.labels, strict=True):
        word = document.text[start:end]
        if word != "\n":
            lines.append(f"{word}\t{label}")
        elif lines[-1]:
            lines.append("")
    return "\n".join(lines) + "\n\n"
