"""A curator who knows the truth, and brings a legend there by a fixed greedy rule.

The rule: of all that could be done next, do what puts most right for an action; of equals what puts
most right in all, then what comes first in the text. One key press, click, double-click or drag
is one action; pointing at an entity is part of the press that follows. What an edit does is asked
of the product's own pure functions, so nothing is known here that a curator does not see, but for
the truth.

By the ``old`` way the curator rejects, relabels, moves and adds one by one, and copies a new label
by R, or by Shift+R in the paper, unless it is of a part of a word. By the new way these keys also
label the same part of the same word, repeat a rejection and new boundaries, and Shift+X rejects a
panel. A paper's legends are done in order; what Shift+R puts right in those that wait counts too.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

from annotator.review.editing.edit import Edit
from annotator.review.editing.errors import OperationError
from annotator.review.editing.legend import ADDED_PREFIX, Entity, LegendState
from annotator.review.editing.operations import EditContext, Legend, apply
from annotator.review.editing.panels import stretches
from annotator.review.editing.ranges import moved_range
from ner_engine.schema import ENTITY_LABELS
from ner_engine.text import covering

Range = tuple[int, int]
#: The legend that is being done, then those of its paper that wait.
Legends = tuple[LegendState, ...]
#: The truth: the label of each range.
Gold = Mapping[Range, str]
#: More presses than this are not tried on a boundary: selecting the words again takes two.
MAX_PRESSES: Final = 3
BOUNDARY_KEYS: Final = {("start", -1): "a", ("start", 1): "s", ("end", -1): "d", ("end", 1): "f"}
_ids = count()


@dataclass(frozen=True, slots=True)
class Action:
    """One action: ``key`` pressed while the pointer is ``on`` an entity, or words selected.

    Without ``on`` the key means the entity of the action before.
    """

    key: str = ""
    on: Range | None = None
    selected: Range | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """Actions that belong together, and what the paper's legends are after them."""

    actions: tuple[Action, ...]
    after: Legends

    def then(self, *keys: str, kind: str, **arguments: object) -> Choice | None:
        """Return this choice with more keys that make one edit; None if it makes no sense."""
        after = edited(self.after, kind, **arguments)
        actions = tuple(Action(key) for key in keys)
        return after and Choice((*self.actions, *actions), after)


def edited(legends: Legends, kind: str, **arguments: object) -> Legends | None:
    """Return the legends after an edit of the first one, or None if the edit makes no sense."""
    edit = Edit(uuid.UUID(int=next(_ids)).hex, kind, arguments)
    others = [Legend(number, state) for number, state in enumerate(legends) if number]
    try:
        change = apply(EditContext(legend=Legend(0, legends[0]), actor_id=1, others=others), edit)
    except OperationError:
        return None
    after = list(legends)
    for each in change.legends:
        after[each.legend.id] = each.after
    return tuple(after)


def plan_paper(legends: Legends, golds: Sequence[Gold], *, old: bool) -> list[list[Action]]:
    """Return the actions that make the entities of each legend those of its ``gold``."""
    plans = []
    while legends:
        actions, legends = _plan(legends, golds, old=old)
        plans.append(actions)
        legends, golds = legends[1:], golds[1:]  # the first one is accepted now
    return plans


def plan(state: LegendState, gold: Gold, *, old: bool) -> list[Action]:
    """Return the actions for one legend that is a paper's only one."""
    return plan_paper((state,), [gold], old=old)[0]


def _plan(legends: Legends, golds: Sequence[Gold], *, old: bool) -> tuple[list[Action], Legends]:
    """Return the actions for the first of the legends, and all of them after these."""
    actions: list[Action] = []
    while distance(legends[0], golds[0]):
        wrong = _distance_of_all(legends, golds)
        best, best_rank = None, (0.0, 0, 0)
        for choice in choices(legends, golds[0], old=old):
            gain, cost = wrong - _distance_of_all(choice.after, golds), len(choice.actions)
            rank = (gain / cost, gain, -_place(choice))
            if gain > 0 and rank > best_rank:
                best, best_rank = choice, rank
        if best is None:
            problem = entities(legends[0]) ^ set(golds[0].items())
            raise AssertionError(f"Nothing puts these right: {problem}")
        actions += best.actions
        legends = best.after
    return actions, legends


def _distance_of_all(legends: Legends, golds: Sequence[Gold]) -> int:
    return sum(distance(state, gold) for state, gold in zip(legends, golds, strict=True))


def entities(state: LegendState) -> set[tuple[Range, str]]:
    """Return what would be accepted with the legend now."""
    return {((each.start, each.end), each.label) for each in state.entities}


def distance(state: LegendState, gold: Gold) -> int:
    """Return how many entities are wrong and how many are missing."""
    return len(entities(state) ^ set(gold.items()))


def _place(choice: Choice) -> int:
    first = choice.actions[0]
    return (first.on or first.selected or (0, 0))[0]


def choices(legends: Legends, gold: Gold, *, old: bool) -> Iterator[Choice]:
    """Yield what could be done next to put something right in the first legend."""
    state = legends[0]
    present = entities(state)
    for entity in state.entities:
        if gold.get(_range(entity)) != entity.label:
            yield from _rejections(legends, entity, old=old)
            yield from _relabellings(legends, entity, gold, old=old)
            yield from _moves(legends, entity, gold, old=old)
    missing = {state.text[start:end] for start, end in gold if not _is_there((start, end), state)}
    for entity in state.entities:
        is_right = gold.get(_range(entity)) == entity.label
        if is_right and not entity.verdict and state.surface(entity) in missing:
            yield from _copied(legends, entity)
    for here, label in gold.items():
        if (here, label) not in present:
            yield from _additions(legends, here, label, old=old)
    if not old:
        yield from _panels(legends, gold)


def _range(entity: Entity) -> Range:
    return entity.start, entity.end


def _rejections(legends: Legends, entity: Entity, *, old: bool) -> Iterator[Choice]:
    after = edited(legends, "remove" if entity.verdict else "reject", entity=entity.key)
    if after is None:
        return
    rejected = Choice((Action("x", on=_range(entity)),), after)
    yield rejected
    if not old and not entity.key.startswith(ADDED_PREFIX):
        yield from _repeated(rejected, "reject_same", entity.key)


def _relabellings(legends: Legends, entity: Entity, gold: Gold, *, old: bool) -> Iterator[Choice]:
    label = gold.get(_range(entity))
    after = label and edited(legends, "relabel", entity=entity.key, label=label)
    if not label or not after:
        return
    relabelled = Choice((Action(digit_of(label), on=_range(entity)),), after)
    yield relabelled
    yield from _copies(relabelled, entity.key, _range(entity), old=old)


def _moves(legends: Legends, entity: Entity, gold: Gold, *, old: bool) -> Iterator[Choice]:
    """Move the boundaries to an overlapping range of the truth, and set its label."""
    for here, label in gold.items():
        if not entity.overlaps(*here) or here == _range(entity):
            continue
        keys = presses(legends[0], entity, here)
        after = edited(legends, "move_edges", entity=entity.key, start=here[0], end=here[1])
        if not keys or not after:
            continue
        actions = [Action(key) for key in keys]
        actions[0] = Action(keys[0], on=_range(entity))
        moved: Choice | None = Choice(tuple(actions), after)
        if moved and label != entity.label:
            key = digit_of(label)
            moved = moved.then(key, kind="relabel", entity=entity.key, label=label)
        if moved is None:
            continue
        yield moved
        if label != entity.label and old:
            yield from _copies(moved, entity.key, here, old=old)
        if label == entity.label and not old:
            yield from _repeated(moved, "move_same", entity.key)


def _additions(legends: Legends, here: Range, label: str, *, old: bool) -> Iterator[Choice]:
    after = edited(legends, "add", start=here[0], end=here[1], label=label)
    if after is None:
        return
    added = Choice((Action(selected=here), Action(digit_of(label))), after)
    yield added
    key = next(each.key for each in after[0].accepted_entities if _range(each) == here)
    yield from _copies(added, key, here, old=old)


def _is_there(here: Range, state: LegendState) -> bool:
    return any(_range(entity) == here for entity in state.entities)


def _copied(legends: Legends, entity: Entity) -> Iterator[Choice]:
    """Copy the label of a suggestion that is right, which is not offered but previewed first."""
    if _has_whole_words(legends[0], _range(entity)):
        after = edited(legends, "propagate", entity=entity.key)
        if after:
            yield Choice((Action("r", on=_range(entity)), Action("r")), after)


def _has_whole_words(state: LegendState, here: Range) -> bool:
    starts = {word.start for word in state.words}
    return here[0] in starts and here[1] in {word.end for word in state.words}


def _copies(choice: Choice, key: str, here: Range, *, old: bool) -> Iterator[Choice]:
    """Copy the new label; by the old way only of an entity that begins and ends with a word."""
    if not old or _has_whole_words(choice.after[0], here):
        yield from _repeated(choice, "propagate", key)


def _repeated(choice: Choice, kind: str, key: str) -> Iterator[Choice]:
    """Repeat the edit: in the legend, where it is offered, and in the paper after a preview."""
    here = choice.then("r", kind=kind, entity=key)
    if here:
        yield here
    there = choice.then("Shift+R", "Shift+R", kind=kind, entity=key, scope="paper")
    if there and len(choice.after) > 1:
        yield there


def _panels(legends: Legends, gold: Gold) -> Iterator[Choice]:
    """Accept what is right in a panel one by one, then reject the rest of it at once."""
    state = legends[0]
    for start, end, _ in stretches(state.text, state.panels):
        here = [each for each in state.undecided.values() if start <= each.start < end]
        here.sort(key=_range)
        right = [each for each in here if gold.get(_range(each)) == each.label]
        wrong = [each for each in here if each not in right]
        after: Legends | None = legends
        for each in right:
            after = after and edited(after, "accept", entity=each.key)
        if not wrong or after is None or wrong[0].key not in after[0].undecided:
            continue
        word = covering(state.words, *_range(wrong[0])).start
        after = edited(after, "reject_panel", word=word)
        if after:
            actions = [Action("Space", on=_range(each)) for each in right]
            actions.append(Action("Shift+X", on=_range(wrong[0])))
            yield Choice(tuple(actions), after)


def digit_of(label: str) -> str:
    return str(ENTITY_LABELS.index(label) + 1)


def presses(state: LegendState, entity: Entity, to: Range) -> list[str]:
    """Return the fewest keys that move both boundaries there; [] if they are too many."""
    keys: list[str] = []
    here = entity
    order = ("start", "end") if to[0] < entity.end else ("end", "start")
    for edge in order:
        found = _presses_of(state, here, edge, to)
        if found is None:
            return []
        path, here = found
        keys += path
    return keys if len(keys) <= MAX_PRESSES else []


def _presses_of(
    state: LegendState, entity: Entity, edge: str, to: Range
) -> tuple[list[str], Entity] | None:
    goal = to[0] if edge == "start" else to[1]
    waiting: list[tuple[list[str], Entity]] = [([], entity)]
    while waiting:
        path, here = waiting.pop(0)
        at = here.start if edge == "start" else here.end
        if at == goal:
            return path, here
        if len(path) == MAX_PRESSES:
            continue
        for unit in ("word", "character"):
            by = 1 if at < goal else -1
            moved = _moved(state, here, {"edge": edge, "unit": unit, "by": by})
            if moved is not None:
                key = BOUNDARY_KEYS[edge, by]
                waiting.append(([*path, key if unit == "word" else f"Shift+{key.upper()}"], moved))
    return None


def _moved(state: LegendState, entity: Entity, arguments: Mapping[str, object]) -> Entity | None:
    try:
        start, end = moved_range(state, entity, arguments)
    except OperationError:
        return None
    return Entity(entity.key, start, end, entity.label)
