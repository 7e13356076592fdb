"""Why a suggestion deserves a second look: another model says otherwise, or people decided the same
string otherwise before.

Asked after the page has opened, since it looks through the whole project.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

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

#: What a rejection counts as among the labels that people gave a string; a label is never this
#: long.
_REJECTED = "rejected".ljust(51)


@dataclass(frozen=True, slots=True)
class Strings:
    """What the project knows of some strings: how often each is suggested in ``queue``, and how
    often it was ``decided`` as what."""

    queue: Mapping[str, int] = field(default_factory=dict)
    decided: Mapping[str, Counter[str]] = field(default_factory=dict)


def strings_of(document: Document, surfaces: Iterable[str]) -> Strings:
    """How often each surface stands in suggestions that wait in the document's project, and what
    people decided of it. One query."""
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
    """(surface, kind of layer, label, verdict, how many). What a threshold left out is nobody's
    decision; an imported layer counts until edits replace it. For SQLite ``of_project`` is no plain
    column, so that the search begins at the index of strings, however many strings there are;
    PostgreSQL, which knows how many rows there are of each string, finds that by itself and would
    be misled.
    """
    waits = Q(layer__kind=LayerKind.SUGGESTED) & ~Q(layer__document__state=DocumentState.ACCEPTED)
    decided = Q(layer__kind=LayerKind.DECIDED) & ~Q(
        verdict=Verdict.REJECTED, decision=DecisionKind.BULK_ACCEPTED
    )
    imported = Q(layer__kind=LayerKind.IMPORTED, layer__document__revision=0)
    of_project = (
        F("layer__document__project_id") + 0
        if connection.vendor == "sqlite"
        else F("layer__document__project_id")
    )
    rows = Span.objects.alias(head=SurfaceHead("surface"), of_project=of_project)
    rows = rows.filter(
        waits | decided | imported,
        head__in=SurfaceHead.of(surfaces),
        of_project=project_id,
        layer__superseded_at=None,
    )
    return (
        rows.order_by()
        .values_list("surface", "layer__kind", "label", "verdict")
        .annotate(n=Count("pk"))
    )


def doubts(
    document: Document, state: LegendState, strings: Strings | None = None
) -> dict[str, list[str]]:
    """Sentences for each undecided suggestion that there is a doubt about, by its key."""
    undecided = list(state.undecided.values())
    strings = strings or strings_of(document, {state.surface(entity) for entity in undecided})
    names = dict(document.project.label_set.labels.values_list("code", "name"))
    source, others = _of_the_other_model(document, state) if undecided else ("", [])
    found = {}
    for entity in undecided:
        said = [] if not source else _disagreement(state, entity, source, others, names)
        said += _earlier(entity, state.surface(entity), strings, names)
        if said:
            found[entity.key] = said
    return found


def _of_the_other_model(
    document: Document, state: LegendState
) -> tuple[str, list[tuple[int, int, str]]]:
    """The source that suggested last before the present one, and what; ("", []) where there was
    none."""
    layers = (
        Layer.objects.filter(document=document, kind=LayerKind.SUGGESTED)
        .exclude(superseded_at=None)
        .exclude(source=state.suggested_by)
    )
    layer = layers.order_by("-pk").first()
    if layer is None:
        return "", []
    rows = (
        Span.objects.filter(layer=layer)
        .order_by("start", "-end", "pk")
        .values_list("start", "end", "label")
    )
    return layer.source or "the model before", list(rows)


def _disagreement(
    state: LegendState,
    entity: Entity,
    source: str,
    others: Iterable[tuple[int, int, str]],
    names: Mapping[str, str],
) -> list[str]:
    """What the other model says instead; nothing where it says the same."""
    near = [(start, end, label) for start, end, label in others if entity.overlaps(start, end)]
    if (entity.start, entity.end, entity.label) in near:
        return []
    same_range = [label for start, end, label in near if (start, end) == (entity.start, entity.end)]
    if same_range:
        return [f"{source} calls it {_named(same_range[0], names)}."]
    if near:
        start, end, label = near[0]
        return [f"{source} marks “{state.text[start:end]}” as {_named(label, names)}."]
    return [f"{source} does not mark it."]


def _earlier(entity: Entity, surface: str, strings: Strings, names: Mapping[str, str]) -> list[str]:
    """What most earlier decisions on the same string were, if they were another than this
    suggestion."""
    decided = strings.decided.get(surface)
    if not decided:
        return []
    (most, n), total = decided.most_common(1)[0], decided.total()
    if most == entity.label or 2 * n <= total:
        return []
    said = "rejected" if most == _REJECTED else f"decided as {_named(most, names)}"
    return [
        (
            f"“{surface}” was {said} before."
            if total == 1
            else f"“{surface}” was {said} {n:,} of {total:,} times before."
        )
    ]


def _named(label: str, names: Mapping[str, str]) -> str:
    return names.get(label, label).lower() if label else "unlabelled"
