"""SourceData's three steps over whole figure legends: panels, entities, roles. Each step is
optional and has a model of its own.

Every step runs over all legends of a call at once, so its model's batches are filled from all of
them; what comes out for a legend does not depend on which others were there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from ner_engine.align import split_tag
from ner_engine.errors import UnsafeModelError
from ner_engine.inference.backends import Probabilities
from ner_engine.inference.tagger import Tagger
from ner_engine.panel_letters import find_panels
from ner_engine.registry.tasks import TASKS
from ner_engine.schema import Segment, Span
from ner_engine.text import trim

#: The task that tells the roles of each entity type that has any.
ROLE_TASKS: Final[Mapping[str, str]] = {
    task.masked_label: task.name for task in TASKS.values() if task.masked_label
}


@dataclass(frozen=True, slots=True)
class Tagged:
    """What the pipeline says of one legend: its panels in order, and its entities in order, with
    roles where a role model was asked."""

    segments: tuple[Segment, ...]
    spans: tuple[Span, ...]


class Pipeline:
    """``panels`` tells where panels start (None: their letters do), ``entities`` what the entities
    are, ``roles`` by entity type which were perturbed and which measured. Without ``entities`` the
    pipeline finds panels only; a type without a role model gets no roles.

    Raises ``UnsafeModelError`` where a model does another step than it was given for.
    """

    def __init__(
        self,
        *,
        panels: Tagger | None = None,
        entities: Tagger | None = None,
        roles: Mapping[str, Tagger] | None = None,
    ) -> None:
        self._panels, self._entities, self._roles = panels, entities, dict(roles or {})
        if panels is not None:
            _check(panels, "panels")
        for label, tagger in self._roles.items():
            _check(tagger, ROLE_TASKS.get(label, f"the roles of {label}"))

    def run(
        self,
        texts: Sequence[str],
        segments: Sequence[Sequence[Segment]] | None = None,
        *,
        scores: bool = False,
    ) -> list[Tagged]:
        """Panels, entities and roles of each text. ``segments`` are panels that are known already;
        a text without any has its panels found.

        Entities and roles are read panel by panel, as the models were trained; what stands before
        the first panel or between two is read too. ``scores`` as for ``Tagger.tag``.
        """
        known = segments if segments is not None else [()] * len(texts)
        found = self._find_panels(
            [text for text, given in zip(texts, known, strict=True) if not given]
        )
        panels = [tuple(given) or next(found) for given in known]
        passages = [
            (index, passage)
            for index, text in enumerate(texts)
            for passage in passages_of(text, panels[index])
        ]
        spans = self._find_entities(
            [texts[index][start:end] for index, (start, end) in passages], scores=scores
        )
        gathered: list[list[Span]] = [[] for _ in texts]
        for (index, (start, _)), inside in zip(passages, spans, strict=True):
            gathered[index] += [span.moved(start) for span in inside]
        return [
            Tagged(found_panels, tuple(inside))
            for found_panels, inside in zip(panels, gathered, strict=True)
        ]

    def _find_panels(self, texts: Sequence[str]) -> Iterator[tuple[Segment, ...]]:
        if self._panels is None:
            return (tuple(find_panels(text)) for text in texts)
        return map(panels_from, texts, self._panels.tag(texts))

    def _find_entities(self, passages: Sequence[str], *, scores: bool) -> list[list[Span]]:
        if self._entities is None:
            return [[] for _ in passages]
        found = self._entities.tag(passages, scores=scores)
        for label, tagger in self._roles.items():
            asked = [[span for span in spans if span.label == label] for spans in found]
            for spans, told in zip(found, roles_of(tagger, passages, asked), strict=True):
                _give_roles(spans, told)
        return found


def _check(tagger: Tagger, task: str) -> None:
    if task not in TASKS or set(tagger.labels) != set(TASKS[task].labels):
        raise UnsafeModelError(
            f"{tagger.name} tells {', '.join(tagger.labels)}, so it cannot stand for {task}; choose"
            " a model of that task"
        )


def _give_roles(spans: list[Span], told: Iterable[Span]) -> None:
    at = {(span.start, span.end): index for index, span in enumerate(spans)}
    for role in told:
        index = at[role.start, role.end]
        attributes = {**spans[index].attributes, "role_score": role.score}
        spans[index] = dataclasses.replace(spans[index], role=role.label, attributes=attributes)


def passages_of(text: str, segments: Sequence[Segment]) -> list[tuple[int, int]]:
    """The text cut at its panels, nothing left out: ranges of its panels and of what stands before,
    between and behind them, white space aside."""
    cuts = sorted(
        {0, len(text), *(edge for segment in segments for edge in (segment.start, segment.end))}
    )
    found = [trim(text, start, end) for start, end in pairwise(cuts)]
    return [(start, end) for start, end in found if start < end]


def panels_from(text: str, starts: Iterable[Span]) -> tuple[Segment, ...]:
    """Panels that reach from each of ``starts`` to the next, with the letters that stand there
    where the text has any."""
    cuts = [span.start for span in starts]
    printed = {segment.start: segment.marker for segment in find_panels(text)}
    ends = [*cuts[1:], len(text)]
    return tuple(
        Segment(*trim(text, start, end), marker=printed.get(start, ""))
        for start, end in zip(cuts, ends, strict=False)
    )


def roles_of(
    tagger: Tagger, texts: Sequence[str], entities: Sequence[Sequence[Span]]
) -> list[list[Span]]:
    """The entities of each text that have a role, ``label`` being the role and ``score`` its
    probability; the others are left out.

    All of ``entities`` are masked at once, so pass those of one type: the model then reads what is
    said of each and not its name. An entity's tokens speak for it together, B- and I- of a role as
    one, so touching entities cannot be mistaken for one.
    """
    read = tagger.encoder.tokens(texts)
    asked = [index for index, spans in enumerate(entities) if spans]
    rows = tagger.probabilities(
        [tagger.encoder.masked(read[index], entities[index]) for index in asked]
    )
    found: list[list[Span]] = [[] for _ in texts]
    for index, scores in zip(asked, rows, strict=True):
        for span in entities[index]:
            inside = read[index].within(span.start, span.end)
            if role := _role(tagger, scores[inside.start : inside.stop]):
                found[index].append(dataclasses.replace(span, label=role[0], score=role[1]))
    return found


def _role(tagger: Tagger, scores: Probabilities) -> tuple[str, float] | None:
    """The likeliest role and its probability over an entity's tokens ``(tokens, labels)``; None
    where it has most likely none."""
    if not len(scores):
        return None
    means: dict[str, float] = {}
    for tag, value in zip(tagger.id2label, np.mean(scores, axis=0).tolist(), strict=True):
        role = split_tag(tag)[1]
        means[role] = means.get(role, 0.0) + value
    best = max(means, key=lambda role: means[role])
    return (best, round(min(means[best], 1.0), 4)) if best else None
