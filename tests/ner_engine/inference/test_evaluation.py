"""Evaluation of a tagger: total scores equal the sum of their parts; a watcher sees each text."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ner_engine.align import Labelled
from ner_engine.inference import evaluation as judging
from ner_engine.inference.evaluation import evaluate
from ner_engine.schema import Document, Span
from ner_engine.scoring.metrics import Scores, score

_TEXTS = [
    "Bax in HeLa cells",
    "p53 and Bax blot",
    "LC3 in HeLa",
    "nothing at all",
    "Bax, Bax and p53",
]


def spans_of(text: str, words: dict[str, str]) -> list[Span]:
    return [
        Span(text.index(word), text.index(word) + len(word), label, word)
        for word, label in words.items()
        if word in text
    ]


class Reader:
    """Finds what it knows, and takes cells for proteins."""

    name = "reader"

    def tag(self, texts: Sequence[str]) -> list[list[Span]]:
        return [
            spans_of(text, {"Bax": "GENEPROD", "HeLa": "GENEPROD", "blot": "EXP_ASSAY"})
            for text in texts
        ]


DOCUMENTS = [
    Document(
        id=text,
        text=text,
        gold=tuple(spans_of(text, {"Bax": "GENEPROD", "p53": "GENEPROD", "HeLa": "CELL"})),
    )
    for text in _TEXTS
]


@pytest.mark.parametrize("chunk", [1, 2, 512])
def test_a_judging_in_chunks_says_what_one_of_all_texts_says(
    chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = evaluate(Reader(), DOCUMENTS).as_json()
    monkeypatch.setattr(judging, "_CHUNK", chunk)
    assert evaluate(Reader(), iter(DOCUMENTS)).as_json() | {"seconds": 0} == whole | {"seconds": 0}


def test_the_watcher_sees_each_text() -> None:
    told: list[tuple[Document, Sequence[Labelled], Sequence[Labelled]]] = []
    found = evaluate(Reader(), DOCUMENTS, watch=lambda *facts: told.append(facts))
    assert [document for document, _, _ in told] == DOCUMENTS
    assert (
        score([gold for _, gold, _ in told], [predicted for _, _, predicted in told]) == found.spans
    )


def test_no_texts_give_no_scores() -> None:
    found = evaluate(Reader(), [])
    assert found.n_documents == 0
    assert found.accuracy == 0.0
    assert found.spans == Scores({})
