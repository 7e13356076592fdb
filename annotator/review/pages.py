"""What the queue page and the review page show, gathered in few queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.core.paginator import Page, Paginator
from django.db.models import Count, Q
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.models import User
from annotator.corpus.access import Action
from annotator.corpus.models import Document, DocumentState, Label, LayerKind, Project, Span
from annotator.corpus.reading import with_excerpt
from annotator.review.models import Lease, Operation, OperationKind
from annotator.review.operations import LOW_CONFIDENCE, Effect, LegendState, Logged, history
from annotator.review.rendering import ROLE_NAMES, ROLE_SIGNS, Block, entity_facts

PAGE_SIZE: Final = 50


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """One tab of the queue page."""

    name: str
    title: str
    states: tuple[DocumentState, ...]


FILTERS: Final = (
    QueueFilter("waiting", "Waiting", (DocumentState.IMPORTED, DocumentState.SUGGESTED, DocumentState.IN_REVIEW)),
    QueueFilter("in_review", "Begun", (DocumentState.IN_REVIEW,)),
    QueueFilter("untagged", "Not tagged", (DocumentState.IMPORTED,)),
    QueueFilter("accepted", "Accepted", (DocumentState.ACCEPTED,)),
    QueueFilter("all", "All", tuple(DocumentState)),
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How many legends of a project are accepted, and of how many."""

    by_state: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.by_state.values())

    @property
    def accepted(self) -> int:
        return self.by_state.get(DocumentState.ACCEPTED, 0)

    @property
    def waiting(self) -> int:
        return self.total - self.accepted

    def count(self, tab: QueueFilter) -> int:
        return sum(self.by_state.get(state, 0) for state in tab.states)


def progress_of(project: Project) -> Progress:
    """One query over the index of states."""
    counted = Document.objects.filter(project=project).order_by().values_list("state").annotate(n=Count("id"))
    return Progress(dict(counted))


def queue_page(project: Project, *, tab: QueueFilter, progress: Progress, number: str | None) -> Page[Document]:
    """One page of the queue, each legend with an excerpt and (as attributes) ``n_suggested``, ``n_low``, ``n_decided`` and ``held_by``."""
    documents = Document.objects.filter(project=project).order_by("id")
    if tab.name != "all":
        documents = documents.filter(state__in=tab.states)
    paginator = Paginator(with_excerpt(documents), PAGE_SIZE)
    paginator.count = progress.count(tab)  # counted already, by state
    page = paginator.get_page(number)
    page.object_list = list(page.object_list)
    _add_counts(page.object_list)
    return page


def _add_counts(documents: Sequence[Any]) -> None:
    """Numbers of entities and the lease's holder, on each of a page's documents; two queries."""
    ids = [document.pk for document in documents]
    current = Span.objects.filter(layer__document__in=ids, layer__superseded_at=None).order_by()
    low = Count("id", filter=Q(score__lt=LOW_CONFIDENCE))
    counted = {
        (pk, kind): (n, n_low) for pk, kind, n, n_low in current.values_list("layer__document", "layer__kind").annotate(n=Count("id"), low=low)
    }
    leases = Lease.objects.filter(document__in=ids, expires_at__gt=timezone.now())
    holders = dict(leases.values_list("document_id", "holder__username"))
    for document in documents:
        document.n_suggested, document.n_low = counted.get((document.pk, LayerKind.SUGGESTED), (0, 0))
        decided = counted.get((document.pk, LayerKind.DECIDED)) or counted.get((document.pk, LayerKind.IMPORTED))
        document.n_decided = decided[0] if decided else 0
        document.held_by = holders.get(document.pk, "")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a legend stands among those of its project: ``number`` of ``total`` in order of import."""

    number: int
    before: int | None
    after: int | None


def place_of(document: Document) -> Place:
    """Its number, and the legends before and after it, accepted or not. Three queries on the primary key."""
    others = Document.objects.filter(project_id=document.project_id)
    before, after = others.filter(pk__lt=document.pk), others.filter(pk__gt=document.pk)
    return Place(
        before.count() + 1,
        before.order_by("-pk").values_list("pk", flat=True).first(),
        after.order_by("pk").values_list("pk", flat=True).first(),
    )


def undo_facts(document: Document, user: User) -> dict[str, bool]:
    """Whether the user has something to undo and to redo here."""
    rows = Operation.objects.filter(document=document).order_by("revision").values_list("pk", "kind", "actor_id")
    done, undone = history(Logged(str(pk), kind, actor_id) for pk, kind, actor_id in rows)
    return {"undo": bool(done) and done[-1].actor_id == user.pk, "redo": bool(undone) and undone[-1].actor_id == user.pk}


def page_facts(
    document: Document, state: LegendState, labels: Iterable[Label], user: User, *, next_id: int | None, holder: User | None = None
) -> dict[str, Any]:
    """What the review page's script begins with; ``holder`` is somebody else who is at work on the legend."""
    project = document.project
    arguments = [project.slug, document.pk]
    return {
        "document": document.pk,
        "user": user.pk,
        "revision": state.revision,
        "accepted": state.accepted,
        "mayEdit": Action.REVIEW in project.allowed,
        "holder": holder.get_username() if holder else "",
        "labels": [{"code": each.code, "name": each.name, "short": each.short, "key": each.key, "hue": each.hue} for each in labels],
        "roleLabels": sorted(state.role_labels),
        "roles": [{"code": code, "name": ROLE_NAMES[code], "sign": sign} for code, sign in ROLE_SIGNS.items()],
        "entities": {entity.key: entity_facts(state, entity) for entity in state.entities},
        "history": undo_facts(document, user),
        "keys": user.preferences.get("keys", {}),
        "urls": {
            "operations": reverse("review:operations", args=arguments),
            "lease": reverse("review:lease", args=arguments),
            "here": reverse("review:legend", args=arguments),
            "queue": reverse("review:queue", args=[project.slug]),
            "next": reverse("review:legend", args=[project.slug, next_id]) if next_id else "",
            "signIn": reverse("account_login"),
        },
    }


def whole_answer(state: LegendState, drawn: Iterable[Block]) -> dict[str, Any]:
    """The legend as the script puts it in place of all it knew."""
    return {
        "revision": state.revision,
        "accepted": state.accepted,
        "all": True,
        "blocks": [block_facts(block) for block in drawn],
        "entities": {entity.key: entity_facts(state, entity) for entity in state.entities},
    }


def block_facts(block: Block) -> dict[str, Any]:
    return {"index": block.index, "marker": block.marker, "html": block.html}


_SAID: Final[Mapping[str, str]] = {
    OperationKind.ADD: "added",
    OperationKind.ACCEPT: "accepted",
    OperationKind.REJECT: "rejected",
    OperationKind.REMOVE: "removed",
    OperationKind.MOVE_EDGES: "moved",
    OperationKind.PROPAGATE: "labelled every",
    OperationKind.SET_PANELS: "changed the panels",
    OperationKind.ACCEPT_LEGEND: "accepted the legend",
    OperationKind.REOPEN_LEGEND: "reopened the legend",
}


def sentence(operation: Operation, state: LegendState, labels: Mapping[str, Label], *, effect: Effect | None = None) -> str:
    """What an operation did, for the merge notice and for screen readers: “Bax” is a gene product."""
    effect = effect or Effect.from_json(operation.effect)
    who = _what(effect, state)
    kind = operation.kind
    if kind in (OperationKind.UNDO, OperationKind.REDO):
        return f"{'undid' if kind == OperationKind.UNDO else 'redid'} an edit{f' of {who}' if who else ''}"
    if kind == OperationKind.RELABEL:
        label = labels.get(str(operation.arguments.get("label")))
        return f"made {who} {label.name.lower() if label else 'unlabelled'}"
    if kind == OperationKind.SET_ROLE:
        role = ROLE_NAMES.get(str(operation.arguments.get("role")), "no variable")
        return f"made {who} {role}"
    said = _SAID.get(OperationKind(kind), kind)
    by_itself = kind in (OperationKind.SET_PANELS, OperationKind.ACCEPT_LEGEND, OperationKind.REOPEN_LEGEND)
    return said if by_itself else f"{said} {who}"


def _what(effect: Effect, state: LegendState) -> str:
    """The string an effect is about, in quotes; how many, where they are several."""
    rows = [after or before for before, after in effect.entities.values()]
    strings = {state.text[row["start"] : row["end"]] for row in rows if row}
    if len(strings) == 1:
        return f"“{strings.pop()}”"
    return f"{len(rows)} entities" if rows else ""
