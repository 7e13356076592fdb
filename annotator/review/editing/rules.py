"""Rules of single decisions: the labels, roles and identifiers an entity may have.

Pure: no database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from annotator.corpus.decisions import DecisionKind, Verdict
from annotator.lookup.identifiers import Identifier, identifiers_of, with_identifiers
from annotator.review.editing.errors import MissingIdentifiersError, OperationError
from annotator.review.editing.legend import Entity, LegendState
from ner_engine.schema import BORING, ROLES

#: Strings without an identifier that a refusal names.
_NAMED: Final = 5


def decide(entity: Entity, **changes: Any) -> Entity:
    """Return the entity as a person's explicit, accepted decision."""
    return replace(
        entity, verdict=str(Verdict.ACCEPTED), decision=str(DecisionKind.EXPLICIT), **changes
    )


def keeps_role(state: LegendState, entity: Entity, label: str) -> bool:
    """Whether the entity can keep its role under that label."""
    return entity.role in ("", BORING) or label in state.role_labels


def relabel(state: LegendState, entity: Entity, label: str) -> Entity:
    """Return the entity decided with that label; its role goes if the label cannot have it."""
    role = entity.role if keeps_role(state, entity, label) else ""
    return decide(entity, label=label, role=role)


def set_identifiers(entity: Entity, identifiers: Sequence[Identifier]) -> Entity:
    """Return the entity with these identifiers instead of its own."""
    return replace(entity, attributes=with_identifiers(entity.attributes, identifiers))


def check_label(state: LegendState, label: Any) -> str:
    """Return ``label``; raise ``OperationError`` if the project does not have it."""
    if not isinstance(label, str) or label not in state.labels:
        raise OperationError(f"The label “{label}” is not one of this project's.")
    return label


def check_role(state: LegendState, role: Any, label: str) -> str:
    """Return ``role``; raise ``OperationError`` if an entity of ``label`` cannot have it."""
    if role not in ("", *ROLES):
        raise OperationError(f"There is no role called “{role}”.")
    if role not in ("", BORING) and label not in state.role_labels:
        raise OperationError(
            "Only small molecules and gene products are controlled or measured variables; others"
            " can be marked as context."
        )
    return str(role)


def without_identifier(state: LegendState) -> list[Entity]:
    """Return the entities that would be accepted now and lack an identifier that they need."""
    return [
        entity
        for entity in state.entities
        if entity.label in state.identifier_labels
        and not state.is_below(entity)
        and not identifiers_of(entity.attributes)
    ]


def check_identified(state: LegendState) -> None:
    """Raise ``MissingIdentifiersError`` if entities lack an identifier that they need."""
    missing = without_identifier(state)
    if not missing:
        return
    strings = list(dict.fromkeys(state.surface(entity) for entity in missing))
    named = ", ".join(f"“{surface}”" for surface in strings[:_NAMED])
    more = f" and {len(strings) - _NAMED} more" if len(strings) > _NAMED else ""
    subject = "1 entity needs" if len(missing) == 1 else f"{len(missing)} entities need"
    raise MissingIdentifiersError(
        f"{subject} an identifier before the legend is accepted: {named}{more}.", missing[0].key
    )
