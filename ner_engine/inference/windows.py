"""From texts to what a model reads: tokens with code-point offsets, overlapping windows, and
batches without waste."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from ner_engine.align import encode
from ner_engine.errors import TrainingError
from ner_engine.formats import FORMATS, accepted, detect, read_inputs
from ner_engine.formats.report import Report
from ner_engine.registry.tasks import ENTITIES, Task, panels_of, weight_of
from ner_engine.schema import Document, Span
from ner_engine.text import trim

#: Every code point for which ``str.isspace`` holds.
_WHITE_SPACE: Final = np.array(
    [point for point in range(0x3100) if chr(point).isspace()], dtype=np.uint32
)
#: Label of positions that the loss leaves out: special tokens and padding.
IGNORED: Final = -100
#: Tokens that neighbouring windows share at most: on long legends 15 to 127 gave the same F1 within
#: 0.3 points, and each of them is computed twice.
MOST_OVERLAP: Final = 64


#: How files of labelled texts may end; the first one found is taken.
_SUFFIXES: Final = (".jsonl", *FORMATS["iob2"].suffixes)

Offsets = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of one text without special ones: ``ids[i]`` stands for
    ``text[starts[i]:ends[i]]`` (code points, no white space at the ends).

    Starts and ends never fall; tokens that are bytes of the same character share its offsets.
    """

    ids: list[int]
    starts: Offsets
    ends: Offsets

    def __len__(self) -> int:
        return len(self.ids)

    def within(self, start: int, end: int) -> range:
        """Indices of the tokens that share a character with ``[start, end)``."""
        return range(
            int(np.searchsorted(self.ends, start, side="right")),
            int(np.searchsorted(self.starts, end, side="left")),
        )

    @property
    def units(self) -> list[tuple[int, int]]:
        """Offsets as pairs."""
        return list(zip(self.starts.tolist(), self.ends.tolist(), strict=True))


class TextEncoder:
    """Cuts texts into tokens with one model's own tokenizer and lays windows over them.

    ``max_length`` counts the tokens of a window with its special ones; windows of one text share
    ``overlap`` tokens.
    """

    def __init__(
        self, tokenizer: Tokenizer, *, max_length: int, overlap: int | None = None
    ) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self.prefix, self.suffix = _special_tokens(tokenizer)
        #: What stands for a text that the model may not read; None for a vocabulary without one.
        self.mask_id: int | None = next(
            (
                found
                for name in ("[MASK]", "<mask>")
                if (found := tokenizer.token_to_id(name)) is not None
            ),
            None,
        )
        self.window = max_length - len(self.prefix) - len(self.suffix)
        self.overlap = min(
            min(self.window // 4, MOST_OVERLAP) if overlap is None else overlap, self.window - 1
        )
        if self.window < 1:
            raise ValueError(f"a window of {max_length} tokens has no room for text")

    def tokens(self, texts: Sequence[str]) -> list[Tokens]:
        """The tokens of each text; those that stand for white space alone or for nothing are left
        out."""
        return [
            _trimmed(text, found)
            for text, found in zip(
                texts,
                self._tokenizer.encode_batch(list(texts), add_special_tokens=False),
                strict=True,
            )
        ]

    def windows(self, n_tokens: int) -> list[tuple[int, int]]:
        """Half-open token ranges that cover ``n_tokens``, as few as can be, of about the same
        length; neighbours share at least ``overlap``."""
        if n_tokens <= self.window:
            return [(0, n_tokens)] if n_tokens else []
        count = -(-(n_tokens - self.overlap) // (self.window - self.overlap))
        length = -(-(n_tokens + (count - 1) * self.overlap) // count)
        return [
            (start, start + length)
            for start in np.linspace(0, n_tokens - length, count).astype(int).tolist()
        ]

    def input_ids(self, tokens: Tokens, window: tuple[int, int]) -> list[int]:
        """The window's token ids between the special ones."""
        return [*self.prefix, *tokens.ids[window[0] : window[1]], *self.suffix]

    def masked(self, tokens: Tokens, spans: Iterable[Span]) -> Tokens:
        """The tokens with the mask token in place of each that shares a character with one of
        ``spans``.

        Every token of an entity becomes a mask by itself, as SourceData's own models were trained.
        Raises ``TrainingError`` where the vocabulary has no mask token.
        """
        if self.mask_id is None:
            raise TrainingError(
                "the model's vocabulary has no mask token, so it cannot tell roles; use another"
                " base"
            )
        ids = list(tokens.ids)
        for span in spans:
            for index in tokens.within(span.start, span.end):
                ids[index] = self.mask_id
        return Tokens(ids, tokens.starts, tokens.ends)


def _special_tokens(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """The ids that the tokenizer puts before and after a text, found by looking at what it does."""
    plain = tokenizer.encode("a", add_special_tokens=False).ids
    framed = tokenizer.encode("a", add_special_tokens=True).ids
    for start in range(len(framed) - len(plain) + 1):
        if framed[start : start + len(plain)] == plain:
            return framed[:start], framed[start + len(plain) :]
    return [], []


def _trimmed(text: str, found: Encoding) -> Tokens:
    """The tokens with white space taken off their ends; what holds nothing else is dropped."""
    offsets = np.array(found.offsets, dtype=np.int64).reshape(-1, 2)
    starts, ends = offsets[:, 0], offsets[:, 1]
    held = starts < ends
    space = np.isin(np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32), _WHITE_SPACE)
    last = max(len(text) - 1, 0)
    ragged = (
        np.flatnonzero(held & (space[np.minimum(starts, last)] | space[np.minimum(ends - 1, last)]))
        if len(text)
        else np.array([], dtype=np.int64)
    )
    for index in ragged:
        starts[index], ends[index] = trim(text, int(starts[index]), int(ends[index]))
    held = starts < ends
    ids = (
        found.ids
        if held.all()
        else [token for token, kept in zip(found.ids, held, strict=True) if kept]
    )
    return Tokens(ids, starts[held], ends[held])


@dataclass(frozen=True, slots=True)
class Example:
    """One window to learn from: ``input_ids`` with special tokens and ``labels`` of the same length
    (``IGNORED`` on special ones).

    ``weight`` is what each of its labels counts beside those of other windows.
    """

    input_ids: list[int]
    labels: list[int]
    weight: float = 1.0


class Examples(torch.utils.data.Dataset[Example]):
    """All windows of labelled documents, as a task reads them."""

    def __init__(
        self,
        documents: Sequence[Document],
        encoder: TextEncoder,
        label2id: dict[str, int],
        task: Task = ENTITIES,
    ) -> None:
        self._examples: list[Example] = []
        for document, read in zip(
            documents, encoder.tokens([document.text for document in documents]), strict=True
        ):
            spans = [
                span
                for span in task.targets(document)
                if f"B-{span.label}" in label2id or f"I-{span.label}" in label2id
            ]
            labels = label_ids(read, spans, label2id)
            tokens = encoder.masked(read, task.masked(document)) if task.masked_label else read
            head, tail = [IGNORED] * len(encoder.prefix), [IGNORED] * len(encoder.suffix)
            weight = weight_of(document)
            for window in encoder.windows(len(tokens)):
                self._examples.append(
                    Example(
                        encoder.input_ids(tokens, window),
                        [*head, *labels[window[0] : window[1]], *tail],
                        weight,
                    )
                )

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> Example:
        return self._examples[index]

    @property
    def lengths(self) -> list[int]:
        """Tokens of each window, special ones counted."""
        return [len(example.input_ids) for example in self._examples]

    @property
    def mean_weight(self) -> float:
        """What a window counts on average; 1 where none weighs otherwise."""
        return sum(example.weight for example in self._examples) / max(1, len(self._examples))


def label_ids(tokens: Tokens, spans: Sequence[Span], label2id: dict[str, int]) -> list[int]:
    """A label id for each token. Where a model has no B- of a type its I- stands for it; where it
    has no I-, only first tokens are labelled."""
    names = encode(tokens.units, spans).labels
    outside = label2id["O"]
    return [
        label2id[name] if name in label2id else label2id.get(f"I{name[1:]}", outside)
        for name in names
    ]


def collate(examples: Sequence[Example], pad_id: int) -> dict[str, torch.Tensor]:
    """Rectangles of int64, ``(examples, longest)``: input_ids, attention_mask and labels, padded at
    the right; where not all weights are 1, ``weights`` of the same shape in float32."""
    longest = max(len(example.input_ids) for example in examples)
    shape = (len(examples), longest)
    ids, mask, labels = (
        torch.full(shape, pad_id),
        torch.zeros(shape, dtype=torch.long),
        torch.full(shape, IGNORED),
    )
    for row, example in enumerate(examples):
        length = len(example.input_ids)
        ids[row, :length] = torch.tensor(example.input_ids)
        mask[row, :length] = 1
        labels[row, :length] = torch.tensor(example.labels)
    batch = {"input_ids": ids, "attention_mask": mask, "labels": labels}
    if is_weighted(examples):
        batch["weights"] = (
            torch.tensor([example.weight for example in examples])[:, None]
            .expand(shape)
            .contiguous()
        )
    return batch


def is_weighted(examples: Iterable[Example]) -> bool:
    """Whether any of the examples has another weight than 1."""
    return any(example.weight != 1 for example in examples)


def length_grouped_order(lengths: Sequence[int], batch_size: int, seed: int) -> list[int]:
    """A random order in which each run of ``batch_size`` indices is of similar length, and the runs
    come in random order.

    The same arguments give the same order, so that a run that is taken up again goes on where it
    stopped.
    """
    generator = np.random.default_rng(seed)
    shuffled = generator.permutation(len(lengths))
    sizes = np.asarray(lengths)
    pool = batch_size * 50
    batches: list[np.ndarray[Any, Any]] = []
    for start in range(0, len(shuffled), pool):
        part = shuffled[start : start + pool]
        part = part[np.argsort(-sizes[part], kind="stable")]
        batches.extend(part[at : at + batch_size] for at in range(0, len(part), batch_size))
    # A short batch can only be the last: the trainer cuts the order into equal pieces.
    full = [batch for batch in batches if len(batch) == batch_size]
    rest = [batch for batch in batches if len(batch) < batch_size]
    order = [full[index] for index in generator.permutation(len(full))] + rest
    return [int(index) for batch in order for index in batch]


def read_panels(path: Path) -> list[Document]:
    """As ``read_documents``; figures come as their panels."""
    return [panel for document in read_documents(path) for panel in panels_of(document)]


def read_documents(path: Path) -> list[Document]:
    """Labelled texts of a file of project JSONL, sd-nlp rows or IOB2, packed by xz or not; which of
    them it is, is seen from how it begins. Rows that another tool rejected are left out: without
    their entities they would teach that there are none.

    Raises ``TrainingError`` for a file that is absent, holds nothing, or holds a row that cannot be
    read: training on part of the data without a word would give a model nobody asked for.
    """
    if not path.is_file():
        raise TrainingError(
            f"there is no {path.name} in the data folder; write one with `python -m ner_engine"
            " convert`"
        )
    report = Report()
    documents = (
        list(accepted(read_inputs([path], detect(path), report))) if path.stat().st_size else []
    )
    if report.problems:
        raise TrainingError(f"{report.problems[0]} (refused in all: {len(report.problems)})")
    return documents


def side_file(data: Path, side: str) -> Path:
    """The file of a side in a data folder: ``train.jsonl``, ``train.iob2``, ``train.tsv.xz`` ...;
    the JSONL's path where there is none."""
    named = (data / f"{side}{suffix}{packed}" for suffix in _SUFFIXES for packed in ("", ".xz"))
    return next((path for path in named if path.is_file()), data / f"{side}.jsonl")
