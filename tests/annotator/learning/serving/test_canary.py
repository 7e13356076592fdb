"""A canary: a candidate tags a share of the new legends, always the same ones, and curators' work
is compared."""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.models import Document, Layer, LayerKind, Project
from annotator.datasets.models import Snapshot
from annotator.jobs.models import Job, JobState
from annotator.jobs.services import run_job
from annotator.learning.models import (
    Canary,
    Evaluation,
    LegendEffort,
    ModelVersion,
    Promotion,
    TrainingRun,
)
from annotator.learning.serving import canary_report as canaries
from annotator.learning.serving.canary import start_canary, stop_canary
from annotator.learning.serving.canary_report import canary_of
from annotator.learning.serving.gate import GateError
from annotator.learning.serving.promotion import promote, roll_back
from annotator.learning.tagging.services import PRETAG_KIND, serving_model, start_pretagging
from annotator.review.editing.services import apply_operation
from tests.annotator.commands import run_command
from tests.annotator.datasets.conftest import long_legend
from tests.annotator.learning.conftest import judge_beside, scores
from tests.annotator.learning.serving.conftest import worked_on

ImportLegends = Callable[..., list[Document]]
CandidateOf = Callable[..., ModelVersion]


@pytest.fixture
def judged(learned: Snapshot, other: ModelVersion) -> ModelVersion:
    """A candidate that can tag, evaluated beside the serving model."""
    Evaluation.objects.create(
        model_version=other, snapshot=learned, scores=scores(0.8), micro_f1=0.8
    )
    judge_beside(learned, 0.7)
    return other


def tag(project: Project) -> None:
    """Have a worker tag the waiting legends."""
    Job.objects.filter(kind=PRETAG_KIND, state=JobState.PENDING).update(state=JobState.CANCELLED)
    job = start_pretagging(project=project, actor=SYSTEM)
    run_job(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED
    assert job.error == ""


def sources(documents: list[Document]) -> dict[int, str]:
    return dict(
        Layer.objects.current()
        .filter(document__in=documents, kind=LayerKind.SUGGESTED)
        .values_list("document", "source")
    )


def new_legends(import_legends: ImportLegends, first: int, n: int = 12) -> list[Document]:
    return import_legends([long_legend(number) for number in range(first, first + n)])


# Which legends


@given(st.floats(0.001, 0.999), st.floats(0.001, 0.999))
def test_a_larger_share_takes_what_a_smaller_one_takes_and_more(one: float, other: float) -> None:
    small, large = sorted((one, other))
    assert Canary(fraction=small).bound <= Canary(fraction=large).bound
    assert len(Canary(fraction=small).bound) == 6


def test_the_text_alone_decides_which_model_tags_it() -> None:
    texts = [hashlib.sha256(f"Figure {number}".encode()).hexdigest() for number in range(10_000)]
    n = sum(text < Canary(fraction=0.2).bound for text in texts)
    assert abs(n - 2000) < 150


@pytest.mark.django_db
def test_the_canary_tags_its_fraction_of_new_legends(
    learned: Snapshot, judged: ModelVersion, tiny: ModelVersion, import_legends: ImportLegends
) -> None:
    project = learned.project
    before = new_legends(import_legends, 100)
    tag(project)
    canary = start_canary(project=project, model_version=judged, fraction=0.5, actor=SYSTEM)
    assert Job.objects.filter(kind=PRETAG_KIND, state=JobState.PENDING).exists()
    new = new_legends(import_legends, 200)
    tag(project)
    assert set(sources(before).values()) == {tiny.name}
    expected = {each.pk: judged.name if each.sha256 < canary.bound else tiny.name for each in new}
    assert sources(new) == expected
    assert set(expected.values()) == {judged.name, tiny.name}
    tag(project)
    assert sources(new) == expected
    assert Layer.objects.filter(document__in=new, kind=LayerKind.SUGGESTED).count() == len(new)


@pytest.mark.django_db
def test_a_stopped_canary_leaves_decided_legends_alone(
    learned: Snapshot,
    judged: ModelVersion,
    tiny: ModelVersion,
    import_legends: ImportLegends,
    curator: User,
    manager: User,
) -> None:
    project = learned.project
    canary = start_canary(project=project, model_version=judged, fraction=0.5, actor=manager)
    new = new_legends(import_legends, 200)
    tag(project)
    decided = next(each for each in new if each.sha256 < canary.bound)
    operation = {"id": str(uuid.uuid4()), "kind": "accept_legend", "base_revision": 0}
    apply_operation(document_id=decided.pk, actor=curator, operation=operation)
    stop_canary(project=project, actor=manager, reason="seen enough")
    tag(project)
    assert Counter(sources(new).values()) == {tiny.name: 11, judged.name: 1}
    assert sources([decided]) == {decided.pk: judged.name}
    log = list(
        Promotion.objects.order_by("pk").values_list(
            "kind", "model_version", "actor__username", "reason"
        )
    )
    assert log == [
        ("canary_started", judged.pk, "manager", "50% of newly tagged legends"),
        ("canary_stopped", judged.pk, "manager", "seen enough"),
    ]
    with pytest.raises(UserError, match="No canary is running"):
        stop_canary(project=project, actor=manager)


@pytest.mark.django_db
def test_somebody_who_names_a_model_gets_that_model_for_all(
    learned: Snapshot, judged: ModelVersion, tiny: ModelVersion, import_legends: ImportLegends
) -> None:
    project = learned.project
    start_canary(project=project, model_version=judged, fraction=0.5, actor=SYSTEM)
    Job.objects.filter(kind=PRETAG_KIND).update(state=JobState.CANCELLED)
    new = new_legends(import_legends, 200)
    job = start_pretagging(project=project, actor=SYSTEM, model_version=tiny)
    run_job(job.pk)
    assert set(sources(new).values()) == {tiny.name}


# Beginning and end


@pytest.mark.django_db
def test_it_is_no_way_round_the_gate_and_ends_with_a_promotion(
    learned: Snapshot, candidate_of: CandidateOf, tiny: ModelVersion
) -> None:
    project, worse = learned.project, candidate_of(learned, f1=0.5)
    canary = start_canary(project=project, model_version=worse, fraction=0.1, actor=SYSTEM)
    assert serving_model(project) == tiny
    with pytest.raises(GateError):
        promote(project=project, model_version=worse, actor=SYSTEM)
    canary.refresh_from_db()
    assert canary.stopped_at is None
    promote(
        project=project,
        model_version=worse,
        actor=SYSTEM,
        reason="It knows the labels that we need now.",
    )
    canary.refresh_from_db()
    assert canary.stopped_at is not None
    assert [each.kind for each in Promotion.objects.order_by("pk")] == [
        "canary_started",
        "canary_stopped",
        "promoted",
    ]
    roll_back(project=project, actor=SYSTEM)
    assert serving_model(project) == tiny


@pytest.mark.django_db
def test_a_canary_needs_the_right_and_a_fitting_model(
    learned: Snapshot,
    candidate_of: CandidateOf,
    tiny: ModelVersion,
    other: ModelVersion,
    reviewer: User,
) -> None:
    project, candidate = learned.project, candidate_of(learned)
    with pytest.raises(PermissionDenied):
        start_canary(project=project, model_version=candidate, fraction=0.2, actor=reviewer)
    with pytest.raises(UserError, match="has no evaluation on held-out papers"):
        start_canary(project=project, model_version=other, fraction=0.2, actor=SYSTEM)
    with pytest.raises(UserError, match="is the serving model already"):
        start_canary(project=project, model_version=tiny, fraction=0.2, actor=SYSTEM)
    with pytest.raises(UserError, match="Only a model that predicts entities"):
        start_canary(
            project=project,
            model_version=candidate_of(learned, task="panels"),
            fraction=0.2,
            actor=SYSTEM,
        )
    for fraction in (0, 1, -0.5, float("nan"), True):
        with pytest.raises(UserError, match="must lie between 0 and 100"):
            start_canary(project=project, model_version=candidate, fraction=fraction, actor=SYSTEM)
    start_canary(project=project, model_version=candidate, fraction=0.2, actor=SYSTEM)
    with pytest.raises(UserError, match="is a running canary"):
        start_canary(project=project, model_version=candidate, fraction=0.3, actor=SYSTEM)
    with pytest.raises(PermissionDenied):
        stop_canary(project=project, actor=reviewer)
    with pytest.raises(IntegrityError), transaction.atomic():
        Canary.objects.create(
            project=project, model_version=candidate, serving_model=tiny, fraction=0.5
        )


# What curators made of it


@pytest.fixture
def tried(
    learned: Snapshot, candidate_of: CandidateOf, tiny: ModelVersion, import_legends: ImportLegends
) -> Canary:
    """A canary under which curators accepted most of the candidate's suggestions, and half of the
    others."""
    candidate = candidate_of(learned)
    canary = start_canary(
        project=learned.project, model_version=candidate, fraction=0.5, actor=SYSTEM
    )
    for number, document in enumerate(new_legends(import_legends, 300, 24)):
        if document.sha256 < canary.bound:
            worked_on(
                document,
                candidate.name,
                accepted=9,
                rejected=number % 2,
                seconds=20.0 + number,
                actions=2,
            )
        else:
            worked_on(
                document,
                tiny.name,
                accepted=5,
                rejected=5 + number % 2,
                seconds=60.0 + number if number % 3 else None,
                actions=6,
            )
    return canary


@pytest.mark.django_db
def test_a_report_compares_acceptance_and_effort(tried: Canary) -> None:
    report = canary_of(project=tried.project, actor=SYSTEM)
    assert report.n_candidate + report.n_serving == 24
    rows = {row.name: row for row in report.work}
    assert rows["Suggestions accepted unchanged"].difference > 35
    assert rows["Suggestions accepted unchanged"].in_words == "significant"
    assert rows["Actions per legend"].candidate == 2
    assert rows["Actions per legend"].serving == 6
    assert rows["Seconds per legend"].difference < -20
    assert rows["Seconds per legend"].n_serving < report.n_serving
    assert [row.name for row in report.labels] == ["Cell"]


@pytest.mark.django_db
def test_legends_outside_the_samples_do_not_count(
    tried: Canary, import_legends: ImportLegends
) -> None:
    before = canary_of(project=tried.project, actor=SYSTEM)
    early, *others = new_legends(import_legends, 400, 10)
    chosen = next(each for each in others if each.sha256 < tried.bound)
    worked_on(chosen, tried.serving_model.name, accepted=1, rejected=9, seconds=None)
    worked_on(
        early,
        tried.serving_model.name if early.sha256 >= tried.bound else tried.model_version.name,
        accepted=1,
        rejected=9,
        seconds=None,
    )
    LegendEffort.objects.filter(document=early).update(
        suggested_at=tried.started_at - timedelta(seconds=1)
    )
    assert canaries.report_on(tried) == before
    assert canary_of(project=tried.project, actor=SYSTEM, model=tried.serving_model) is None


# Where people meet it


@pytest.mark.django_db
def test_the_page_of_a_run_starts_and_stops_a_canary(
    tried: Canary, admin: User, client_of: Callable[[User], Client]
) -> None:
    panel, run = client_of(admin), TrainingRun.objects.get(candidate=tried.model_version)
    address = reverse("admin:learning_trainingrun_change", args=[run.pk])
    page = panel.get(address).content.decode()
    assert 'id="stop-canary"' in page
    assert ">significant<" in page
    assert "Cell" in page
    stopped = panel.post(
        reverse("admin:learning_modelversion_stop_canary", args=[tried.project_id]), {"run": run.pk}
    )
    assert stopped["Location"] == address
    tried.refresh_from_db()
    assert tried.stopped_by == admin
    page = panel.get(address).content.decode()
    assert 'id="start-canary"' in page
    start = reverse("admin:learning_modelversion_canary", args=[tried.model_version_id])
    asked = {"run": run.pk, "project": tried.project_id, "percent": "12.5"}
    assert panel.post(start, asked)["Location"] == address
    assert Canary.objects.running().get().fraction == 0.125
    assert "tags 12.5 % of newly tagged legends" in panel.get(address).content.decode()
    assert (
        Promotion.objects.filter(kind="canary_started").first().reason
        == "12.5% of newly tagged legends"
    )
    assert (
        "percentage of legends must be a number"
        in panel.post(start, {**asked, "percent": "some"}, follow=True).content.decode()
    )


@pytest.mark.django_db
def test_a_command_tells_starts_and_stops_it(learned: Snapshot, candidate_of: CandidateOf) -> None:
    slug, candidate = learned.project.slug, candidate_of(learned)
    assert run_command("canary", slug, "--json").summary["canary"] is None
    assert (
        run_command("canary", slug, "--start", candidate.name, "--share", 0.3, "--json").summary[
            "canary"
        ]["share"]
        == 0.3
    )
    assert run_command("canary", slug, "--start", candidate.name).code == 2
    told = run_command("canary", slug).out
    assert f"{candidate.name} tags 30% of new legends" in told
    assert "tagged 30% of new legends" in run_command("canary", slug, "--stop").out


@pytest.mark.django_db
def test_members_read_in_the_log_that_a_candidate_was_tried(
    tried: Canary, viewer: User, client_of: Callable[[User], Client]
) -> None:
    stop_canary(project=tried.project, actor=SYSTEM)
    page = (
        client_of(viewer)
        .get(reverse("learning:models", args=[tried.project.slug]))
        .content.decode()
    )
    assert "canary started" in page
    assert "canary stopped" in page
    assert "switched on" not in page
