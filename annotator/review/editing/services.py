"""What people do to legends: the one way in for the review page, the API and commands.

Every edit goes through ``apply_operation``: right, lease and revision are checked, the edit is
applied, the decided layer and the log are written, all in one transaction. An operation's id makes
it happen once, however often it is sent.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.access import Action, can, require
from annotator.corpus.models import (
    DOCUMENT_STATES,
    DecisionKind,
    Document,
    DocumentState,
    Label,
    Layer,
    LayerKind,
    Segment,
    Span,
    Verdict,
)
from annotator.review.editing.identifiers import identifiers_of
from annotator.review.editing.operations import (
    ARGUMENTS,
    Edit,
    Effect,
    Entity,
    LegendState,
    Logged,
    OperationError,
    Panel,
    advance,
    apply,
    history,
    inverse,
    open_occurrences,
    propagation,
)
from annotator.review.models import Lease, Operation, OperationKind, RemarkKind
from annotator.review.queue.order import (
    is_drawn,
)
from annotator.review.second_look.label_errors import settle_suspicions

log = structlog.get_logger(__name__)

#: The ``scope`` of a propagation into every legend of the paper.
PAPER = "paper"
#: How long a legend stays with its holder after the last sign of life from the page.
LEASE_TIME = timedelta(minutes=2)


class StaleRevisionError(UserError):
    """The edit was made on a revision that is no longer the newest. ``since`` are the operations
    that came after it, oldest first."""

    sentence = (
        "Somebody changed this legend since you saw it. Look at what changed, then apply your"
        " edit again or discard it."
    )

    def __init__(self, document: Document, base_revision: int) -> None:
        super().__init__(self.sentence)
        self.document = document
        self.base_revision = base_revision
        self.since: list[Operation] = list(
            document.operations.filter(revision__gt=base_revision).select_related("actor")
        )


class StaleSuggestionsError(StaleRevisionError):
    """The edit was made on suggestions that a model has replaced since.

    New suggestions alone do not change the revision.
    """

    sentence = (
        "A model has replaced the suggestions since you saw this legend. Look at the new ones,"
        " then apply your edit again or discard it."
    )


class LeaseError(UserError):
    """Somebody else is at work on the legend."""

    def __init__(self, holder: User) -> None:
        super().__init__(
            f"{holder.get_username()} is working on this legend now. Wait until it is free, or take"
            " it over."
        )
        self.holder = holder


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an operation: the ``revision`` it made, its effect, and the legend before and
    after.

    For a ``repeated`` one nothing was done again: ``before`` and ``state`` are both the legend as
    it stands now. ``n_others`` is how many other legends of the paper the operation changed,
    ``n_left`` in how many it could not be undone or redone, because somebody edited them since.
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


@dataclass(frozen=True, slots=True)
class OpenOccurrence:
    """A string of another legend that nobody decided; without a suggestion, its label is ""."""

    document: Document
    entity: Entity


@dataclass(frozen=True, slots=True)
class Request:
    """An operation as it came in, its frame checked; what is in ``arguments`` is checked by the
    edit itself."""

    id: uuid.UUID
    kind: str
    arguments: dict[str, Any]
    base_revision: int
    #: The id of the layer of suggestions that the sender saw, 0 for none; None if not told.
    suggestions: int | None = None

    @property
    def is_for_the_paper(self) -> bool:
        return self.kind == OperationKind.PROPAGATE and self.arguments.get("scope") == PAPER

    @property
    def may_reach_others(self) -> bool:
        """Whether other legends of the paper may be written too: by a propagation, or by taking one
        back."""
        return self.is_for_the_paper or self.kind in (OperationKind.UNDO, OperationKind.REDO)


def read_request(operation: Mapping[str, Any]) -> Request:
    """Return the frame of an operation, which is an object of this form::

        {"id", "kind", "entity"?, "arguments"?, "base_revision", "suggestions"?}

    Raises ``OperationError`` that names what is missing or of the wrong type.
    """
    try:
        identifier = uuid.UUID(str(operation["id"]))
    except (KeyError, ValueError) as error:
        raise OperationError(
            "An operation needs an id: a UUID made by the sender, the same whenever it is sent"
            " again."
        ) from error
    kind, base, arguments = (
        operation.get("kind"),
        operation.get("base_revision"),
        operation.get("arguments") or {},
    )
    if not isinstance(kind, str) or kind not in OperationKind.values:
        raise OperationError(f"There is no edit called “{kind}”.")
    if type(base) is not int or base < 0:
        raise OperationError(
            "An operation needs base_revision: the revision of the legend it was made on."
        )
    suggestions = operation.get("suggestions")
    if suggestions is not None and type(suggestions) is not int:
        raise OperationError(
            "The suggestions of an operation must be the number that the legend names."
        )
    if not isinstance(arguments, Mapping):
        raise OperationError("The arguments of an operation must be an object.")
    told = {**arguments, "entity": operation["entity"]} if operation.get("entity") else arguments
    return Request(
        identifier,
        kind,
        {name: told[name] for name in ARGUMENTS.get(kind, ()) if name in told},
        base,
        suggestions,
    )


def legend_state(document: Document, *, labels: Sequence[Label] | None = None) -> LegendState:
    """The legend as it stands: decided layer (or what it will begin from), current suggestions,
    panels. Four queries at most."""
    layers = {layer.kind: layer for layer in document.layers.current()}
    base = layers.get(LayerKind.DECIDED) or layers.get(LayerKind.IMPORTED)
    suggested = layers.get(LayerKind.SUGGESTED)
    by_layer = entities_of_layers(base, suggested)
    decided = by_layer.get(base.pk, {}) if base else {}
    if base and base.kind == LayerKind.IMPORTED:
        decided = {key: _as_imported(entity) for key, entity in decided.items()}
    used = document.project.label_set.labels.all() if labels is None else labels
    panel_starts = base.panel_starts if base and base.kind == LayerKind.DECIDED else None
    project = document.project
    return LegendState(
        text=document.text,
        decided=decided,
        suggested=by_layer.get(suggested.pk, {}) if suggested and not is_blind(document) else {},
        suggestions=suggested.pk if suggested and not is_blind(document) else 0,
        labels=frozenset(label.code for label in used if label.retired_at is None),
        role_labels=frozenset(label.code for label in used if label.takes_role),
        imported_panels=_imported_panels(document),
        panel_starts=None if panel_starts is None else tuple(panel_starts),
        accepted=document.state == DocumentState.ACCEPTED,
        revision=document.revision,
        suggested_by=suggested.source if suggested else "",
        credits=suggested.credits if suggested else "",
        mode=project.review_mode,
        threshold=project.threshold,
    )


def is_blind(document: Document) -> bool:
    """Whether the legend is one of those that are shown without suggestions."""
    return document.is_blind


_COLUMNS = ("key", "start", "end", "label", "role", "score", "verdict", "decision", "attributes")


def entities_of_layers(*layers: Layer | None) -> dict[int, dict[str, Entity]]:
    """Entities by key, by layer."""
    wanted = [layer.pk for layer in layers if layer]
    found: dict[int, dict[str, Entity]] = {}
    for layer_id, *row in (
        Span.objects.filter(layer_id__in=wanted).order_by().values_list("layer_id", *_COLUMNS)
    ):
        entity = Entity(*row)
        found.setdefault(layer_id, {})[entity.key] = entity
    return found


def _as_imported(entity: Entity) -> Entity:
    return Entity(
        **{
            **entity.as_row(),
            "key": entity.key,
            "verdict": str(Verdict.ACCEPTED),
            "decision": str(DecisionKind.IMPORTED),
        }
    )


def _imported_panels(document: Document) -> tuple[Panel, ...]:
    rows = (
        Segment.objects.filter(document=document)
        .order_by("position")
        .values_list("start", "end", "marker")
    )
    return tuple(
        Panel(index, start, end, marker) for index, (start, end, marker) in enumerate(rows)
    )


def apply_operation(*, document_id: int, actor: User, operation: Mapping[str, Any]) -> Outcome:
    """Make one edit, or undo or redo one, exactly once.

    Raises ``OperationError`` (it makes no sense), ``LeaseError`` (somebody else works on the
    legend), ``StaleRevisionError`` (made on an older revision, or on suggestions that were
    replaced), ``PermissionDenied``; then nothing was changed.
    """
    request = read_request(operation)
    with transaction.atomic():
        document = _locked(document_id, with_paper=request.may_reach_others)
        require(actor, document.project, Action.REVIEW)
        earlier = Operation.objects.filter(pk=request.id).first()
        if earlier:
            return _repeated(earlier, document, actor)
        claim_lease(document=document, actor=actor)
        if request.base_revision != document.revision:
            raise StaleRevisionError(document, request.base_revision)
        _check_questions(document, request.kind, actor)
        outcome = _made(document, actor, request)
    log.info(
        "operation_applied",
        document=document.pk,
        revision=outcome.revision,
        kind=request.kind,
        others=outcome.n_others,
        actor=actor.pk,
    )
    return outcome


def _made(document: Document, actor: User, request: Request) -> Outcome:
    """The request done on its legend and, where it reaches further, on others of the paper; in the
    caller's transaction."""
    before = legend_state(document)
    if request.suggestions is not None and request.suggestions != before.suggestions:
        raise StaleSuggestionsError(document, request.base_revision)
    if request.kind in (OperationKind.UNDO, OperationKind.REDO):
        target = _next_in_history(document, request.kind, actor)
        state, effect, arguments = _reversed(before, target, request.kind)
        batch = target.batch
        n_others, n_left = _reverse_others(target, document, actor, request) if batch else (0, 0)
    elif request.is_for_the_paper:
        batch = request.id
        state, effect, arguments, n_others, n_left = (
            *_propagated(before, request),
            _propagate_in_others(document, before, actor, request),
            0,
        )
        if not effect and not n_others:
            raise OperationError(
                "Nothing to change: every other occurrence of this string in the paper is decided"
                " already, or has a role that does not fit the label."
            )
    else:
        batch, n_others, n_left = None, 0, 0
        state, effect = apply(before, Edit(request.id.hex, request.kind, request.arguments))
        arguments = _with_circumstances(request, before, document)
    row = _write(
        document,
        before,
        state=state,
        effect=effect,
        actor=actor,
        request=request,
        arguments=arguments,
        batch=batch,
    )
    if request.kind == OperationKind.ACCEPT_LEGEND and document.n_questions:
        _answer_questions(document, actor)
    if request.kind == OperationKind.ACCEPT_LEGEND and document.suspicion is not None:
        settle_suspicions(
            document=document,
            actor=actor,
            standing=[entity for entity in state.entities if entity.verdict == Verdict.ACCEPTED],
        )
    return Outcome(
        row, state.revision, effect, before, state, document, n_others=n_others, n_left=n_left
    )


def _answer_questions(document: Document, actor: User) -> None:
    """A reviewer who accepts the legend has answered what was asked about it."""
    document.remarks.filter(kind=RemarkKind.QUESTION, resolved_at=None).update(
        resolved_at=timezone.now(), resolved_by=actor
    )
    Document.objects.filter(pk=document.pk).update(n_questions=0)
    document.n_questions = 0


def _with_circumstances(
    request: Request, before: LegendState, document: Document
) -> dict[str, Any]:
    """The arguments to log; of an accepted legend also under which rules it was, so that its
    decisions can be judged later."""
    if request.kind != OperationKind.ACCEPT_LEGEND:
        return request.arguments
    rules = {
        "mode": before.mode,
        "threshold": before.threshold,
        "blind": is_blind(document),
        "drawn": is_drawn(document),
    }
    return {**request.arguments, **rules}


def _locked(document_id: int, *, with_paper: bool = False) -> Document:
    """The document with its row locked, so that its operations happen one after the other; with
    those of its paper, always in the same order."""
    documents = Document.objects.select_for_update(of=("self",)).select_related(
        "project__label_set"
    )
    if not with_paper:
        return documents.get(pk=document_id)
    one = Document.objects.only("project_id", "doi").get(pk=document_id)
    together = documents.filter(
        Q(pk=document_id) | (Q(project=one.project_id, doi=one.doi) & ~Q(doi=""))
    ).order_by("pk")
    return next(document for document in together if document.pk == document_id)


def _check_questions(document: Document, kind: str, actor: User) -> None:
    """A legend with an open question is a reviewer's to accept."""
    if (
        kind == OperationKind.ACCEPT_LEGEND
        and document.n_questions
        and not can(actor, document.project, Action.RESOLVE)
    ):
        raise OperationError(
            "A question on this legend waits for a reviewer, who accepts it. Go on with the next"
            " one."
        )


def _repeated(earlier: Operation, document: Document, actor: User) -> Outcome:
    if earlier.document_id != document.pk or earlier.actor_id != actor.pk:
        raise OperationError(
            "The operation's id was used before, for another edit. Make a new one."
        )
    state = legend_state(document)
    return Outcome(
        earlier,
        earlier.revision,
        Effect.from_json(earlier.effect),
        state,
        state,
        document,
        repeated=True,
    )


def _reversed(
    before: LegendState, target: Operation, kind: str
) -> tuple[LegendState, Effect, dict[str, Any]]:
    """State, effect and arguments to log of undoing or redoing ``target``."""
    effect = Effect.from_json(target.effect)
    if kind == OperationKind.UNDO:
        effect = inverse(effect)
    return advance(before, effect), effect, {"operation": str(target.pk), "of": target.kind}


def _propagated(
    before: LegendState, request: Request
) -> tuple[LegendState, Effect, dict[str, Any]]:
    """As ``apply``, but with nothing to change here: the operation then only stands for what it
    does in the other legends."""
    edit = Edit(request.id.hex, request.kind, request.arguments)
    entity = before.entity(edit.key)
    if not propagation(before, edit) and entity.verdict:
        return advance(before, Effect()), Effect(), request.arguments
    state, effect = apply(before, edit)
    return state, effect, request.arguments


def _propagate_in_others(
    document: Document, before: LegendState, actor: User, request: Request
) -> int:
    """Propagate the entity to the paper's other open legends.

    Return the number of legends that changed.
    """
    arguments = _said_elsewhere(before, str(request.arguments["entity"]))
    n = 0
    for other in others_of_paper(document, actor):
        made = Request(
            uuid.uuid5(request.id, str(other.pk)),
            OperationKind.PROPAGATE,
            arguments,
            other.revision,
        )
        there = legend_state(other)
        edit = Edit(made.id.hex, made.kind, arguments)
        if there.accepted or not propagation(there, edit):
            continue
        state, effect = apply(there, edit)
        _write(
            other,
            there,
            state=state,
            effect=effect,
            actor=actor,
            request=made,
            arguments=arguments,
            batch=request.id,
        )
        n += 1
    return n


def _said_elsewhere(state: LegendState, key: str) -> dict[str, Any]:
    """An entity as the arguments of a propagation into another legend: its string and what that is
    given."""
    entity = state.entity(key)
    identifiers = [asdict(each) for each in identifiers_of(entity.attributes)]
    return {
        "surface": state.surface(entity),
        "label": entity.label,
        "role": entity.role,
        "identifiers": identifiers,
    }


def others_of_paper(document: Document, actor: User) -> list[Document]:
    """The paper's other legends in the project that the actor may edit now: not accepted, and not
    in somebody else's hands."""
    if not document.doi:
        return []
    held = (
        Lease.objects.filter(expires_at__gt=timezone.now())
        .exclude(holder=actor)
        .values("document_id")
    )
    others = (
        Document.objects.filter(project=document.project_id, doi=document.doi)
        .exclude(pk=document.pk)
        .exclude(pk__in=held)
    )
    return list(
        others.exclude(state=DocumentState.ACCEPTED)
        .select_related("project__label_set")
        .order_by("pk")
    )


def open_in_paper(*, document: Document, actor: User, key: str) -> list[OpenOccurrence]:
    """Return the open occurrences of the entity's string in the paper's other legends, in order.

    A propagation to the paper can change no others; ``propagation`` says which it changes.
    """
    edit = Edit("preview", OperationKind.PROPAGATE, _said_elsewhere(legend_state(document), key))
    occurrences: list[OpenOccurrence] = []
    for other in others_of_paper(document, actor):
        there = open_occurrences(legend_state(other), edit)
        occurrences.extend(OpenOccurrence(other, entity) for entity in there)
    return occurrences


def _reverse_others(
    target: Operation, document: Document, actor: User, request: Request
) -> tuple[int, int]:
    """Undo or redo the other operations of the batch where nothing was done since; in how many
    legends it was, and was not."""
    n = n_left = 0
    batch = Operation.objects.filter(batch=target.batch, kind=target.kind, actor=actor).exclude(
        document=document
    )
    free = {each.pk: each for each in others_of_paper(document, actor)}
    for one in batch.order_by("document"):
        other = free.get(one.document_id)
        stack = _stack(other, request.kind) if other else []
        if other is None or not stack or stack[-1].id != str(one.pk):
            n_left += 1
            continue
        before = legend_state(other)
        state, effect, arguments = _reversed(before, one, request.kind)
        made = Request(
            uuid.uuid5(request.id, str(other.pk)), request.kind, arguments, other.revision
        )
        _write(
            other,
            before,
            state=state,
            effect=effect,
            actor=actor,
            request=made,
            arguments=arguments,
            batch=target.batch,
        )
        n += 1
    return n, n_left


def _stack(document: Document, kind: str) -> list[Logged]:
    """What can be undone, or redone, the next one last."""
    rows = (
        Operation.objects.filter(document=document)
        .order_by("revision")
        .values_list("pk", "kind", "actor_id")
    )
    done, undone = history(Logged(str(pk), kind, actor_id) for pk, kind, actor_id in rows)
    return done if kind == OperationKind.UNDO else undone


def _next_in_history(document: Document, kind: str, actor: User) -> Operation:
    stack = _stack(document, kind)
    if not stack:
        raise OperationError(
            "There is nothing to undo."
            if kind == OperationKind.UNDO
            else "There is nothing to redo."
        )
    target = Operation.objects.select_related("actor").get(pk=stack[-1].id)
    if target.actor_id != actor.pk:
        raise OperationError(
            f"The last edit was made by {target.actor or 'somebody else'}, so it is not undone;"
            " change the entity instead."
        )
    return target


def _write(
    document: Document,
    before: LegendState,
    *,
    state: LegendState,
    effect: Effect,
    actor: User,
    request: Request,
    arguments: dict[str, Any],
    batch: uuid.UUID | None = None,
) -> Operation:
    """Decided layer, document and log, as of ``state``."""
    layer = _decided_layer(document, before)
    if effect.panel_starts:
        starts = state.panel_starts
        Layer.objects.filter(pk=layer.pk).update(
            panel_starts=None if starts is None else list(starts)
        )
    gone = [key for key, (_, after) in effect.entities.items() if after is None]
    if gone:
        Span.objects.filter(layer=layer, key__in=gone).delete()
    _put_spans(
        layer, [state.decided[key] for key in effect.entities if key in state.decided], state.text
    )
    _put_document(document, state, actor)
    return Operation.objects.create(
        id=request.id,
        document=document,
        revision=state.revision,
        base_revision=request.base_revision,
        kind=request.kind,
        arguments=arguments,
        effect=effect.as_json(),
        batch=batch,
        actor=actor,
    )


def _decided_layer(document: Document, before: LegendState) -> Layer:
    """The document's decided layer; the first edit makes it from what was imported."""
    layer, created = Layer.objects.get_or_create(
        document=document, kind=LayerKind.DECIDED, superseded_at=None
    )
    if created:
        _put_spans(layer, before.decided.values(), document.text)
    return layer


def _put_spans(layer: Layer, entities: Any, text: str) -> None:
    rows = [
        Span(
            layer=layer, key=entity.key, surface=text[entity.start : entity.end], **entity.as_row()
        )
        for entity in entities
    ]
    changing = [
        "start",
        "end",
        "surface",
        "label",
        "role",
        "score",
        "verdict",
        "decision",
        "attributes",
    ]
    Span.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["layer", "key"],
        update_fields=changing,
        batch_size=500,
    )


def _put_document(document: Document, state: LegendState, actor: User) -> None:
    """Revision, review state and number of panels; the guard on the old revision holds even where
    rows cannot be locked."""
    changes: dict[str, Any] = {"revision": state.revision, "n_panels": len(state.panels)}
    after = DocumentState.IN_REVIEW
    if state.accepted:
        after = DocumentState.ACCEPTED
        changes |= {"accepted_at": timezone.now(), "accepted_by": actor}
    else:
        changes |= {"accepted_at": None, "accepted_by": None}
    guarded = Document.objects.filter(revision=state.revision - 1)
    if not DOCUMENT_STATES.move_row(document, after, within=guarded, **changes):
        raise StaleRevisionError(document, state.revision - 1)
    if state.accepted:
        release_lease(document=document, actor=actor)


def accept_legend(
    *, document_id: int, actor: User, base_revision: int, operation_id: uuid.UUID | None = None
) -> Outcome:
    """Accept the legend as it stands at ``base_revision``; what was only suggested counts as
    accepted, and as swept."""
    operation = {
        "id": operation_id or uuid.uuid4(),
        "kind": OperationKind.ACCEPT_LEGEND,
        "base_revision": base_revision,
    }
    return apply_operation(document_id=document_id, actor=actor, operation=operation)


def claim_lease(*, document: Document, actor: User, take_over: bool = False) -> Lease:
    """Hold the legend from now on for ``LEASE_TIME``, or longer than before. Raises ``LeaseError``
    while somebody else holds it."""
    now = timezone.now()
    free = Q() if take_over else Q(holder=actor) | Q(expires_at__lte=now)
    mine = {"holder": actor, "expires_at": now + LEASE_TIME}
    if not Lease.objects.filter(free, document=document).update(**mine):
        lease, created = Lease.objects.select_related("holder").get_or_create(
            document=document, defaults=mine
        )
        if not created:
            raise LeaseError(lease.holder)
        return lease
    return Lease(document=document, **mine)


def release_lease(*, document: Document, actor: User) -> None:
    """Let go of the legend, if the actor holds it."""
    Lease.objects.filter(document=document, holder=actor).delete()


def holder_of(document: Document) -> User | None:
    """Who holds the legend now."""
    lease = (
        Lease.objects.select_related("holder")
        .filter(document=document, expires_at__gt=timezone.now())
        .first()
    )
    return lease.holder if lease else None


def rebuilt_state(document: Document) -> LegendState:
    """The legend built again from its first state and its log alone; equals ``legend_state`` unless
    rows were tampered with."""
    state = first_state(document, legend_state(document))
    for stored in (
        Operation.objects.filter(document=document)
        .order_by("revision")
        .values_list("effect", flat=True)
    ):
        state = advance(state, Effect.from_json(stored))
    return state


def first_state(document: Document, now: LegendState) -> LegendState:
    """The legend before its first operation."""
    layer = document.layers.current().filter(kind=LayerKind.IMPORTED).first()
    imported = entities_of_layers(layer).get(layer.pk, {}) if layer else {}
    return LegendState(
        text=document.text,
        decided={key: _as_imported(entity) for key, entity in imported.items()},
        suggested=now.suggested,
        labels=now.labels,
        role_labels=now.role_labels,
        imported_panels=now.imported_panels,
    )
