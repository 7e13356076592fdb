"""One key press that reaches every legend of a paper, and how it is taken back."""

from __future__ import annotations

import uuid

import pytest

from annotator.accounts.models import User
from annotator.corpus.models import Document, Project, Span
from annotator.review.editing.errors import OperationError
from annotator.review.editing.leases import claim_lease
from annotator.review.editing.paper import open_in_paper
from annotator.review.editing.reading import legend_state, rebuilt_state
from annotator.review.models import Operation
from tests.annotator.review.conftest import MakeLegend, Operate

pytestmark = pytest.mark.django_db


def decided(document: Document) -> list[tuple[str, str, str]]:
    rows = Span.objects.filter(
        layer__document=document, layer__kind="decided", verdict="accepted"
    ).order_by("start")
    return [(row.surface, row.label, row.decision) for row in rows]


@pytest.fixture
def paper(make_legend: MakeLegend) -> list[Document]:
    """Three legends of one paper, and one of another."""
    legends = [make_legend() for _ in range(4)]
    Document.objects.filter(pk__in=[legend.pk for legend in legends[:3]]).update(
        doi="10.1000/paper"
    )
    return legends


def test_a_label_reaches_the_legends_of_its_paper_alone(
    paper: list[Document], operate: Operate
) -> None:
    operate(paper[0], "relabel", entity="s0", label="CELL")
    outcome = operate(paper[0], "propagate", entity="s0", scope="paper")
    assert outcome.n_others == 2
    assert decided(paper[0]) == [
        ("Bax", "CELL", "explicit"),
        ("Bax", "CELL", "propagated"),
        ("Bax", "CELL", "propagated"),
    ]
    assert decided(paper[1]) == decided(paper[2]) == [("Bax", "CELL", "propagated")] * 3
    assert decided(paper[3]) == []
    for legend in paper:
        assert rebuilt_state(legend).decided == legend_state(legend).decided


def test_open_occurrences_are_those_a_propagation_decides(
    paper: list[Document], operate: Operate, curator: User
) -> None:
    operate(paper[0], "relabel", entity="s0", label="CELL")
    legend = Document.objects.get(pk=paper[0].pk)
    before = open_in_paper(document=legend, actor=curator, key="s0")
    labels = [(each.document, each.entity.label) for each in before]
    assert labels == [(other, label) for other in paper[1:3] for label in ("GENEPROD", "", "")]
    operate(paper[0], "propagate", entity="s0", scope="paper")
    legend = Document.objects.get(pk=paper[0].pk)
    assert open_in_paper(document=legend, actor=curator, key="s0") == []


def roles(document: Document) -> list[str]:
    rows = Span.objects.filter(layer__document=document, layer__kind="decided", surface="Bax")
    return list(rows.order_by("start").values_list("role", flat=True))


def test_a_propagation_to_the_paper_keeps_every_role(
    paper: list[Document], operate: Operate
) -> None:
    suggested = Span.objects.filter(layer__document=paper[1], layer__kind="suggested", key="s0")
    suggested.update(role="MEASURED_VAR")
    operate(paper[2], "set_role", entity="s0", role="BORING")
    operate(paper[0], "set_role", entity="s0", role="CONTROLLED_VAR")
    outcome = operate(paper[0], "propagate", entity="s0", scope="paper")
    assert outcome.n_others == 2
    assert roles(paper[0]) == ["CONTROLLED_VAR"] * 3
    assert roles(paper[1]) == ["MEASURED_VAR", "CONTROLLED_VAR", "CONTROLLED_VAR"]
    assert roles(paper[2]) == ["BORING", "CONTROLLED_VAR", "CONTROLLED_VAR"]


def test_a_legend_whose_roles_do_not_fit_the_label_is_unchanged(
    make_legend: MakeLegend, operate: Operate
) -> None:
    suggested = [("Bax", "GENEPROD", 0.9)]
    here, there = [make_legend("Bax in MEFs.", suggested) for _ in range(2)]
    Document.objects.update(doi="10.1000/paper")
    Span.objects.filter(layer__document=there, key="s0").update(role="MEASURED_VAR")
    operate(here, "relabel", entity="s0", label="CELL")
    with pytest.raises(OperationError, match="a role that does not fit the label"):
        operate(here, "propagate", entity="s0", scope="paper")
    assert decided(there) == []


def test_accepted_and_leased_legends_are_left_alone(
    paper: list[Document], operate: Operate, reviewer: User
) -> None:
    operate(paper[1], "accept_legend")
    before = decided(paper[1])
    claim_lease(document=paper[2], actor=reviewer)
    outcome = operate(paper[0], "propagate", entity="s0", scope="paper")
    assert outcome.n_others == 0
    assert decided(paper[1]) == before
    assert decided(paper[2]) == []


def test_one_undo_and_one_redo_reach_the_whole_paper(
    paper: list[Document], operate: Operate
) -> None:
    operate(paper[0], "propagate", entity="s0", scope="paper")
    undone = operate(paper[0], "undo")
    assert undone.n_others == 2
    assert undone.n_left == 0
    assert [decided(legend) for legend in paper] == [[], [], [], []]
    redone = operate(paper[0], "redo")
    assert redone.n_others == 2
    assert redone.n_left == 0
    assert [len(decided(legend)) for legend in paper] == [3, 3, 3, 0]
    operate(paper[1], "undo")  # from any of its legends
    assert [len(decided(legend)) for legend in paper] == [0, 0, 0, 0]
    for legend in paper:
        assert rebuilt_state(legend).decided == legend_state(legend).decided


def test_undo_leaves_a_legend_that_was_edited_since(
    paper: list[Document], operate: Operate
) -> None:
    operate(paper[0], "propagate", entity="s0", scope="paper")
    operate(paper[2], "reject", entity="s1")
    undone = operate(paper[0], "undo")
    assert undone.n_others == 1
    assert undone.n_left == 1
    assert [len(decided(legend)) for legend in paper] == [0, 0, 3, 0]


def test_others_are_reached_if_nothing_changes_here(
    paper: list[Document], operate: Operate
) -> None:
    operate(paper[0], "propagate", entity="s0")
    outcome = operate(paper[0], "propagate", entity="s0", scope="paper")
    assert outcome.n_others == 2
    assert not outcome.effect
    with pytest.raises(OperationError, match="in the paper is decided already"):
        operate(paper[0], "propagate", entity="s0", scope="paper")
    operate(paper[0], "undo")
    assert [len(decided(legend)) for legend in paper] == [3, 0, 0, 0]


def test_sent_twice_it_is_done_once(paper: list[Document], operate: Operate) -> None:
    twice = uuid.uuid4()
    operate(paper[0], "propagate", entity="s0", scope="paper", id=twice)
    n = Operation.objects.count()
    assert operate(paper[0], "propagate", entity="s0", scope="paper", id=twice).repeated
    assert Operation.objects.count() == n == 3


def test_identifiers_go_along(paper: list[Document], operate: Operate) -> None:
    operate(
        paper[0],
        "set_identifiers",
        entity="s0",
        identifiers=[{"id": "12028", "database": "NCBI gene"}],
    )
    operate(paper[0], "propagate", entity="s0", scope="paper")
    assert {
        span.attributes.get("ext_ids")
        for span in Span.objects.filter(layer__kind="decided", layer__document=paper[1])
    } == {"12028"}


def test_an_acceptance_is_logged_with_its_rules(paper: list[Document], operate: Operate) -> None:
    Project.objects.update(threshold=0.6)
    operation = operate(paper[0], "accept_legend").operation
    assert {
        "mode": "sweep",
        "threshold": 0.6,
        "blind": False,
    }.items() <= operation.arguments.items()
