"""Promotion and rolling back: what a model needs to serve, and how changes are undone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.models import Document, Layer, LayerKind, Project
from annotator.corpus.services import create_project
from annotator.datasets.models import Snapshot
from annotator.datasets.snapshots.contents import rows_of
from annotator.datasets.snapshots.leaks import LeakError
from annotator.datasets.snapshots.services import add_snapshot, build_snapshot
from annotator.jobs.models import Job, JobState
from annotator.jobs.runs import JobRun
from annotator.jobs.services import run_job
from annotator.learning.evaluation.services import start_evaluation
from annotator.learning.models import (
    Evaluation,
    ModelOrigin,
    ModelVersion,
    Promotion,
    PromotionKind,
    ServingModel,
    TrainingRun,
)
from annotator.learning.serving import changes
from annotator.learning.serving.promotion import promote, roll_back
from annotator.learning.tagging.pretagging import Pretagging
from annotator.learning.tagging.services import (
    PRETAG_KIND,
    lineup_of,
    serving_model,
    start_pretagging,
)
from ner_engine.split import split_of
from tests.annotator.commands import run_command
from tests.annotator.datasets.conftest import long_legend
from tests.annotator.learning.conftest import judge_beside, plant, scores

pytestmark = pytest.mark.django_db
ImportLegends = Callable[..., list[Document]]
CandidateOf = Callable[..., ModelVersion]


def judge(model: ModelVersion, snapshot: Snapshot, f1: float = 0.7, support: int = 40) -> None:
    """Scores of the model, and lower ones of the serving model."""
    Evaluation.objects.create(
        model_version=model, snapshot=snapshot, scores=scores(f1, support), micro_f1=f1
    )
    judge_beside(snapshot, 0.6)


def test_a_promotion_is_logged_and_starts_pretagging(
    learned: Snapshot, tiny: ModelVersion, candidate_of: CandidateOf, manager: User
) -> None:
    project, candidate = learned.project, candidate_of(learned)
    promotion = promote(
        project=project, model_version=candidate, actor=manager, reason="  better on cells \n"
    )
    assert serving_model(project) == candidate
    assert Promotion.objects.get() == promotion
    assert promotion.kind == PromotionKind.PROMOTED
    assert promotion.model_version == candidate
    assert promotion.replaced == tiny
    assert promotion.actor == manager
    assert promotion.reason == "better on cells"
    job = Job.objects.get(kind=PRETAG_KIND)
    assert job.state == JobState.PENDING
    assert job.queue == "tag"
    assert job.created_by == manager
    assert job.arguments["serving"] == [candidate.pk, 0, 0, 0]


def test_waiting_legends_are_retagged_decided_ones_stay(
    learned: Snapshot, tiny: ModelVersion, other: ModelVersion, import_legends: ImportLegends
) -> None:
    project = learned.project
    waiting = import_legends([long_legend(number) for number in range(50, 53)])
    run_job(start_pretagging(project=project, actor=SYSTEM).pk)
    decided = list(Layer.objects.filter(kind=LayerKind.IMPORTED).values())
    judge(other, learned)
    for change, source in (
        (lambda: promote(project=project, model_version=other, actor=SYSTEM), other.name),
        (None, tiny.name),
    ):
        (change or (lambda: roll_back(project=project, actor=SYSTEM)))()
        run_job(Job.objects.filter(kind=PRETAG_KIND).latest("id").pk)
        current = Layer.objects.current().filter(kind=LayerKind.SUGGESTED)
        assert {(layer.document_id, layer.source) for layer in current} == {
            (document.pk, source) for document in waiting
        }
    assert list(Layer.objects.filter(kind=LayerKind.IMPORTED).values()) == decided
    assert Layer.objects.filter(kind=LayerKind.SUGGESTED).count() == 3 * len(waiting)


def test_promotion_is_whole_or_not_at_all(
    learned: Snapshot,
    tiny: ModelVersion,
    candidate_of: CandidateOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(**_: object) -> Job:
        raise RuntimeError

    monkeypatch.setattr(changes, "enqueue", broken)
    with pytest.raises(RuntimeError):
        promote(project=learned.project, model_version=candidate_of(learned), actor=SYSTEM)
    assert serving_model(learned.project) == tiny
    assert not ServingModel.objects.exists()
    assert not Promotion.objects.exists()


def test_a_promotion_while_a_tagging_ends_is_not_forgotten(
    learned: Snapshot, tiny: ModelVersion, other: ModelVersion, import_legends: ImportLegends
) -> None:
    project = learned.project
    import_legends([long_legend(50)])
    job = start_pretagging(project=project, actor=SYSTEM)
    Job.objects.filter(pk=job.pk).move(JobState.RUNNING, only_from=JobState.PENDING, token="a")
    job.refresh_from_db()
    before = lineup_of(project)
    Pretagging(project, JobRun(job), lambda: lineup_of(project)).tag(before, before.keys)
    judge(other, learned)
    promote(
        project=project, model_version=other, actor=SYSTEM
    )  # the first job has looked for the last time, but has not ended
    newer = Job.objects.filter(kind=PRETAG_KIND).latest("id")
    assert newer != job
    run_job(newer.pk)
    assert Layer.objects.current().get(kind=LayerKind.SUGGESTED).source == other.name


# What is refused


def test_a_model_without_an_evaluation_is_refused(
    learned: Snapshot, tiny: ModelVersion, other: ModelVersion, candidate_of: CandidateOf
) -> None:
    project = learned.project
    elsewhere = create_project(name="Other", slug="other", actor=SYSTEM)
    judge(
        other,
        Snapshot.objects.create(
            project=elsewhere, number=1, state="ready", split_rule="x", tokenizer_version="x"
        ),
    )
    nothing_found = candidate_of(learned, support=0)
    on_another_split = candidate_of(learned)
    Evaluation.objects.filter(model_version=on_another_split).update(split="eval")
    for model in (other, nothing_found, on_another_split):
        with pytest.raises(
            UserError,
            match=(
                f"{model.name} has no evaluation on held-out papers of this project. Evaluate it on"
                " a snapshot first"
            ),
        ):
            promote(project=project, model_version=model, actor=SYSTEM)
    assert serving_model(project) == tiny
    assert not Promotion.objects.exists()


def test_a_model_that_is_judged_on_a_snapshot_can_be_promoted(
    learned: Snapshot, tiny: ModelVersion, other: ModelVersion, manager: User
) -> None:
    job = start_evaluation(
        project=learned.project, snapshot=learned, model_version=other, actor=manager
    )
    run_job(job.pk)
    job.refresh_from_db()
    evaluation = Evaluation.objects.get(model_version=other)
    assert job.state == JobState.SUCCEEDED
    assert job.result["micro_f1"] == evaluation.micro_f1
    assert evaluation.scores["micro"]["support"] == learned.counts["test"]["spans"]
    assert Evaluation.objects.filter(model_version=tiny, snapshot=learned).exists(), (
        "the serving model is evaluated with it"
    )
    promote(
        project=learned.project,
        model_version=other,
        actor=manager,
        reason="Its weights are as random as the others.",
    )
    assert serving_model(learned.project) == other


def test_a_model_of_unknown_training_data_is_refused(learned: Snapshot, tiny: ModelVersion) -> None:
    model = ModelVersion.objects.create(
        name="found", origin=ModelOrigin.TRAINED, location="found", project=learned.project
    )
    judge(model, learned)
    with pytest.raises(UserError, match="The training data of found are unknown"):
        promote(project=learned.project, model_version=model, actor=SYSTEM)


def test_serving_retired_and_foreign_models_are_refused(
    learned: Snapshot, tiny: ModelVersion, candidate_of: CandidateOf
) -> None:
    project = learned.project
    judge(tiny, learned)
    with pytest.raises(UserError, match="is the serving model already"):
        promote(project=project, model_version=tiny, actor=SYSTEM)
    candidate = candidate_of(learned)
    elsewhere = create_project(name="Other", slug="other", actor=SYSTEM)
    with pytest.raises(UserError, match="belongs to another project"):
        promote(project=elsewhere, model_version=candidate, actor=SYSTEM)
    ModelVersion.objects.filter(pk=candidate.pk).update(retired_at=timezone.now())
    with pytest.raises(UserError, match="is retired"):
        promote(project=project, model_version=candidate, actor=SYSTEM)
    assert not Promotion.objects.exists()


def test_scores_on_a_changed_snapshot_do_not_count(
    learned: Snapshot, tiny: ModelVersion, candidate_of: CandidateOf
) -> None:
    candidate = candidate_of(learned)
    test = learned.folder / "test.jsonl"
    test.chmod(0o644)
    test.write_text(
        "".join(test.read_text(encoding="utf-8").splitlines(keepends=True)[:1]), encoding="utf-8"
    )
    with pytest.raises(UserError, match="were changed since it was frozen"):
        promote(project=learned.project, model_version=candidate, actor=SYSTEM)


def test_a_leak_is_refused_with_the_name_of_the_paper(
    learned: Snapshot,
    tiny: ModelVersion,
    candidate_of: CandidateOf,
    import_legends: ImportLegends,
    project: Project,
) -> None:
    """The grandparent learned from the text under another DOI, before the paper that is held out
    came in."""
    text_of = next(rows_of(learned.folder, "train"))
    number = int(text_of["id"].removeprefix("p"))
    held_out = next(doi for doi in (f"10.3000/{n}" for n in range(100)) if split_of(doi) == "test")
    import_legends([long_legend(number, doi=held_out)], labels="gold")
    newer = build_snapshot(snapshot=add_snapshot(project=project, actor=SYSTEM))
    child = candidate_of(newer, base=candidate_of(learned))
    with pytest.raises(LeakError, match=held_out) as refused:
        promote(project=project, model_version=child, actor=SYSTEM)
    assert text_of["doi"] in str(refused.value)
    promote(project=project, model_version=candidate_of(newer, base=tiny), actor=SYSTEM)


def test_a_paper_planted_among_those_held_out_is_named(
    learned: Snapshot, tiny: ModelVersion, candidate_of: CandidateOf
) -> None:
    candidate = candidate_of(learned)
    plant(
        learned,
        side="test",
        row={**next(rows_of(learned.folder, "train")), "text": "Another text."},
    )
    with pytest.raises(LeakError, match=next(rows_of(learned.folder, "train"))["doi"]):
        promote(project=learned.project, model_version=candidate, actor=SYSTEM)


def test_only_managers_promote_and_roll_back(
    learned: Snapshot,
    tiny: ModelVersion,
    candidate_of: CandidateOf,
    reviewer: User,
    curator: User,
    viewer: User,
    stranger: User,
    manager: User,
) -> None:
    project, candidate = learned.project, candidate_of(learned)
    for user in (reviewer, curator, viewer, stranger):
        with pytest.raises(PermissionDenied):
            promote(project=project, model_version=candidate, actor=user)
    promote(project=project, model_version=candidate, actor=manager)
    for user in (reviewer, curator, viewer, stranger):
        with pytest.raises(PermissionDenied):
            roll_back(project=project, actor=user)
    assert [each.kind for each in Promotion.objects.all()] == [PromotionKind.PROMOTED]


# Back


def test_promotions_are_rolled_back_one_by_one(
    learned: Snapshot, tiny: ModelVersion, candidate_of: CandidateOf, manager: User
) -> None:
    project = learned.project
    first, second = candidate_of(learned), candidate_of(learned)
    promote(project=project, model_version=first, actor=manager)
    promote(project=project, model_version=second, actor=manager)
    assert roll_back(project=project, actor=manager, reason="worse").model_version == first
    assert serving_model(project) == first
    assert roll_back(project=project, actor=manager).model_version == tiny
    assert serving_model(project) == tiny
    with pytest.raises(UserError, match="There is no promotion to roll back"):
        roll_back(project=project, actor=manager)
    log = [
        (each.kind, each.model_version, each.replaced) for each in Promotion.objects.order_by("id")
    ]
    assert log == [
        (PromotionKind.PROMOTED, first, tiny),
        (PromotionKind.PROMOTED, second, first),
        (PromotionKind.ROLLED_BACK, first, second),
        (PromotionKind.ROLLED_BACK, tiny, first),
    ]
    promote(project=project, model_version=second, actor=manager)
    assert roll_back(project=project, actor=manager).model_version == tiny


# The commands


def test_the_commands_promote_and_take_back(
    learned: Snapshot, tiny: ModelVersion, candidate_of: CandidateOf, import_legends: ImportLegends
) -> None:
    import_legends([long_legend(50)])
    candidate = candidate_of(learned)
    promoted = run_command("promote", candidate, "--reason", "better", "--json")
    assert promoted.code == 0
    assert promoted.err == ""
    assert promoted.summary == {
        **{
            "project": "autophagy",
            "kind": "promoted",
            "task": "entities",
            "model": candidate.name,
            "replaced": tiny.name,
        },
        "waiting_for_tags": 1,
    }
    assert Promotion.objects.get().reason == "better"
    back = run_command("roll_back", "autophagy")
    assert back.code == 0
    assert f"{tiny.name} now serves autophagy. It replaced {candidate.name}." in back.out
    again = run_command("roll_back", "autophagy", "--json")
    assert again.code == 2
    assert "There is no promotion to roll back" in again.summary["error"]


def test_the_command_says_what_it_needs(
    learned: Snapshot, tiny: ModelVersion, other: ModelVersion
) -> None:
    for arguments, sentence in (
        (["nothing"], 'There is no model "nothing". Models: '),
        ([other.name], "--project PROJECT"),
        ([other.name, "--project", "autophagy"], "has no evaluation"),
        ([other.name, "--project", "nowhere"], "There is no project"),
    ):
        ended = run_command("promote", *arguments)
        assert ended.code == 2, ended.err
        assert sentence in ended.err, ended.err
    judge(other, learned)
    assert run_command("promote", other.name, "--project", "autophagy").code == 0
    assert not TrainingRun.objects.exists()
