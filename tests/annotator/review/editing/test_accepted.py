"""The legends that a user accepted lately and may reopen, as the log has them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from annotator.accounts.models import User
from annotator.corpus.models import Document, Project
from annotator.review.editing.accepted import MAX_ACCEPTED, SITTING, accepted_lately
from annotator.review.models import Operation
from tests.annotator.review.conftest import MakeLegend, Operate

pytestmark = pytest.mark.django_db


def names(project: Project, actor: User) -> list[str]:
    return [each.document.figure_label for each in accepted_lately(project, actor)]


def accept(operate: Operate, *documents: Document) -> None:
    for document in documents:
        operate(document, "accept_legend")


def test_the_last_accepted_comes_first(
    make_legend: MakeLegend, operate: Operate, project: Project, curator: User
) -> None:
    accept(operate, make_legend(), make_legend())
    assert names(project, curator) == ["Figure 2", "Figure 1"]


def test_an_undone_acceptance_is_none(
    make_legend: MakeLegend, operate: Operate, project: Project, curator: User
) -> None:
    first, second = make_legend(), make_legend()
    accept(operate, first, second)
    operate(second, "undo")
    assert names(project, curator) == ["Figure 1"]


def test_a_reopened_and_accepted_legend_counts_once(
    make_legend: MakeLegend, operate: Operate, project: Project, curator: User
) -> None:
    document = make_legend()
    accept(operate, document)
    operate(document, "reopen_legend")
    accept(operate, document)
    assert names(project, curator) == ["Figure 1"]


def test_others_acceptances_are_not_listed(
    make_legend: MakeLegend, operate: Operate, project: Project, curator: User, reviewer: User
) -> None:
    accept(operate, make_legend())
    assert names(project, reviewer) == []


def test_acceptances_before_this_sitting_are_not_listed(
    make_legend: MakeLegend, operate: Operate, project: Project, curator: User
) -> None:
    accept(operate, make_legend())
    Operation.objects.update(created_at=timezone.now() - SITTING - timedelta(minutes=1))
    assert names(project, curator) == []


def test_no_more_are_listed_than_can_be_undone(
    make_legend: MakeLegend, operate: Operate, project: Project, curator: User
) -> None:
    accept(operate, *(make_legend() for _ in range(MAX_ACCEPTED + 1)))
    assert len(names(project, curator)) == MAX_ACCEPTED


def test_what_was_left_out_is_named(
    make_legend: MakeLegend, operate: Operate, project: Project, curator: User
) -> None:
    project.threshold = 0.8
    project.save()
    document = make_legend()
    operate(document, "reject", entity="s2")
    accept(operate, document)
    [found] = accepted_lately(project, curator)
    assert found.left_out == ["Bak"]
