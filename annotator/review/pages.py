"""What the queue page and the review page show, gathered in few queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.core.paginator import Page, Paginator
from django.db.models import Count, Q
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.models import User
from annotator.corpus.access import Action
from annotator.corpus.models import (
    Document,
    DocumentState,
    Label,
    LayerKind,
    Project,
    QueueOrder,
    ReviewMode,
    Span,
)
from annotator.corpus.reading import with_excerpt
from annotator.review.editing.identifiers import identifiers_of
from annotator.review.editing.operations import (
    LOW_CONFIDENCE,
    Effect,
    Entity,
    LegendState,
    Logged,
    Row,
    history,
    panel_problems,
)
from annotator.review.keymap import KeyMap
from annotator.review.models import Lease, Operation, OperationKind
from annotator.review.queue.order import known_order, slice_in_order
from annotator.review.rendering import ROLE_NAMES, ROLE_SIGNS, Block, entity_facts, rejected_words

PAGE_SIZE: Final = 50


_NOTHING: Final[Mapping[str, str]] = {
    "n_questions": "No question waits for a reviewer.",
    "n_flags": "No flag is open.",
    "suspicion": (
        "No possible label error is left. Managers look for them from a snapshot’s page in the"
        " admin panel."
    ),
}


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """One tab of the queue page: legends in these states, with ``above_zero`` those in whose column
    of that name there is something."""

    name: str
    title: str
    states: tuple[DocumentState, ...]
    above_zero: str = ""

    @property
    def nothing(self) -> str:
        """What the page says when the tab is empty."""
        return _NOTHING.get(self.above_zero, "No legend is in this state.")


FILTERS: Final = (
    QueueFilter(
        "waiting",
        "Waiting",
        (DocumentState.IMPORTED, DocumentState.SUGGESTED, DocumentState.IN_REVIEW),
    ),
    QueueFilter("in_review", "Begun", (DocumentState.IN_REVIEW,)),
    QueueFilter("untagged", "Not tagged", (DocumentState.IMPORTED,)),
    QueueFilter("questions", "Questions", tuple(DocumentState), "n_questions"),
    QueueFilter("flagged", "Flagged", tuple(DocumentState), "n_flags"),
    QueueFilter("suspicious", "Possible errors", tuple(DocumentState), "suspicion"),
    QueueFilter("accepted", "Accepted", (DocumentState.ACCEPTED,)),
    QueueFilter("all", "All", tuple(DocumentState)),
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How many legends of a project are accepted, and of how many; ``above_zero`` how many have
    open questions, flags and possible errors, where it was counted."""

    by_state: Mapping[str, int]
    above_zero: Mapping[str, int] = field(default_factory=dict)

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
        return (
            self.above_zero.get(tab.above_zero, 0)
            if tab.above_zero
            else sum(self.by_state.get(state, 0) for state in tab.states)
        )


def progress_of(project: Project, *, with_tabs: bool = False) -> Progress:
    """One query over the index of states; ``with_tabs`` one more over open questions, flags and
    possible errors."""
    documents = Document.objects.filter(project=project).order_by()
    counted = documents.values_list("state").annotate(n=Count("id"))
    tabs = [tab.above_zero for tab in FILTERS if tab.above_zero] if with_tabs else []
    open_ones = {name: Count("pk", filter=Q(**{f"{name}__gt": 0})) for name in tabs}
    return Progress(dict(counted), documents.aggregate(**open_ones) if tabs else {})


def queue_page(
    project: Project, *, tab: QueueFilter, progress: Progress, number: str | None, order: str = ""
) -> Page[Document]:
    """One page of the queue in its order, of possible errors the most suspicious first; each legend
    with an excerpt and (as attributes) what ``_add_counts`` says."""
    documents = Document.objects.filter(project=project)
    if tab.above_zero:
        documents = documents.filter(**{f"{tab.above_zero}__gt": 0})
    elif tab.name != "all":
        documents = documents.filter(state__in=tab.states)
    page: Page[Any] = Paginator(range(progress.count(tab)), PAGE_SIZE).get_page(
        number
    )  # counted already; the rows come in the queue's order
    order = QueueOrder.SUSPICION if tab.above_zero == "suspicion" else known_order(order, project)
    ids = slice_in_order(documents, order, max(0, page.start_index() - 1), page.end_index())
    rows = with_excerpt(Document.objects.filter(pk__in=ids)).in_bulk()
    page.object_list = [rows[pk] for pk in ids if pk in rows]
    _add_counts(page.object_list, project)
    return page


def _add_counts(documents: Sequence[Any], project: Project) -> None:
    """Numbers of entities (``n_suggested``, ``n_low``, ``n_decided``), ``percent`` of certainty and
    the lease's holder ``held_by``, on each of a page's documents; two queries. ``is_hidden`` says
    that nothing of the suggestions may be shown yet; their numbers are then None.
    """
    ids = [document.pk for document in documents]
    current = Span.objects.filter(layer__document__in=ids, layer__superseded_at=None).order_by()
    is_low = Q(score__lt=max(LOW_CONFIDENCE, project.threshold))
    if project.review_mode == ReviewMode.DECIDE:
        is_low |= Q(score=None)
    low = Count("id", filter=is_low)
    counted = {
        (pk, kind): (n, n_low)
        for pk, kind, n, n_low in current.values_list("layer__document", "layer__kind").annotate(
            n=Count("id"), low=low
        )
    }
    leases = Lease.objects.filter(document__in=ids, expires_at__gt=timezone.now())
    holders = dict(leases.values_list("document_id", "holder__username"))
    for document in documents:
        document.n_suggested, document.n_low = counted.get(
            (document.pk, LayerKind.SUGGESTED), (0, 0)
        )
        decided = counted.get((document.pk, LayerKind.DECIDED)) or counted.get(
            (document.pk, LayerKind.IMPORTED)
        )
        document.n_decided = decided[0] if decided else 0
        document.held_by = holders.get(document.pk, "")
        document.percent = None if document.certainty is None else round(100 * document.certainty)
        document.project = project
        document.is_hidden = document.is_blind and document.state != DocumentState.ACCEPTED
        if document.is_hidden:
            document.n_suggested = document.n_low = document.percent = None


def undo_facts(document: Document, user: User) -> dict[str, bool]:
    """Whether the user has something to undo and to redo here."""
    rows = (
        Operation.objects.filter(document=document)
        .order_by("revision")
        .values_list("pk", "kind", "actor_id")
    )
    done, undone = history(Logged(str(pk), kind, actor_id) for pk, kind, actor_id in rows)
    return {
        "undo": bool(done) and done[-1].actor_id == user.pk,
        "redo": bool(undone) and undone[-1].actor_id == user.pk,
    }


def page_facts(
    document: Document,
    state: LegendState,
    labels: Iterable[Label],
    user: User,
    *,
    next_id: int | None,
    holder: User | None = None,
    order: str = "",
) -> dict[str, Any]:
    """What the review page's script begins with; ``holder`` is somebody else who is at work on the
    legend."""
    project = document.project
    arguments = [project.slug, document.pk]
    return {
        "document": document.pk,
        "user": user.pk,
        "revision": state.revision,
        "suggestions": state.suggestions,
        "accepted": state.accepted,
        "mayEdit": Action.REVIEW in project.allowed,
        "mayResolve": Action.RESOLVE in project.allowed,
        "holder": holder.get_username() if holder else "",
        "labels": [
            {
                "code": each.code,
                "name": each.name,
                "short": each.short,
                "key": each.key,
                "hue": each.hue,
            }
            for each in labels
        ],
        "roleLabels": sorted(state.role_labels),
        "roles": [
            {"code": code, "name": ROLE_NAMES[code], "sign": sign}
            for code, sign in ROLE_SIGNS.items()
        ],
        "entities": {entity.key: entity_facts(state, entity) for entity in state.entities},
        "rejected": rejected_words(state),
        "mode": state.mode,
        "threshold": state.threshold,
        "order": str(QueueOrder(known_order(order, project)).label),
        "blind": document.is_blind,
        "questions": document.n_questions,
        "needs": [entity.key for entity in state.entities if state.is_below(entity)],
        "panelProblems": panel_problems(state.panels),
        "history": undo_facts(document, user),
        "keymap": KeyMap(user.preferences.get("keys")).as_json(),
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
        "suggestions": state.suggestions,
        "accepted": state.accepted,
        "all": True,
        "blocks": [block_facts(block) for block in drawn],
        "entities": {entity.key: entity_facts(state, entity) for entity in state.entities},
        "rejected": rejected_words(state),
        "panelProblems": panel_problems(state.panels),
    }


def block_facts(block: Block) -> dict[str, Any]:
    return {"index": block.index, "start": block.start, "marker": block.marker, "html": block.html}


_SAID: Final[Mapping[str, str]] = {
    OperationKind.ADD: "added",
    OperationKind.ACCEPT: "accepted",
    OperationKind.REJECT: "rejected",
    OperationKind.REMOVE: "removed",
    OperationKind.MOVE_EDGES: "moved",
    OperationKind.SET_IDENTIFIERS: "chose identifiers of",
    OperationKind.PROPAGATE: "copied the label of",
    OperationKind.SET_PANELS: "changed the panels",
    OperationKind.ACCEPT_LEGEND: "accepted the legend",
    OperationKind.REOPEN_LEGEND: "reopened the legend",
}


def sentence(
    operation: Operation,
    state: LegendState,
    labels: Mapping[str, Label],
    *,
    effect: Effect | None = None,
) -> str:
    """What an operation did, for the merge notice and for screen readers: “Bax” is a gene
    product."""
    effect = effect or Effect.from_json(operation.effect)
    who = _what(effect, state)
    kind = operation.kind
    if kind in (OperationKind.UNDO, OperationKind.REDO):
        return (
            f"{'undid' if kind == OperationKind.UNDO else 'redid'} an"
            f" edit{f' of {who}' if who else ''}"
        )
    if kind == OperationKind.RELABEL:
        label = labels.get(str(operation.arguments.get("label")))
        return f"made {who} {label.name.lower() if label else 'unlabelled'}"
    if kind == OperationKind.SET_ROLE:
        role = ROLE_NAMES.get(str(operation.arguments.get("role")), "no variable")
        return f"made {who} {role}"
    said = _SAID.get(OperationKind(kind), kind)
    by_itself = kind in (
        OperationKind.SET_PANELS,
        OperationKind.ACCEPT_LEGEND,
        OperationKind.REOPEN_LEGEND,
    )
    return said if by_itself else f"{said} {who}"


#: How many sentences of changes the merge notice has room for.
MAX_CHANGES: Final = 12


def changes_since(
    operations: Iterable[Operation], now: LegendState, labels: Mapping[str, Label]
) -> list[str]:
    """What each entity was before these operations (oldest first) and what it is now: “Bax” was a
    gene product, now a cell.

    Entities that are again as they were are left out; panels and the acceptance of the legend come
    last.
    """
    effects = [Effect.from_json(operation.effect) for operation in operations]
    before: dict[str, Row | None] = {}
    for effect in effects:
        for key, (row, _) in effect.entities.items():
            before.setdefault(key, row)
    pairs = [
        (
            Entity(key=key, **row) if row else now.suggested.get(key),
            now.decided.get(key) or now.suggested.get(key),
        )
        for key, row in before.items()
    ]
    changed = [
        (then, after) for then, after in pairs if (then and _seen(then)) != (after and _seen(after))
    ]
    changed.sort(key=lambda pair: next((each.start, -each.end) for each in pair if each))
    said = [_was_and_is(then, after, now.text, labels) for then, after in changed]
    if len(said) > MAX_CHANGES:
        said[MAX_CHANGES - 1 :] = [f"{len(said) - MAX_CHANGES + 1} more entities were changed"]
    panels = [effect.panel_starts for effect in effects if effect.panel_starts]
    if panels and panels[0][0] != panels[-1][1]:
        said.append("the panels were others")
    accepted = [effect.accepted for effect in effects if effect.accepted]
    if accepted and accepted[0][0] != now.accepted:
        said.append(
            "the legend was open, now accepted"
            if now.accepted
            else "the legend was accepted, now open"
        )
    return said


def _seen(entity: Entity) -> tuple[object, ...]:
    """What a curator would call a change; not how a decision came about."""
    return (
        entity.start,
        entity.end,
        entity.label,
        entity.role,
        entity.status,
        identifiers_of(entity.attributes),
    )


def _was_and_is(
    then: Entity | None, after: Entity | None, text: str, labels: Mapping[str, Label]
) -> str:
    shown = then or after
    assert shown is not None
    was = _standing(then, labels) if then else "not marked"
    is_now = _standing(after, labels) if after else "not marked"
    if then and after and (then.start, then.end) != (after.start, after.end):
        is_now = f"“{text[after.start : after.end]}”, {is_now}"
    elif was == is_now:
        is_now = "with other identifiers"
    return f"“{text[shown.start : shown.end]}” was {was}, now {is_now}"


def _standing(entity: Entity, labels: Mapping[str, Label]) -> str:
    """What people made of an entity, in words: a gene product, controlled variable."""
    label = labels.get(entity.label)
    name = label.name.lower() if label else entity.label or "something without a label"
    kind = f"{'an' if name[:1] in 'aeiou' else 'a'} {name}" if label or entity.label else name
    role = f", {ROLE_NAMES[entity.role]}" if entity.role in ROLE_NAMES else ""
    if entity.status == "rejected":
        return "rejected"
    return f"suggested as {kind}{role}" if entity.status == "suggested" else f"{kind}{role}"


def reach(n_others: int, n_left: int) -> str:
    """How far an operation went beyond its legend, to be put after its sentence."""
    others = (
        f", and in {n_others} other legend{'' if n_others == 1 else 's'} of the paper"
        if n_others
        else ""
    )
    left = (
        f"; left alone in {n_left} that {'was' if n_left == 1 else 'were'} edited since"
        if n_left
        else ""
    )
    return others + left


def _what(effect: Effect, state: LegendState) -> str:
    """The string an effect is about, in quotes; how many, where they are several."""
    rows = [after or before for before, after in effect.entities.values()]
    strings = {state.text[row["start"] : row["end"]] for row in rows if row}
    if len(strings) == 1:
        return f"“{strings.pop()}”"
    return f"{len(rows)} entities" if rows else ""
