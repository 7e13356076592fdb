"""Edits without a database: what each does, and what holds for every sequence of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from annotator.review.editing.edit import Edit
from annotator.review.editing.edits import edit_legend
from annotator.review.editing.effects import Effect, advance, inverse, replay
from annotator.review.editing.errors import OperationError
from annotator.review.editing.history import Logged, history
from annotator.review.editing.identifiers import Identifier, identifiers_of, with_identifiers
from annotator.review.editing.legend import ADDED_PREFIX, Entity, LegendState
from annotator.review.editing.panels import Panel, panel_problems
from ner_engine.schema import ENTITY_LABELS, ROLE_BEARING_LABELS, ROLES
from ner_engine.text import trim

LABELS = frozenset(ENTITY_LABELS)
TEXT = "(A) Bax and Bak in MEFs. (B) Bax/Bak-deficient MEFs with Bax inhibitor."


def legend(
    text: str = TEXT,
    *,
    decided: tuple[Entity, ...] = (),
    suggested: tuple[Entity, ...] = (),
    **others: Any,
) -> LegendState:
    return LegendState(
        text=text,
        decided={entity.key: entity for entity in decided},
        suggested={entity.key: entity for entity in suggested},
        labels=LABELS,
        role_labels=frozenset(ROLE_BEARING_LABELS),
        **others,
    )


def found(
    key: str,
    surface: str,
    label: str = "GENEPROD",
    *,
    nth: int = 0,
    text: str = TEXT,
    **others: Any,
) -> Entity:
    at = -1
    for _ in range(nth + 1):
        at = text.index(surface, at + 1)
    return Entity(key, at, at + len(surface), label, **others)


def edit(kind: str, *, number: int = 1, **arguments: Any) -> Edit:
    return Edit(f"op{number}", kind, arguments)


def words_of(state: LegendState, surface: str) -> list[int]:
    start = state.text.index(surface)
    inside = [
        index
        for index, word in enumerate(state.words)
        if start <= word.start and word.end <= start + len(surface)
    ]
    return [inside[0], inside[-1]]


def shown(state: LegendState) -> list[tuple[str, str, str]]:
    return [(state.surface(entity), entity.label, entity.status) for entity in state.entities]


def test_accepting_a_suggestion_keeps_its_key_and_marks_the_decision_explicit() -> None:
    state, _ = edit_legend(
        legend(suggested=(found("s1", "Bax", score=0.5),)), edit("accept", entity="s1")
    )
    assert state.decided["s1"].verdict == "accepted"
    assert state.decided["s1"].decision == "explicit"
    assert state.decided["s1"].score == 0.5


def test_a_rejected_suggestion_is_kept_as_rejected_and_no_longer_shown() -> None:
    state, _ = edit_legend(legend(suggested=(found("s1", "Bax"),)), edit("reject", entity="s1"))
    assert shown(state) == []
    assert [entity.key for entity in state.rejected] == ["s1"]


def test_a_later_suggestion_of_what_was_rejected_is_not_shown_again() -> None:
    state, _ = edit_legend(legend(suggested=(found("s1", "Bax"),)), edit("reject", entity="s1"))
    again = legend(decided=tuple(state.decided.values()), suggested=(found("t9", "Bax"),))
    assert shown(again) == []


def test_removing_what_a_curator_added_leaves_nothing_behind() -> None:
    state = legend()
    added, _ = edit_legend(state, edit("add", words=words_of(state, "Bax"), label="GENEPROD"))
    (key,) = added.decided
    assert key.startswith(ADDED_PREFIX)
    removed, _ = edit_legend(added, edit("remove", number=2, entity=key))
    assert removed.decided == {}


def test_selected_words_become_an_entity_with_character_steps_applied() -> None:
    state = legend()
    first, last = words_of(state, "Bax/Bak")
    added, _ = edit_legend(state, edit("add", words=[first, last], steps=[1, -1], label="GENEPROD"))
    assert shown(added) == [("ax/Ba", "GENEPROD", "decided")]


def test_a_selection_is_trimmed_of_white_space_of_any_kind() -> None:
    state = legend("a\u00a0Bax\r\n b")
    added, _ = edit_legend(state, edit("add", start=1, end=8, label="GENEPROD"))
    assert shown(added) == [("Bax", "GENEPROD", "decided")]


@pytest.mark.parametrize(
    "arguments",
    [
        {"words": [0, 99]},
        {"words": [3, 2]},
        {"words": [0]},
        {"words": ["0", 1]},
        {"words": [True, 1]},
        {"start": 0, "end": 10_000},
        {"start": -3, "end": 2},
        {"start": 3, "end": 4},
        {},
    ],
)
def test_a_selection_outside_the_legend_or_of_nothing_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(OperationError):
        edit_legend(legend(), edit("add", label="GENEPROD", **arguments))


def test_adding_on_exactly_a_suggestion_takes_it_over_instead_of_doubling_it() -> None:
    state = legend(suggested=(found("s1", "Bax", "CELL", score=0.4),))
    added, _ = edit_legend(state, edit("add", words=words_of(state, "Bax"), label="GENEPROD"))
    assert list(added.decided) == ["s1"]
    assert shown(added) == [("Bax", "GENEPROD", "decided")]


def test_an_unknown_label_is_refused() -> None:
    with pytest.raises(OperationError, match="PLANET"):
        edit_legend(
            legend(suggested=(found("s1", "Bax"),)), edit("relabel", entity="s1", label="PLANET")
        )


def test_a_decision_over_a_suggestion_withdraws_the_suggestion() -> None:
    state = legend(
        suggested=(found("s1", "Bax", nth=1), found("s2", "Bak", nth=1), found("s3", "MEFs"))
    )
    added, _ = edit_legend(state, edit("add", words=words_of(state, "Bax/Bak"), label="GENEPROD"))
    assert [surface for surface, _, _ in shown(added)] == ["MEFs", "Bax/Bak"]


def test_suggestions_made_one_within_the_other_can_both_be_accepted() -> None:
    state = legend(
        suggested=(found("s1", "Bax inhibitor", "SMALL_MOLECULE"), found("s2", "Bax", nth=2))
    )
    both, _ = edit_legend(
        edit_legend(state, edit("accept", entity="s1"))[0], edit("accept", number=2, entity="s2")
    )
    assert [key for key, entity in both.decided.items() if entity.verdict == "accepted"] == [
        "s1",
        "s2",
    ]


def test_moving_an_edge_keeps_identity_label_role_score_and_attributes() -> None:
    before = found(
        "s1", "Bax", nth=1, role="CONTROLLED_VAR", score=0.9, attributes={"ext_ids": "Q07813"}
    )
    state, _ = edit_legend(
        legend(suggested=(before,)), edit("move_edges", entity="s1", edge="end", unit="word", by=1)
    )
    after = state.decided["s1"]
    assert state.surface(after) == "Bax/"
    assert after.label == before.label
    assert after.role == before.role
    assert after.score == before.score
    assert after.attributes == before.attributes


@pytest.mark.parametrize(
    ("edge", "unit", "by", "surface"),
    [
        ("start", "word", -1, "and Bak"),
        ("end", "word", 1, "Bak in"),
        ("start", "character", 1, "ak"),
        ("end", "character", -1, "Ba"),
        ("start", "character", -1, "d Bak"),
        ("end", "character", 1, "Bak i"),
    ],
)
def test_edges_step_by_word_and_by_character_over_space(
    edge: str, unit: str, by: int, surface: str
) -> None:
    state, _ = edit_legend(
        legend(suggested=(found("s1", "Bak"),)),
        edit("move_edges", entity="s1", edge=edge, unit=unit, by=by),
    )
    assert shown(state)[0][0] == surface


def test_an_edge_inside_a_word_steps_to_that_words_own_edge() -> None:
    state, _ = edit_legend(
        legend(suggested=(found("s1", "ax and"),)),
        edit("move_edges", entity="s1", edge="start", unit="word", by=-1),
    )
    assert shown(state)[0][0] == "Bax and"


def test_an_edge_never_passes_the_other_one_or_the_legends_end() -> None:
    state = legend("Bax", suggested=(Entity("s1", 0, 3, "GENEPROD"),))
    for edge, by in (("start", 1), ("end", -1), ("start", -1), ("end", 1)):
        with pytest.raises(OperationError, match="cannot move further"):
            edit_legend(state, edit("move_edges", entity="s1", edge=edge, unit="word", by=by))


def test_roles_of_variables_stay_with_the_labels_that_bear_them() -> None:
    state = legend(suggested=(found("s1", "MEFs", "CELL"), found("s2", "Bax")))
    with pytest.raises(OperationError, match="gene products"):
        edit_legend(state, edit("set_role", entity="s1", role="MEASURED_VAR"))
    context, _ = edit_legend(state, edit("set_role", entity="s1", role="BORING"))
    assert context.decided["s1"].role == "BORING"
    measured, _ = edit_legend(state, edit("set_role", entity="s2", role="MEASURED_VAR"))
    none, _ = edit_legend(measured, edit("set_role", number=2, entity="s2", role=""))
    assert none.decided["s2"].role == ""


@pytest.mark.parametrize(
    ("role", "label", "left"),
    [
        ("MEASURED_VAR", "SMALL_MOLECULE", "MEASURED_VAR"),
        ("MEASURED_VAR", "CELL", ""),
        ("BORING", "CELL", "BORING"),
        ("", "CELL", ""),
    ],
)
def test_a_role_stays_where_the_new_label_bears_it(role: str, label: str, left: str) -> None:
    state = legend(suggested=(found("s1", "Bax", role=role),))
    for changed in (
        edit("relabel", entity="s1", label=label),
        edit("add", words=words_of(state, "Bax"), label=label),
    ):
        after, _ = edit_legend(state, changed)
        assert after.decided["s1"].label == label
        assert after.decided["s1"].role == left


@pytest.mark.parametrize("kind", ["accept", "accept_legend"])
def test_a_suggested_role_is_accepted_with_its_suggestion(kind: str) -> None:
    state, _ = edit_legend(
        legend(suggested=(found("s1", "Bax", role="MEASURED_VAR", score=0.9),)),
        edit(kind, **({"entity": "s1"} if kind == "accept" else {})),
    )
    assert state.decided["s1"].verdict == "accepted"
    assert state.decided["s1"].role == "MEASURED_VAR"


def test_propagation_labels_every_identical_word_and_leaves_decided_ones_alone() -> None:
    decided = found("d1", "Bax", "CELL", nth=1, verdict="accepted", decision="explicit")
    state = legend(decided=(decided,), suggested=(found("s1", "Bax", role="CONTROLLED_VAR"),))
    after, _ = edit_legend(state, edit("propagate", entity="s1"))
    assert [entity for entity in shown(after) if entity[0] == "Bax"] == [
        ("Bax", "GENEPROD", "decided"),
        ("Bax", "CELL", "decided"),
        ("Bax", "GENEPROD", "decided"),
    ]
    assert {entity.decision for entity in after.decided.values()} == {"explicit", "propagated"}
    assert after.entities[-1].role == "CONTROLLED_VAR"


@pytest.mark.parametrize("role", ["MEASURED_VAR", "BORING"])
def test_propagation_changes_the_label_and_keeps_the_role(role: str) -> None:
    source = found("s1", "Bax", "SMALL_MOLECULE", role="CONTROLLED_VAR")
    state = legend(suggested=(source, found("s2", "Bax", nth=1, role=role)))
    after, _ = edit_legend(state, edit("propagate", entity="s1"))
    assert after.decided["s2"].label == "SMALL_MOLECULE"
    assert after.decided["s2"].role == role


def test_propagation_gives_its_role_to_suggestions_without_one() -> None:
    source = found("s1", "Bax", role="CONTROLLED_VAR")
    state = legend(suggested=(source, found("s2", "Bax", nth=1)))
    after, _ = edit_legend(state, edit("propagate", entity="s1"))
    assert after.decided["s2"].role == "CONTROLLED_VAR"


def test_propagation_without_a_role_takes_none_away() -> None:
    state = legend(suggested=(found("s1", "Bax"), found("s2", "Bax", nth=1, role="MEASURED_VAR")))
    after, _ = edit_legend(state, edit("propagate", entity="s1"))
    assert after.decided["s2"].role == "MEASURED_VAR"


def test_propagation_leaves_an_entity_whose_role_does_not_fit() -> None:
    source = found("s1", "Bax", "CELL", verdict="accepted", decision="explicit")
    other = found("s2", "Bax", nth=1, role="MEASURED_VAR")
    state = legend(decided=(source,), suggested=(other,))
    after, _ = edit_legend(state, edit("propagate", entity="s1"))
    assert after.undecided["s2"] == other


def test_propagation_prefers_the_suggestion_that_has_a_role() -> None:
    twins = [found("s2", "Bax", nth=1, role="MEASURED_VAR"), found("s3", "Bax", nth=1)]
    source = found("s1", "Bax", role="CONTROLLED_VAR")
    for pair in (twins, twins[::-1]):
        after, _ = edit_legend(legend(suggested=(source, *pair)), edit("propagate", entity="s1"))
        assert after.decided["s2"].role == "MEASURED_VAR"
        assert "s3" not in after.decided


def test_a_logged_propagation_that_overwrote_a_role_replays() -> None:
    before = found("s2", "Bax", nth=1, role="MEASURED_VAR")
    row = replace(before, role="CONTROLLED_VAR", verdict="accepted", decision="propagated").as_row()
    stored = Effect.from_json({"entities": {"s2": [None, row]}})
    after = replay(legend(suggested=(before,)), [stored])
    assert after.decided["s2"].role == "CONTROLLED_VAR"
    assert after.rejected == []
    assert advance(after, inverse(stored)).decided == {}


def test_propagation_does_not_bring_back_what_was_rejected_or_cut_words() -> None:
    text = "Bax Bax Baxter"
    state = legend(text, suggested=(Entity("s1", 0, 3, "GENEPROD"), Entity("s2", 4, 7, "GENEPROD")))
    rejected, _ = edit_legend(state, edit("reject", entity="s2"))
    after, _ = edit_legend(rejected, edit("propagate", number=2, entity="s1"))
    assert [(entity.start, entity.end) for entity in after.entities] == [(0, 3)]


def test_a_panel_start_is_put_and_taken_away_by_the_same_edit() -> None:
    state = legend(imported_panels=(Panel(0, 0, len(TEXT), "A"),))
    index, _ = words_of(state, "(B)")
    two, _ = edit_legend(state, edit("set_panels", word=index))
    assert [(panel.marker, panel.start) for panel in two.panels] == [
        ("A", 0),
        ("B", TEXT.index("(B)")),
    ]
    one, _ = edit_legend(two, edit("set_panels", number=2, word=index))
    assert [panel.start for panel in one.panels] == [0]


def test_a_panel_that_starts_at_space_before_a_word_counts_as_starting_there() -> None:
    at = TEXT.index(" (B)")
    state = legend(imported_panels=(Panel(0, 0, at, "A"), Panel(1, at, len(TEXT), "B")))
    after, _ = edit_legend(state, edit("set_panels", word=words_of(state, "(B)")[0]))
    assert [panel.start for panel in after.panels] == [0]


def test_accepting_the_legend_sweeps_what_was_left_standing_and_says_so() -> None:
    state = legend(suggested=(found("s1", "Bax"), found("s2", "Bak"), found("s3", "MEFs", "CELL")))
    state, _ = edit_legend(state, edit("reject", entity="s3"))
    state, _ = edit_legend(state, edit("accept", number=2, entity="s1"))
    state, _ = edit_legend(state, edit("accept_legend", number=3))
    assert state.accepted
    assert {key: (entity.verdict, entity.decision) for key, entity in state.decided.items()} == {
        "s1": ("accepted", "explicit"),
        "s2": ("accepted", "swept"),
        "s3": ("rejected", "explicit"),
    }


def test_an_accepted_legend_takes_no_edit_until_it_is_reopened() -> None:
    state, _ = edit_legend(legend(suggested=(found("s1", "Bax"),)), edit("accept_legend"))
    with pytest.raises(OperationError, match="Reopen"):
        edit_legend(state, edit("reject", number=2, entity="s1"))
    reopened, _ = edit_legend(state, edit("reopen_legend", number=3))
    assert edit_legend(reopened, edit("reject", number=4, entity="s1"))[0].rejected


def test_an_edit_that_changes_nothing_is_refused() -> None:
    state, _ = edit_legend(legend(suggested=(found("s1", "Bax"),)), edit("accept", entity="s1"))
    with pytest.raises(OperationError, match="changes nothing"):
        edit_legend(state, edit("accept", number=2, entity="s1"))


@pytest.mark.parametrize("kind", ["undo", "explode", ""])
def test_an_unknown_kind_is_refused(kind: str) -> None:
    with pytest.raises(OperationError):
        edit_legend(legend(), edit(kind))


def test_history_knows_what_can_be_undone_and_redone() -> None:
    log = [
        Logged(name, kind, 1)
        for name, kind in (
            ("a", "add"),
            ("b", "relabel"),
            ("u1", "undo"),
            ("u2", "undo"),
            ("r1", "redo"),
        )
    ]
    done, undone = history(log)
    assert [operation.id for operation in done] == ["a"]
    assert [operation.id for operation in undone] == ["b"]
    done, undone = history([*log, Logged("c", "accept", 1)])
    assert [operation.id for operation in done] == ["a", "c"]
    assert undone == []


# Whatever curators do, in whatever order
# -----------------------------------------------------------------------------------

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


def an_edit(draw: st.DrawFn, state: LegendState, number: int) -> Edit:
    keys = [*state.decided, *state.suggested, "nobody"]
    arguments: dict[str, Any] = {
        "entity": draw(st.sampled_from(keys)),
        "label": draw(st.sampled_from(ENTITY_LABELS)),
    }
    kind = draw(
        st.sampled_from(
            [
                *(
                    "add",
                    "accept",
                    "reject",
                    "remove",
                    "relabel",
                    "set_role",
                    "set_identifiers",
                    "move_edges",
                ),
                *("propagate", "set_panels", "accept_legend", "reopen_legend"),
            ]
        )
    )
    if kind == "set_role":
        arguments["role"] = draw(st.sampled_from(["", *ROLES]))
    if kind == "set_identifiers":
        arguments["identifiers"] = draw(
            st.lists(
                st.fixed_dictionaries({"id": st.sampled_from(["12028", "P10415"])}), max_size=2
            )
        )
    if kind == "propagate" and draw(st.booleans()):
        arguments |= {
            "surface": draw(st.sampled_from([state.text[:1], "a", "abc", "ab c"])),
            "role": "",
        }
    if kind == "move_edges":
        step = draw(
            st.tuples(
                st.sampled_from(["start", "end"]),
                st.sampled_from(["word", "character"]),
                st.sampled_from([-1, 1]),
            )
        )
        arguments |= dict(zip(("edge", "unit", "by"), step, strict=True))
    if kind == "add":
        first = draw(st.integers(0, len(state.words) - 1))
        arguments |= {
            "words": [first, draw(st.integers(first, len(state.words) - 1))],
            "steps": [draw(st.integers(-2, 2)), draw(st.integers(-2, 2))],
        }
    if kind == "set_panels":
        arguments["word"] = draw(st.integers(0, len(state.words) - 1))
    return Edit(f"op{number}", kind, arguments)


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
def test_undoing_any_sequence_restores_every_state_on_the_way_and_redoing_returns(
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
def test_every_entity_stays_within_the_text_trimmed_and_under_its_own_key(
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


@settings(max_examples=150, deadline=None)
@given(legends())
def test_accepting_the_legend_decides_everything_that_was_shown(state: LegendState) -> None:
    after, _ = edit_legend(state, edit("accept_legend"))
    assert [(e.key, e.start, e.end, e.label) for e in after.entities] == [
        (e.key, e.start, e.end, e.label) for e in state.entities
    ]
    assert all(entity.verdict == "accepted" for entity in after.entities)


# Modes
# ------------------------------------------------------------------------------------------


def scored(mode: str, threshold: float) -> LegendState:
    scores = {"high": 0.9, "edge": 0.5, "low": 0.4, "file": None}
    spans = {
        key: Entity(key, at * 4, at * 4 + 3, "CELL", score=score)
        for at, (key, score) in enumerate(scores.items())
    }
    return LegendState(
        text="abc def ghi jkl",
        decided={},
        suggested=spans,
        labels=frozenset(LABELS),
        mode=mode,
        threshold=threshold,
    )


def test_sweeping_accepts_what_stands_at_or_above_the_threshold_and_leaves_out_what_lies_below() -> (  # noqa: E501
    None
):
    after, _ = edit_legend(scored("sweep", 0.5), edit("accept_legend"))
    assert {key: entity.verdict for key, entity in after.decided.items()} == {
        "high": "accepted",
        "edge": "accepted",
        "low": "rejected",
        "file": "accepted",
    }
    assert {entity.decision for entity in after.decided.values()} == {"swept"}


def test_deciding_asks_for_each_suggestion_below_the_threshold_and_for_each_without_a_score() -> (
    None
):
    state = scored("decide", 0.5)
    with pytest.raises(OperationError, match="2 suggestions wait for a decision"):
        edit_legend(state, edit("accept_legend"))
    state, _ = edit_legend(state, edit("reject", entity="low"))
    with pytest.raises(OperationError, match="1 suggestion waits for a decision"):
        edit_legend(state, edit("accept_legend"))
    state, _ = edit_legend(state, edit("accept", entity="file"))
    after, _ = edit_legend(state, edit("accept_legend"))
    assert {key: (entity.verdict, entity.decision) for key, entity in after.decided.items()} == {
        "high": ("accepted", "swept"),
        "edge": ("accepted", "swept"),
        "low": ("rejected", "explicit"),
        "file": ("accepted", "explicit"),
    }


# Identifiers, panels' letters
# ------------------------------------------------------------------------------------------


def test_identifiers_are_put_on_an_entity_survive_its_other_edits_and_go_along_to_the_same_string() -> (  # noqa: E501
    None
):
    suggested = {"a": Entity("a", 0, 3, "GENEPROD", attributes={"runner_up": "CELL"})}
    state = LegendState(
        text="Bax or Bax", decided={}, suggested=suggested, labels=frozenset(LABELS)
    )
    told = [{"id": "12028", "name": "Bax", "taxon": "10090", "database": "NCBI gene"}]
    for step in (
        edit("set_identifiers", entity="a", identifiers=told),
        edit("relabel", entity="a", label="CELL"),
        edit("propagate", entity="a"),
    ):
        state, _ = edit_legend(state, step)
    assert [(entity.label, identifiers_of(entity.attributes)) for entity in state.entities] == [
        ("CELL", [Identifier("12028", "Bax", "10090", "NCBI gene", "Mus musculus")])
    ] * 2
    assert state.decided["a"].attributes["runner_up"] == "CELL"
    state, _ = edit_legend(state, edit("set_identifiers", entity="a", identifiers=[]))
    assert state.decided["a"].attributes == {"runner_up": "CELL"}


@pytest.mark.parametrize(
    "told",
    [
        None,
        "12028",
        [{}],
        [{"id": " "}],
        [{"id": "a///b"}],
        [{"id": 1}],
        [{"id": "x" * 201}],
        [{"id": "1"}] * 61,
    ],
)
def test_identifiers_that_cannot_be_stored_are_refused(told: Any) -> None:
    state = LegendState(
        text="Bax",
        decided={},
        suggested={"a": Entity("a", 0, 3, "GENEPROD")},
        labels=frozenset(LABELS),
    )
    with pytest.raises(OperationError):
        edit_legend(state, edit("set_identifiers", entity="a", identifiers=told))


parts = st.text(
    alphabet=st.characters(exclude_characters="/", exclude_categories=("Cs", "Zs", "Cc")),
    max_size=8,
)


@given(st.lists(st.builds(Identifier, parts.filter(bool), parts, parts, parts), max_size=4))
def test_identifiers_are_read_as_they_were_written(told: list[Identifier]) -> None:
    written = with_identifiers({"other": 1}, told)
    assert identifiers_of(written) == told
    assert written["other"] == 1
    assert with_identifiers(written, []) == {"other": 1}


@pytest.mark.parametrize(
    ("markers", "problems"),
    [
        (["A", "B", "C"], []),
        (["A", "B–C", "D"], []),
        (["A", "", "B"], []),
        (["A", "B, C", "D and E", "F & G", "H—J", "K"], []),
        (["A", "i", "ii", "B"], []),
        (["A", "C"], ["Panel B is missing before C."]),
        (["B", "E"], ["Panel A is missing before B.", "Panel C–D is missing before E."]),
        (["A", "B", "B"], ["Panel B comes after B."]),
        (["A", "C-D", "B"], ["Panel B is missing before C-D.", "Panel B comes after D."]),
        ([], []),
    ],
)
def test_letters_of_panels_are_held_against_the_alphabet(
    markers: list[str], problems: list[str]
) -> None:
    assert (
        panel_problems(
            [Panel(index, index, index + 1, marker) for index, marker in enumerate(markers)]
        )
        == problems
    )


@pytest.mark.parametrize(
    ("opening", "marker"),
    [
        ("(a) One", "A"),
        ("(b, c) Two", "B–C"),
        ("C–E, three", "C–E"),
        ("d and e, four", "D–E"),
        ("A cell", "A"),
        ("Cells", "A"),
        ("(B) one", "B"),
    ],
)
def test_a_panel_that_is_begun_takes_its_letters_from_its_first_words(
    opening: str, marker: str
) -> None:
    state = LegendState(
        text=f"{opening} of some", decided={}, suggested={}, labels=frozenset(LABELS)
    )
    after, _ = edit_legend(state, edit("set_panels", starts=[0]))
    assert [panel.marker for panel in after.panels] == [marker]
