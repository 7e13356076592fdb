"""CoNLL and IOB2: a word a line with two to four columns (tab or spaces), its label in the last; an
empty line ends a sentence.

Where the file marks documents (``-DOCSTART-``, or a line such as ``###MEDLINE:95369245``) a
document holds its sentences, a line each; without marks, and wherever sentences are asked for, each
sentence is a document. The text is made here: words of a sentence are joined by one space. IO, IOB1
and IOBES labels are read too.
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
#: A sentence longer than this is a file whose empty lines got lost.
MAX_SENTENCE_WORDS: Final = 20_000
_LABEL: Final = re.compile(rf"O|[BIESLU]-\S{{1,{MAX_LABEL}}}")
MARK: Final = "-DOCSTART-"
_DOCUMENT_MARK: Final = re.compile(r"(?:-DOCSTART-|###\s*\w+:)(.*)")
_COLUMNS: Final = re.compile(r"[ \t]+")


def read(
    stream: IO[bytes],
    *,
    name: str,
    report: Report,
    labels: Collection[str] | None = None,
    per_sentence: bool = False,
) -> Iterator[Document]:
    """The documents of a file. A sentence with a line that cannot be read is left out and that line
    named; the rest goes through.

    ``per_sentence`` gives a document a sentence even where documents are marked.
    ``attributes["paper"]`` of a sentence is the document it comes from, or the file where no
    document is marked: sentences that may be of one paper stay on one side of a split. ``labels``:
    where given, a span with another label refuses its document. Counts: files, documents,
    sentences, refused.
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
        report.problem(name, "it holds no sentence; a line of it must be a word and its label")


def looks_like(head: str) -> bool:
    """Whether the first lines of a file are those of this form."""
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
    """Words with their labels. ``mark`` is the id of a document that begins with this sentence (""
    where it has none), None within one."""

    line: int
    words: list[str]
    tags: list[str]
    mark: str | None


@dataclass(slots=True)
class _Marked:
    """What lies between two marks. ``id`` is None where no mark was met yet."""

    id: str | None
    sentences: list[_Sentence] = field(default_factory=list)


def _sentences(stream: IO[bytes], name: str, report: Report) -> Iterator[_Sentence]:
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
                if len(words) >= MAX_SENTENCE_WORDS:
                    raise ValueError(
                        f"the sentence has more than {MAX_SENTENCE_WORDS:,} words; put an empty"
                        " line after each sentence"
                    )
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


def _lines(stream: IO[bytes]) -> Iterator[tuple[int, str]]:
    """Lines by number, an empty one at the end; what is no UTF-8 or too long comes as a line that
    no rule accepts."""
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        is_long = len(line) > MAX_LINE_BYTES
        while len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE_BYTES + 1)
        try:
            yield (
                number,
                (
                    "\0"
                    if is_long
                    else line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
                ),
            )
        except UnicodeDecodeError:
            yield number, "\ufffd"


def _row(line: str) -> tuple[str, str]:
    """The word and the label of a line. Raises ``ValueError`` with what is wrong."""
    if line in {"\0", "\ufffd"}:
        raise ValueError(
            "it is longer than a line of this form can be"
            if line == "\0"
            else "it is not valid UTF-8; save the file as UTF-8"
        )
    columns = [
        column.strip()
        for column in (line.split("\t") if "\t" in line else _COLUMNS.split(line.strip(" ")))
    ]
    if not 2 <= len(columns) <= 4:
        raise ValueError(
            f"it has {len(columns)} column{'s' * (len(columns) != 1)}; a line is a word, at most"
            " two further columns, and its label"
        )
    word, tag = columns[0], columns[-1]
    if not word:
        raise ValueError("it has a label but no word")
    if not _LABEL.fullmatch(tag):
        raise ValueError(
            f'"{tag[:40]}" in its last column is no label; labels are O, B-NAME and I-NAME'
        )
    return word, tag


def _mark_id(rest: str) -> str:
    """What a mark says besides being one: ``-DOCSTART- (10)`` and ``###MEDLINE:10`` name 10,
    ``-DOCSTART- -X- O O`` nothing."""
    return " ".join(part for part in rest.split() if part not in {OUTSIDE, "-X-"}).strip("()")[:200]


def _marked_documents(sentences: Iterable[_Sentence]) -> Iterator[_Marked]:
    """Sentences by the marks between them; each by itself as long as no mark was met."""
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
        yield _document([sentence], f"{paper if marked.id else stem}:{sentence.line}", paper)


def _document(sentences: list[_Sentence], key: str, paper: str = "") -> Document:
    text = "\n".join(" ".join(sentence.words) for sentence in sentences)
    gold: list[Span] = []
    start = 0
    for sentence in sentences:
        units: list[Unit] = []
        for word in sentence.words:
            units.append((start, start + len(word)))
            start += len(word) + 1
        gold += [
            Span(first, last, label, text[first:last])
            for first, last, label in decode(units, sentence.tags)
        ]
    return Document(
        id=key, text=text, gold=tuple(gold), attributes={"paper": paper} if paper else {}
    )


def write_document(document: Document, report: Report) -> str:
    """The lines of a document, its mark first: words of the data sets' rule with a tab and a label,
    an empty line after each line of the text.

    Spans that words cannot hold are told in ``report``.
    """
    units = [
        edges
        for edges in word_boundaries(document.text)
        if not document.text[edges[0]].isspace() or document.text[edges[0]] == "\n"
    ]
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
