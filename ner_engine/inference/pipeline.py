"""SourceData's three pipeline stages over figure legends: panels, entities, roles.

Each stage is optional and has its own model. A stage runs over all legends of a call at once, so
its batches are full. The result for a legend does not depend on the others.
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
from ner_engine.registry.affixes import merged
from ner_engine.registry.steps import (
    NO_STEPS,
    Steps,
    first_panel_start,
    with_one_label,
    without_affixes,
)
from ner_engine.registry.tasks import TASKS
from ner_engine.schema import Segment, Span
from ner_engine.text import trim

#: The task that predicts the roles of an entity type.
ROLE_TASKS: Final[Mapping[str, str]] = {
    task.masked_label: task.name for task in TASKS.values() if task.masked_label
}


@dataclass(frozen=True, slots=True)
class Tagged:
    """The panels and entities of one legend, in order; entities have roles if a model gave them."""

    segments: tuple[Segment, ...]
    spans: tuple[Span, ...]


class Pipeline:
    """The three stages. Raise ``UnsafeModelError`` if a model has another task than its stage.

    ``panels`` predicts where panels start; without it their letters are used. ``entities`` predicts
    entities; without it only panels are found. ``roles`` has a model by entity type; entities of
    other types get no role. ``steps`` run on the entities before their roles are predicted.
    """

    def __init__(
        self,
        *,
        panels: Tagger | None = None,
        entities: Tagger | None = None,
        roles: Mapping[str, Tagger] | None = None,
        steps: Steps = NO_STEPS,
    ) -> None:
        self._steps = steps
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
        papers: Sequence[str] | None = None,
        scores: bool = False,
    ) -> list[Tagged]:
        """Return panels, entities and roles of each text.

        ``segments`` are known panels; the panels of a text without any are found. Entities and
        roles are read panel by panel, as the models were trained; text outside the panels is read
        too, unless a step leaves it out. ``papers`` has the paper of each text, for the step that
        gives a string one label in a paper; texts of a paper in another call have no vote.
        ``scores``: see ``Tagger.tag``.
        """
        known = segments
        if known is None:
            known = [()] * len(texts)
        unknown = []
        for text, given in zip(texts, known, strict=True):
            if not given:
                unknown.append(text)
        found = self._find_panels(unknown)
        panels = [tuple(given) or next(found) for given in known]
        of_papers = _paper_keys(len(texts), papers)
        places, passages, papers_of_passages = [], [], []
        for index, text in enumerate(texts):
            for start, end in self._passages(text, panels[index]):
                places.append((index, start))
                passages.append(text[start:end])
                papers_of_passages.append(of_papers[index])
        entities: list[list[Span]] = [[] for _ in texts]
        spans = self._find_entities(passages, papers_of_passages, scores=scores)
        for (index, start), inside in zip(places, spans, strict=True):
            entities[index] += [span.moved(start) for span in inside]
        return [Tagged(*each) for each in zip(panels, map(tuple, entities), strict=True)]

    def _passages(self, text: str, panels: Sequence[Segment]) -> list[tuple[int, int]]:
        """Return the ranges of the text that are read one by one."""
        passages = passages_of(text, panels)
        if not self._steps.from_first_panel:
            return passages
        first = first_panel_start(panels)
        return [(start, end) for start, end in passages if start >= first]

    def _find_panels(self, texts: Sequence[str]) -> Iterator[tuple[Segment, ...]]:
        if self._panels is None:
            return map(tuple, map(find_panels, texts))
        return map(panels_from, texts, self._panels.tag(texts))

    def _find_entities(
        self, passages: Sequence[str], papers: Sequence[str], *, scores: bool
    ) -> list[list[Span]]:
        if self._entities is None:
            return [[] for _ in passages]
        entities = self._entities.tag(passages, scores=scores)
        if self._steps.affixes:
            affixes = merged([self._entities.affixes, self._steps.own_affixes])
            entities = [without_affixes(spans, affixes) for spans in entities]
        if self._steps.one_label:
            entities = with_one_label(entities, papers)
        for label, tagger in self._roles.items():
            roles = roles_of(tagger, passages, _of_label(entities, label))
            entities = list(map(_with_roles, entities, roles))
        return entities


def _of_label(entities: Iterable[Iterable[Span]], label: str) -> list[list[Span]]:
    """Return the entities of each text that have this label."""
    of_label = []
    for spans in entities:
        of_label.append([span for span in spans if span.label == label])
    return of_label


def _check(tagger: Tagger, task: str) -> None:
    """Raise ``UnsafeModelError`` if the labels of the tagger are not those of the task."""
    if task not in TASKS or set(tagger.labels) != set(TASKS[task].labels):
        raise UnsafeModelError(
            f"{tagger.name} predicts {', '.join(tagger.labels)}, so it cannot be used for {task};"
            " choose a model of that task"
        )


def _paper_keys(n_texts: int, papers: Sequence[str] | None) -> list[str]:
    """Return a key for the paper of each text; a text without one is a paper by itself."""
    known = papers if papers is not None else [""] * n_texts
    keys = []
    for index, paper in enumerate(known):
        keys.append(f"paper {paper}" if paper else f"text {index}")
    return keys


def _with_roles(spans: Sequence[Span], roles: Iterable[Span]) -> list[Span]:
    """Return the spans with the ``roles`` that were predicted for some of them."""
    role_at = {}
    for role in roles:
        role_at[role.start, role.end] = role
    result = list(spans)
    for index, span in enumerate(spans):
        given = role_at.get((span.start, span.end))
        if given is not None:
            attributes = {**span.attributes, "role_score": given.score}
            result[index] = dataclasses.replace(span, role=given.label, attributes=attributes)
    return result


def passages_of(text: str, segments: Sequence[Segment]) -> list[tuple[int, int]]:
    """Return the ranges of all panels and of the text before, between and after them.

    White space at the ends of a range is left out.
    """
    bounds = {0, len(text)}
    for segment in segments:
        bounds |= {segment.start, segment.end}
    passages = []
    for bound, next_bound in pairwise(sorted(bounds)):
        start, end = trim(text, bound, next_bound)
        if start < end:
            passages.append((start, end))
    return passages


def panels_from(text: str, starts: Iterable[Span]) -> tuple[Segment, ...]:
    """Return panels that reach from each of ``starts`` to the next, with their printed letters."""
    bounds = [*(span.start for span in starts), len(text)]
    letters = {segment.start: segment.marker for segment in find_panels(text)}
    panels = []
    for start, end in pairwise(bounds):
        panels.append(Segment(*trim(text, start, end), marker=letters.get(start, "")))
    return tuple(panels)


def roles_of(
    tagger: Tagger, texts: Sequence[str], entities: Sequence[Sequence[Span]]
) -> list[list[Span]]:
    """Return the entities of each text that have a role.

    ``label`` is the role and ``score`` its confidence. All of ``entities`` are masked at once, so
    pass those of one type: the model then reads the context of each entity and not its name. The
    probabilities of an entity's tokens are averaged, B- and I- of a role together, so that touching
    entities are not mistaken for one.
    """
    tokens = tagger.encoder.tokens(texts)
    with_entities = [index for index, spans in enumerate(entities) if spans]
    masked = []
    for index in with_entities:
        masked.append(tagger.encoder.masked(tokens[index], entities[index]))
    rows = tagger.probabilities(masked)
    roles: list[list[Span]] = [[] for _ in texts]
    for index, probabilities in zip(with_entities, rows, strict=True):
        for span in entities[index]:
            inside = tokens[index].within(span.start, span.end)
            role = _role(tagger, probabilities[inside.start : inside.stop])
            if role:
                roles[index].append(dataclasses.replace(span, label=role[0], score=role[1]))
    return roles


def _role(tagger: Tagger, rows: Probabilities) -> tuple[str, float] | None:
    """Return the most probable role and its probability over ``rows`` ``(tokens, labels)``.

    Return None if it is most probable that there is none.
    """
    if not len(rows):
        return None
    means: dict[str, float] = {}
    for tag, value in zip(tagger.id2label, np.mean(rows, axis=0).tolist(), strict=True):
        role = split_tag(tag)[1]
        means[role] = means.get(role, 0.0) + value
    best = max(means, key=lambda role: means[role])
    if not best:
        return None
    return best, tagger.confidence(best, round(min(means[best], 1.0), 4))
