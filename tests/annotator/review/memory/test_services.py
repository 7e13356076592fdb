"""What managers change in a project's memory: page, services, command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.models import Project
from annotator.review.memory.rule import ProposalKind, outcome_of
from annotator.review.memory.services import add_entry, count_missing, remove_entry, switch_entry
from annotator.review.models import CountedLegend, MemoryEntry
from tests.annotator.review.conftest import MakeLegend, Operate
from tests.annotator.review.memory.test_counting import state_of

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User | None], Client]
BAX = {"surface": "Bax", "label": "GENEPROD", "kind": "reject"}


@pytest.fixture
def entry(project: Project, manager: User) -> MemoryEntry:
    return add_entry(project=project, actor=manager, **BAX)


@pytest.fixture
def counted(project: Project) -> MemoryEntry:
    return MemoryEntry.objects.create(
        project=project,
        surface="MEFs",
        label="CELL",
        counts={outcome_of(ProposalKind.RELABEL, "TISSUE"): 4},
        n_against=4,
        n_legends=3,
        proposal="relabel",
        proposed="TISSUE",
    )


def test_an_entry_by_hand_is_shown_at_once(entry: MemoryEntry, make_legend: MakeLegend) -> None:
    proposal = state_of(make_legend()).remembered["s0"]
    assert proposal.says == "To be rejected: a manager entered this for the project."


def test_it_names_who_entered_it(entry: MemoryEntry, manager: User) -> None:
    assert entry.changed_by == manager
    assert entry.changed_at


@pytest.mark.parametrize("who", ["curator", "reviewer"])
def test_only_managers_change_the_memory(
    who: str, entry: MemoryEntry, project: Project, request: Any
) -> None:
    actor = request.getfixturevalue(who)
    for change in (
        lambda: add_entry(project=project, actor=actor, **BAX),
        lambda: switch_entry(project=project, actor=actor, entry_id=entry.pk, is_off=True),
        lambda: remove_entry(project=project, actor=actor, entry_id=entry.pk),
    ):
        with pytest.raises(PermissionDenied):
            change()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"surface": " "}, "A string has 1 to 100 characters"),
        ({"label": "PLANET"}, "“PLANET” is not a label"),
        ({"kind": "explode"}, "“explode” is not a proposal"),
        ({"kind": "relabel"}, "Choose the new label"),
        ({"kind": "relabel", "value": "GENEPROD"}, "Choose another"),
        ({"kind": "move"}, "Enter the new string"),
        ({"kind": "move", "value": "Bak"}, "must be a part of the string"),
    ],
)
def test_what_makes_no_sense_is_refused(
    changes: dict[str, str], sentence: str, project: Project, manager: User
) -> None:
    with pytest.raises(UserError, match=sentence):
        add_entry(project=project, actor=manager, **{**BAX, **changes})


def test_a_removed_entry_is_gone(entry: MemoryEntry, project: Project, manager: User) -> None:
    remove_entry(project=project, actor=manager, entry_id=entry.pk)
    assert not MemoryEntry.objects.exists()


def test_after_removal_the_counts_hold_again(
    counted: MemoryEntry, project: Project, manager: User
) -> None:
    entered = add_entry(project=project, actor=manager, **{**BAX, "surface": "MEFs"} | CELL)
    assert entered.proposal == "reject"
    remove_entry(project=project, actor=manager, entry_id=entered.pk)
    counted.refresh_from_db()
    assert counted.proposal == "relabel"
    assert counted.proposed == "TISSUE"


CELL = {"label": "CELL"}


def test_after_removal_imported_labels_silence_it(
    counted: MemoryEntry, project: Project, manager: User, make_legend: MakeLegend
) -> None:
    make_legend(suggested=None, imported=[("MEFs", "CELL", None)])
    entered = add_entry(project=project, actor=manager, **{**BAX, "surface": "MEFs"} | CELL)
    remove_entry(project=project, actor=manager, entry_id=entered.pk)
    counted.refresh_from_db()
    assert counted.proposal == ""
    assert counted.n_kept == 1
    assert not counted.by_hand


def test_a_counted_entry_is_not_removed(
    counted: MemoryEntry, project: Project, manager: User
) -> None:
    with pytest.raises(UserError, match="Switch it off instead"):
        remove_entry(project=project, actor=manager, entry_id=counted.pk)


def test_another_projects_entry_is_not_found(entry: MemoryEntry, manager: User) -> None:
    other = Project.objects.create(name="Other", slug="other", label_set=entry.project.label_set)
    manager.is_superuser = True
    with pytest.raises(UserError, match="no longer in the memory"):
        switch_entry(project=other, actor=manager, entry_id=entry.pk, is_off=True)


def test_the_page_lists_counts_and_filters(
    entry: MemoryEntry, counted: MemoryEntry, client_of: ClientOf, manager: User
) -> None:
    client, url = client_of(manager), reverse("review:memory", args=[entry.project.slug])
    html = client.get(url).content.decode()
    assert "MEFs" in html
    assert "Change label: Tissue" in html
    assert [n for _, _, n in client.get(url).context["tabs"]] == [2, 1, 1, 0, 1, 0]
    shown = client.get(url, {"show": "relabel", "label": "CELL"}).context["rows"]
    assert [row["entry"] for row in shown] == [counted]


def test_the_page_switches_off_and_removes(
    entry: MemoryEntry, client_of: ClientOf, manager: User
) -> None:
    client, url = client_of(manager), reverse("review:memory", args=[entry.project.slug])
    assert client.post(url, {"action": "off", "entry": entry.pk}).status_code == 302
    entry.refresh_from_db()
    assert entry.is_off
    assert "What was counted of the string holds again." in client.get(url).content.decode()
    assert client.post(url, {"action": "remove", "entry": entry.pk}).status_code == 302
    assert not MemoryEntry.objects.exists()


def test_the_page_adds_an_entry(client_of: ClientOf, manager: User, project: Project) -> None:
    url = reverse("review:memory", args=[project.slug])
    fields = {**BAX, "action": "add", "new_label": "", "new_string": ""}
    assert client_of(manager).post(url, fields).status_code == 302
    assert MemoryEntry.objects.get().by_hand


def test_the_page_says_what_is_wrong(client_of: ClientOf, manager: User, project: Project) -> None:
    url = reverse("review:memory", args=[project.slug])
    fields = {**BAX, "action": "add", "kind": "move", "new_string": "Bak"}
    answer = client_of(manager).post(url, fields)
    assert answer.status_code == 422
    assert "must be a part of the string" in answer.content.decode()


def test_legends_accepted_before_are_counted_once(
    make_legend: MakeLegend, operate: Operate, project: Project
) -> None:
    document = make_legend()
    operate(document, "reject", entity="s0")
    operate(document, "accept_legend")
    CountedLegend.objects.all().delete()
    MemoryEntry.objects.all().delete()
    call_command("count_memory", project.slug)
    assert MemoryEntry.objects.get(surface="Bax").n_against == 1
    assert count_missing(project) == 0


def test_the_list_view_names_what_is_left_out(
    entry: MemoryEntry, make_legend: MakeLegend, client_of: ClientOf, curator: User
) -> None:
    document = make_legend()
    url = reverse("review:legend", args=[document.project.slug, document.pk])
    html = client_of(curator).get(f"{url}?list").content.decode()
    assert "It will be left out with the legend." in html
    assert '<input type="hidden" name="remembered" value="s0">' in html
