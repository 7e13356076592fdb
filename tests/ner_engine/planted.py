"""A small corpus whose labels follow from its words, and the same with labels that somebody mixed
up."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ner_engine.formats import jsonl
from ner_engine.registry.recipes import Recipe, recipe_named
from ner_engine.schema import Document, Span
from tests.ner_engine.checkpoints import save_bert

NAMES = {
    "GENEPROD": (
        "kinase",
        "tubulin",
        "actin",
        "cyclin",
        "caspase",
        "integrin",
        "ubiquitin",
        "dynein",
    ),
    "CELL": (
        "neurons",
        "fibroblasts",
        "myocytes",
        "astrocytes",
        "hepatocytes",
        "keratinocytes",
        "macrophages",
        "platelets",
    ),
    "SMALL_MOLECULE": (
        "rapamycin",
        "glucose",
        "ethanol",
        "insulin",
        "calcium",
        "cholesterol",
        "serine",
        "heparin",
    ),
}
_FILLERS = """
    shown fixed stained washed counted imaged starved sorted scored blotted grown split frozen
    thawed plated treated sampled sliced pooled mounted once twice briefly gently together daily
    early later again levels number length ratio mean median lower upper single double
""".split()  # noqa: SIM905


def legend(number: int, *, papers: int = 40) -> Document:
    """A panel with an entity of each label, in some order, among words of its own."""
    chance = random.Random(number)
    entities = [(chance.choice(names), label) for label, names in NAMES.items()]
    chance.shuffle(entities)
    text, spans = "", []
    for surface, label in entities:
        text += " ".join(chance.sample(_FILLERS, 6)) + " "
        spans.append(Span(len(text), len(text) + len(surface), label, surface))
        text += surface + " "
    return Document(
        id=f"panel-{number}",
        text=text + "at the end.",
        doi=f"10.1/paper.{number % papers}",
        gold=tuple(spans),
    )


def mixed_up(document: Document) -> Document:
    """The same panel, each entity with the label of the next."""
    labels = [span.label for span in document.gold]
    shifted = [*labels[1:], labels[0]]
    return replace(
        document,
        gold=tuple(
            replace(span, label=label) for span, label in zip(document.gold, shifted, strict=True)
        ),
    )


def write(folder: Path, **splits: Sequence[Document]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for split, documents in splits.items():
        with (folder / f"{split}.jsonl").open("w", encoding="utf-8") as stream:
            jsonl.write(documents, stream)
    return folder


def save_base(folder: Path) -> Path:
    """A random model over the words of the corpus, which knows none of the labels."""
    return save_bert(folder, labels=None, texts=[legend(number).text for number in range(60)])


def thorough(**settings: str) -> Recipe:
    """A training of seconds after which the tiny model knows which words are what."""
    told = {
        "epochs": "25",
        "batch_size": "8",
        "learning_rate": "1e-2",
        "dropout": "0",
        "precision": "fp32",
        "max_length": "64",
        "labels": "auto",
    }
    return recipe_named("quick").with_settings(
        told | {"evals_per_epoch": "0", "keep": "last"} | settings
    )
