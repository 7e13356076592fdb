"""Facts for the review page's script, as JSON: the page's own, and a legend's in an answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from django.urls import reverse

from annotator.accounts.models import User
from annotator.corpus.access import Action
from annotator.corpus.models import Document, Label, Project
from annotator.lookup.identifiers import identifiers_of
from annotator.review.editing.accepted import accepted_lately
from annotator.review.editing.edit import Edit
from annotator.review.editing.history import Logged, can_reverse
from annotator.review.editing.legend import Entity, LegendState
from annotator.review.editing.panels import panel_problems
from annotator.review.editing.propagation import string_of
from annotator.review.editing.repeats import move_of, moves
from annotator.review.kinds import OperationKind
from annotator.review.memory.rule import ProposalKind, moved_range
from annotator.review.models import Operation
from annotator.review.queue.listing import progress_of
from annotator.review.screen.blocks import Block
from annotator.review.screen.keymap import KeyMap
from annotator.review.screen.roles import ROLE_NAMES, ROLE_SIGNS
from ner_engine.text import covering

Facts = dict[str, Any]


def page_facts(
    document: Document,
    state: LegendState,
    labels: Iterable[Label],
    user: User,
    *,
    next_id: int | None,
    holder: User | None = None,
) -> Facts:
    """Return the facts with which the page's script begins.

    ``holder`` is another user who works on the legend now.
    """
    return {
        "document": document.pk,
        "holder": holder.get_username() if holder else "",
        "history": undo_facts(document, user),
        "acceptedLately": acceptance_facts(document.project, user),
        "urls": _urls(document, next_id),
        **_screen_facts(document, state, labels, user),
    }


def practice_facts(
    document: Document,
    state: LegendState,
    labels: Iterable[Label],
    user: User,
    *,
    history: Mapping[str, bool],
) -> Facts:
    """Return the facts of the practice legend, whose ``document`` is stored nowhere."""
    slug = document.project.slug
    return {
        "document": f"practice-{document.project.pk}",
        "isPractice": True,
        "holder": "",
        "history": history,
        "acceptedLately": [],
        "urls": {
            "operations": reverse("review:practice_operations", args=[slug]),
            "here": reverse("review:practice", args=[slug]),
            "queue": reverse("review:queue", args=[slug]),
            "next": "",
        },
        **_screen_facts(document, state, labels, user),
    }


def _screen_facts(
    document: Document, state: LegendState, labels: Iterable[Label], user: User
) -> Facts:
    return {
        "name": name_of(document),
        "user": user.pk,
        "keymap": KeyMap(user.preferences.get("keys")).as_json(),
        "opensTour": user.preferences.get("tour") != "done",
        **_project_facts(document, labels),
        **_state_facts(state),
    }


def _project_facts(document: Document, labels: Iterable[Label]) -> Facts:
    project = document.project
    names = ("code", "name", "short", "key", "hue")
    return {
        "mayEdit": Action.REVIEW in project.allowed,
        "mayResolve": Action.RESOLVE in project.allowed,
        "labels": [{name: getattr(label, name) for name in names} for label in labels],
        "roles": [
            {"code": code, "name": ROLE_NAMES[code], "sign": sign}
            for code, sign in ROLE_SIGNS.items()
        ],
        "questions": document.n_questions,
    }


def _state_facts(state: LegendState) -> Facts:
    return {
        "revision": state.revision,
        "suggestions": state.suggestions,
        "accepted": state.accepted,
        "roleLabels": sorted(state.role_labels),
        "entities": {entity.key: entity_facts(state, entity) for entity in state.entities},
        "rejected": rejected_words(state),
        "mode": state.mode,
        "threshold": state.threshold,
        "identifierLabels": sorted(state.identifier_labels),
        "panelProblems": panel_problems(state.panels),
    }


def _urls(document: Document, next_id: int | None) -> dict[str, str]:
    slug = document.project.slug
    arguments = [slug, document.pk]
    return {
        "operations": reverse("review:operations", args=arguments),
        "lease": reverse("review:lease", args=arguments),
        "here": reverse("review:legend", args=arguments),
        "queue": reverse("review:queue", args=[slug]),
        "next": reverse("review:legend", args=[slug, next_id]) if next_id else "",
    }


def whole_answer(state: LegendState, blocks: Iterable[Block]) -> Facts:
    """Return the whole legend, with which the script replaces all it knew."""
    return {
        "revision": state.revision,
        "suggestions": state.suggestions,
        "accepted": state.accepted,
        "all": True,
        "blocks": [block_facts(block) for block in blocks],
        "entities": {entity.key: entity_facts(state, entity) for entity in state.entities},
        "rejected": rejected_words(state),
        "panelProblems": panel_problems(state.panels),
    }


def block_facts(block: Block) -> Facts:
    return {
        "index": block.index,
        "start": block.start,
        "marker": block.marker,
        "panel": block.panel,
        "html": block.html,
    }


def undo_facts(document: Document, user: User) -> dict[str, bool]:
    """Return whether the user has an operation to ``undo`` and to ``redo`` here. One query."""
    log = Operation.objects.filter(document=document).order_by("revision")
    rows = log.values_list("pk", "kind", "actor_id")
    return can_reverse([Logged(str(pk), kind, actor) for pk, kind, actor in rows], user.pk)


def name_of(document: Document) -> str:
    """Return the legend's name as its page's heading has it."""
    return document.figure_label or document.title or document.external_id


def acceptance_facts(project: Project, user: User) -> list[Facts]:
    """Return the user's acceptances that can be undone, the last one first."""
    return [
        {
            "document": each.document.pk,
            "name": name_of(each.document),
            "url": reverse("review:legend", args=[project.slug, each.document.pk]),
            "operations": reverse("review:operations", args=[project.slug, each.document.pk]),
            "revision": each.revision,
            "leftOut": list(each.left_out),
        }
        for each in accepted_lately(project, user)
    ]


def progress_facts(project: Project) -> dict[str, int]:
    """Return how many of the project's legends are accepted, for the bar of the page."""
    progress = progress_of(project)
    return {"accepted": progress.accepted, "total": progress.total}


def entity_facts(state: LegendState, entity: Entity) -> Facts:
    """Return the facts that the page's card shows about an entity."""
    surface = state.surface(entity)
    covered = covering(state.words, entity.start, entity.end)
    string = string_of(state, entity)
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
        "leftOut": state.is_left_out(entity),
        "memory": _memory_facts(state, entity),
        "runnerUp": entity.attributes.get("runner_up", ""),
        "runnerUpScore": entity.attributes.get("runner_up_score"),
        "identifiers": [asdict(each) for each in identifiers_of(entity.attributes)],
        "moves": _repeated_moves(state, entity),
        "isPart": string.is_part,
        "occurrences": sum(1 for _ in string.occurrences(state)),
        "words": [covered.start, covered.stop - 1],
    }


def _repeated_moves(state: LegendState, entity: Entity) -> list[str] | None:
    """Return the keys of the suggestions that the entity's change of boundaries corrects too.

    None if its boundaries are those of its suggestion.
    """
    if move_of(state, entity.key) is None:
        return None
    edit = Edit("", OperationKind.MOVE_SAME, {"entity": entity.key})
    return [each.key for each in moves(state, edit)]


def _memory_facts(state: LegendState, entity: Entity) -> Facts | None:
    """Return what the project's memory proposes: a sentence, and the edit that takes it."""
    proposal = state.proposal(entity)
    if proposal is None:
        return None
    facts: Facts = {"says": proposal.says, "kind": proposal.kind, "value": proposal.value}
    facts["byHand"] = proposal.by_hand
    if proposal.kind == ProposalKind.MOVE:
        found = moved_range(state.text, entity.start, entity.end, proposal.value)
        start, end = found or (entity.start, entity.end)
        covered = covering(state.words, start, end)
        first, last = covered.start, covered.stop - 1
        facts["words"] = [first, last]
        facts["steps"] = [start - state.words[first].start, end - state.words[last].end]
    return facts


def rejected_words(state: LegendState) -> list[list[int]]:
    """Return the [first, last] words of each rejected entity that begins and ends with a word."""
    ranges = []
    for entity in state.rejected:
        covered = covering(state.words, entity.start, entity.end)
        first, last = covered.start, covered.stop - 1
        if (state.words[first].start, state.words[last].end) == (entity.start, entity.end):
            ranges.append([first, last])
    return ranges
