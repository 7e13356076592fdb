"""Read labelled texts from a data folder: one file for each of train, eval and test."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ner_engine.errors import TrainingError
from ner_engine.files import sha256_of_named
from ner_engine.formats import FORMATS, accepted, detect, read_inputs
from ner_engine.formats.report import Report
from ner_engine.registry.hyperparameters import AUTO_LABELS
from ner_engine.registry.recipes import Recipe
from ner_engine.registry.tasks import TASKS, panels_of, weight_of
from ner_engine.schema import ENTITY_LABELS, Document
from ner_engine.split import SPLITS, Split

#: Suffixes of files of labelled texts; the first one that exists is read.
_SUFFIXES: Final = (".jsonl", *FORMATS["iob2"].suffixes)
#: A text that occurs in several splits is kept in the first of these: once held out, it must not be
#: trained on.
KEEP_FIRST: Final[tuple[Split, ...]] = ("test", "eval", "train")


# Files


def split_file(data: Path, split: str) -> Path:
    """Return the file of a split: ``train.jsonl``, ``train.iob2``, ``train.tsv.xz`` and so on.

    If there is none, return the path of the JSONL file.
    """
    for suffix in _SUFFIXES:
        for compression in ("", ".xz"):
            path = data / f"{split}{suffix}{compression}"
            if path.is_file():
                return path
    return data / f"{split}.jsonl"


def _existing_files(data: Path) -> Iterator[tuple[Split, Path]]:
    """Yield each split that has a file, with the file."""
    for split in SPLITS:
        path = split_file(data, split)
        if path.is_file():
            yield split, path


def read_documents(path: Path) -> list[Document]:
    """Return the labelled texts of a file of project JSONL, sd-nlp rows or IOB2.

    The format is detected; the file may be compressed by xz. Rows that another tool rejected are
    left out: without their entities they would teach that there are none. Raise ``TrainingError``
    if the file is missing, or if any row cannot be read: training on part of the data without a
    warning would give an unexpected model.
    """
    if not path.is_file():
        raise TrainingError(
            f"there is no {path.name} in the data folder; write one with `python -m ner_engine"
            " convert`"
        )
    if not path.stat().st_size:
        return []
    report = Report()
    documents = list(accepted(read_inputs([path], detect(path), report)))
    refuse_problems(report)
    return documents


def refuse_problems(report: Report) -> None:
    """Raise ``TrainingError`` with the first problem of ``report``, if it has any."""
    if report.problems:
        raise TrainingError(f"{report.problems[0]} (refused in total: {len(report.problems)})")


def read_panels(path: Path) -> list[Document]:
    """Return the texts as ``read_documents`` does, with figures cut into their panels."""
    panels: list[Document] = []
    for document in read_documents(path):
        panels.extend(panels_of(document))
    return panels


def read_folder(data: Path) -> dict[Split, list[Document]]:
    """Return the texts of each split that has a file.

    Raise ``TrainingError`` if no split has one, or a file cannot be read.
    """
    texts = {split: read_documents(path) for split, path in _existing_files(data)}
    if not texts:
        raise TrainingError(
            f"{data.name} holds neither train.jsonl nor eval.jsonl nor test.jsonl; write them with"
            " `python -m ner_engine convert`"
        )
    return texts


def data_hash(data: Path) -> str:
    """Return the SHA-256 of the three files of a data folder, as hexadecimal digits."""
    return sha256_of_named(_existing_files(data))


# Examples of a recipe


@dataclass(frozen=True, slots=True)
class ExampleTexts:
    """The texts of each split that are examples for a recipe.

    ``n_repeated`` counts texts left out because they occur elsewhere, ``n_weightless`` training
    texts left out because their weight is 0.
    """

    splits: Mapping[Split, Sequence[Document]]
    n_repeated: int
    n_weightless: int = 0


def read_examples(data: Path, recipe: Recipe) -> ExampleTexts:
    """Return the texts of ``data`` that are examples for the recipe; each text occurs once.

    Raise ``TrainingError`` if a paper is in two splits, or if there is nothing to train on.
    """
    documents: dict[Split, list[Document]] = {"train": read_documents(split_file(data, "train"))}
    for split, path in _existing_files(data):
        if split != "train":
            documents[split] = read_documents(path)
    _refuse_leaks(documents)
    usable = {split: _usable(texts, recipe) for split, texts in documents.items()}
    n_usable = sum(map(len, usable.values()))
    usable["train"] = [text for text in usable["train"] if weight_of(text) > 0]
    n_weighted = sum(map(len, usable.values()))
    splits = _without_repeats(usable)
    if not splits["train"]:
        raise TrainingError(
            f"{split_file(data, 'train').name} holds no text to learn from; accept some legends"
            " first, or relax min_characters and panels"
        )
    n_kept = sum(map(len, splits.values()))
    return ExampleTexts(splits, n_weighted - n_kept, n_usable - n_weighted)


def _without_repeats(
    splits: Mapping[Split, Sequence[Document]],
) -> dict[Split, Sequence[Document]]:
    """Return the splits, all three, with each text kept once."""
    seen: set[str] = set()
    kept: dict[Split, Sequence[Document]] = {}
    for split in KEEP_FIRST:
        new: list[Document] = []
        for document in splits.get(split, ()):
            if document.text not in seen:
                seen.add(document.text)
                new.append(document)
        kept[split] = new
    return {split: kept[split] for split in SPLITS}


def _usable(documents: Iterable[Document], recipe: Recipe) -> list[Document]:
    task, labelled_only = TASKS[recipe.task], recipe.panels == "labelled"
    usable = []
    for text in task.texts(documents):
        is_long = len(text.text) > recipe.min_characters
        if is_long and task.is_example(text, labelled_only=labelled_only):
            usable.append(text)
    return usable


def _refuse_leaks(splits: Mapping[Split, Sequence[Document]]) -> None:
    """Raise ``TrainingError`` if a paper is in two splits."""
    split_of_paper: dict[str, str] = {}
    for split, documents in splits.items():
        for document in documents:
            paper = document.doi or document.attributes.get("paper")
            if not paper:
                continue
            other = split_of_paper.setdefault(str(paper), split)
            if other != split:
                raise TrainingError(
                    f"the paper {paper} is in {other} and in {split}; put all of its panels into"
                    " one split, or its scores mean nothing"
                )


def with_labels(recipe: Recipe, texts: Sequence[Document]) -> Recipe:
    """Return the recipe with the labels to learn: its own, or with ``auto`` those of ``texts``.

    Raise ``TrainingError`` if the texts have labels and none of them is the recipe's.
    """
    task = TASKS[recipe.task]
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(span.label for span in task.targets(text))
    if recipe.labels == AUTO_LABELS:
        known = [label for label in task.labels or ENTITY_LABELS if label in counts]
        labels = (*known, *sorted(counts.keys() - set(known)))
        if not labels:
            raise TrainingError(
                "the training texts have no labels, so there is nothing to learn; set labels"
            )
        return dataclasses.replace(recipe, labels=labels)
    if counts and not counts.keys() & set(recipe.labels):
        in_texts, in_recipe = ", ".join(sorted(counts)), ", ".join(recipe.labels)
        raise TrainingError(
            f"the training texts are labelled {in_texts}, the recipe learns {in_recipe}; set"
            " labels=auto, or name those to learn"
        )
    return recipe
