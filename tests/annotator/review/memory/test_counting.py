"""The project's memory follows acceptances, and each legend is read with it."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from annotator.corpus.models import Document, Project
from annotator.review.editing.errors import OperationError
from annotator.review.editing.legend import LegendState
from annotator.review.editing.reading import legend_state
from annotator.review.memory.rule import KEPT, ProposalKind, outcome_of
from annotator.review.models import CountedLegend, MemoryEntry
from tests.annotator.review.conftest import MakeLegend, Operate

pytestmark = pytest.mark.django_db
REJECTED = outcome_of(ProposalKind.REJECT)


def state_of(document: Document) -> LegendState:
    return legend_state(Document.objects.select_related("project__label_set").get(pk=document.pk))


@pytest.fixture
def rejected_thrice(make_legend: MakeLegend, operate: Operate) -> list[Document]:
    """Three accepted legends in each of which Bax was rejected."""
    legends = [make_legend() for _ in range(3)]
    for document in legends:
        operate(document, "reject", entity="s0")
        operate(document, "accept_legend")
    return legends


def entry(surface: str, label: str = "GENEPROD") -> MemoryEntry:
    return MemoryEntry.objects.get(surface=surface, label=label)


def test_acceptances_are_counted(rejected_thrice: list[Document]) -> None:
    assert entry("Bax").counts == {REJECTED: 3}
    assert entry("Bax").n_legends == 3
    assert entry("Bak").counts == {KEPT: 3}


def test_an_open_legend_counts_for_nothing(make_legend: MakeLegend, operate: Operate) -> None:
    operate(make_legend(), "reject", entity="s0")
    assert not MemoryEntry.objects.exists()


@pytest.mark.parametrize("kind", ["undo", "reopen_legend"])
def test_reopening_takes_the_counts_back(
    kind: str, rejected_thrice: list[Document], operate: Operate
) -> None:
    operate(rejected_thrice[0], kind)
    assert entry("Bax").counts == {REJECTED: 2}
    assert entry("Bax").proposal == ""
    assert not CountedLegend.objects.filter(document=rejected_thrice[0]).exists()


def test_redoing_an_acceptance_counts_again(
    rejected_thrice: list[Document], operate: Operate
) -> None:
    operate(rejected_thrice[0], "undo")
    operate(rejected_thrice[0], "redo")
    assert entry("Bax").counts == {REJECTED: 3}


def test_the_next_legend_is_shown_with_it(
    rejected_thrice: list[Document], make_legend: MakeLegend
) -> None:
    state = state_of(make_legend())
    assert {key: each.kind for key, each in state.remembered.items()} == {"s0": "reject"}
    assert state.is_left_out(state.suggested["s0"])


def test_it_never_decides_by_itself(
    rejected_thrice: list[Document], make_legend: MakeLegend
) -> None:
    document = make_legend()
    state = state_of(document)
    assert state.suggested["s0"].key in state.undecided
    assert not document.operations.exists()
    assert not document.layers.filter(kind="decided").exists()


@pytest.mark.parametrize("edit", [{"kind": "reject", "entity": "s0"}, {"kind": "accept_legend"}])
def test_undo_brings_its_proposal_back(
    edit: dict[str, str],
    rejected_thrice: list[Document],
    make_legend: MakeLegend,
    operate: Operate,
) -> None:
    document = make_legend()
    operate(document, **edit)
    state = operate(document, "undo").state
    assert state.is_left_out(state.undecided["s0"])


def test_it_proposes_nothing_in_an_accepted_legend(rejected_thrice: list[Document]) -> None:
    state = state_of(rejected_thrice[0])
    assert state.proposal(state.suggested["s0"]) is None


def test_what_it_leaves_out_makes_it_no_surer(
    rejected_thrice: list[Document], make_legend: MakeLegend, operate: Operate
) -> None:
    operate(make_legend(), "accept_legend")
    assert entry("Bax").counts == {REJECTED: 3}


def test_keeping_the_string_once_silences_it(
    rejected_thrice: list[Document], make_legend: MakeLegend, operate: Operate
) -> None:
    document = make_legend()
    operate(document, "accept", entity="s0")
    operate(document, "accept_legend")
    assert state_of(make_legend()).remembered == {}


def test_a_switched_off_entry_proposes_nothing(
    rejected_thrice: list[Document], make_legend: MakeLegend
) -> None:
    MemoryEntry.objects.update(is_off=True)
    assert state_of(make_legend()).remembered == {}


def test_another_project_has_its_own_memory(
    rejected_thrice: list[Document], make_legend: MakeLegend, project: Project
) -> None:
    other = Project.objects.create(name="Other", slug="other", label_set=project.label_set)
    document = make_legend()
    Document.objects.filter(pk=document.pk).update(project=other)
    assert state_of(document).remembered == {}


def test_a_string_kept_in_an_import_is_not_spoken_against(
    make_legend: MakeLegend, operate: Operate
) -> None:
    make_legend(suggested=None, imported=[("Bax", "GENEPROD", None)])
    for _ in range(3):
        document = make_legend()
        operate(document, "reject", entity="s0")
        operate(document, "accept_legend")
    assert entry("Bax").proposal == ""
    assert entry("Bax").n_kept == 1


def test_a_later_import_silences_it_at_the_next_count(
    rejected_thrice: list[Document], make_legend: MakeLegend, operate: Operate
) -> None:
    make_legend(suggested=None, imported=[("Bax", "GENEPROD", None)])
    document = make_legend()
    operate(document, "reject", entity="s0")
    operate(document, "accept_legend")
    assert entry("Bax").proposal == ""
    assert entry("Bax").n_kept == 1


def test_an_import_that_was_rejected_silences_no_longer(
    make_legend: MakeLegend, operate: Operate
) -> None:
    imported = make_legend(suggested=None, imported=[("Bax", "GENEPROD", None)])
    for document, key in [(make_legend(), "s0") for _ in range(3)] + [(imported, "g0")]:
        operate(document, "reject", entity=key)
        operate(document, "accept_legend")
    assert entry("Bax").proposal == "reject"
    assert entry("Bax").counts == {REJECTED: 4}


def test_a_blind_legend_is_shown_without_memory(
    rejected_thrice: list[Document], make_legend: MakeLegend
) -> None:
    document = make_legend()
    Project.objects.update(blind_share=1.0)
    assert state_of(document).remembered == {}


@pytest.mark.parametrize("seed", range(3))
def test_random_work_leaves_the_counts_of_accepted_legends(
    seed: int, make_legend: MakeLegend, operate: Operate
) -> None:
    chance = random.Random(seed)
    legends = [make_legend() for _ in range(4)]
    for _ in range(40):
        document = chance.choice(legends)
        kind = chance.choice(["reject", "accept", "relabel", "accept_legend", "undo", "redo"])
        arguments = {"label": "CELL"} if kind == "relabel" else {}
        entity = None
        if kind in ("reject", "accept", "relabel"):
            entity = chance.choice(["s0", "s1", "s2"])
        try:
            operate(document, kind, entity=entity, **arguments)
        except OperationError:
            continue
    counted: Counter[tuple[str, str, str]] = Counter()
    for row in CountedLegend.objects.filter(document__state="accepted"):
        for surface, label, outcome, n in row.decisions:
            counted[surface, label, outcome] += n
    stored: Counter[tuple[str, str, str]] = Counter()
    for each in MemoryEntry.objects.all():
        for outcome, n in each.counts.items():
            stored[each.surface, each.label, outcome] = n
    assert stored == counted
