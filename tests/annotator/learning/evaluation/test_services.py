"""Evaluations are started, run and stored, and a candidate is compared with the serving model."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from annotator.accounts.actors import SYSTEM
from annotator.corpus.models import Document
from annotator.datasets.models import Snapshot
from annotator.jobs.models import JobState
from annotator.jobs.services import run_job
from annotator.learning.evaluation.comparison import compare_evaluations
from annotator.learning.evaluation.details import details_of
from annotator.learning.evaluation.recorder import Findings
from annotator.learning.evaluation.services import start_evaluation
from annotator.learning.models import Evaluation, ModelVersion
from ner_engine.inference.backends import LeanBackend
from ner_engine.scoring.comparison import Counts
from tests.annotator.learning.conftest import scores

pytestmark = pytest.mark.django_db


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
