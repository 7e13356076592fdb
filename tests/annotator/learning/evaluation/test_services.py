"""Evaluations are started, run and stored, and a candidate is compared with the serving model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from django.core.exceptions import PermissionDenied

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.models import Document
from annotator.corpus.services import create_project
from annotator.datasets.models import Snapshot
from annotator.jobs.models import Job, JobState
from annotator.jobs.services import run_job
from annotator.learning.evaluation.comparison import compare_evaluations
from annotator.learning.evaluation.details import details_of
from annotator.learning.evaluation.recorder import Findings
from annotator.learning.evaluation.services import compare, save_evaluation, start_evaluation
from annotator.learning.models import (
    Evaluation,
    ModelOrigin,
    ModelTask,
    ModelVersion,
    Promotion,
    TrainingRun,
)
from annotator.learning.serving.promotion import promote, roll_back
from ner_engine.inference.backends import LeanBackend
from ner_engine.scoring.comparison import Counts
from tests.annotator.learning.conftest import scores

pytestmark = pytest.mark.django_db

CandidateOf = Callable[..., ModelVersion]
DifferentSnapshot = Callable[..., Snapshot]


def test_an_evaluation_without_findings_is_repeated(
    learned: Snapshot, tiny: ModelVersion, other: ModelVersion
) -> None:
    old = Evaluation.objects.create(
        model_version=tiny, snapshot=learned, scores=scores(0.7), micro_f1=0.7
    )
    run_job(
        start_evaluation(
            project=learned.project, snapshot=learned, model_version=other, actor=SYSTEM
        ).pk
    )
    found: dict[Any, Evaluation] = {each.model_version: each for each in Evaluation.objects.all()}
    assert set(found) == {tiny, other}
    assert found[tiny].pk == old.pk
    details = details_of(compare_evaluations(found[other], found[tiny], tiny), learned.project)
    assert details is not None
    assert details.difference is not None
    assert details.difference.measured == pytest.approx(
        found[other].micro_f1 - found[tiny].micro_f1, abs=1e-6
    )
    for each in found.values():
        kept = Findings.of(each)
        assert kept is not None
        assert sum(kept.totals, Counts(0, 0, 0)).support == learned.counts["test"]["spans"]
        assert {text.document for text in kept.texts} <= set(
            Document.objects.values_list("pk", flat=True)
        )


def test_lists_of_evaluations_leave_the_findings_in_the_database(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    Evaluation.objects.create(
        model_version=tiny, snapshot=learned, scores=scores(0.7), micro_f1=0.7, findings={"form": 0}
    )
    assert "findings" in Evaluation.objects.get().get_deferred_fields()
    assert "findings" in tiny.evaluations.get().get_deferred_fields()
    assert Evaluation.objects.get().findings == {"form": 0}


def test_a_failing_device_ends_the_judging_and_keeps_no_scores(
    learned: Snapshot, tiny: ModelVersion, other: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise torch.AcceleratorError("CUDA error: unspecified launch failure")

    monkeypatch.setattr(LeanBackend, "run", fail)
    job = start_evaluation(
        project=learned.project, snapshot=learned, model_version=other, actor=SYSTEM
    )
    run_job(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.FAILED
    assert job.error.startswith(
        "The device cpu failed (CUDA error: unspecified launch failure). Restart the worker"
    )
    assert not Evaluation.objects.exists()


# What cannot be evaluated


@pytest.mark.parametrize("role", ["reviewer", "curator", "viewer", "stranger"])
def test_only_managers_start_an_evaluation(
    role: str, learned: Snapshot, tiny: ModelVersion, request: pytest.FixtureRequest
) -> None:
    user: User = request.getfixturevalue(role)
    with pytest.raises(PermissionDenied):
        start_evaluation(project=learned.project, snapshot=learned, model_version=tiny, actor=user)
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    "facts", [{"state": "building"}, {"state": "failed"}, {"counts": {}}], ids=str
)
def test_a_snapshot_without_held_out_papers_is_refused(
    facts: dict[str, Any], learned: Snapshot, tiny: ModelVersion
) -> None:
    Snapshot.objects.filter(pk=learned.pk).update(**facts)
    learned.refresh_from_db()
    with pytest.raises(UserError, match="Choose a finished snapshot of this project"):
        start_evaluation(
            project=learned.project, snapshot=learned, model_version=tiny, actor=SYSTEM
        )


def test_a_snapshot_of_another_project_is_refused(learned: Snapshot, tiny: ModelVersion) -> None:
    elsewhere = create_project(name="Other", slug="other", actor=SYSTEM)
    with pytest.raises(UserError, match="Choose a finished snapshot of this project"):
        start_evaluation(project=elsewhere, snapshot=learned, model_version=tiny, actor=SYSTEM)


# A candidate beside the serving model


def run_of(candidate: ModelVersion) -> TrainingRun:
    return TrainingRun.objects.select_related("candidate").get(candidate=candidate)


def test_a_run_without_a_candidate_has_no_comparison(learned: Snapshot, tiny: ModelVersion) -> None:
    run = TrainingRun.objects.create(
        project=learned.project, snapshot=learned, base=tiny, recipe="quick"
    )
    assert compare(run) is None


def test_a_candidate_without_an_evaluation_has_no_comparison(
    learned: Snapshot, candidate_of: CandidateOf, tiny: ModelVersion
) -> None:
    candidate = candidate_of(learned)
    Evaluation.objects.filter(model_version=candidate).delete()
    assert compare(run_of(candidate)) is None


def test_a_candidate_is_compared_with_the_serving_model(
    learned: Snapshot, candidate_of: CandidateOf, tiny: ModelVersion
) -> None:
    comparison = compare(run_of(candidate_of(learned)))
    assert comparison is not None
    assert comparison.current_model == tiny
    assert comparison.averages[0].difference == 10.0


def test_a_serving_model_without_an_evaluation_is_named_alone(
    learned: Snapshot, candidate_of: CandidateOf, tiny: ModelVersion
) -> None:
    candidate = candidate_of(learned)
    Evaluation.objects.filter(model_version=tiny).delete()
    comparison = compare(run_of(candidate))
    assert comparison is not None
    assert comparison.current is None
    assert comparison.current_model == tiny


def test_a_serving_candidate_is_compared_with_what_it_replaced(
    learned: Snapshot, candidate_of: CandidateOf, tiny: ModelVersion
) -> None:
    first, second = candidate_of(learned), candidate_of(learned, f1=0.9)
    promote(project=learned.project, model_version=first, actor=SYSTEM)
    promote(project=learned.project, model_version=second, actor=SYSTEM)
    comparison = compare(run_of(second))
    assert comparison is not None
    assert comparison.current_model == first


def test_after_a_rollback_the_model_before_is_the_reference(
    learned: Snapshot, candidate_of: CandidateOf, tiny: ModelVersion
) -> None:
    candidate = candidate_of(learned)
    promote(project=learned.project, model_version=candidate, actor=SYSTEM)
    roll_back(project=learned.project, actor=SYSTEM)
    comparison = compare(run_of(candidate))
    assert comparison is not None
    assert comparison.current_model == tiny


def test_a_serving_candidate_without_a_log_meets_its_base_model(
    learned: Snapshot, candidate_of: CandidateOf, tiny: ModelVersion
) -> None:
    candidate = candidate_of(learned)
    promote(project=learned.project, model_version=candidate, actor=SYSTEM)
    Promotion.objects.all().delete()
    comparison = compare(run_of(candidate))
    assert comparison is not None
    assert comparison.current_model == tiny


def test_a_base_model_of_another_task_is_no_reference(
    learned: Snapshot, candidate_of: CandidateOf, tiny: ModelVersion
) -> None:
    base = ModelVersion.objects.create(
        name="panel finder", origin=ModelOrigin.FOLDER, location="x", task=ModelTask.PANELS
    )
    candidate = candidate_of(learned, base=base)
    promote(project=learned.project, model_version=candidate, actor=SYSTEM)
    Promotion.objects.all().delete()
    comparison = compare(run_of(candidate))
    assert comparison is not None
    assert comparison.current_model is None
    assert comparison.current is None


# Stored


def test_a_stored_evaluation_is_not_written_again(learned: Snapshot, tiny: ModelVersion) -> None:
    stored = Evaluation.objects.create(model_version=tiny, snapshot=learned, micro_f1=0.7)
    stored.micro_f1 = 0.1
    save_evaluation(stored)
    assert Evaluation.objects.get().micro_f1 == 0.7


def test_a_new_evaluation_replaces_one_without_details(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    old = Evaluation.objects.create(model_version=tiny, snapshot=learned, micro_f1=0.7)
    new = Evaluation(
        model_version=tiny, snapshot=learned, split="test", micro_f1=0.8, findings={"form": 1}
    )
    save_evaluation(new)
    assert new.pk == old.pk
    stored = Evaluation.objects.get()
    assert stored.micro_f1 == 0.8
    assert stored.findings == {"form": 1}
