"""Pre-tagging: suggestions on what nobody has begun to review, once by each model, whatever happens
on the way."""

from __future__ import annotations

import html
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.db.models import Count
from django.test import Client
from django.test.utils import CaptureQueriesContext

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.corpus.models import Document, DocumentState, Layer, LayerKind, Project, Span
from annotator.jobs.errors import JobConflictError
from annotator.jobs.models import Job, JobState
from annotator.jobs.services import request_cancel, run_job
from annotator.learning import engine
from annotator.learning.models import ModelVersion, ServingModel
from annotator.learning.tagging.services import (
    PRETAG_KIND,
    register_model,
    start_pretagging,
)
from ner_engine import schema
from ner_engine.inference.backends import LeanBackend
from ner_engine.inference.pipeline import Tagged
from tests.annotator.commands import run_command
from tests.annotator.conftest import WorkerProcess, wait_for
from tests.annotator.gates import BEFORE, reached

pytestmark = pytest.mark.django_db
ImportLegends = Callable[..., list[Document]]
Tag = Callable[..., list[Tagged]]


def done(job: Job) -> Job:
    """The job after a worker did it."""
    run_job(job.pk)
    job.refresh_from_db()
    return job


def suggestions(document: Document) -> list[Layer]:
    return list(document.layers.filter(kind=LayerKind.SUGGESTED).order_by("pk"))


def state_of(project: Project) -> list[tuple[Any, ...]]:
    """Everything that stands on the project's layers."""
    spans = Span.objects.filter(layer__document__project=project)
    fields = (
        "layer",
        "layer__kind",
        "layer__superseded_at",
        "key",
        "start",
        "end",
        "label",
        "role",
        "score",
        "verdict",
        "decision",
    )
    return sorted(spans.values_list(*fields), key=str)


def test_suggestions_are_a_layer_with_model_and_confidence(
    project: Project, tiny: ModelVersion, import_legends: ImportLegends, reviewer: User
) -> None:
    documents = import_legends(3)
    job = done(start_pretagging(project=project, actor=reviewer))
    assert job.state == JobState.SUCCEEDED
    assert job.error == ""
    n_spans = 0
    for document in documents:
        document.refresh_from_db()
        (layer,) = document.layers.all()
        assert document.state == DocumentState.SUGGESTED
        assert layer.kind == LayerKind.SUGGESTED
        assert layer.source == tiny.name
        for span in layer.spans.all():
            assert document.text[span.start : span.end] == span.surface
            assert span.score is not None
            assert 0 < span.score <= 1
            assert span.verdict == ""
            assert span.decision == ""
            n_spans += 1
    assert n_spans > 0
    assert job.result["model"] == tiny.name
    assert job.result["documents"] == 3
    assert job.result["spans"] == n_spans


def test_decided_legends_and_legends_in_review_are_not_touched(
    project: Project, tiny: ModelVersion, import_legends: ImportLegends, legend: Any
) -> None:
    import_legends(2, labels="gold")
    (in_review,) = import_legends([legend(50)], labels="suggestions")
    Document.objects.filter(pk=in_review.pk).update(state=DocumentState.IN_REVIEW)
    before = state_of(project)
    import_legends([legend(60)])
    assert done(start_pretagging(project=project, actor=SYSTEM)).result["documents"] == 1
    assert [row for row in state_of(project) if row in before] == before
    assert {
        document.external_id for document in Document.objects.filter(layers__source=tiny.name)
    } == {"fig-60"}
    assert set(
        Document.objects.filter(external_id__in=["fig-1", "fig-2"]).values_list("state", flat=True)
    ) == {DocumentState.ACCEPTED}


def test_tagging_again_adds_a_set_and_the_same_model_adds_none(
    project: Project, tiny: ModelVersion, other: ModelVersion, import_legends: ImportLegends
) -> None:
    (document,) = import_legends(1)
    done(start_pretagging(project=project, actor=SYSTEM))
    (first,) = suggestions(document)
    kept = list(first.spans.values())
    assert done(start_pretagging(project=project, actor=SYSTEM)).result["documents"] == 0
    assert suggestions(document) == [first]
    assert (
        done(start_pretagging(project=project, actor=SYSTEM, model_version=other)).result["model"]
        == other.name
    )
    old, new = suggestions(document)
    assert old.pk == first.pk
    assert old.source == tiny.name
    assert (old.superseded_at is not None) is True
    assert list(old.spans.values()) == kept
    assert new.source == other.name
    assert new.superseded_at is None


def test_labels_that_the_project_lacks_are_left_out_and_counted(
    project: Project, tiny: ModelVersion, import_legends: ImportLegends, tmp_path: Path
) -> None:
    from tests.ner_engine.checkpoints import save_bert

    import_legends(3)
    alien = register_model(
        location=str(
            save_bert(tmp_path / "alien", labels=("O", "B-ALIEN", "I-ALIEN", "B-CELL", "I-CELL"))
        )
    )
    report = done(start_pretagging(project=project, actor=SYSTEM, model_version=alien)).result
    assert report["unknown_labels"]["ALIEN"] > 0
    assert set(Span.objects.values_list("label", flat=True)) <= {"CELL"}


@pytest.fixture
def tagging(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., list[Tagged]]], None]:
    """Let something else happen around the engine's tagging."""
    real = engine.tag

    def replace(around: Callable[..., list[Tagged]]) -> None:
        monkeypatch.setattr(
            engine,
            "tag",
            lambda models, texts, segments, **_: around(real, models, texts, segments),
        )

    return replace


def test_a_promotion_in_the_middle_is_followed(
    project: Project,
    tiny: ModelVersion,
    other: ModelVersion,
    import_legends: ImportLegends,
    tagging: Any,
) -> None:
    documents = import_legends(3)
    job = start_pretagging(project=project, actor=SYSTEM)

    def promoted_meanwhile(real: Tag, *asked: Any) -> list[Tagged]:
        ServingModel.objects.get_or_create(project=project, defaults={"model_version": other})
        return real(*asked)

    tagging(promoted_meanwhile)
    assert done(job).result["models"] == [tiny.name, other.name]
    for document in documents:
        assert [(layer.source, layer.superseded_at is None) for layer in suggestions(document)] == [
            (tiny.name, False),
            (other.name, True),
        ]


def test_a_legend_that_is_opened_meanwhile_is_left_alone(
    project: Project, tiny: ModelVersion, import_legends: ImportLegends, tagging: Any
) -> None:
    first, second = import_legends(2)

    def taken_up(real: Tag, *asked: Any) -> list[Tagged]:
        Document.objects.filter(pk=first.pk).update(state=DocumentState.IN_REVIEW)
        return real(*asked)

    tagging(taken_up)
    report = done(start_pretagging(project=project, actor=SYSTEM)).result
    assert report["documents"] == 1
    assert report["taken_up_meanwhile"] == 1
    assert len(suggestions(first)) == 0
    assert len(suggestions(second)) == 1


@pytest.mark.parametrize("choke", ["stops", "lies about offsets"])
def test_a_legend_that_breaks_the_model_is_named_others_pass(
    choke: str,
    project: Project,
    tiny: ModelVersion,
    import_legends: ImportLegends,
    tagging: Any,
    caplog: pytest.LogCaptureFixture,
    client_of: Callable[[User], Client],
    viewer: User,
) -> None:
    documents = import_legends(9)
    bad = documents[4]

    def choking(real: Tag, *asked: Any) -> list[Tagged]:
        _, texts, _ = asked
        if bad.text not in texts:
            return real(*asked)
        if choke == "stops":
            raise RuntimeError(f"cannot make sense of {bad.text}")
        return [Tagged((), (schema.Span(0, 10_000, "CELL", "x"),)) for _ in texts]

    tagging(choking)
    ended = run_command("pretag", "autophagy", "--json")
    assert ended.code == 1, ended.err
    assert ended.summary["documents"] == 8
    assert ended.summary["n_refused"] == 1
    (sentence,) = ended.summary["refused"]
    assert sentence.startswith(f"Legend {bad.pk} ({bad}) was not tagged")
    assert [len(suggestions(document)) for document in documents] == [1, 1, 1, 1, 0, 1, 1, 1, 1]
    assert bad.text not in caplog.text
    browser = client_of(viewer)
    address = f"/jobs/{ended.summary['job']}/"
    assert sentence in html.unescape(browser.get(address).content.decode())
    assert (
        f'<a href="{address}">Show failures</a>'
        in browser.get(address, headers={"HX-Request": "true"}).content.decode()
    )


def test_a_model_that_cannot_tag_anything_fails_the_job(
    project: Project, tiny: ModelVersion, import_legends: ImportLegends, tagging: Any
) -> None:
    import_legends(3)

    def broken(real: Tag, *asked: Any) -> list[Tagged]:
        raise RuntimeError

    tagging(broken)
    job = done(start_pretagging(project=project, actor=SYSTEM))
    assert job.state == JobState.FAILED
    assert "cannot tag any of these legends" in job.error
    assert not Layer.objects.exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            torch.AcceleratorError("CUDA error: unspecified launch failure"),
            "The device cpu failed (CUDA error: unspecified launch failure)",
        ),
        (
            torch.OutOfMemoryError("CUDA out of memory."),
            "The device cpu has too little memory left",
        ),
    ],
)
def test_a_failing_device_ends_the_job_and_refuses_no_legend(
    error: RuntimeError,
    said: str,
    project: Project,
    tiny: ModelVersion,
    import_legends: ImportLegends,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    documents = import_legends(8)
    real, asked = LeanBackend.run, []

    def dying(self: LeanBackend, windows: Any) -> Any:
        asked.append(len(windows))
        if len(asked) > 2:
            raise error
        return real(self, windows)

    monkeypatch.setattr("annotator.learning.tagging.pretagging.BATCH", 2)
    monkeypatch.setattr(LeanBackend, "run", dying)
    job = done(start_pretagging(project=project, actor=SYSTEM))
    assert job.state == JobState.FAILED
    assert job.error.startswith(said)
    assert [len(suggestions(document)) for document in documents] == [1, 1, 1, 1, 1, 0, 0, 0]
    assert "legend_not_tagged" not in caplog.text
    monkeypatch.setattr(LeanBackend, "run", real)
    assert done(start_pretagging(project=project, actor=SYSTEM)).result["documents"] == 3


def queries_of_a_tagging(project: Project, model: ModelVersion) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert (
            done(start_pretagging(project=project, actor=SYSTEM, model_version=model)).state
            == JobState.SUCCEEDED
        )
    return len(queries)


def test_the_database_is_not_asked_once_for_each_legend(
    project: Project,
    tiny: ModelVersion,
    import_legends: ImportLegends,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        engine, "tag", lambda models, texts, segments, **_: [Tagged((), ()) for _ in texts]
    )
    import_legends(4)
    few = queries_of_a_tagging(project, tiny)
    import_legends(40)
    Document.objects.filter(layers__isnull=False).delete()
    assert project.documents.count() == 36
    assert queries_of_a_tagging(project, tiny) == few


def test_a_model_whose_files_were_changed_does_not_tag(
    project: Project, tiny: ModelVersion, import_legends: ImportLegends, tmp_path: Path
) -> None:
    from tests.ner_engine.checkpoints import edit_config, save_bert

    import_legends(1)
    folder = save_bert(tmp_path / "own", seed=7)
    own = register_model(location=str(folder))
    edit_config(folder, window_tokens=32)
    job = done(start_pretagging(project=project, actor=SYSTEM, model_version=own))
    assert job.state == JobState.FAILED
    assert f"The files of {own.name} are not those it was registered with" in job.error
    shutil.rmtree(folder)
    own.refresh_from_db()
    job = done(start_pretagging(project=project, actor=SYSTEM, model_version=own))
    assert job.state == JobState.FAILED
    assert Layer.objects.exists() is False


def test_one_pretagging_at_a_time_and_only_by_those_who_may(
    project: Project,
    tiny: ModelVersion,
    import_legends: ImportLegends,
    reviewer: User,
    curator: User,
    stranger: User,
) -> None:
    for user in (curator, stranger):
        with pytest.raises(PermissionDenied):
            start_pretagging(project=project, actor=user)
    start_pretagging(project=project, actor=reviewer)
    with pytest.raises(JobConflictError):
        start_pretagging(project=project, actor=reviewer)
    assert Job.objects.filter(kind=PRETAG_KIND).count() == 1


# The command


def test_the_command_tags_here_and_now(
    project: Project, tiny: ModelVersion, other: ModelVersion, import_legends: ImportLegends
) -> None:
    import_legends(3)
    ended = run_command("pretag", "autophagy", "--json")
    assert ended.code == 0
    assert ended.err == ""
    assert {
        name: ended.summary[name] for name in ("project", "model", "documents", "n_refused")
    } == {
        **{"project": "autophagy", "model": tiny.name},
        **{"documents": 3, "n_refused": 0},
    }
    again = run_command("pretag", "autophagy", "--model", other.name)
    assert again.code == 0
    assert again.out.startswith(f"Tagged 3 legends with {other.name}") is True
    assert Layer.objects.filter(source=other.name, superseded_at=None).count() == 3


def test_the_command_takes_over_a_pending_job_of_the_same_kind(
    project: Project,
    tiny: ModelVersion,
    other: ModelVersion,
    import_legends: ImportLegends,
    reviewer: User,
) -> None:
    import_legends(2)
    waiting = start_pretagging(project=project, actor=reviewer)
    refused = run_command("pretag", "autophagy", "--model", other.name)
    assert refused.code == 2
    assert "waiting or running already" in refused.err
    ended = run_command("pretag", "autophagy", "--json")
    assert ended.code == 0
    assert ended.summary["job"] == waiting.pk
    assert ended.summary["documents"] == 2
    Job.objects.filter(pk=start_pretagging(project=project, actor=reviewer).pk).move(
        JobState.RUNNING, only_from=JobState.PENDING
    )
    refused = run_command("pretag", "autophagy")
    assert refused.code == 2
    assert "waiting or running already" in refused.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], 'There is no project "nowhere"'),
        (["autophagy", "--model", "no/such-model"], "is not in the local Hugging Face cache"),
        (["autophagy", "--model", "/no/such/folder"], "there is no folder /no/such/folder"),
    ],
)
def test_pretagging_without_a_model_ends_with_a_sentence(
    arguments: list[str],
    sentence: str,
    project: Project,
    tiny: ModelVersion,
    import_legends: ImportLegends,
) -> None:
    import_legends(1)
    ended = run_command("pretag", *arguments, "--json")
    assert ended.code == 2
    assert sentence in ended.err
    assert sentence in ended.summary["error"]
    assert not Layer.objects.exists()


# Workers that are cancelled and killed


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_killed_worker_resumes_and_a_cancelled_job_keeps_work(
    start_worker: Callable[..., WorkerProcess],
    finished: Callable[..., Job],
    project: Project,
    tiny: ModelVersion,
    import_legends: ImportLegends,
    reviewer: User,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import_legends(7)
    gate = tmp_path / "gate"
    gate.mkdir()
    monkeypatch.setenv("SD_TEST_GATE", str(gate))
    first = start_worker("tag", modules=["tests.annotator.gates"])
    cancelled = start_pretagging(project=project, actor=reviewer)
    wait_for(reached(gate, cancelled.pk).exists, what="a tagging half done", log=first.log)
    request_cancel(job=cancelled, actor=reviewer)
    assert finished(cancelled, log=first.log).state == JobState.CANCELLED
    assert Layer.objects.count() == BEFORE
    killed = start_pretagging(project=project, actor=reviewer)
    wait_for(reached(gate, killed.pk).exists, what="a tagging half done", log=first.log)
    first.kill()
    tagged = set(Layer.objects.values_list("pk", flat=True))
    assert len(tagged) == BEFORE + 3  # the second paper has three legends
    monkeypatch.delenv("SD_TEST_GATE")
    second = start_worker("tag")
    killed = finished(killed, log=second.log)
    assert killed.state == JobState.SUCCEEDED
    assert killed.n_attempts == 2
    assert killed.result["documents"] == 7 - len(tagged)
    assert tagged < set(Layer.objects.values_list("pk", flat=True))
    assert set(Document.objects.annotate(n=Count("layers")).values_list("n", "state")) == {
        (1, DocumentState.SUGGESTED)
    }
