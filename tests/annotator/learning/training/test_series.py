"""Searches for label errors and learning curves in the site: from the queue, the panel and the
command line to what people read."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.models import Document, Project, QueueOrder
from annotator.corpus.services import create_project
from annotator.datasets.models import Snapshot
from annotator.datasets.services import add_snapshot, build_snapshot
from annotator.jobs.errors import JobConflictError
from annotator.jobs.models import Job, JobState
from annotator.jobs.payloads import Payload
from annotator.jobs.services import request_cancel, run_job
from annotator.learning.models import (
    ModelOrigin,
    ModelVersion,
    SeriesKind,
    TrainingRun,
    TrainingSeries,
)
from annotator.learning.training import label_errors
from annotator.learning.training.child_process import read_events
from annotator.learning.training.label_errors import outcome_of, ranked, send_to_review
from annotator.learning.training.learning_curve import curve_report
from annotator.learning.training.series import (
    SERIES_KIND,
    cancel_series,
    enqueue_series,
    first_ancestor,
    start_series,
)
from annotator.review.models import LabelErrorCandidate
from annotator.review.queue.order import next_legend
from annotator.review.second_look.label_errors import keep_decisions
from tests.annotator.commands import run_command
from tests.annotator.conftest import WorkerProcess, wait_for
from tests.annotator.datasets.conftest import long_legend
from tests.annotator.learning.training.test_runs import PATIENCE

pytestmark = pytest.mark.django_db
#: Trainings of a step or two.
BRIEF = {
    "epochs": 1,
    "batch_size": 16,
    "precision": "fp32",
    "max_length": 64,
    "evals_per_epoch": 0,
    "keep": "last",
}
PAGES = "admin:learning_trainingseries"


def started(
    snapshot: Snapshot, kind: str = SeriesKind.LABEL_ERRORS, **facts: Any
) -> TrainingSeries:
    asked = {
        "hyperparameters": BRIEF | facts.pop("hyperparameters", {}),
        "options": facts.pop("options", {"folds": 2}),
    }
    return start_series(
        project=snapshot.project,
        snapshot=snapshot,
        kind=kind,
        actor=facts.pop("actor", SYSTEM),
        **asked,
        **facts,
    )


def done(series: TrainingSeries) -> TrainingSeries:
    """The series after a worker did its job."""
    assert series.job is not None
    run_job(series.job.pk)
    found = TrainingSeries.objects.select_related("job", "project", "snapshot__project").get(
        pk=series.pk
    )
    assert found.job.state == JobState.SUCCEEDED
    assert found.job.error == ""
    return found


@pytest.fixture
def mistaken(
    project: Project, learned: Snapshot, tiny: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> TrainingSeries:
    """A search that is done, whose models find everything as it was decided but for the legends
    "long-3" and "long-7"."""
    series = TrainingSeries.objects.create(
        project=project, snapshot=learned, base=tiny, kind=SeriesKind.LABEL_ERRORS, recipe="quick"
    )
    series.out.mkdir(parents=True)
    rows = [
        row
        for side in ("train", "eval", "test")
        for row in map(json.loads, (learned.folder / f"{side}.jsonl").open(encoding="utf-8"))
    ]
    by_name = {row["id"]: number for number, row in enumerate(rows)}
    disagreements, texts = [], []
    for name, kind, suspicion in (("p3", "label", 0.9), ("p7", "missing", 0.6)):
        number = by_name[name]
        row = rows[number]
        span = row["spans"][0]
        place = [span["start"], span["end"]]
        found = [*place, "TISSUE"]
        texts.append(
            {
                "text": number,
                "id": name,
                "paper": row["doi"],
                "suspicion": suspicion,
                "entities": 2,
                "disagreements": 1,
            }
        )
        decided = [*place, span["label"]] if kind == "label" else None
        surface = {
            "surface": span["surface"],
            "found_surface": span["surface"],
            "context": ["(A) ", " cells"],
        }
        facts = {
            "kind": kind,
            "decided": decided,
            "found": found,
            "probability": 1 - suspicion if decided else suspicion,
            "suspicion": suspicion,
        }
        disagreements.append({"text": number, "id": name, "paper": row["doi"], **facts, **surface})
    for path, lines in (
        (series.out / "texts.jsonl", texts),
        (series.out / "disagreements.jsonl", disagreements),
    ):
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    counts = {"entities": 30, "label": 1, "boundary": 0, "spurious": 0, "missing": 1}
    result = {
        "texts": len(rows),
        "papers": 30,
        "entities": 60,
        "disagreements": 2,
        "by_label": {"CELL": counts},
        "thresholds": {},
    }
    series.result = label_errors.finish(series, result)
    series.save()
    return series


def legend_named(series: TrainingSeries, name: str) -> Document:
    return series.project.documents.get(external_id=name)


# From the queue


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_search_and_a_curve_go_from_the_queue_to_what_people_read_and_survive_deaths(
    start_worker: Callable[..., WorkerProcess],
    finished: Callable[..., Job],
    learned: Snapshot,
    tiny: ModelVersion,
    manager: User,
) -> None:
    first = start_worker("train")
    slow = {"epochs": 60, "batch_size": 1, "checkpoint_seconds": 1}
    Snapshot.objects.update(rules={**learned.rules, "near_duplicate": 0.6})
    series = started(
        learned, actor=manager, hyperparameters=slow, options={"folds": 2, "max_steps": 0}
    )

    def events(kind: str) -> list[Any]:
        return [event for event in read_events(series.folder) if event["event"] == kind]

    wait_for(lambda: events("part_done"), what="the first fold", timeout=PATIENCE, log=first.log)
    wait_for(
        lambda: any(event["part"] == "fold-2" for event in events("step")),
        what="the second fold",
        timeout=PATIENCE,
        log=first.log,
    )
    os.kill(int((series.folder / "pid").read_text()), signal.SIGKILL)
    wait_for(
        lambda: len(events("start")) == 3, what="another child", timeout=PATIENCE, log=first.log
    )
    first.kill()
    second = start_worker("train")
    job = finished(series.job, timeout=PATIENCE, log=second.log)
    assert (job.state, job.error, job.n_attempts) == (
        JobState.SUCCEEDED,
        "",
        2,
    ), second.log.read_text()[-3000:]
    assert [event["part"] for event in events("start")].count("fold-1") == 1, (
        "a finished fold is not trained again"
    )
    series.refresh_from_db()
    assert series.result["texts"] == 30
    assert series.result["entities"] == 60
    assert len(series.result["folds"]) == 2
    assert series.finished_at is not None
    assert json.loads((series.out / "series.json").read_text())["near_duplicate"] == 0.6
    assert not ModelVersion.objects.filter(origin=ModelOrigin.TRAINED).exists()
    assert not list(series.folder.rglob("*.safetensors"))

    curve = started(learned, SeriesKind.LEARNING_CURVE, actor=manager, options={"shares": "0.5,1"})
    assert finished(curve.job, timeout=PATIENCE, log=second.log).error == ""
    curve.refresh_from_db()
    report = curve_report(curve.result)
    assert report.held_out_papers == learned.counts["test"]["papers"]
    assert report.held_out_panels == learned.counts["test"]["panels"]
    assert [point.papers for point in report.points] == [
        round(learned.counts["train"]["papers"] / 2 + 0.01),
        learned.counts["train"]["papers"],
    ]
    assert not ModelVersion.objects.filter(origin=ModelOrigin.TRAINED).exists()


@pytest.mark.slow
def test_a_series_that_was_cancelled_keeps_what_is_finished_and_goes_on(
    learned: Snapshot, tiny: ModelVersion, manager: User
) -> None:
    series = started(learned, actor=manager)
    from annotator.learning.training import series as module

    real = module.SeriesRun._on_event

    def cancelled_after_the_first(self: Any, event: Any) -> None:
        real(self, event)
        if event.get("event") == "part_done":
            request_cancel(job=series.job, actor=manager)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.SeriesRun, "_on_event", cancelled_after_the_first)
        patch.setattr("annotator.jobs.runs.THROTTLE_SECONDS", 0)
        run_job(series.job.pk)
    series = TrainingSeries.objects.get(pk=series.pk)
    assert series.job.state == JobState.CANCELLED
    assert series.job.error == ""
    assert series.is_done is False
    assert series.is_at_work is False
    assert (series.out / "fold-1/result.json").is_file()
    enqueue_series(series=series, actor=manager)
    with pytest.raises(UserError, match="running already"):
        enqueue_series(series=series, actor=manager)
    series = done(series)
    starts = [event["part"] for event in read_events(series.folder) if event["event"] == "start"]
    assert starts.count("fold-1") == 1
    with pytest.raises(UserError, match="done already"):
        enqueue_series(series=series, actor=manager)


def test_what_was_left_running_is_ended_before_the_series_goes_on(
    learned: Snapshot, tiny: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    series = started(learned)
    from annotator.learning.training import series as module

    order: list[str] = []

    def no_more(**_: Any) -> list[str]:
        raise UserError(", ".join(order))

    monkeypatch.setattr(
        module, "wait_for_place", lambda folder, job: order.append(f"waited for {folder.name}")
    )
    monkeypatch.setattr(module, "remove_leftovers_of_ended_runs", lambda: order.append("swept"))
    monkeypatch.setattr("annotator.learning.engine.series_command", no_more)
    assert series.job is not None
    run_job(series.job.pk)
    assert Job.objects.get(pk=series.job.pk).error == f"waited for series-{series.pk}, swept"


def test_a_search_begins_with_a_model_that_knows_nobodys_errors_by_heart(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    child = ModelVersion.objects.create(
        name="run-1",
        origin=ModelOrigin.TRAINED,
        location="run-1",
        project=learned.project,
        parent=tiny,
    )
    assert first_ancestor(child) == tiny
    assert started(learned).base == tiny


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"options": {"folds": 1}}, "2 to 20 folds"),
        ({"options": {"shares": "0.5,1"}}, "There is no option shares here"),
        ({"kind": "curve", "options": {"shares": "1"}}, "two points or more"),
        ({"kind": "curve", "recipe": "panelization", "options": {}}, "does not learn from panels"),
        ({"recipe": "geneprod-roles"}, "label errors are looked for among entities"),
        ({"recipe": "nonsense"}, "There is no recipe nonsense"),
        ({"hyperparameters": {"epochs": -1}}, "epochs must lie between"),
        ({"kind": "nonsense"}, "There is no series of kind"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_begins(
    learned: Snapshot, tiny: ModelVersion, facts: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UserError, match=re.escape(sentence)):
        started(learned, **facts)
    assert not TrainingSeries.objects.exists()


def test_one_series_at_a_time_in_a_project_and_only_by_those_who_may_train(
    learned: Snapshot, tiny: ModelVersion, reviewer: User, manager: User
) -> None:
    series = started(learned, actor=manager)
    with pytest.raises(JobConflictError):
        started(learned, actor=manager)
    assert TrainingSeries.objects.get() == series
    for act in (
        lambda: started(learned, actor=reviewer),
        lambda: cancel_series(series=series, actor=reviewer),
    ):
        with pytest.raises(PermissionDenied):
            act()
    elsewhere = create_project(name="Elsewhere", slug="elsewhere", actor=manager)
    with pytest.raises(UserError, match="finished snapshot of this project"):
        start_series(
            project=elsewhere, snapshot=learned, kind=SeriesKind.LABEL_ERRORS, actor=manager
        )
    cancel_series(series=series, actor=manager)
    assert Job.objects.get(kind=SERIES_KIND).state == JobState.CANCELLED


# To review


def test_the_most_suspicious_legends_become_a_queue_with_what_the_model_says(
    mistaken: TrainingSeries, manager: User, curator: User
) -> None:
    sent = send_to_review(series=mistaken, n=1, actor=manager)
    third, seventh = legend_named(mistaken, "long-3"), legend_named(mistaken, "long-7")
    assert str(sent) == "1 legend sent to review."
    assert third.suspicion == 0.9
    assert seventh.suspicion is None
    assert send_to_review(series=mistaken, n=5, actor=manager).n_sent == 2
    assert (
        next_legend(project=mistaken.project, actor=curator, order=QueueOrder.SUSPICION) == third.pk
    )
    (row,) = third.label_errors.all()
    assert third.text[row.start : row.end] == "HeLa"
    assert row.label == "CELL"
    assert row.predicted_label == "TISSUE"
    assert round(row.probability, 2) == 0.1
    (row,) = seventh.label_errors.filter(settled_at=None)
    assert row.label == ""
    assert row.predicted_label == "TISSUE"
    assert row.score == 0.6


def test_legends_that_were_edited_are_blind_or_were_looked_at_are_passed_over_and_counted(
    mistaken: TrainingSeries, manager: User, curator: User
) -> None:
    third, seventh = legend_named(mistaken, "long-3"), legend_named(mistaken, "long-7")
    send_to_review(series=mistaken, n=5, actor=manager)
    third.refresh_from_db()
    keep_decisions(document=third, actor=curator)
    Document.objects.filter(pk=seventh.pk).update(revision=9)
    assert (
        str(send_to_review(series=mistaken, n=5, actor=manager))
        == "0 legends sent to review; left out: 1 edited or removed since the snapshot,"
        " 1 checked since the snapshot."
    )
    outcome = outcome_of(mistaken)
    assert outcome is not None
    assert outcome.n_open == 0
    assert outcome.n_kept == 1
    assert outcome.n_corrected == 0
    assert outcome.percent_corrected == 0.0
    LabelErrorCandidate.objects.all().delete()
    Project.objects.update(blind_share=1.0)
    mistaken.project.refresh_from_db()
    assert "1 in the blind sample" in str(send_to_review(series=mistaken, n=5, actor=manager))


def test_many_legends_are_sent_and_shown_with_few_queries(
    mistaken: TrainingSeries, manager: User, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    documents = list(mistaken.project.documents.values("pk", "revision"))
    lines = [
        {
            "document": each["pk"],
            "revision": each["revision"],
            "paper": "",
            "suspicion": 0.5,
            "disagreements": 1,
        }
        for each in documents
    ]
    (mistaken.folder / "found/legends.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8"
    )
    with django_assert_max_num_queries(15):
        assert send_to_review(series=mistaken, n=1000, actor=manager).n_sent == 30
    assert mistaken.project.documents.filter(suspicion=0.5).count() == 30
    with django_assert_max_num_queries(3):
        assert [str(each.document) for each in ranked(mistaken).rows]


def test_nothing_is_sent_by_those_who_may_not_or_before_there_is_anything(
    mistaken: TrainingSeries, reviewer: User, manager: User
) -> None:
    with pytest.raises(PermissionDenied):
        send_to_review(series=mistaken, n=1, actor=reviewer)
    with pytest.raises(UserError, match="one legend or more"):
        send_to_review(series=mistaken, n=0, actor=manager)
    mistaken.result = {}
    with pytest.raises(UserError, match="has not ended yet"):
        send_to_review(series=mistaken, n=1, actor=manager)


def test_a_disagreement_stands_at_its_place_in_the_whole_legend(
    project: Project, import_legends: Callable[..., list[Document]], tiny: ModelVersion
) -> None:
    two_panels = []
    for number in range(8):
        one, other = long_legend(number), long_legend(number + 50)
        start = len(one.text) + 1
        segments = (
            one.segments[0],
            type(one.segments[0])(start, start + len(other.text), f"q{number}", "B"),
        )
        gold = (
            *one.gold,
            *(
                type(span)(
                    span.start + start, span.end + start, span.label, span.surface, id=f"b{span.id}"
                )
                for span in other.gold
            ),
        )
        two_panels.append(
            type(one)(
                id=one.id,
                text=f"{one.text} {other.text}",
                doi=one.doi,
                label=one.label,
                segments=segments,
                gold=gold,
            )
        )
    import_legends(two_panels, labels="gold")
    snapshot = build_snapshot(snapshot=add_snapshot(project=project, actor=SYSTEM))
    series = done(started(snapshot))
    assert series.result["texts"] == 16
    assert send_to_review(series=series, n=100, actor=SYSTEM).n_sent == series.result["legends"] > 0
    rows = list(LabelErrorCandidate.objects.select_related("document"))
    assert any(row.start > len(long_legend(0).text) for row in rows), (
        "the second panel begins in the middle"
    )
    shown = {(each.document.pk, each.surface) for each in ranked(series).rows if each.document}
    assert shown <= {(row.document_id, row.document.text[row.start : row.end]) for row in rows}
    for row in rows:
        if row.label:
            assert row.document.text[row.start : row.end] in ("HeLa", "LC3")


# In the panel


@pytest.fixture
def panel(admin: User, client_of: Callable[[User], Client]) -> Client:
    return client_of(admin)


def text_of(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def test_a_search_is_started_from_a_snapshots_page_watched_and_read(
    panel: Client, learned: Snapshot, tiny: ModelVersion
) -> None:
    page = panel.get(reverse("admin:datasets_snapshot_change", args=[learned.pk])).content.decode()
    address = reverse(f"{PAGES}_add")
    assert f"{address}?kind=label-errors&amp;snapshot={learned.pk}" in page
    assert "Search for label errors" in text_of(
        panel.get(address, {"kind": "label-errors", "snapshot": learned.pk})
    )
    asked = {"snapshot": learned.pk, "recipe": "quick", "folds": 2, "max_steps": 1, "seed": 7}
    more = "\n".join(f"{name} = {value}" for name, value in BRIEF.items())
    answer = panel.post(f"{address}?kind=label-errors", {**asked, "more": more})
    series = TrainingSeries.objects.get()
    assert answer["Location"] == reverse(f"{PAGES}_change", args=[series.pk])
    assert series.kind == SeriesKind.LABEL_ERRORS
    assert series.options == {"folds": 2, "max_steps": 1, "seed": 7}
    part = reverse(f"{PAGES}_part", args=[series.pk])
    assert panel.get(part).status_code == 200
    assert "waiting" in text_of(panel.get(part))
    done(series)
    assert panel.get(part).status_code == 286
    page = text_of(panel.get(answer["Location"]))
    assert "In 30 panels of 30 papers with 60 decided entities" in page
    assert reverse("jobs:detail", args=[series.job.pk])


def test_the_ranking_shows_each_disagreement_in_context_and_sends_the_first_to_review(
    panel: Client, mistaken: TrainingSeries
) -> None:
    address = reverse(f"{PAGES}_change", args=[mistaken.pk])
    page = panel.get(address)
    rows = page.context["ranked"].rows
    assert [(each.surface, each.decided, each.found, each.kind) for each in rows] == [
        ("HeLa", "Cell", "Tissue", "different label"),
        ("HeLa", "", "Tissue", "entity not annotated"),
    ]
    assert (
        reverse("review:legend", args=[mistaken.project.slug, rows[0].document.pk])
        in page.content.decode()
    )
    assert panel.get(address, {"page": "99999"}).context["ranked"].number == 1
    sent = panel.post(reverse(f"{PAGES}_send", args=[mistaken.pk]), {"n": 1}, follow=True)
    assert "1 legend sent to review." in text_of(sent)
    assert "0 were corrected and 0 left unchanged" in text_of(panel.get(address))
    assert "The number of legends to send" in text_of(
        panel.post(reverse(f"{PAGES}_send", args=[mistaken.pk]), {"n": "x"}, follow=True)
    )


def test_a_search_whose_list_went_with_the_disk_says_so_and_shows_its_counts(
    panel: Client, mistaken: TrainingSeries
) -> None:
    shutil.rmtree(mistaken.folder)
    address = reverse(f"{PAGES}_change", args=[mistaken.pk])
    page = text_of(panel.get(address))
    assert "with 60 decided entities" in page
    assert "only its counts are left" in page
    assert "Send to review" not in page
    assert "only its counts are left" in text_of(
        panel.post(reverse(f"{PAGES}_send", args=[mistaken.pk]), {"n": 1}, follow=True)
    )


def test_a_curve_is_drawn_with_its_table_and_a_sentence(
    panel: Client, learned: Snapshot, tiny: ModelVersion
) -> None:
    address = reverse(f"{PAGES}_add")
    asked = {
        "snapshot": learned.pk,
        "recipe": "quick",
        "shares": "25, 50, 100 %",
        "max_steps": 1,
        "seed": 42,
        "more": "precision = fp32",
    }
    answer = panel.post(f"{address}?kind=curve", asked)
    series = TrainingSeries.objects.get()
    assert series.options["shares"] == "0.25,0.5,1"
    done(series)
    page = panel.get(answer["Location"])
    report = page.context["curve"]
    assert [point.percent for point in report.points] == [25.0, 50.0, 100.0]
    assert report.charts[0].line.count(",") == 3
    assert report.sentence in text_of(page)
    assert report.columns[0] == "Micro average"
    refused = panel.post(f"{address}?kind=curve", {**asked, "shares": "half"})
    assert refused.status_code == 422
    assert ("Write numbers separated by commas" in text_of(refused)) is True
    assert panel.post(f"{address}?kind=curve", {**asked, "shares": "100"}).status_code == 422


def test_a_stopped_series_offers_to_go_on_and_lists_say_how_it_stands(
    panel: Client, learned: Snapshot, tiny: ModelVersion
) -> None:
    series = started(learned)
    panel.post(reverse(f"{PAGES}_cancel", args=[series.pk]))
    address = reverse(f"{PAGES}_change", args=[series.pk])
    assert "Resume series" in text_of(panel.get(address))
    panel.post(reverse(f"{PAGES}_resume", args=[series.pk]))
    assert "waiting" in text_of(panel.get(address))
    assert "already" in text_of(
        panel.post(reverse(f"{PAGES}_resume", args=[series.pk]), follow=True)
    )
    assert "Label errors" in text_of(panel.get(reverse(f"{PAGES}_changelist")))


# From the command line


@pytest.mark.slow
def test_the_commands_search_and_draw_without_a_worker_and_go_on_where_they_stopped(
    project: Project, tiny: ModelVersion, import_legends: Callable[..., list[Document]]
) -> None:
    import_legends([long_legend(number) for number in range(30)], labels="gold")
    settings = [part for name, value in BRIEF.items() for part in ("--set", f"{name}={value}")]
    found = run_command(
        "label_errors",
        "autophagy",
        "--folds",
        "2",
        "--max-steps",
        "1",
        *settings,
        "--send",
        "3",
        "--json",
    )
    assert found.code == 0
    assert found.err == ""
    assert found.summary["texts"] == 30
    assert found.summary["entities"] == 60
    assert (
        found.summary["sent"]
        == project.documents.exclude(suspicion=None).count()
        == min(3, found.summary["legends"])
    )
    series = TrainingSeries.objects.get()
    assert series.job is not None
    assert series.job.is_inline

    drawn = run_command(
        "learning_curve", "autophagy", "--snapshot", "1", "--shares", "0.5,1", *settings, "--json"
    )
    assert drawn.code == 0
    assert len(drawn.summary["points"]) == 2
    assert not TrainingRun.objects.exists()
    curve = TrainingSeries.objects.get(kind=SeriesKind.LEARNING_CURVE)
    TrainingSeries.objects.filter(pk=curve.pk).update(result={})
    Job.objects.filter(pk=curve.job_id).update(state=JobState.CANCELLED)
    again = run_command(
        "learning_curve", "autophagy", "--snapshot", "1", "--shares", "0.5,1", *settings, "--json"
    )
    assert again.code == 0
    assert again.summary["series"] == curve.pk
    n_snapshots = Snapshot.objects.count()
    refused = run_command("label_errors", "autophagy", "--folds", "1", *settings)
    assert refused.code == 2
    assert ("2 to 20 folds" in refused.err) is True
    assert Snapshot.objects.count() == n_snapshots, "nothing is frozen for what cannot be"


def test_a_command_that_was_killed_goes_on_when_it_is_asked_for_the_same_in_another_order(
    learned: Snapshot, tiny: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    turned = {"seed": 42, "max_steps": 1, "folds": 2}
    facts = {
        "kind": SeriesKind.LABEL_ERRORS,
        "recipe": "quick",
        "hyperparameters": {"precision": "fp32", "epochs": "1"},
    }
    killed = Job.objects.create(
        kind=SERIES_KIND,
        scope=learned.project.scope,
        state=JobState.RUNNING,
        is_exclusive=True,
        is_inline=True,
        heartbeat_at=timezone.now() - timedelta(days=1),
    )
    series = TrainingSeries.objects.create(
        project=learned.project, snapshot=learned, base=tiny, options=turned, job=killed, **facts
    )
    asked: list[dict[str, Any]] = []

    def noted(self: Any, *, payload: Payload, **_: Any) -> None:
        asked.append(payload.as_json())
        raise UserError("That is enough.")

    monkeypatch.setattr("annotator.jobs.commands.JobCommand.run_job", noted)
    settings = (
        "--folds",
        "2",
        "--max-steps",
        "1",
        "--set",
        "epochs=1",
        "--set",
        "precision=fp32",
        "--base",
        tiny.name,
    )
    assert (
        run_command("label_errors", "autophagy", "--snapshot", "1", *settings)
        .err.strip()
        .endswith("That is enough.")
    )
    assert asked == [{"series": series.pk}]
    assert TrainingSeries.objects.get() == series
    assert Job.objects.get(pk=killed.pk).state == JobState.FAILED


def test_a_series_that_is_in_the_way_is_not_lost_to_a_command(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    facts = {
        "kind": SeriesKind.LABEL_ERRORS,
        "recipe": "quick",
        "options": {"folds": 2, "max_steps": 1, "seed": 42},
    }
    stopped = TrainingSeries.objects.create(
        project=learned.project, snapshot=learned, base=tiny, **facts
    )
    started(learned)
    refused = run_command(
        "label_errors", "autophagy", "--snapshot", "1", "--folds", "2", "--max-steps", "1"
    )
    assert refused.code == 2
    assert ("waiting or running already" in refused.err) is True
    assert TrainingSeries.objects.filter(pk=stopped.pk).exists()
