"""The report of a dry run: examples, labels, disk space, and what speaks against the run."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.models import Document, Membership, Project, Role
from annotator.corpus.services import create_project
from annotator.datasets.models import Snapshot
from annotator.datasets.snapshots.contents import rows_of
from annotator.datasets.snapshots.guard import change_snapshot_rules
from annotator.datasets.snapshots.services import add_snapshot, build_snapshot
from annotator.jobs.models import Job, JobState
from annotator.learning.models import ModelVersion, TrainingRun
from annotator.learning.training import disk_space as room
from annotator.learning.training.dry_run import DryRun, dry_run_of, plan_of, start_dry_run
from annotator.learning.training.plan import TrainingRequest
from annotator.learning.training.recipes import defaults_of, hyperparameters, recipes
from annotator.learning.training.services import DRY_RUN_KIND, DryRunPayload
from ner_engine.registry.catalogue import find_base
from tests.annotator.commands import run_command
from tests.annotator.datasets.conftest import long_legend
from tests.annotator.learning.conftest import BRIEF, plant
from tests.annotator.learning.training.conftest import done_job, dry_run_job

pytestmark = pytest.mark.django_db

ImportLegends = Callable[..., list[Document]]
CandidateOf = Callable[..., ModelVersion]
ClientOf = Callable[[User | None], Client]
ADD = "admin:learning_trainingrun_add"
DRY_RUN = "admin:learning_trainingrun_dry_run"


def found_of(snapshot: Snapshot, **facts: Any) -> DryRun:
    return dry_run_of(plan_of(DryRunPayload.of(dry_run_job(snapshot, **facts))))


def text_of(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def test_texts_and_entities_are_counted_by_label_and_split(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    found = found_of(learned)
    assert found.texts == [learned.counts[side]["panels"] for side in ("train", "eval", "test")]
    rows = {row.label: row for row in found.rows}
    assert set(rows) == set(learned.report["labels"])
    for label in ("GENEPROD", "CELL"):
        assert [count.entities for count in rows[label].by_split] == [
            learned.counts[side]["labels"][label] for side in ("train", "eval", "test")
        ]
        assert [count.texts for count in rows[label].by_split] == found.texts, (
            "each text of these has one of both"
        )
        assert rows[label].more is None
        assert rows[label].is_new is False
    assert found.last_run is None
    assert found.changes is None
    assert found.stops == []


def test_rare_labels_and_labels_new_to_the_base_are_named(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    found = found_of(learned)
    few, new = (
        next(each for each in found.warnings if words in each)
        for words in ("Fewer than 50 training examples", "does not know")
    )
    assert f"GENEPROD {learned.counts['train']['labels']['GENEPROD']}" in few
    assert "DISEASE 0" in few
    assert "DISEASE" in new
    assert tiny.name in new
    assert "GENEPROD" not in new


def test_legends_added_since_the_last_run_are_counted(
    learned: Snapshot, tiny: ModelVersion, candidate_of: CandidateOf, import_legends: ImportLegends
) -> None:
    candidate_of(learned)
    import_legends([long_legend(number) for number in range(40, 47)], labels="gold")
    newer = build_snapshot(snapshot=add_snapshot(project=learned.project, actor=SYSTEM))
    found = found_of(newer)
    assert found.last_run.snapshot == learned
    assert found.changes == {"added": 7, "removed": 0, "changed": 0, "same": 30}
    assert {row.label: row.more for row in found.rows if row.by_split[0].entities} == {
        "GENEPROD": 7,
        "CELL": 7,
    }
    assert not [each for each in found.warnings if "snapshot" in each and " used " in each]
    assert any("used this snapshot too" in each for each in found_of(learned).warnings)
    candidate_of(newer)
    assert any("used a newer snapshot, 2" in each for each in found_of(learned).warnings)


def test_a_last_snapshot_without_files_is_named(
    learned: Snapshot, tiny: ModelVersion, candidate_of: CandidateOf, import_legends: ImportLegends
) -> None:
    candidate_of(learned)
    newer = build_snapshot(snapshot=add_snapshot(project=learned.project, actor=SYSTEM))
    (learned.folder / "train.jsonl").unlink()
    found = found_of(newer)
    assert any("files of snapshot 1 are missing" in each for each in found.warnings)
    assert {row.more for row in found.rows} == {None}
    assert found.texts[0] == newer.counts["train"]["panels"]


def test_too_many_bulk_accepted_entities_give_a_warning(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    counts = learned.counts
    counts["train"]["swept"] = {"CELL": counts["train"]["labels"]["CELL"]}
    Snapshot.objects.filter(pk=learned.pk).update(counts=counts)
    rules = {"over_cap": "refuse", "swept_weight": 1.0, "near_duplicate": 0.8}
    assert not any("bulk-accepted" in each for each in found_of(learned).warnings)
    change_snapshot_rules(project=learned.project, actor=SYSTEM, swept_cap=0.1, **rules)
    learned.refresh_from_db()
    found = found_of(learned)
    assert 0.3 < found.bulk_accepted_fraction < 0.5
    assert any("the project allows 10%" in each for each in found.warnings)


def test_a_leak_is_named_before_anything_starts(learned: Snapshot, tiny: ModelVersion) -> None:
    row = next(rows_of(learned.folder, "test"))
    plant(
        learned,
        side="train",
        row={**row, "id": "planted", "text": "Another panel of the same paper.", "spans": []},
    )
    sentence = f"The model was trained on the paper {row['doi']}"
    assert any(sentence in each for each in found_of(learned).stops)


def test_held_out_papers_without_examples_are_named(learned: Snapshot, tiny: ModelVersion) -> None:
    job = start_dry_run(
        TrainingRequest(project=learned.project, snapshot=learned, recipe="geneprod-roles"),
        actor=SYSTEM,
    )
    found = dry_run_of(plan_of(DryRunPayload.of(job)))
    assert any("have no roles of gene products" in each for each in found.stops)
    assert [row.label for row in found.rows] == ["CONTROLLED_VAR", "MEASURED_VAR"]


def test_a_disk_that_is_too_small_is_named_with_missing_bytes(
    learned: Snapshot, tiny: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "free_bytes", lambda folder: 200 * 1024**2)
    (sentence,) = found_of(learned).stops
    assert "are missing. Free space on that disk" in sentence
    assert str(room.settings.RUNS_DIR) in sentence


def test_disk_space_follows_from_base_model_and_recipe(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    weights = 4 * find_base(tiny.path).n_parameters
    assert found_of(learned).disk_space == room.DiskSpace(runs=9 * weights, models=weights)
    assert (
        found_of(learned, hyperparameters={"keep": "best", "evals_per_epoch": 1}).disk_space.runs
        == 12 * weights
    )
    assert (
        found_of(learned, hyperparameters={"average": 5, "evals_per_epoch": 1}).disk_space.runs
        == 16 * weights
    )
    stored = Path(tiny.path, "model.safetensors").stat().st_size
    assert weights <= stored < weights + 20_000


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"hyperparameters": {"epochs": 0}}, "epochs must lie between"),
        ({"hyperparameters": {"warmth": 1}}, "there is no hyperparameter warmth"),
    ],
)
def test_a_run_that_could_not_start_has_no_dry_run(
    facts: dict[str, Any], sentence: str, learned: Snapshot, tiny: ModelVersion
) -> None:
    with pytest.raises(UserError, match=sentence):
        dry_run_job(learned, **facts)
    assert not Job.objects.filter(kind=DRY_RUN_KIND).exists()


def test_a_changed_snapshot_has_no_dry_run(learned: Snapshot, tiny: ModelVersion) -> None:
    (learned.folder / "train.jsonl").unlink()
    with pytest.raises(UserError, match="files of snapshot 1 are missing"):
        dry_run_job(learned)


def test_only_managers_start_dry_runs(
    learned: Snapshot, tiny: ModelVersion, reviewer: User, stranger: User
) -> None:
    for user in (reviewer, stranger):
        with pytest.raises(PermissionDenied):
            start_dry_run(TrainingRequest(project=learned.project, snapshot=learned), actor=user)


@pytest.fixture
def panel(admin: User, client_of: ClientOf) -> Client:
    return client_of(admin)


def test_a_run_is_started_from_its_dry_run_with_one_click(
    panel: Client, learned: Snapshot, tiny: ModelVersion
) -> None:
    asked = {"snapshot": learned.pk, "recipe": "quick", "dry_run": "1", **BRIEF}
    response = panel.post(reverse(ADD), asked)
    job = Job.objects.get(kind=DRY_RUN_KIND)
    assert response["Location"] == reverse(DRY_RUN, args=[job.pk])
    assert job.queue == "train"
    assert not TrainingRun.objects.exists()
    page = panel.get(response["Location"])
    assert page.status_code == 200
    n = [learned.counts[side]["panels"] for side in ("train", "eval", "test")]
    assert re.search(
        rf"GENEPROD {n[0]} {n[0]} {n[1]} {n[1]} {n[2]} {n[2]} predicts it", text_of(page)
    )
    assert "Fewer than 50 training examples" in text_of(page)
    part = panel.get(response["Location"], headers={"HX-Request": "true"})
    assert part.status_code == 200
    assert "waiting" in text_of(part)
    assert "<html" not in part.content.decode()

    done_job(job)
    part = panel.get(response["Location"], headers={"HX-Request": "true"})
    assert part.status_code == 286
    assert re.search(r"About \d+ (s|min) on cpu", text_of(part))
    fields = dict(
        re.findall(
            r'<input type="hidden" name="(\w+)" value="([^"]*)"',
            panel.get(response["Location"]).content.decode(),
        )
    )
    fields.pop("csrfmiddlewaretoken")
    launched = panel.post(reverse(ADD), fields)
    run = TrainingRun.objects.get()
    assert launched["Location"] == reverse("admin:learning_trainingrun_change", args=[run.pk])
    assert {name: run.hyperparameters[name] for name in BRIEF} == BRIEF
    assert run.snapshot == learned
    assert run.base == tiny


def test_a_dry_run_without_a_worker_says_so_after_ten_seconds(
    panel: Client, learned: Snapshot, tiny: ModelVersion
) -> None:
    job = dry_run_job(learned)
    address = reverse(DRY_RUN, args=[job.pk])
    assert "No worker is running" not in text_of(panel.get(address))
    Job.objects.filter(pk=job.pk).update(created_at=timezone.now() - timedelta(seconds=11))
    for headers in ({}, {"HX-Request": "true"}):
        assert "No worker is running for the queue “train”" in text_of(
            panel.get(address, headers=headers)
        )


def test_going_back_from_a_dry_run_keeps_the_choices(
    panel: Client, learned: Snapshot, tiny: ModelVersion
) -> None:
    job = dry_run_job(learned, hyperparameters={"warmup": 0.3})
    page = panel.get(reverse(DRY_RUN, args=[job.pk])).content.decode()
    change = re.search(r'id="change" href="([^"]+)"', page)
    assert change is not None
    form = panel.get(change[1].replace("&amp;", "&")).content.decode()
    assert re.search(r'name="warmup" value="0.3"', form)
    assert '<details id="hyperparameters" open>' in form


def test_the_page_shows_what_the_worker_found(
    panel: Client, learned: Snapshot, tiny: ModelVersion
) -> None:
    job = dry_run_job(learned)
    Job.objects.filter(pk=job.pk).move(JobState.RUNNING, only_from=JobState.PENDING)
    Job.objects.filter(pk=job.pk).move(
        JobState.SUCCEEDED,
        result={"leak": "Panel 3 is nearly the same."},
    )
    assert "The run would fail at its start. Panel 3 is nearly the same." in text_of(
        panel.get(reverse(DRY_RUN, args=[job.pk]))
    )
    other = dry_run_job(learned)
    Job.objects.filter(pk=other.pk).move(
        JobState.FAILED, only_from=JobState.PENDING, error="The files of tiny are not those."
    )
    assert "The dry run failed, as the run would: The files of tiny are not those." in text_of(
        panel.get(reverse(DRY_RUN, args=[other.pk]))
    )


def test_a_dry_run_whose_snapshot_is_gone_says_so(
    panel: Client, learned: Snapshot, tiny: ModelVersion
) -> None:
    job = dry_run_job(learned)
    (learned.folder / "test.jsonl").unlink()
    page = panel.get(reverse(DRY_RUN, args=[job.pk]))
    assert page.status_code == 422
    assert "are missing" in text_of(page)
    assert 'id="start"' not in page.content.decode()


def test_only_those_who_may_train_see_a_dry_run(
    client_of: ClientOf,
    learned: Snapshot,
    tiny: ModelVersion,
    manager: User,
    viewer: User,
    stranger: User,
) -> None:
    own = create_project(name="Other", slug="other", actor=SYSTEM)
    Membership.objects.create(project=own, user=stranger, role=Role.MANAGER)
    for user in (manager, viewer, stranger):
        user.is_staff = True
        user.save()
    job = dry_run_job(learned)
    other = Job.objects.create(kind="train_model", scope=learned.project.scope)
    answers = {
        user.username: client_of(user).get(reverse(DRY_RUN, args=[job.pk])).status_code
        for user in (manager, viewer, stranger)
    }
    assert answers == {"manager": 200, "viewer": 404, "stranger": 404}
    assert client_of(manager).get(reverse(DRY_RUN, args=[other.pk])).status_code == 404
    assert (
        client_of(stranger)
        .post(reverse(ADD), {"snapshot": learned.pk, "recipe": "quick", "dry_run": "1"})
        .status_code
        == 422
    )


def test_each_hyperparameter_is_shown_with_range_and_default(
    panel: Client, learned: Snapshot, tiny: ModelVersion
) -> None:
    page = panel.get(reverse(ADD))
    html, words = page.content.decode(), text_of(page)
    recipe = recipes()["quick"]
    facts = {each.name: each for each in hyperparameters()}
    assert set(facts) == set(defaults_of(recipe))
    for name, each in facts.items():
        assert f'name="{name}"' in html
        assert each.meaning in words.replace("&#x27;", "'")
        assert each.permitted.lower() in words.lower()
    assert re.search(r"linear or cosine or constant_with_warmup linear ", words)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("warmup", "2", "warmup must lie between 0 and 1, not 2."),
        ("seed", "-1", "seed must lie between 0 and"),
        ("seed", "9" * 60, "seed must lie between 0 and"),
        ("schedule", "random", "schedule must be one of linear, cosine, constant_with_warmup"),
        ("gradient_checkpointing", "perhaps", "gradient_checkpointing cannot be"),
        ("learning_rate", "inf", "learning_rate must lie between"),
    ],
)
def test_a_value_out_of_its_range_is_refused_beside_its_field(
    panel: Client, learned: Snapshot, tiny: ModelVersion, name: str, value: str, sentence: str
) -> None:
    for also in ({}, {"dry_run": "1"}):
        response = panel.post(
            reverse(ADD), {"snapshot": learned.pk, "recipe": "quick", name: value, **also}
        )
        assert response.status_code == 422
        assert re.search(rf'id="id_{name}_error">{re.escape(sentence)}', response.content.decode())
    assert not Job.objects.exists()


def test_the_command_reports_the_same_and_times_the_steps(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    settings = [part for name, value in BRIEF.items() for part in ("--set", f"{name}={value}")]
    ended = run_command("dry_run", "autophagy", *settings, "--json")
    assert ended.code == 0
    assert ended.err == ""
    assert ended.summary["texts"]["train"] == learned.counts["train"]["panels"]
    assert ended.summary["measured"]["seconds"] > 0
    assert Job.objects.get(kind=DRY_RUN_KIND).is_inline
    told = run_command("dry_run", "autophagy", *settings, "--no-steps")
    assert told.code == 0
    assert "Warning: Fewer than 50 training examples" in told.out
    assert not TrainingRun.objects.exists()


def test_the_command_exits_with_1_if_the_run_would_fail(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    row = next(rows_of(learned.folder, "test"))
    plant(
        learned,
        side="train",
        row={**row, "id": "planted", "text": "Another panel of the same paper.", "spans": []},
    )
    ended = run_command("dry_run", "autophagy")
    assert ended.code == 1
    assert "The run would fail at its start." in ended.out
    assert f"The model was trained on the paper {row['doi']}" in ended.out
    assert not Job.objects.filter(kind=DRY_RUN_KIND).exists()


def test_the_command_wants_a_snapshot(project: Project, tiny: ModelVersion) -> None:
    ended = run_command("dry_run", "autophagy")
    assert ended.code == 2
    assert "has no snapshot yet" in ended.err
