"""The third step of an edit: write a change, guarded by the revision it was made on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.db.models import Q
from django.utils import timezone

from annotator.corpus.models import DOCUMENT_STATES, Document, DocumentState, Layer, LayerKind, Span
from annotator.review.editing.acceptance import Settlement, settlement_of
from annotator.review.editing.conflicts import StaleRevisionError
from annotator.review.editing.effects import stored_names
from annotator.review.editing.leases import claim_lease, release_lease
from annotator.review.editing.legend import Entity
from annotator.review.editing.loading import LoadedContext
from annotator.review.editing.operations import Change, LegendChange
from annotator.review.memory.counting import count_legend, forget_legend
from annotator.review.memory.decisions import decisions_of
from annotator.review.models import Operation

_CHANGING: Final = (
    "start",
    "end",
    "surface",
    "label",
    "role",
    "score",
    "verdict",
    "decision",
    "attributes",
)


def store(context: LoadedContext, change: Change) -> Operation:
    """Write the change in the caller's transaction; return the log's row for the legend at hand.

    One statement each writes the entities and the log; one a legend moves its revision on. Raises
    ``StaleRevisionError`` if a legend's revision is no longer the one that was read, which guards
    the edit even where rows cannot be locked. The context's rows then hold the new values.
    """
    settlement = settlement_of(change.own, context.actor)
    _update_document(context, change.own, settlement)
    for other in change.others:
        _update_document(context, other, Settlement())
    _write_layers(change.legends)
    operations = [_operation(each, context.actor.pk) for each in change.legends]
    operations[0].arguments |= settlement.logged
    Operation.objects.bulk_create(operations)
    _update_lease(context, change.own)
    for each in change.legends:
        _update_memory(context, each)
    return operations[0]


def _update_memory(context: LoadedContext, change: LegendChange) -> None:
    """Count the decisions of a legend that is accepted now; take them back if it is open again."""
    if change.before.accepted == change.after.accepted:
        return
    project_id = context.documents[change.legend.id].project_id
    if change.after.accepted:
        count_legend(change.legend.id, project_id, decisions_of(change.after))
    else:
        forget_legend(change.legend.id, project_id)


def _update_document(context: LoadedContext, change: LegendChange, settlement: Settlement) -> None:
    """Move the legend to its new revision and state, if its revision is still the one read."""
    before, after = change.before, change.after
    document = context.documents[change.legend.id]
    values: dict[str, Any] = {"revision": after.revision, "n_panels": len(after.panels)}
    if after.accepted:
        state = DocumentState.ACCEPTED
        values |= {"accepted_at": timezone.now(), "accepted_by": context.actor}
    else:
        state = DocumentState.IN_REVIEW
        values |= {"accepted_at": None, "accepted_by": None}
    values |= settlement.columns
    guarded = Document.objects.filter(revision=before.revision)
    if not DOCUMENT_STATES.move_row(document, state, within=guarded, **values):
        raise StaleRevisionError(document, before.revision)


def _write_layers(changes: Sequence[LegendChange]) -> None:
    """Write the decided layers. A legend's first edit makes its layer from what was imported."""
    layers = _decided_layers(changes)
    spans: list[Span] = []
    removed = Q()
    for change in changes:
        layer, after = layers[change.legend.id], change.after
        keys = [key for key in change.effect.entities if key in after.decided]
        if change.legend.decided_layer is None:
            keys = list(after.decided)
        elif gone := [key for key in change.effect.entities if key not in after.decided]:
            removed |= Q(layer=layer, key__in=gone)
        spans += [_span(layer, after.decided[key], after.text) for key in keys]
    if removed:
        Span.objects.filter(removed).delete()
    if spans:
        Span.objects.bulk_create(
            spans,
            update_conflicts=True,
            unique_fields=["layer", "key"],
            update_fields=_CHANGING,
            batch_size=500,
        )


def _decided_layers(changes: Sequence[LegendChange]) -> dict[int, int]:
    """Return the ids of the decided layers by legend, with their panels as they are now."""
    layers, new = {}, []
    for change in changes:
        legend, starts = change.legend, change.after.panel_starts
        stored = None
        if starts is not None:
            stored = list(starts)
        panels = {"panel_starts": stored, "panel_names": stored_names(change.after.panel_names)}
        if legend.decided_layer is None:
            new.append(Layer(document_id=legend.id, kind=LayerKind.DECIDED, **panels))
            continue
        layers[legend.id] = legend.decided_layer
        if change.effect.changes_panels:
            Layer.objects.filter(pk=legend.decided_layer).update(**panels)
    if new:
        Layer.objects.bulk_create(new)
    layers |= {layer.document_id: layer.pk for layer in new}
    return layers


def _span(layer: int, entity: Entity, text: str) -> Span:
    surface = text[entity.start : entity.end]
    return Span(layer_id=layer, key=entity.key, surface=surface, **entity.as_row())


def _operation(change: LegendChange, actor_id: int) -> Operation:
    return Operation(
        id=change.operation_id,
        document_id=change.legend.id,
        revision=change.after.revision,
        base_revision=change.edit.base_revision,
        kind=change.edit.kind,
        arguments=dict(change.arguments),
        effect=change.effect.as_json(),
        batch=change.batch,
        actor_id=actor_id,
    )


def _update_lease(context: LoadedContext, change: LegendChange) -> None:
    """Renew the actor's lease, or end it if the legend is accepted now."""
    if change.after.accepted:
        release_lease(document=context.document, actor=context.actor)
    else:
        claim_lease(document=context.document, actor=context.actor)
