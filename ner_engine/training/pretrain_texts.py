"""Read the texts of a pre-training, and hold some of them out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ner_engine.errors import TrainingError
from ner_engine.formats import detect, read_inputs
from ner_engine.formats.report import Report
from ner_engine.split import SPLITS, Split, split_of
from ner_engine.training.data import KEEP_FIRST, refuse_problems


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts by split, each once; ``digest`` is the SHA-256 of all of them."""

    splits: Mapping[Split, Sequence[str]]
    n_repeated: int
    digest: str


def read_texts(paths: Iterable[Path], source_format: str = "") -> Texts:
    """Return the texts of files, folders and zips in any format, without their labels.

    The format is detected if ``source_format`` is "". A folder with a train.jsonl has its own
    splits. Other texts are split by the fixed rule, so that the papers that taggers are tested on
    stay unread. A plain text file has one text per line. A text that occurs in several splits is
    kept in the first of ``KEEP_FIRST``. Raise ``TrainingError`` if an input cannot be read, or if
    nothing is left to train on.
    """
    # Dictionaries keep the order of the texts, and each text once.
    splits: dict[Split, dict[str, None]] = {split: {} for split in SPLITS}
    n_read = 0
    report = Report()
    for path, fixed_split in _inputs(paths):
        form = source_format or detect(path)
        options: dict[str, Any] = {}
        if form == "text" and path.is_file():
            options["per_line"] = True
        for document in read_inputs([path], form, report, **options):
            splits[fixed_split or split_of(document.group)][document.text] = None
            n_read += 1
    refuse_problems(report)
    seen: set[str] = set()
    for split in KEEP_FIRST:
        splits[split] = {text: None for text in splits[split] if text not in seen}
        seen |= splits[split].keys()
    if not splits["train"]:
        raise TrainingError(
            "there is no text to learn from: no text was read, or all texts are held out; give"
            " more texts"
        )
    kept = {split: list(texts) for split, texts in splits.items()}
    return Texts(kept, n_read - len(seen), _digest(kept))


def _digest(splits: Mapping[Split, Sequence[str]]) -> str:
    digest = hashlib.sha256()
    for split in SPLITS:
        for text in splits[split]:
            digest.update(f"{split}:{len(text)}:{text}".encode())
    return digest.hexdigest()


def _inputs(paths: Iterable[Path]) -> Iterator[tuple[Path, Split | None]]:
    """Yield each input with its split, or with None if its texts are split by the rule."""
    for path in paths:
        if not (path / "train.jsonl").is_file():
            yield path, None
            continue
        for split in SPLITS:
            if (path / f"{split}.jsonl").is_file():
                yield path / f"{split}.jsonl", split
