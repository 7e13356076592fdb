"""Edits of legends: the one way in for the review page, the API and commands.

Every edit goes through ``apply_operation``, which loads what the edit depends on, applies it,
and stores the change, all in one transaction. An operation's id makes it happen once, however
often it is sent.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.db import transaction

from annotator.accounts.models import User
from annotator.corpus.models import Document, Label
from annotator.review.editing import operations
from annotator.review.editing.edit import Edit, read_edit
from annotator.review.editing.effects import Effect
from annotator.review.editing.history import Logged, can_reverse
from annotator.review.editing.legend import Entity, LegendState
from annotator.review.editing.loading import LoadedContext, load
from annotator.review.editing.storing import store
from annotator.review.kinds import OperationKind
from annotator.review.models import Operation

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of an operation: the ``revision`` it made, and the legend before and after.

    A repeated operation changes nothing: ``before`` and ``state`` are both the legend as it is
    now. ``n_others`` counts other legends of the paper that the operation changed, ``n_left``
    those in which it could not be undone or redone, because they were edited since.
    """

    operation: Operation
    revision: int
    effect: Effect
    before: LegendState
    state: LegendState
    document: Document
    repeated: bool = False
    n_others: int = 0
    n_left: int = 0
    labels: Sequence[Label] = ()
    history: Mapping[str, bool] = field(default_factory=dict)

    @property
    def added(self) -> str:
        """Return the key of the entity on the words that were labelled; "" for other edits.

        It is an old key if a suggestion or another label stood on the same words.
        """
        if self.operation.kind == OperationKind.ADD and not self.repeated:
            for key, (_, after) in self.effect.entities.items():
                if after is not None:
                    return key
        return ""

    @property
    def replaced(self) -> Entity | None:
        """Return the entity, as it was, whose label a label on the same words replaced."""
        if self.operation.kind != OperationKind.ADD or self.repeated:
            return None
        now = {entity.key: entity.label for entity in self.state.entities}
        for entity in self.before.entities:
            if entity.key in self.effect.entities and now.get(entity.key) != entity.label:
                return entity
        return None


def apply_operation(
    *, document_id: int, actor: User, operation: Mapping[str, Any], slug: str | None = None
) -> Outcome:
    """Make one edit, or undo or redo one, exactly once.

    With ``slug`` the legend must belong to that project. Raises ``OperationError`` (it makes no
    sense), ``LeaseError`` (somebody else works on the legend), ``StaleRevisionError`` (made on an
    older revision, or on suggestions that were replaced), ``PermissionDenied`` and
    ``Document.DoesNotExist``; then nothing was changed.
    """
    edit = read_edit(operation)
    with transaction.atomic():
        context = load(document_id=document_id, actor=actor, edit=edit, slug=slug)
        if context.is_repeated:
            return _repeated(context, edit)
        change = operations.apply(context, edit)
        row = store(context, change)
    log.info(
        "operation_applied",
        document=document_id,
        revision=row.revision,
        kind=edit.kind,
        others=len(change.others),
        actor=actor.pk,
    )
    own = change.own
    return Outcome(
        row,
        row.revision,
        own.effect,
        own.before,
        own.after,
        context.document,
        n_others=len(change.others),
        n_left=change.n_left,
        labels=context.labels,
        history=can_reverse([*own.legend.log, _logged(row)], actor.pk),
    )


def _logged(row: Operation) -> Logged:
    return Logged(str(row.pk), row.kind, row.actor_id)


def _repeated(context: LoadedContext, edit: Edit) -> Outcome:
    row = Operation.objects.get(pk=edit.operation_id)
    state = context.legend.state
    return Outcome(
        row,
        row.revision,
        Effect.from_json(row.effect),
        state,
        state,
        context.document,
        repeated=True,
        labels=context.labels,
        history=can_reverse(context.legend.log, context.actor_id),
    )


def accept_legend(
    *, document_id: int, actor: User, base_revision: int, operation_id: uuid.UUID | None = None
) -> Outcome:
    """Accept the legend as it is at ``base_revision``; open suggestions are bulk-accepted."""
    operation = {
        "id": operation_id or uuid.uuid4(),
        "kind": OperationKind.ACCEPT_LEGEND,
        "base_revision": base_revision,
    }
    return apply_operation(document_id=document_id, actor=actor, operation=operation)
