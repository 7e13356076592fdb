"""What holds for every sequence of edits."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from annotator.review.editing.edit import Edit
from annotator.review.editing.edits import edit_legend
from annotator.review.editing.effects import Effect, advance, inverse, replay
from annotator.review.editing.errors import OperationError
from annotator.review.editing.legend import Entity, LegendState
from annotator.review.kinds import OperationKind
from ner_engine.schema import ENTITY_LABELS, ROLE_BEARING_LABELS, ROLES
from ner_engine.text import trim
from tests.annotator.review.editing.legends import (
    LABELS,
    edit,
    legend,
)

NASTY = "aB é1\u0301\u00a0\u2009\t\r\n/–(x)😀👩‍👩‍👧\u200d\u05d0\u05d1<b>&"

texts = st.text(
    alphabet=st.sampled_from(sorted(set(NASTY + "abc "))), min_size=1, max_size=60
).filter(lambda text: text.strip())


@st.composite
def legends(draw: st.DrawFn) -> LegendState:
    text = draw(texts)
    return legend(
        text,
        decided=_spans(draw, text, "d", verdict="accepted", decision="imported"),
        suggested=_spans(draw, text, "s", score=0.5),
    )


def _spans(draw: st.DrawFn, text: str, prefix: str, **others: Any) -> tuple[Entity, ...]:
    spans = []
    for number in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(text) - 1))
        start, end = trim(text, start, draw(st.integers(start + 1, len(text))))
        if start < end:
            label = draw(st.sampled_from(ENTITY_LABELS))
            fitting = ROLES if label in ROLE_BEARING_LABELS else ("BORING",)
            role = draw(st.sampled_from(["", *fitting]))
            spans.append(Entity(f"{prefix}{number}", start, end, label, role, **others))
    return tuple(spans)


#: Undo and redo need the log, which a state does not have.
KINDS = [kind for kind in OperationKind.values if kind not in ("undo", "redo")]


def an_edit(draw: st.DrawFn, state: LegendState, number: int) -> Edit:
    """Draw an edit of any kind, of an entity that may not exist."""
    kind = draw(st.sampled_from(KINDS))
    keys = [*state.decided, *state.suggested, "nobody"]
    arguments = {
        "entity": draw(st.sampled_from(keys)),
        "label": draw(st.sampled_from(ENTITY_LABELS)),
    }
    return Edit(f"op{number}", kind, arguments | _arguments(draw, state, kind))


def _arguments(draw: st.DrawFn, state: LegendState, kind: str) -> dict[str, Any]:
    word = st.integers(0, len(state.words) - 1)
    if kind == "set_role":
        return {"role": draw(st.sampled_from(["", *ROLES]))}
    if kind == "set_identifiers":
        ids = st.fixed_dictionaries({"id": st.sampled_from(["12028", "P10415"])})
        return {"identifiers": draw(st.lists(ids, max_size=2))}
    if kind == "propagate" and draw(st.booleans()):
        return {"surface": draw(st.sampled_from([state.text[:1], "a", "abc", "ab c"])), "role": ""}
    if kind == "move_edges":
        return {
            "edge": draw(st.sampled_from(["start", "end"])),
            "unit": draw(st.sampled_from(["word", "character"])),
            "by": draw(st.sampled_from([-1, 1])),
        }
    if kind == "add":
        first = draw(word)
        steps = st.integers(-2, 2)
        return {
            "words": [first, draw(st.integers(first, len(state.words) - 1))],
            "steps": [draw(steps), draw(steps)],
        }
    if kind in ("set_panels", "reject_panel"):
        return {"word": draw(word)}
    return {}


@st.composite
def sessions(draw: st.DrawFn) -> tuple[list[LegendState], list[Edit], list[Effect]]:
    """A legend, the states it went through, and the edits and effects that led from one to the
    next."""
    states, edits, effects = [draw(legends())], [], []
    for number in range(draw(st.integers(1, 8))):
        wish = an_edit(draw, states[-1], number)
        try:
            state, effect = edit_legend(states[-1], wish)
        except OperationError:
            continue
        states.append(state)
        edits.append(wish)
        effects.append(effect)
    assume(edits)
    return states, edits, effects


def facts(state: LegendState) -> tuple[Any, ...]:
    return dict(state.decided), state.panel_starts, state.accepted


@settings(max_examples=150, deadline=None)
@given(sessions())
def test_replaying_the_log_rebuilds_the_state(
    session: tuple[list[LegendState], list[Edit], list[Effect]],
) -> None:
    states, edits, effects = session
    stored = [Effect.from_json(effect.as_json()) for effect in effects]
    assert facts(replay(states[0], stored)) == facts(states[-1])
    again = states[0]
    for wish, effect in zip(edits, effects, strict=True):
        again, same = edit_legend(again, wish)
        assert same == effect


@settings(max_examples=150, deadline=None)
@given(sessions())
def test_any_sequence_can_be_undone_and_redone(
    session: tuple[list[LegendState], list[Edit], list[Effect]],
) -> None:
    states, _, effects = session
    state = states[-1]
    for before, effect in zip(reversed(states[:-1]), reversed(effects), strict=True):
        state = advance(state, inverse(effect))
        assert facts(state) == facts(before)
    assert facts(replay(state, effects)) == facts(states[-1])


@settings(max_examples=150, deadline=None)
@given(sessions())
def test_every_entity_stays_trimmed_and_within_the_text(
    session: tuple[list[LegendState], list[Edit], list[Effect]],
) -> None:
    for state in session[0]:
        for key, entity in state.decided.items():
            assert entity.key == key
            surface = state.surface(entity)
            assert surface
            assert surface == surface.strip()
            assert entity.label in LABELS
            assert 0 <= entity.start < entity.end <= len(state.text)
        assert len({entity.key for entity in state.entities}) == len(state.entities)
        assert all(entity.verdict != "rejected" for entity in state.entities)


@settings(max_examples=150, deadline=None)
@given(legends())
def test_accepting_the_legend_decides_everything_that_was_shown(state: LegendState) -> None:
    after, _ = edit_legend(state, edit("accept_legend"))
    assert [(e.key, e.start, e.end, e.label) for e in after.entities] == [
        (e.key, e.start, e.end, e.label) for e in state.entities
    ]
    assert all(entity.verdict == "accepted" for entity in after.entities)


@settings(max_examples=150, deadline=None)
@given(legends(), st.data())
def test_propagation_never_overlaps_or_changes_a_decided_entity(
    state: LegendState, data: st.DataObject
) -> None:
    assume(state.entities)
    model = data.draw(st.sampled_from(state.entities))
    try:
        after, _ = edit_legend(state, edit("propagate", entity=model.key))
    except OperationError:
        return
    assert all(after.decided[key] == entity for key, entity in state.decided.items())
    made = [
        entity
        for key, entity in after.decided.items()
        if key not in state.decided and key != model.key
    ]
    for entity in made:
        assert after.surface(entity) == state.surface(model)
        assert entity.label == model.label
        assert not any(
            other.overlaps(entity.start, entity.end)
            for key, other in after.decided.items()
            if key != entity.key and other not in made
        )


def roles_by_range(state: LegendState) -> dict[tuple[int, int], set[str]]:
    """The roles of the entities on each range, where there are any."""
    roles: dict[tuple[int, int], set[str]] = {}
    for entity in state.entities:
        if entity.role:
            roles.setdefault((entity.start, entity.end), set()).add(entity.role)
    return roles


@st.composite
def repetitions(draw: st.DrawFn) -> LegendState:
    """A legend of one string said again and again, with suggestions and decisions on it."""
    text = " ".join(["Bax"] * draw(st.integers(2, 6)))
    layers: dict[str, list[Entity]] = {"accepted": [], "rejected": [], "": []}
    for number in range(draw(st.integers(1, 8))):
        start = 4 * draw(st.integers(0, (len(text) + 1) // 4 - 1))
        label = draw(st.sampled_from(ENTITY_LABELS))
        fitting = ROLES if label in ROLE_BEARING_LABELS else ("BORING",)
        role, verdict = draw(st.sampled_from(["", *fitting])), draw(st.sampled_from([*layers]))
        entity = Entity(f"e{number}", start, start + 3, label, role, verdict=verdict)
        layers[verdict].append(entity)
    decided = (*layers["accepted"], *layers["rejected"])
    return legend(text, decided=decided, suggested=tuple(layers[""]))


@settings(max_examples=300, deadline=None)
@given(st.one_of(repetitions(), legends()), st.data())
def test_no_propagation_ever_changes_a_role(state: LegendState, data: st.DataObject) -> None:
    assume(state.entities)
    wish: dict[str, Any] = {"entity": data.draw(st.sampled_from(state.entities)).key}
    if data.draw(st.booleans()):
        label = data.draw(st.sampled_from(ENTITY_LABELS))
        fitting = ROLES if label in ROLE_BEARING_LABELS else ("BORING",)
        role = data.draw(st.sampled_from(["", *fitting]))
        wish = {"surface": "Bax", "label": label, "role": role}
    try:
        after, _ = edit_legend(state, edit("propagate", **wish))
    except OperationError:
        return
    role_of = {entity.key: entity.role for entity in state.entities if entity.role}
    before = roles_by_range(state)
    for entity in after.entities:
        assert entity.role == role_of.get(entity.key, entity.role)
        if entity.decision == "propagated" and (entity.start, entity.end) in before:
            assert entity.role in before[entity.start, entity.end]
