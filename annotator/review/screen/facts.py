"""What the review page's script begins with and is answered, as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from django.urls import reverse

from annotator.accounts.models import User
from annotator.corpus.access import Action
from annotator.corpus.models import (
    Document,
    Label,
    QueueOrder,
)
from annotator.review.editing.history import Logged, history
from annotator.review.editing.identifiers import identifiers_of
from annotator.review.editing.legend import Entity, LegendState
from annotator.review.editing.panels import panel_problems
from annotator.review.models import Operation
from annotator.review.queue.order import known_order
from annotator.review.screen.blocks import Block
from annotator.review.screen.keymap import KeyMap
from annotator.review.screen.roles import ROLE_NAMES, ROLE_SIGNS
from ner_engine.text import covering


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


def entity_facts(state: LegendState, entity: Entity) -> dict[str, Any]:
    """What the page's side panel says of an entity, as JSON."""
    surface = state.surface(entity)
    covered = covering(state.words, entity.start, entity.end)
    return {
        "key": entity.key,
        "surface": surface,
        "label": entity.label,
        "role": entity.role,
        "status": entity.status,
        "decision": entity.decision,
        "score": None if entity.score is None else round(entity.score, 3),
        "low": state.is_low(entity),
        "below": state.is_below(entity),
        "runnerUp": entity.attributes.get("runner_up", ""),
        "runnerUpScore": entity.attributes.get("runner_up_score"),
        "identifiers": [asdict(each) for each in identifiers_of(entity.attributes)],
        "occurrences": sum(1 for _ in state.occurrences(surface)),
        "words": [covered.start, covered.stop - 1],
        "inner": [
            entity.start - state.words[covered.start].start,
            entity.end - state.words[covered.stop - 1].end,
        ],
    }


def rejected_words(state: LegendState) -> list[list[int]]:
    """Return the [first, last] words of each rejected entity that begins and ends with a word."""
    ranges = []
    for entity in state.rejected:
        covered = covering(state.words, entity.start, entity.end)
        first, last = covered.start, covered.stop - 1
        if (state.words[first].start, state.words[last].end) == (entity.start, entity.end):
            ranges.append([first, last])
    return ranges
