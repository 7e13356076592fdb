"""Uncertain suggestions: another model disagrees, or people decided the same string otherwise.

The page asks for them after it has opened, since they take a search of the whole project.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import connection
from django.db.models import Count, F, Q

from annotator.corpus.models import (
    DecisionKind,
    Document,
    DocumentState,
    Layer,
    LayerKind,
    Span,
    SurfaceHead,
    Verdict,
)
from annotator.review.editing.legend import Entity, LegendState

#: Stands for a rejection among the labels of a string; longer than any label.
_REJECTED: Final = "rejected".ljust(51)


@dataclass(frozen=True, slots=True)
class Strings:
    """What the project knows of some strings.

    ``queue`` counts how often each waits as a suggestion, ``decided`` how often it was decided as
    which label.
    """

    queue: Mapping[str, int] = field(default_factory=dict)
    decided: Mapping[str, Counter[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Range:
    """A range that another model labels."""

    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True)
class OtherModel:
    """The model whose suggestions came before the present ones; ``source`` "" if there is none."""

    source: str = ""
    ranges: Sequence[Range] = ()


def strings_of(document: Document, surfaces: Iterable[str]) -> Strings:
    """Count the strings in waiting suggestions and in decisions of the project. One query."""
    wanted = set(surfaces)
    queue: Counter[str] = Counter()
    decided: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for surface, kind, label, verdict, n in _counted(document.project_id, wanted):
        if surface not in wanted:
            continue
        if kind == LayerKind.SUGGESTED:
            queue[surface] += n
        else:
            decided[surface][_REJECTED if verdict == Verdict.REJECTED else label] += n
    return Strings(queue, decided)


def _counted(project_id: int, surfaces: Iterable[str]) -> Iterable[tuple[Any, ...]]:
    """Return rows (surface, kind of layer, label, verdict, how many).

    What a threshold left out is nobody's decision. An imported layer counts until the first edit.
    For SQLite ``of_project`` is no plain column, so that the search begins at the index of
    strings, however many strings there are. PostgreSQL knows how many rows each string has, finds
    that plan by itself, and would be misled.
    """
    waits = Q(layer__kind=LayerKind.SUGGESTED) & ~Q(layer__document__state=DocumentState.ACCEPTED)
    decided = Q(layer__kind=LayerKind.DECIDED) & ~Q(
        verdict=Verdict.REJECTED, decision=DecisionKind.BULK_ACCEPTED
    )
    imported = Q(layer__kind=LayerKind.IMPORTED, layer__document__revision=0)
    project: Any = F("layer__document__project_id")
    if connection.vendor == "sqlite":
        project += 0
    rows = Span.objects.alias(head=SurfaceHead("surface"), of_project=project).filter(
        waits | decided | imported,
        head__in=SurfaceHead.of(surfaces),
        of_project=project_id,
        layer__superseded_at=None,
    )
    columns = rows.order_by().values_list("surface", "layer__kind", "label", "verdict")
    return columns.annotate(n=Count("pk"))


def uncertain_suggestions(
    document: Document, state: LegendState, strings: Strings | None = None
) -> dict[str, list[str]]:
    """Return the reasons, as sentences, why undecided suggestions are uncertain, by their key."""
    undecided = list(state.undecided.values())
    strings = strings or strings_of(document, {state.surface(entity) for entity in undecided})
    names = dict(document.project.label_set.labels.values_list("code", "name"))
    other = _other_model(document, state) if undecided else OtherModel()
    reasons = {}
    for entity in undecided:
        sentences = [_disagreement(state, entity, other, names)]
        if not state.proposal(entity):  # it says the same of the earlier decisions
            earlier = _earlier_decisions(entity, state.surface(entity), strings, names)
            sentences.append(earlier)
        if any(sentences):
            reasons[entity.key] = [sentence for sentence in sentences if sentence]
    return reasons


def _other_model(document: Document, state: LegendState) -> OtherModel:
    """Return the model that made the last suggestions before the present ones."""
    layers = Layer.objects.filter(document=document, kind=LayerKind.SUGGESTED)
    earlier = layers.exclude(superseded_at=None).exclude(source=state.suggested_by)
    layer = earlier.order_by("-pk").first()
    if layer is None:
        return OtherModel()
    spans = Span.objects.filter(layer=layer).order_by("start", "-end", "pk")
    ranges = [Range(*row) for row in spans.values_list("start", "end", "label")]
    return OtherModel(layer.source or "the model before", ranges)


def _disagreement(
    state: LegendState, entity: Entity, other: OtherModel, names: Mapping[str, str]
) -> str:
    """Return what the other model predicts instead; "" if it agrees or if there is none."""
    if not other.source:
        return ""
    near = [each for each in other.ranges if entity.overlaps(each.start, each.end)]
    if Range(entity.start, entity.end, entity.label) in near:
        return ""
    for each in near:
        if (each.start, each.end) == (entity.start, entity.end):
            return f"{other.source} calls it {_name(each.label, names)}."
    if near:
        surface = state.text[near[0].start : near[0].end]
        return f"{other.source} marks “{surface}” as {_name(near[0].label, names)}."
    return f"{other.source} does not mark it."


def _earlier_decisions(
    entity: Entity, surface: str, strings: Strings, names: Mapping[str, str]
) -> str:
    """Return what most earlier decisions on the string were; "" if they agree with this label."""
    decided = strings.decided.get(surface)
    if not decided:
        return ""
    (most, n), total = decided.most_common(1)[0], decided.total()
    if most == entity.label or 2 * n <= total:
        return ""
    decision = "rejected"
    if most != _REJECTED:
        decision = f"decided as {_name(most, names)}"
    if total == 1:
        return f"“{surface}” was {decision} before."
    return f"“{surface}” was {decision} {n:,} of {total:,} times before."


def _name(label: str, names: Mapping[str, str]) -> str:
    if label:
        return names.get(label, label).lower()
    return "unlabelled"
