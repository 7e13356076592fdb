"""Which models may tag a project's legends: usable ones, with an evaluation that can be trusted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.utils import timezone

from annotator.accounts.actors import SYSTEM
from annotator.common.errors import UserError
from annotator.corpus.services import create_project
from annotator.datasets.models import Snapshot
from annotator.datasets.snapshots.contents import rows_of
from annotator.datasets.snapshots.leaks import LeakError
from annotator.learning.models import Evaluation, ModelOrigin, ModelVersion, TrainingRun
from annotator.learning.serving.eligibility import refuse_unevaluated, refuse_unusable
from tests.annotator.learning.conftest import plant, scores

pytestmark = pytest.mark.django_db
CandidateOf = Callable[..., ModelVersion]


def test_a_model_of_the_project_is_usable(learned: Snapshot, candidate_of: CandidateOf) -> None:
    refuse_unusable(learned.project, candidate_of(learned))


def test_a_model_of_no_project_is_usable_everywhere(learned: Snapshot, tiny: ModelVersion) -> None:
    assert tiny.project is None
    refuse_unusable(learned.project, tiny)


def test_a_retired_model_is_refused_by_name(learned: Snapshot, candidate_of: CandidateOf) -> None:
    model = candidate_of(learned)
    ModelVersion.objects.filter(pk=model.pk).update(retired_at=timezone.now())
    with pytest.raises(UserError, match=f"The model {model.name} is retired"):
        refuse_unusable(learned.project, model)


def test_a_model_of_another_project_is_refused(
    learned: Snapshot, candidate_of: CandidateOf
) -> None:
    model = candidate_of(learned)
    elsewhere = create_project(name="Other", slug="other", actor=SYSTEM)
    with pytest.raises(UserError, match="belongs to another project"):
        refuse_unusable(elsewhere, model)


def test_an_evaluated_candidate_is_accepted(learned: Snapshot, candidate_of: CandidateOf) -> None:
    refuse_unevaluated(learned.project, candidate_of(learned))


def test_a_model_from_outside_needs_no_training_data(
    learned: Snapshot, tiny: ModelVersion, other: ModelVersion
) -> None:
    Evaluation.objects.create(
        model_version=other, snapshot=learned, scores=scores(0.8), micro_f1=0.8
    )
    refuse_unevaluated(learned.project, other)


@pytest.mark.parametrize("stored", [{}, scores(0.8, support=0)], ids=str)
def test_an_evaluation_without_entities_does_not_count(
    stored: dict[str, object], learned: Snapshot, candidate_of: CandidateOf
) -> None:
    model = candidate_of(learned)
    Evaluation.objects.filter(model_version=model).update(scores=stored)
    with pytest.raises(UserError, match=f"{model.name} has no evaluation on held-out papers"):
        refuse_unevaluated(learned.project, model)


def test_an_evaluation_on_training_papers_does_not_count(
    learned: Snapshot, candidate_of: CandidateOf
) -> None:
    model = candidate_of(learned)
    Evaluation.objects.filter(model_version=model).update(split="train")
    with pytest.raises(UserError, match="has no evaluation on held-out papers of this project"):
        refuse_unevaluated(learned.project, model)


def test_a_trained_model_without_a_run_is_refused(
    learned: Snapshot, candidate_of: CandidateOf
) -> None:
    model = candidate_of(learned)
    TrainingRun.objects.filter(candidate=model).delete()
    assert model.origin == ModelOrigin.TRAINED
    with pytest.raises(UserError, match="are unknown, so its scores cannot be trusted"):
        refuse_unevaluated(learned.project, model)


def test_a_snapshot_whose_files_are_gone_is_refused(
    learned: Snapshot, candidate_of: CandidateOf
) -> None:
    model = candidate_of(learned)
    (learned.folder / "test.jsonl").unlink()
    with pytest.raises(UserError, match=f"The files of snapshot {learned.number} are missing"):
        refuse_unevaluated(learned.project, model)


def test_a_held_out_paper_among_the_training_papers_is_named(
    learned: Snapshot, candidate_of: CandidateOf
) -> None:
    model = candidate_of(learned)
    held_out = next(rows_of(learned.folder, "test"))
    plant(learned, side="train", row={**held_out, "text": "Another text of the paper."})
    with pytest.raises(LeakError, match=held_out["doi"]):
        refuse_unevaluated(learned.project, model)


def test_a_training_text_among_those_held_out_is_refused(
    learned: Snapshot, candidate_of: CandidateOf
) -> None:
    model = candidate_of(learned)
    trained_on = next(rows_of(learned.folder, "train"))
    copied = {**trained_on, "doi": "10.9999/copy", "id": "copy"}
    copied["attributes"] = {"lineage": {"paper": "10.9999/copy"}}
    plant(learned, side="test", row=copied)
    with pytest.raises(LeakError, match=r"has the same text as a panel of 10\.9999/copy"):
        refuse_unevaluated(learned.project, model)
