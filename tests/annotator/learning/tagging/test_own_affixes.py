"""The affixes that a project's decisions teach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied

from annotator.accounts.models import User
from annotator.corpus.models import Document, Project, Span
from annotator.learning.models import ProjectAffixes
from annotator.learning.tagging import own_affixes
from annotator.learning.tagging.own_affixes import (
    affix_rows,
    count_own_affixes,
    own_affixes_of,
    reset_own_affixes,
)
from ner_engine import schema
from ner_engine.registry.affixes import Affixes, learn

pytestmark = pytest.mark.django_db
ImportLegends = Callable[..., list[Document]]


def silenced(number: int, *, is_left_out: bool = True) -> schema.Document:
    """A legend in which a curator marked Atg, without or with the si in front of it."""
    text = f"Cells treated with siAtg{number} and HeLa."
    start = text.index("Atg") if is_left_out else text.index("siAtg")
    end = text.index(" and")
    span = schema.Span(start, end, "GENEPROD", text[start:end], id="e1")
    return schema.Document(id=f"f{number}", text=text, doi=f"10.1/{number}", gold=(span,))


@pytest.fixture
def accepted(import_legends: ImportLegends) -> list[Document]:
    return import_legends([silenced(number) for number in range(4)], labels="gold")


def test_an_affix_that_curators_leave_out_is_counted(
    accepted: list[Document], project: Project
) -> None:
    rows = affix_rows(count_own_affixes(project))
    assert [(row.affix.text, row.affix.place, row.left_out, row.kept) for row in rows] == [
        ("si", "prefix", 4, 0)
    ]
    assert rows[0].examples == ["si[Atg0]", "si[Atg1]", "si[Atg2]"]


def test_an_affix_that_is_mostly_kept_is_not_used(
    accepted: list[Document], import_legends: ImportLegends, project: Project
) -> None:
    import_legends([silenced(n, is_left_out=False) for n in range(10, 14)], labels="gold")
    assert affix_rows(count_own_affixes(project)) == []


def test_the_step_does_not_vote_for_itself(accepted: list[Document], project: Project) -> None:
    Span.objects.update(decision="swept")
    assert affix_rows(count_own_affixes(project)) == []


def test_legends_that_wait_do_not_count(import_legends: ImportLegends, project: Project) -> None:
    import_legends([replace(silenced(n), gold=()) for n in range(4)])
    row = count_own_affixes(project)
    assert row.n_legends == 0
    assert affix_rows(row) == []


def test_the_stored_affixes_shorten_suggestions(accepted: list[Document], project: Project) -> None:
    assert own_affixes_of(project) is None
    count_own_affixes(project)
    own = own_affixes_of(project)
    assert own is not None
    assert own.shortened(schema.Span(0, 6, "GENEPROD", "siAtg9")).surface == "Atg9"
    assert own.shortened(schema.Span(0, 4, "CELL", "siRa")).surface == "siRa"


def test_a_reset_counts_later_legends_alone(
    accepted: list[Document], import_legends: ImportLegends, project: Project, manager: User
) -> None:
    count_own_affixes(project)
    reset_own_affixes(project=project, actor=manager)
    assert own_affixes_of(project) is None
    assert affix_rows(count_own_affixes(project)) == []
    import_legends([silenced(number) for number in range(10, 13)], labels="gold")
    assert [row.left_out for row in affix_rows(count_own_affixes(project))] == [3]


@pytest.mark.parametrize("n_resets", [1, 2])
def test_a_reset_during_a_count_stands(
    n_resets: int,
    accepted: list[Document],
    project: Project,
    manager: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def learn_late(*args: Any, **options: Any) -> Affixes:
        reset_own_affixes(project=project, actor=manager)
        return learn(*args, **options)

    for _ in range(n_resets - 1):
        reset_own_affixes(project=project, actor=manager)
    monkeypatch.setattr(own_affixes, "learn", learn_late)
    row = count_own_affixes(project)
    assert (row.content, row.examples, row.n_legends, row.counted_at) == ({}, [], 0, None)
    assert row.counted_from is not None
    assert own_affixes_of(project) is None


def test_only_managers_reset(project: Project, reviewer: User) -> None:
    with pytest.raises(PermissionDenied):
        reset_own_affixes(project=project, actor=reviewer)
    assert not ProjectAffixes.objects.exists()
