"""Operations on legends in the database: once, in order, by one person at a time, and never
lost."""

from __future__ import annotations

import random
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.models import Document, DocumentState, Layer, LayerKind, Project, Span
from annotator.review.editing import services
from annotator.review.editing.conflicts import LeaseError, StaleRevisionError
from annotator.review.editing.errors import OperationError
from annotator.review.editing.leases import claim_lease, holder_of
from annotator.review.editing.reading import legend_state, rebuilt_state
from annotator.review.models import Lease, Operation
from annotator.review.queue.order import next_legend
from tests.annotator.review.conftest import MakeLegend, Operate

pytestmark = pytest.mark.django_db


def stored(
    document: Document, kind: str = LayerKind.DECIDED
) -> dict[str, tuple[str, str, str, str]]:
    rows = Span.objects.filter(
        layer__document=document, layer__kind=kind, layer__superseded_at=None
    )
    return {row.key: (row.surface, row.label, row.verdict, row.decision) for row in rows}


def test_an_edit_is_stored_logged_and_moves_the_revision(
    make_legend: MakeLegend, operate: Operate, curator: User
) -> None:
    document = make_legend()
    outcome = operate(document, "relabel", entity="s1", label="CELL")
    document.refresh_from_db()
    assert outcome.revision == 1
    assert document.revision == 1
    assert document.state == DocumentState.IN_REVIEW
    assert stored(document) == {"s1": ("Bak", "CELL", "accepted", "explicit")}
    operation = document.operations.get()
    assert operation.kind == "relabel"
    assert operation.base_revision == 0
    assert operation.actor == curator
    assert operation.arguments == {"entity": "s1", "label": "CELL"}


def test_suggestions_stay_as_they_were_suggested(make_legend: MakeLegend, operate: Operate) -> None:
    document = make_legend()
    before = stored(document, LayerKind.SUGGESTED)
    operate(document, "relabel", entity="s0", label="CELL")
    operate(document, "reject", entity="s1")
    operate(document, "accept_legend")
    assert stored(document, LayerKind.SUGGESTED) == before


def test_decisions_begin_from_the_import_and_do_not_change_it(
    make_legend: MakeLegend, operate: Operate
) -> None:
    document = make_legend(
        suggested=None, imported=[("Bax", "GENEPROD", None), ("MEFs", "CELL", None)]
    )
    operate(document, "relabel", entity="g1", label="TISSUE")
    assert stored(document) == {
        "g0": ("Bax", "GENEPROD", "accepted", "imported"),
        "g1": ("MEFs", "TISSUE", "accepted", "explicit"),
    }
    assert stored(document, LayerKind.IMPORTED)["g1"][1] == "CELL"


def test_an_operation_sent_twice_is_done_once(make_legend: MakeLegend, operate: Operate) -> None:
    document, once = make_legend(), uuid.uuid4()
    first = operate(document, "accept", entity="s0", id=once, base=0)
    operate(document, "accept", entity="s1")
    again = operate(document, "accept", entity="s0", id=once, base=0)
    assert first.repeated is False
    assert again.repeated is True
    assert again.revision == 1
    assert again.state.revision == 2
    assert document.operations.count() == 2


def test_an_operation_id_of_another_edit_is_refused(
    make_legend: MakeLegend, operate: Operate, reviewer: User
) -> None:
    one, other, once = make_legend(), make_legend(), uuid.uuid4()
    operate(one, "accept", entity="s0", id=once)
    for document, actor in ((other, None), (one, reviewer)):
        with pytest.raises(OperationError, match="used before"):
            operate(document, "accept", entity="s0", id=once, actor=actor)


def test_a_stale_write_is_refused_with_the_edits_between(
    make_legend: MakeLegend, operate: Operate
) -> None:
    document = make_legend()
    operate(document, "accept", entity="s0", base=0)
    with pytest.raises(StaleRevisionError) as caught:
        operate(document, "reject", entity="s0", base=0)
    assert [operation.kind for operation in caught.value.since] == ["accept"]
    assert stored(document)["s0"][2] == "accepted"
    assert document.operations.count() == 1


def test_a_refused_edit_leaves_no_trace(make_legend: MakeLegend, operate: Operate) -> None:
    document = make_legend()
    for kind, arguments in (
        ("relabel", {"entity": "s0", "label": "NONSENSE"}),
        ("add", {"words": [0, 999], "label": "CELL"}),
        ("accept", {"entity": "x"}),
    ):
        with pytest.raises(OperationError):
            operate(document, kind, **arguments)
    document.refresh_from_db()
    assert document.revision == 0
    assert document.state == DocumentState.SUGGESTED
    assert not Layer.objects.filter(document=document, kind=LayerKind.DECIDED).exists()
    assert not Operation.objects.exists()
    assert not Lease.objects.exists()


@pytest.mark.parametrize(
    "operation",
    [
        {},
        {"id": "no uuid", "kind": "accept", "base_revision": 0},
        {"id": str(uuid.uuid4()), "kind": "accept"},
        {"id": str(uuid.uuid4()), "kind": "accept", "base_revision": "0"},
        {"id": str(uuid.uuid4()), "kind": "accept", "base_revision": True},
        {"id": str(uuid.uuid4()), "kind": "accept", "base_revision": -1},
        {"id": str(uuid.uuid4()), "kind": "accept", "base_revision": 0, "suggestions": "1"},
        {"id": str(uuid.uuid4()), "kind": ["accept"], "base_revision": 0},
        {"id": str(uuid.uuid4()), "kind": "accept", "base_revision": 0, "arguments": "s0"},
        {"id": str(uuid.uuid4()), "kind": "accept", "base_revision": 0, "entity": ["s0"]},
        {
            "id": str(uuid.uuid4()),
            "kind": "relabel",
            "base_revision": 0,
            "entity": "s0",
            "arguments": {"label": {}},
        },
        {
            "id": str(uuid.uuid4()),
            "kind": "set_role",
            "base_revision": 0,
            "entity": "s0",
            "arguments": {"role": []},
        },
        {
            "id": str(uuid.uuid4()),
            "kind": "move_edges",
            "base_revision": 0,
            "entity": "s0",
            "arguments": {"edge": [], "by": 1},
        },
        {
            "id": str(uuid.uuid4()),
            "kind": "set_panels",
            "base_revision": 0,
            "arguments": {"starts": [{}]},
        },
    ],
)
def test_a_misshapen_operation_is_refused_with_a_sentence(
    make_legend: MakeLegend, curator: User, operation: dict[str, Any]
) -> None:
    with pytest.raises(OperationError):
        services.apply_operation(document_id=make_legend().pk, actor=curator, operation=operation)


def test_only_those_who_may_review_edit(
    make_legend: MakeLegend, operate: Operate, viewer: User, stranger: User
) -> None:
    document = make_legend()
    for actor in (viewer, stranger):
        with pytest.raises(PermissionDenied):
            operate(document, "accept", entity="s0", actor=actor)
    assert not Operation.objects.exists()


def test_a_leased_legend_is_edited_by_its_holder_alone(
    make_legend: MakeLegend, operate: Operate, curator: User, reviewer: User
) -> None:
    document = make_legend()
    operate(document, "accept", entity="s0")
    with pytest.raises(LeaseError, match="curator"):
        operate(document, "accept", entity="s1", actor=reviewer)
    Lease.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    operate(document, "accept", entity="s1", actor=reviewer)
    assert holder_of(document) == reviewer
    claim_lease(document=document, actor=curator, take_over=True)
    assert holder_of(document) == curator


def test_accepting_a_legend_decides_the_rest_and_ends_the_lease(
    make_legend: MakeLegend, curator: User
) -> None:
    document = make_legend()
    services.accept_legend(document_id=document.pk, actor=curator, base_revision=0)
    document.refresh_from_db()
    assert document.state == DocumentState.ACCEPTED
    assert document.accepted_by == curator
    assert document.accepted_at is not None
    assert {decision for *_, decision in stored(document).values()} == {"swept"}
    assert holder_of(document) is None


def test_an_acceptance_can_be_undone_and_redone(make_legend: MakeLegend, operate: Operate) -> None:
    document = make_legend()
    operate(document, "relabel", entity="s0", label="CELL")
    before = stored(document)
    operate(document, "accept_legend")
    swept = stored(document)
    operate(document, "undo")
    document.refresh_from_db()
    assert stored(document) == before
    assert document.state == DocumentState.IN_REVIEW
    assert document.accepted_at is None
    operate(document, "redo")
    document.refresh_from_db()
    assert stored(document) == swept
    assert document.state == DocumentState.ACCEPTED


def test_undo_and_redo_walk_the_whole_history(make_legend: MakeLegend, operate: Operate) -> None:
    document = make_legend()
    states = [legend_state(document)]
    steps: list[tuple[str, dict[str, Any]]] = [
        ("add", {"words": [10, 12], "label": "GENEPROD"}),
        ("propagate", {"entity": "s0"}),
        ("reject", {"entity": "s1"}),
        ("set_panels", {"word": 4}),
        ("move_edges", {"entity": "s2", "edge": "start", "by": -1}),
    ]
    for kind, arguments in steps:
        operate(document, kind, **arguments)
        document.refresh_from_db()
        states.append(legend_state(document))
    for expected in reversed(states[:-1]):
        seen = operate(document, "undo").state
        assert seen.decided == expected.decided
        assert seen.panel_starts == expected.panel_starts
    with pytest.raises(OperationError, match="nothing to undo"):
        operate(document, "undo")
    for expected in states[1:]:
        seen = operate(document, "redo").state
        assert seen.decided == expected.decided
        assert seen.panel_starts == expected.panel_starts
    with pytest.raises(OperationError, match="nothing to redo"):
        operate(document, "redo")


def test_undo_never_takes_back_somebody_elses_edit(
    make_legend: MakeLegend, operate: Operate, curator: User, reviewer: User
) -> None:
    document = make_legend()
    operate(document, "accept", entity="s0")
    claim_lease(document=document, actor=reviewer, take_over=True)
    with pytest.raises(OperationError, match="made by curator"):
        operate(document, "undo", actor=reviewer)


def test_the_log_alone_rebuilds_what_is_stored(make_legend: MakeLegend, operate: Operate) -> None:
    rng = random.Random(7)
    document = make_legend(
        imported=[("deficient", "DISEASE", None), ("inhibitor", "SMALL_MOLECULE", None)]
    )
    for _ in range(40):
        document.refresh_from_db()
        state = legend_state(document)
        key = rng.choice([*state.decided, *state.suggested])
        word = rng.randrange(len(state.words))
        kind, arguments = rng.choice(
            [
                ("add", {"words": [word, min(word + 1, len(state.words) - 1)], "label": "CELL"}),
                ("relabel", {"entity": key, "label": "TISSUE"}),
                ("move_edges", {"entity": key, "edge": "end", "by": rng.choice([-1, 1])}),
                ("reject", {"entity": key}),
                ("propagate", {"entity": key}),
                ("set_panels", {"word": word}),
                ("undo", {}),
                ("redo", {}),
                ("accept_legend", {}),
                ("reopen_legend", {}),
            ]
        )
        try:
            operate(document, kind, **arguments)
        except UserError:
            continue
    document.refresh_from_db()
    stored_state, rebuilt = legend_state(document), rebuilt_state(document)
    assert document.revision > 10
    assert rebuilt.decided == stored_state.decided
    assert rebuilt.panel_starts == stored_state.panel_starts
    assert rebuilt.accepted == stored_state.accepted
    assert rebuilt.revision == stored_state.revision
    for row in Span.objects.filter(layer__document=document):
        assert document.text[row.start : row.end] == row.surface


NASTY = "😀 a\u0301b\u00a0c\u2009d\r\n\te👩‍👩‍👧f \u05d0\u05d1 <b>x</b> &amp; \u200bz"


def test_offsets_are_code_points_in_any_text(make_legend: MakeLegend, operate: Operate) -> None:
    document = make_legend(NASTY, suggested=None, panels=[("A", 0, len(NASTY))])
    state = legend_state(document)
    for index, word in enumerate(state.words):
        piece = NASTY[word.start : word.end]
        if piece.isspace():
            with pytest.raises(OperationError, match="Nothing but space"):
                operate(document, "add", words=[index, index], label="CELL")
            continue
        operate(document, "add", words=[index, index], label="CELL")
    rows = Span.objects.filter(layer__document=document)
    assert [row.surface for row in rows] == [
        NASTY[word.start : word.end]
        for word in state.words
        if not NASTY[word.start : word.end].isspace()
    ]


def test_the_next_legend_waits_and_nobody_else_holds_it(
    make_legend: MakeLegend, project: Project, curator: User, reviewer: User
) -> None:
    first, second, third = make_legend(), make_legend(), make_legend()
    claim_lease(document=second, actor=reviewer)
    assert next_legend(project=project, actor=curator, after=first.pk) == third.pk
    assert next_legend(project=project, actor=reviewer, after=first.pk) == second.pk
    services.accept_legend(document_id=third.pk, actor=curator, base_revision=0)
    assert next_legend(project=project, actor=curator, after=third.pk) == first.pk
    services.accept_legend(document_id=first.pk, actor=curator, base_revision=0)
    assert next_legend(project=project, actor=curator, after=first.pk) is None
