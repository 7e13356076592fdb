"""Rules of single decisions: the labels, roles and identifiers an entity may have.

Pure: no database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from annotator.corpus.decisions import DecisionKind, Verdict
from annotator.lookup.identifiers import Identifier, with_identifiers
from annotator.review.editing.errors import OperationError
from annotator.review.editing.legend import Entity, LegendState
from ner_engine.schema import BORING, ROLES


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
