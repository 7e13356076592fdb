"""What every change of the serving models shares: its log entry, and re-tagging."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import transaction

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.corpus.models import Document, Project
from annotator.jobs.models import Job, JobState
from annotator.learning.models import ModelVersion, Promotion, PromotionKind
from annotator.learning.serving.changes import log_change, retag_waiting_legends
from annotator.learning.tagging.services import PRETAG_KIND, lineup_of, start_pretagging

pytestmark = pytest.mark.django_db
ImportLegends = Callable[..., list[Document]]


def test_a_change_is_logged_with_who_and_why(
    project: Project, tiny: ModelVersion, other: ModelVersion, manager: User
) -> None:
    log_change(
        project,
        PromotionKind.PROMOTED,
        other,
        before=tiny,
        actor=manager,
        reason="  better on cells \n",
        gate_result="passed",
    )
    entry = Promotion.objects.get()
    assert entry.actor == manager
    assert entry.replaced == tiny
    assert entry.model_version == other
    assert entry.reason == "better on cells"
    assert entry.verdict == "passed"


def test_a_change_by_the_system_names_no_user(project: Project, tiny: ModelVersion) -> None:
    log_change(project, PromotionKind.PROMOTED, tiny, before=None, actor=SYSTEM, reason="")
    entry = Promotion.objects.get()
    assert entry.actor is None
    assert entry.replaced is None


def test_retagging_is_enqueued_with_the_models_that_serve(
    project: Project, tiny: ModelVersion, manager: User
) -> None:
    retag_waiting_legends(project, manager)
    job = Job.objects.get(kind=PRETAG_KIND)
    assert job.created_by == manager
    assert job.arguments == {
        "project": project.pk,
        "model": None,
        "serving": lineup_of(project).keys,
    }


@pytest.mark.parametrize("state", [JobState.PENDING, JobState.RUNNING])
def test_an_unfinished_pretagging_makes_another_one_needless(
    state: str, project: Project, tiny: ModelVersion
) -> None:
    job = start_pretagging(project=project, actor=SYSTEM)
    Job.objects.filter(pk=job.pk).update(state=state)
    retag_waiting_legends(project, SYSTEM)
    assert Job.objects.get() == job


def test_a_needless_retagging_does_not_undo_the_change(
    project: Project, tiny: ModelVersion
) -> None:
    start_pretagging(project=project, actor=SYSTEM)
    with transaction.atomic():
        log_change(project, PromotionKind.PROMOTED, tiny, before=None, actor=SYSTEM, reason="")
        retag_waiting_legends(project, SYSTEM)
    assert Promotion.objects.count() == 1


def test_after_a_finished_pretagging_legends_are_tagged_again(
    project: Project, tiny: ModelVersion
) -> None:
    job = start_pretagging(project=project, actor=SYSTEM)
    Job.objects.filter(pk=job.pk).update(state=JobState.SUCCEEDED)
    retag_waiting_legends(project, SYSTEM)
    assert Job.objects.filter(kind=PRETAG_KIND, state=JobState.PENDING).count() == 1
