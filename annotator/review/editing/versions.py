"""The versions of a legend's entities.

They are the present decisions, those at each acceptance, the file's, and each model's suggestions.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction

from annotator.accounts.models import User
from annotator.corpus.models import Document, LayerKind, Verdict
from annotator.review.editing.compare import Difference, compare
from annotator.review.editing.conflicts import StaleRevisionError
from annotator.review.editing.effects import Effect, advance
from annotator.review.editing.errors import OperationError
from annotator.review.editing.legend import Entity, LegendState
from annotator.review.editing.reading import entities_of_layers, first_state, legend_state
from annotator.review.editing.services import Outcome, apply_operation
from annotator.review.models import Operation, OperationKind

#: The key of the version that people edit.
NOW: Final = "now"


@dataclass(frozen=True, slots=True)
class Version:
    """A set of entities with the key that addresses it; ``is_machine`` if a model made it."""

    key: str
    title: str
    entities: Sequence[Entity]
    is_machine: bool = False


def versions(document: Document, state: LegendState) -> list[Version]:
    """Return the decided state, earlier acceptances, the import and suggestions, newest first.

    A blind legend's suggestions are left out until it is accepted.
    """
    layers = list(document.layers.order_by("-created_at", "-pk"))
    is_untouched = document.revision == 0
    hides = document.is_blind and not state.accepted
    shown = [layer for layer in layers if layer.kind == LayerKind.SUGGESTED and not hides]
    imported = [layer for layer in layers if layer.kind == LayerKind.IMPORTED and not is_untouched]
    entities = entities_of_layers(*shown, *imported)
    found = []
    if state.decided:
        found.append(
            Version(
                NOW,
                (
                    "as imported"
                    if is_untouched
                    else "as accepted"
                    if state.accepted
                    else "decided so far"
                ),
                _accepted(state),
            )
        )
    found += _acceptances(document, state)
    found += [
        Version(f"layer-{layer.pk}", "as imported", _in_order(entities.get(layer.pk, {}).values()))
        for layer in imported
    ]
    for layer in shown:
        title = (
            "; ".join(filter(None, (f"suggested by {layer.source or 'a file'}", layer.provenance)))
            + f", {layer.created_at:%-d %b %Y}"
        )
        found.append(
            Version(
                f"layer-{layer.pk}",
                title,
                _in_order(entities.get(layer.pk, {}).values()),
                is_machine=True,
            )
        )
    return found


def _in_order(entities: Any) -> list[Entity]:
    return sorted(entities, key=lambda entity: (entity.start, -entity.end, entity.key))


def _accepted(state: LegendState) -> list[Entity]:
    return [entity for entity in state.entities if entity.verdict == Verdict.ACCEPTED]


def _acceptances(document: Document, now: LegendState) -> list[Version]:
    """Return the decided entities at each earlier acceptance, rebuilt from the log."""
    accepted = Operation.objects.filter(
        document=document, kind=OperationKind.ACCEPT_LEGEND
    ).select_related("actor")
    titles = {}
    for each in accepted:
        titles[each.revision] = (
            f"accepted by {each.actor or 'somebody'}, {each.created_at:%-d %b %Y, %H:%M}"
        )
    if not titles:
        return []
    state, found = first_state(document, now), []
    log = Operation.objects.filter(document=document, revision__lte=max(titles)).order_by(
        "revision"
    )
    for revision, effect in log.values_list("revision", "effect"):
        state = advance(state, Effect.from_json(effect))
        if revision in titles and not (now.accepted and state.decided == now.decided):
            found.append(Version(f"revision-{revision}", titles[revision], _accepted(state)))
    return found[::-1]


def pair_to_compare(
    found: Sequence[Version], old: str = "", new: str = ""
) -> tuple[Version, Version] | None:
    """Return the two versions of these keys.

    By default they are the newest suggestions and the decided state, else the two newest.
    """
    by_key = {version.key: version for version in found}
    if len(found) < 2:
        return None
    default_new = by_key.get(NOW) or found[0]
    others = [version for version in found if version is not default_new]
    default_old = next((version for version in others if version.is_machine), others[0])
    return by_key.get(old, default_old), by_key.get(new, default_new)


def sides(
    difference: Difference, old: Version, new: Version
) -> tuple[Entity | None, Entity | None]:
    """Return the entity as it is now and as the other version has it.

    (None, None) if neither version is the one that people edit.
    """
    if new.key == NOW:
        return difference.new, difference.old
    if old.key == NOW:
        return (difference.old, difference.new)
    return (None, None)


def take(
    *,
    document: Document,
    actor: User,
    old: str,
    new: str,
    entity: str,
    base_revision: int,
    operation_id: str,
) -> Outcome:
    """Take over the entity of key ``entity`` from the version beside the decided one.

    Makes one to three operations (range, label, role), all or none, and returns the outcome of the
    last. Raises the errors of ``apply_operation``.
    """
    with transaction.atomic():
        state = legend_state(document)
        if base_revision != state.revision:
            raise StaleRevisionError(document, base_revision)
        edits = list(_edits(state, _wanted(document, state, old, new, entity)))
        revision, name = base_revision, operation_id
        for kind, arguments in edits:
            operation = {
                "id": name,
                "kind": kind,
                "arguments": arguments,
                "base_revision": revision,
            }
            outcome = apply_operation(document_id=document.pk, actor=actor, operation=operation)
            revision, name = outcome.revision, str(uuid.uuid5(outcome.operation.pk, "then"))
    return outcome


def _wanted(
    document: Document, state: LegendState, old: str, new: str, key: str
) -> tuple[Entity | None, Entity]:
    """Return the entity as it is now, if it exists, and as the other version has it."""
    chosen = pair_to_compare(versions(document, state), old, new)
    for each in compare(chosen[0].entities, chosen[1].entities) if chosen else ():
        mine, theirs = sides(each, *chosen) if chosen else (None, None)
        if theirs is not None and theirs.key == key:
            return mine, theirs
    raise OperationError(
        "The two versions do not differ in this entity any more. Reload the comparison."
    )


def _edits(
    state: LegendState, wanted: tuple[Entity | None, Entity]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the edits that give the entity to the legend.

    An entity that is only suggested, or was rejected, keeps its identity.
    """
    mine, theirs = wanted
    known = (
        mine
        or state.decided.get(theirs.key)
        or state.undecided.get(theirs.key)
        or _at(state, theirs)
    )
    if known is None:
        yield (
            OperationKind.ADD,
            {
                "start": theirs.start,
                "end": theirs.end,
                "label": theirs.label,
                "role": theirs.role,
            },
        )
        return
    here = {"entity": known.key}
    is_moved, is_relabelled = (
        (known.start, known.end)
        != (
            theirs.start,
            theirs.end,
        ),
        known.label != theirs.label,
    )
    if is_moved:
        yield OperationKind.MOVE_EDGES, {**here, "start": theirs.start, "end": theirs.end}
    if is_relabelled:
        yield OperationKind.RELABEL, {**here, "label": theirs.label}
    if known.role != theirs.role:
        yield OperationKind.SET_ROLE, {**here, "role": theirs.role}
    elif not is_moved and not is_relabelled:
        yield OperationKind.ACCEPT, here


def _at(state: LegendState, theirs: Entity) -> Entity | None:
    return next(
        (
            entity
            for entity in state.entities
            if (entity.start, entity.end) == (theirs.start, theirs.end)
        ),
        None,
    )
