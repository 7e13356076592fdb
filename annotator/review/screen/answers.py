"""The last step of an edit: the answer that shows the change on the screen, as JSON."""

from __future__ import annotations

from typing import Any

from annotator.accounts.models import User
from annotator.review.editing.conflicts import StaleRevisionError
from annotator.review.editing.leases import holder_of
from annotator.review.editing.reading import legend_state
from annotator.review.editing.services import Outcome
from annotator.review.screen.blocks import blocks, touched_blocks
from annotator.review.screen.facts import (
    block_facts,
    entity_facts,
    rejected_words,
    whole_answer,
)
from annotator.review.screen.sentences import changes_since, reach, sentence, sentence_of_replaced


def show(outcome: Outcome) -> dict[str, Any]:
    """Return the blocks and entities that changed, or all of them.

    All of them are returned if the panels changed, or if a repeated operation says nothing of
    what the page knows.
    """
    labels = {label.code: label for label in outcome.labels}
    if outcome.repeated or outcome.effect.changes_panels:
        answer = whole_answer(outcome.state, blocks(outcome.state, labels))
    else:
        answer = _changed_parts(outcome, labels)
    answer["operationRevision"] = outcome.revision
    answer["said"] = sentence(outcome.operation, outcome.state, labels, effect=outcome.effect)
    answer["history"] = outcome.history
    if outcome.added:
        answer["added"] = outcome.added
    if outcome.replaced:
        answer["replaced"] = outcome.replaced.key
        answer["said"] = sentence_of_replaced(outcome.replaced, outcome.state, labels)
    if outcome.n_others or outcome.n_left:
        answer["others"] = outcome.n_others
        answer["said"] += reach(outcome.n_others, outcome.n_left)
    return answer


def _changed_parts(outcome: Outcome, labels: dict[str, Any]) -> dict[str, Any]:
    before, state = outcome.before, outcome.state
    old = {entity.key: entity for entity in before.entities}
    new = {entity.key: entity for entity in state.entities}
    entities: dict[str, Any] = dict.fromkeys(old.keys() - new.keys())
    for key, entity in new.items():
        if old.get(key) != entity or before.proposal(entity) != state.proposal(entity):
            entities[key] = entity_facts(state, entity)
    changed_blocks = touched_blocks(before, state, blocks(state, labels))
    return {
        "revision": state.revision,
        "suggestions": state.suggestions,
        "accepted": state.accepted,
        "blocks": [block_facts(block) for block in changed_blocks],
        "entities": entities,
        "rejected": rejected_words(state),
    }


def show_conflict(error: StaleRevisionError, actor: User) -> dict[str, Any]:
    """Return the legend as it is now, and what others changed since the page saw it.

    ``theirs`` says in sentences what they did, ``base`` what each entity was before and is now.
    ``holder`` is another user who holds the legend, from whom the page can take it over.
    """
    used = list(error.document.project.label_set.labels.all())
    labels = {label.code: label for label in used}
    state = legend_state(error.document, labels=used)
    holder = holder_of(error.document)
    theirs = []
    for operation in error.since:
        author = operation.actor or "somebody"
        theirs.append(f"{author} {sentence(operation, state, labels)}")
    return {
        **whole_answer(state, blocks(state, labels)),
        "sentence": str(error),
        "theirs": theirs,
        "base": changes_since(error.since, state, labels),
        "holder": holder.get_username() if holder and holder.pk != actor.pk else "",
    }
