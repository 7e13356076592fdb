"""SourceData's three steps over whole figure legends: panels, entities, roles."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from ner_engine.align import split_tag
from ner_engine.model.backends import Probabilities
from ner_engine.model.tagger import Tagger
from ner_engine.schema import Span


def roles_of(tagger: Tagger, texts: Sequence[str], entities: Sequence[Sequence[Span]]) -> list[list[Span]]:
    """The entities of each text that have a role, ``label`` being the role and ``score`` its probability; the others are left out.

    All of ``entities`` are masked at once, so pass those of one type: the model then reads what is said of each and not its name.
    An entity's tokens speak for it together, B- and I- of a role as one, so touching entities cannot be mistaken for one.
    """
    read = tagger.encoder.tokens(texts)
    asked = [index for index, spans in enumerate(entities) if spans]
    rows = tagger.probabilities([tagger.encoder.masked(read[index], entities[index]) for index in asked])
    found: list[list[Span]] = [[] for _ in texts]
    for index, scores in zip(asked, rows, strict=True):
        for span in entities[index]:
            inside = read[index].within(span.start, span.end)
            if role := _role(tagger, scores[inside.start : inside.stop]):
                found[index].append(dataclasses.replace(span, label=role[0], score=role[1]))
    return found


def _role(tagger: Tagger, scores: Probabilities) -> tuple[str, float] | None:
    """The likeliest role and its probability over an entity's tokens ``(tokens, labels)``; None where it has most likely none."""
    if not len(scores):
        return None
    means: dict[str, float] = {}
    for tag, value in zip(tagger.id2label, np.mean(scores, axis=0).tolist(), strict=True):
        role = split_tag(tag)[1]
        means[role] = means.get(role, 0.0) + value
    best = max(means, key=lambda role: means[role])
    return (best, round(min(means[best], 1.0), 4)) if best else None
