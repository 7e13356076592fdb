"""Legends long enough to learn from, on all three sides of the split."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from annotator.corpus.models import Document
from ner_engine import schema

_DETAILS = """
    fixed stained washed lysed counted imaged starved sorted scored blotted grown split frozen thawed plated treated sampled sliced pooled
    mounted once twice overnight briefly gently together daily early later again
""".split()  # noqa: E501, SIM905


def long_legend(number: int, *, doi: str = "", protein: str = "LC3") -> schema.Document:
    """One panel of over 80 characters, two entities; a paper of its own, and words of its own: no
    two are nearly the same."""
    details = " ".join(random.Random(number).sample(_DETAILS, 16))
    text = f"(A) HeLa cells {details}, bafilomycin A1 {number} and {protein} as before."
    spans = [
        schema.Span(
            text.index(surface), text.index(surface) + len(surface), label, surface, id=label
        )
        for surface, label in (("HeLa", "CELL"), (protein, "GENEPROD"))
    ]
    return schema.Document(
        id=f"long-{number}",
        text=text,
        doi=doi or f"10.1000/long.{number}",
        label=f"Figure {number}",
        segments=(schema.Segment(0, len(text), f"p{number}", "A"),),
        gold=tuple(spans),
    )


@pytest.fixture
def accepted(import_legends: Callable[..., list[Document]]) -> list[Document]:
    """Thirty accepted legends of as many papers."""
    return import_legends([long_legend(number) for number in range(30)], labels="gold")
