"""Conversion between formats, and the one place that writes documents to files.

Either all files of a conversion appear or none: each is written under a temporary name beside its
final place, and all are renamed at the end. Documents are streamed, so memory use is constant.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Literal

from ner_engine.errors import FormatError, OffsetError
from ner_engine.files import atomic_path
from ner_engine.formats import WRITABLE, accepted, iob2, named, read_inputs
from ner_engine.formats.jsonl import document_to_json
from ner_engine.formats.report import Problem, Report
from ner_engine.formats.sd_nlp import (
    DEFAULT,
    Flavour,
    Passage,
    figure_passage,
    load_tokenizer,
    panel_passages,
    token_row,
    word_row,
)
from ner_engine.schema import Document
from ner_engine.split import SPLITS, split_of
from ner_engine.text import sentence_boundaries

SplitChoice = Literal["paper", "none", "train", "eval", "test"]
DEFAULT_TOKENIZER: Final = "roberta-base"
_SD_NLP: Final = {"sd-nlp", "sd-nlp-tokenized"}
_MAX_NAME_BYTES: Final = 200
#: Formats that keep rejected texts, because they do not present them as texts without entities.
_KEEPS_REJECTED: Final = {"jsonl", "text"}


@dataclass(frozen=True, slots=True)
class Target:
    """The format and options of an output.

    ``split`` is "paper" (each paper goes to its split), "none" (one file), or the split of all
    documents, for corpora that are already split. ``tokenizer`` (folder or name) is used only by
    sd-nlp-tokenized. ``zipped`` adds an archive of each folder of sd-nlp. ``new_labels`` maps old
    labels to new ones, or to "" to drop them. ``sentences`` writes one document per sentence.
    """

    format_name: str
    split: SplitChoice = "paper"
    flavour: Flavour = DEFAULT
    tokenizer: str = DEFAULT_TOKENIZER
    zipped: bool = False
    new_labels: Mapping[str, str] = field(default_factory=dict)
    sentences: bool = False


def convert(
    inputs: Sequence[Path],
    source_format: str,
    target: Target,
    out: Path,
    report: Report,
    *,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Write the documents of ``inputs`` to the folder ``out`` and return their number.

    ``out`` also gets ``report.json`` (counts and problems) and ``lossy.jsonl`` (each span that the
    format cannot hold). Nothing is written if no document is usable. ``progress`` is called with
    the number of documents after each one.

    Raise ``FormatError`` for an unknown format or a missing tokenizer.
    """
    options: dict[str, Any] = {}
    if source_format == "sourcedata-xml" and target.flavour.public:
        options["public_form"] = True
    if source_format == "iob2":
        options["per_sentence"] = target.sentences
    documents = read_inputs(inputs, source_format, report, **options)
    if target.format_name not in _KEEPS_REJECTED:
        documents = accepted(documents, report)
    if target.new_labels:
        documents = (_relabelled(document, target.new_labels) for document in documents)
    if target.sentences and source_format != "iob2":
        documents = chain.from_iterable(map(sentences_of, documents))
    if progress is not None:
        documents = _counted(documents, progress)
    return write_documents(documents, target, out, report)


def write_documents(
    documents: Iterable[Document], target: Target, out: Path, report: Report
) -> int:
    """Write ``documents`` to the folder ``out`` and return their number.

    sd-nlp has the folders ``sd_panels`` and ``sd_figs``, each with ``train.jsonl``, ``eval.jsonl``
    and ``test.jsonl`` (``all.jsonl`` without split). jsonl and iob2 have one file per split. text
    has one file per document in folders ``train``, ``eval`` and ``test`` (or ``all``). A document
    whose spans do not fit its text is refused and named in ``report``.
    """
    write = _writer(target, report)
    n = 0
    with _Outputs(out, report) as outputs:
        for name in _fixed_files(target):
            outputs.file(name)
        for document in documents:
            try:
                document.check()
            except OffsetError as error:
                report.counts["refused"] += 1
                report.problem(
                    f"{document.doi or 'no DOI'}, document {document.id}",
                    f"{error}; it was left out, correct it in its source",
                )
                continue
            write(document, _split_name(document, target.split), outputs)
            n += 1
        report.counts["documents_written"] = n
        if n:
            outputs.keep()
    if n and target.zipped and target.format_name in _SD_NLP:
        for folder in ("sd_panels", "sd_figs"):
            _zip(out / folder)
    return n


def _relabelled(document: Document, new_labels: Mapping[str, str]) -> Document:
    gold = []
    for span in document.gold:
        gold.append(replace(span, label=new_labels.get(span.label, span.label)))
    return replace(document, gold=tuple(gold))


def sentences_of(document: Document) -> Iterator[Document]:
    """Yield one document per sentence, with the labelled gold spans at its offsets.

    Sentences are found by ``sentence_boundaries``; two are joined if an entity spans both. Panels,
    suggestions and spans without a label are dropped. All sentences share the group of
    ``document``.
    """
    start = None
    gold = sorted((span for span in document.gold if span.label), key=lambda span: span.start)
    paper = str(document.attributes.get("paper") or document.id)
    for first, end in sentence_boundaries(document.text):
        if start is None:
            start = first
        if any(span.start < end < span.end for span in gold):
            continue
        inside = []
        for span in gold:
            if start <= span.start and span.end <= end:
                inside.append(span.moved(-start))
        yield Document(
            f"{document.id}:{start}",
            document.text[start:end],
            document.doi,
            gold=tuple(inside),
            attributes={"paper": paper},
            is_rejected=document.is_rejected,
        )
        start = None


def _split_name(document: Document, choice: SplitChoice) -> str:
    if choice == "paper":
        return split_of(document.group)
    return _split_names(choice)[0]


def _split_names(choice: SplitChoice) -> tuple[str, ...]:
    if choice == "paper":
        return SPLITS
    return ("all" if choice == "none" else choice,)


def _fixed_files(target: Target) -> Iterator[str]:
    """Yield the files that are written even if a split has no document."""
    for split in _split_names(target.split):
        if target.format_name in _SD_NLP:
            yield f"sd_panels/{split}.jsonl"
            yield f"sd_figs/{split}.jsonl"
        elif target.format_name == "jsonl":
            yield f"{split}.jsonl"
        elif target.format_name == "iob2":
            yield f"{split}.tsv"


Writer = Callable[[Document, str, "_Outputs"], None]


def _writer(target: Target, report: Report) -> Writer:
    if not named(target.format_name).is_writable:
        raise FormatError(
            f'"{target.format_name}" cannot be written; choose one of {", ".join(WRITABLE)}'
        )
    if target.format_name in _SD_NLP:
        return _sd_nlp_writer(_row_maker(target, report), target, report)
    if target.format_name == "iob2":
        return _iob2_writer(report)
    return _write_text if target.format_name == "text" else _write_jsonl


def _row_maker(target: Target, report: Report) -> Callable[[Passage], dict[str, Any]]:
    if target.format_name == "sd-nlp":
        return lambda passage: word_row(passage, report, target.flavour)
    tokenizer = load_tokenizer(target.tokenizer)
    return lambda passage: token_row(passage, report, tokenizer, target.flavour)


def _sd_nlp_writer(
    row_of: Callable[[Passage], dict[str, Any]], target: Target, report: Report
) -> Writer:
    def write(document: Document, split: str, outputs: _Outputs) -> None:
        for passage in panel_passages(document, report, target.flavour):
            outputs.line(f"sd_panels/{split}.jsonl", row_of(passage))
            report.counts["rows_panels"] += 1
        outputs.line(f"sd_figs/{split}.jsonl", row_of(figure_passage(document)))
        report.counts["rows_figures"] += 1

    return write


def _write_jsonl(document: Document, split: str, outputs: _Outputs) -> None:
    outputs.line(f"{split}.jsonl", document_to_json(document))


def _iob2_writer(report: Report) -> Writer:
    def write(document: Document, split: str, outputs: _Outputs) -> None:
        outputs.file(f"{split}.tsv").write(iob2.write_document(document, report))

    return write


def _write_text(document: Document, split: str, outputs: _Outputs) -> None:
    outputs.whole(f"{split}/{file_name(document.id)}.txt", document.text)


def file_name(document_id: str) -> str:
    """Return a safe file name for a document id.

    Unsafe characters become ``_``, and the name is cut at 200 bytes. A changed name ends in eight
    digits of the id's SHA-256, so that two ids do not share a name.
    """
    plain = re.sub(r"[^\w.#()+-]+", "_", document_id).lstrip(".")
    if plain == document_id and len(plain.encode()) <= _MAX_NAME_BYTES:
        return plain
    kept = plain.encode()[:_MAX_NAME_BYTES].decode(errors="ignore")
    return f"{kept}-{hashlib.sha256(document_id.encode()).hexdigest()[:8]}"


class _Outputs(AbstractContextManager["_Outputs"]):
    """Files of one folder, written under temporary names.

    ``keep`` renames all of them to their final names. A context that is left without ``keep``
    removes them.
    """

    def __init__(self, out: Path, report: Report) -> None:
        self._out = out
        self._report = report
        self._suffix = f".part{os.getpid()}"
        self._streams: dict[str, IO[str]] = {}
        self._whole: set[str] = set()
        self._new_folders: list[Path] = []
        self._on_loss_before = report.on_loss

    def __enter__(self) -> _Outputs:
        self._make_folder(self._out)
        self._report.on_loss = self._lose
        return self

    def file(self, name: str) -> IO[str]:
        """Return the open file ``name``, a path below the folder."""
        if name not in self._streams:
            path = self._part(name)
            self._make_folder(path.parent)
            self._streams[name] = path.open("w", encoding="utf-8", newline="\n")
        return self._streams[name]

    def line(self, name: str, row: dict[str, Any]) -> None:
        """Append ``row`` to the JSONL file ``name``."""
        self.file(name).write(json.dumps(row, ensure_ascii=False) + "\n")

    def whole(self, name: str, text: str) -> None:
        """Write the file ``name`` at once. A name that was written before is refused."""
        if name in self._whole:
            self._report.problem(name, "two documents have this id; the later one was left out")
            return
        self._whole.add(name)
        path = self._part(name)
        self._make_folder(path.parent)
        path.write_text(text, encoding="utf-8", newline="")

    def keep(self) -> None:
        """Write the report, close all files and rename them to their final names."""
        self.file("lossy.jsonl")
        report = self._report.as_json()
        del report["lossy"]
        json.dump(report, self.file("report.json"), ensure_ascii=False, indent=1)
        self._close()
        for name in (*self._streams, *sorted(self._whole)):
            self._part(name).replace(self._out / name)
        self._streams.clear()
        self._whole.clear()
        self._new_folders.clear()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._report.on_loss = self._on_loss_before
        self._close()
        for name in (*self._streams, *self._whole):
            self._part(name).unlink(missing_ok=True)
        for folder in reversed(self._new_folders):
            folder.rmdir()

    def _lose(self, loss: Problem) -> None:
        self.line("lossy.jsonl", {"where": loss.where, "message": loss.message})

    def _make_folder(self, folder: Path) -> None:
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        self._new_folders += reversed(missing)

    def _part(self, name: str) -> Path:
        path = self._out / name
        return path.with_name(path.name + self._suffix)

    def _close(self) -> None:
        for stream in self._streams.values():
            stream.close()


def _zip(folder: Path) -> None:
    """Write ``folder.zip`` beside the folder, with its JSONL files."""
    place = folder.with_name(f"{folder.name}.zip")
    with atomic_path(place) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.glob("*.jsonl")):
            archive.write(path, f"{folder.name}/{path.name}")


def _counted(documents: Iterable[Document], progress: Callable[[int], None]) -> Iterator[Document]:
    for n, document in enumerate(documents, start=1):
        yield document
        progress(n)
