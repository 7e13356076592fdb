"""Legends, entities and edits for tests without a database."""

from __future__ import annotations

from typing import Any

from annotator.review.editing.edit import Edit
from annotator.review.editing.legend import Entity, LegendState
from ner_engine.schema import ENTITY_LABELS, ROLE_BEARING_LABELS

LABELS = frozenset(ENTITY_LABELS)

TEXT = "(A) Bax and Bak in MEFs. (B) Bax/Bak-deficient MEFs with Bax inhibitor."


def legend(
    text: str = TEXT,
    *,
    decided: tuple[Entity, ...] = (),
    suggested: tuple[Entity, ...] = (),
    **others: Any,
) -> LegendState:
    return LegendState(
        text=text,
        decided={entity.key: entity for entity in decided},
        suggested={entity.key: entity for entity in suggested},
        labels=LABELS,
        role_labels=frozenset(ROLE_BEARING_LABELS),
        **others,
    )


def found(
    key: str,
    surface: str,
    label: str = "GENEPROD",
    *,
    nth: int = 0,
    text: str = TEXT,
    **others: Any,
) -> Entity:
    at = -1
    for _ in range(nth + 1):
        at = text.index(surface, at + 1)
    return Entity(key, at, at + len(surface), label, **others)


def edit(kind: str, *, number: int = 1, **arguments: Any) -> Edit:
    return Edit(f"op{number}", kind, arguments)


def words_of(state: LegendState, surface: str) -> list[int]:
    start = state.text.index(surface)
    inside = [
        index
        for index, word in enumerate(state.words)
        if start <= word.start and word.end <= start + len(surface)
    ]
    return [inside[0], inside[-1]]


def shown(state: LegendState) -> list[tuple[str, str, str]]:
    return [(state.surface(entity), entity.label, entity.status) for entity in state.entities]
