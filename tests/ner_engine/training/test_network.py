"""The validation loss of a network in training."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from ner_engine.registry.catalogue import find_base
from ner_engine.registry.recipes import recipe_named
from ner_engine.schema import CONTROLLED_VAR, Document, Segment, Span
from ner_engine.training.batching import collate
from ner_engine.training.data import with_labels
from ner_engine.training.network import TaggerNetwork


def figure(number: int) -> Document:
    text = f"(A) Bax{number} in HeLa cells. (B) Bak{number} and Bax{number} in liver."
    gold = [
        Span(at, at + 4, "GENEPROD", text[at : at + 4], role=CONTROLLED_VAR)
        for at in (4, text.index("Bak"))
    ]
    cut = text.index("(B)")
    return Document(
        f"f{number}",
        text,
        f"10.1/{number}",
        segments=(Segment(0, cut - 1, "a"), Segment(cut, len(text), "b")),
        gold=tuple(gold),
    )


@pytest.mark.parametrize("name", ["sd-ner-mini", "panelization", "geneprod-roles"])
def test_the_validation_loss_is_the_mean_cross_entropy(
    name: str, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "ner_engine.training.network.cpu_precision", lambda: "fp32"
    )  # in bf16 chance weights may differ by some percent
    asked = dataclasses.replace(
        recipe_named(name), labels=("auto",), layers=0, panels="all", min_characters=0
    )
    documents = [figure(number) for number in range(5)]
    from ner_engine.registry.tasks import TASKS

    texts = list(TASKS[asked.task].texts(documents))
    asked = with_labels(asked, texts)
    model = TaggerNetwork.load(find_base(base), asked)
    examples = model.examples(texts, asked)
    batch = collate([examples[index] for index in range(len(examples))], 0)
    labels = batch.pop("labels")
    with torch.no_grad():
        logits = model.network.eval()(**batch).logits
    expected = float(functional.cross_entropy(logits.flatten(0, 1), labels.flatten()))
    found = model.evaluate(texts, asked)
    assert found.loss == pytest.approx(expected, rel=1e-3)
    assert math.isfinite(found.accuracy)
