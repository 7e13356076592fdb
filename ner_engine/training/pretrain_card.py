"""The card of a pre-trained model; every figure comes from the run itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
import transformers

from ner_engine.registry.cards import table
from ner_engine.registry.recipes import Recipe
from ner_engine.training.pretrain_texts import Texts

_FRONT_MATTER: Final = """\
---
pipeline_tag: fill-mask
library_name: transformers
tags:
- biomedical
---"""
_FIGURES: Final = ("recall", "masked_loss", "perplexity")


@dataclass(frozen=True, slots=True)
class PretrainingRecord:
    """The facts of a finished pre-training; ``scores`` are by split, see ``Recall.as_json``."""

    recipe: Recipe
    base: str
    has_new_head: bool
    texts: Texts
    n_windows: int
    history: Sequence[Mapping[str, Any]]
    scores: Mapping[str, Mapping[str, Any]]


def pretraining_card(record: PretrainingRecord) -> str:
    """Return the card as Markdown."""
    parts = (
        _FRONT_MATTER,
        _title(record),
        _procedure(record),
        _data(record),
        _hyperparameters(record),
        _history(record),
        _scores(record),
    )
    return "\n\n".join(parts) + "\n"


def _title(record: PretrainingRecord) -> str:
    head = " (its head is new)" if record.has_new_head else ""
    return f"# {record.recipe.name}\n\n{record.recipe.about}\n\nBase model: {record.base}{head}."


def _procedure(record: PretrainingRecord) -> str:
    return (
        "## Training procedure\n\n```\npython -m ner_engine pretrain --recipe"
        f" {record.recipe.name} --texts TEXTS --base {record.base} --out OUT\n```"
    )


def _data(record: PretrainingRecord) -> str:
    counts = ", ".join(f"{len(texts):,} {split}" for split, texts in record.texts.splits.items())
    torch_version = torch.__version__.partition("+")[0]
    return (
        f"Texts: {counts}; training windows: {record.n_windows:,}. SHA-256 of the texts:"
        f" `{record.texts.digest}`. Trained with torch {torch_version}, transformers"
        f" {transformers.__version__}."
    )


def _hyperparameters(record: PretrainingRecord) -> str:
    values = sorted(record.recipe.hyperparameters().items())
    return f"## Hyperparameters\n\n{table(('name', 'value'), values)}"


def _history(record: PretrainingRecord) -> str:
    title = "## Evaluations during training"
    if not record.history:
        return f"{title}\n\nThere were none, or nothing was held out."
    rows = []
    for event in record.history:
        figures = (event[name] for name in _FIGURES)
        rows.append((f"{event['epoch']:.2f}", event["step"], f"{event['loss']:.4f}", *figures))
    return f"{title}\n\n{table(('epoch', 'step', 'training loss', *_FIGURES), rows)}"


def _scores(record: PretrainingRecord) -> str:
    title = (
        "## Masked tokens of held-out texts\n\nRecall is the fraction that the model predicts"
        " right."
    )
    if not record.scores:
        return f"{title}\n\nNothing was held out."
    rows = []
    for split, scores in record.scores.items():
        figures = (scores[name] for name in _FIGURES)
        rows.append((split, scores["documents"], scores["positions"], *figures))
    return f"{title}\n\n{table(('split', 'texts', 'positions', *_FIGURES), rows)}"
