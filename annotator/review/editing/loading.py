"""The first step of an edit: read everything it depends on, once, with the legend's row locked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from annotator.accounts.models import User
from annotator.corpus.access import Action, actions_with_role, refuse_unless
from annotator.corpus.models import Document, DocumentState, Label, Membership
from annotator.review.editing.conflicts import LeaseError, StaleRevisionError, StaleSuggestionsError
from annotator.review.editing.edit import Edit
from annotator.review.editing.errors import OperationError
from annotator.review.editing.history import Logged, next_to_reverse
from annotator.review.editing.operations import EditContext, Legend
from annotator.review.editing.reading import ReadLegend, read_legends
from annotator.review.models import Lease, Operation
from annotator.review.sampling import is_random_sample


@dataclass(frozen=True, kw_only=True)
class LoadedContext(EditContext):
    """The context of an edit, with the rows from which it was read.

    ``is_repeated`` says that the operation is in the log already: nothing may be done again.
    """

    actor: User
    documents: Mapping[int, Document]
    labels: Sequence[Label]
    is_repeated: bool

    @property
    def document(self) -> Document:
        return self.documents[self.legend.id]


def load(*, document_id: int, actor: User, edit: Edit, slug: str | None = None) -> LoadedContext:
    """Read the context of an edit in seven statements; the reversal of a batch takes five more.

    The legend's row stays locked until the transaction ends. With ``slug`` the legend must belong
    to that project. Raises ``Document.DoesNotExist``, ``PermissionDenied``, ``LeaseError``,
    ``StaleRevisionError`` and ``StaleSuggestionsError``, and ``OperationError`` if the id of the
    edit belongs to another operation.
    """
    documents = _locked_documents(document_id, actor, edit)
    document = _permitted(documents.get(document_id), actor, slug)
    log = _read_log(document, actor, edit)
    is_repeated = any(operation.id == str(edit.operation_id) for operation in log)
    if not is_repeated:
        _check_lease(document, actor)
        if edit.base_revision != document.revision:
            raise StaleRevisionError(document, edit.base_revision)
    labels = list(document.project.label_set.labels.all())
    batch = [] if is_repeated else _batch_to_reverse(document, log, edit)
    others = _others(documents, document, actor, edit, batch)
    read = read_legends([document, *others], labels)
    if not is_repeated:
        _check_suggestions(document, read[document.pk], edit)
    logs = {}
    if batch:
        logs = _logs_of(others)
    return LoadedContext(
        legend=_legend(document, read[document.pk], log),
        actor_id=actor.pk,
        may_resolve=Action.RESOLVE in document.project.allowed,
        others=[_legend(other, read[other.pk], logs.get(other.pk, ())) for other in others],
        batch=batch,
        actor=actor,
        documents=documents,
        labels=labels,
        is_repeated=is_repeated,
    )


def _locked_documents(document_id: int, actor: User, edit: Edit) -> dict[int, Any]:
    """Return the legend by id, and those of its paper if the edit may reach them.

    Each comes with its project, its lease, and the actor's ``role`` in the project. The rows are
    locked in the order of their ids, so that two edits never wait for each other.
    """
    role = Membership.objects.filter(project=OuterRef("project"), user=actor.pk).values("role")
    which = Q(pk=document_id)
    if edit.may_reach_others:
        one = Document.objects.filter(pk=document_id)
        which |= Q(
            project_id=Subquery(one.values("project_id")), doi=Subquery(one.values("doi"))
        ) & ~Q(doi="")
    rows = (
        Document.objects.select_for_update(of=("self",))
        .select_related("project__label_set", "lease__holder")
        .annotate(role=Subquery(role[:1]))
        .filter(which)
        .order_by("pk")
    )
    return {row.pk: row for row in rows}


def _permitted(document: Any, actor: User, slug: str | None) -> Document:
    """Return the legend, whose ``project.allowed`` then says what the actor may do there."""
    if document is None or slug not in (None, document.project.slug):
        raise Document.DoesNotExist("There is no such legend.")
    project = document.project
    project.allowed = actions_with_role(actor, document.role)
    refuse_unless(project.allowed, project, Action.REVIEW)
    found: Document = document
    return found


def _read_log(document: Document, actor: User, edit: Edit) -> list[Logged]:
    """Return the legend's operations, oldest first; with their effects for an undo or redo.

    The same statement looks for the edit's id in the logs of all legends.
    """
    rows = Operation.objects.filter(Q(document=document) | Q(pk=edit.operation_id))
    log = _log_of(rows, with_effects=edit.is_reversal)
    for operation in log:
        is_own = operation.legend_id == document.pk and operation.actor_id == actor.pk
        if operation.id == str(edit.operation_id) and not is_own:
            raise OperationError(
                "The operation's id was used before, for another edit. Make a new one."
            )
    return log


def _log_of(rows: QuerySet[Operation], *, with_effects: bool) -> list[Logged]:
    columns = ["pk", "kind", "actor_id", "document_id"]
    if with_effects:
        columns += ["actor__username", "batch", "effect"]
    return [_logged(row) for row in rows.order_by("revision").values(*columns)]


def _logged(row: Mapping[str, Any]) -> Logged:
    return Logged(
        id=str(row["pk"]),
        kind=row["kind"],
        actor_id=row["actor_id"],
        actor=row.get("actor__username") or "",
        legend_id=row["document_id"],
        batch=row.get("batch"),
        effect=row.get("effect") or {},
    )


def _check_lease(document: Document, actor: User) -> None:
    lease: Lease | None = getattr(document, "lease", None)
    if lease and lease.holder_id != actor.pk and lease.expires_at > timezone.now():
        raise LeaseError(lease.holder)


def _check_suggestions(document: Document, read: ReadLegend, edit: Edit) -> None:
    if edit.suggestions not in (None, read.state.suggestions):
        raise StaleSuggestionsError(document, edit.base_revision)


def _batch_to_reverse(document: Document, log: Sequence[Logged], edit: Edit) -> list[Logged]:
    """Return the operations on other legends that were made together with the one to reverse."""
    target = None
    if edit.is_reversal:
        target = next_to_reverse(log, edit.kind)
    if target is None or target.batch is None:
        return []
    rows = Operation.objects.filter(
        batch=target.batch, kind=target.kind, actor=target.actor_id
    ).exclude(document=document)
    return _log_of(rows, with_effects=True)


def _others(
    documents: Mapping[int, Document],
    document: Document,
    actor: User,
    edit: Edit,
    batch: Sequence[Logged],
) -> list[Document]:
    """Return the other legends of the paper that the edit may change.

    They are not accepted, and nobody else works on them.
    """
    if not edit.is_for_the_paper and not batch:
        return []
    in_batch = {operation.legend_id for operation in batch}
    others = []
    for other in documents.values():
        if other.pk == document.pk or other.state == DocumentState.ACCEPTED:
            continue
        if _is_free(other, actor) and (edit.is_for_the_paper or other.pk in in_batch):
            others.append(other)
    return others


def _is_free(document: Document, actor: User) -> bool:
    try:
        _check_lease(document, actor)
    except LeaseError:
        return False
    return True


def _logs_of(documents: Sequence[Document]) -> dict[int, list[Logged]]:
    logs: defaultdict[int, list[Logged]] = defaultdict(list)
    rows = Operation.objects.filter(document__in=[document.pk for document in documents])
    for operation in _log_of(rows, with_effects=False):
        logs[operation.legend_id].append(operation)
    return logs


def _legend(document: Document, read: ReadLegend, log: Sequence[Logged]) -> Legend:
    return Legend(
        id=document.pk,
        state=read.state,
        log=log,
        decided_layer=read.decided_layer,
        n_questions=document.n_questions,
        label_error_score=document.label_error_score,
        is_blind=document.is_blind,
        is_random_sample=is_random_sample(document),
    )
