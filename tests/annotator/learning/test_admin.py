"""The learning loop as an administrator meets it in the panel."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.corpus.models import Document, Membership, Project, Role
from annotator.corpus.services import create_project
from annotator.datasets.models import Snapshot, SnapshotState
from annotator.datasets.snapshots.contents import rows_of
from annotator.datasets.snapshots.services import add_snapshot, build_snapshot
from annotator.jobs.models import Job, JobState
from annotator.learning.evaluation import charts
from annotator.learning.models import (
    Evaluation,
    ModelOrigin,
    ModelVersion,
    Promotion,
    RunState,
    TrainingRun,
)
from annotator.learning.serving import eligibility, gate
from annotator.learning.tagging.services import serving_model
from annotator.learning.training.plan import TrainingRequest
from annotator.learning.training.services import TRAIN_KIND, start_training
from tests.annotator.datasets.conftest import long_legend
from tests.annotator.learning.conftest import judged_as, perfect

pytestmark = pytest.mark.django_db

RUNS = "admin:learning_trainingrun"
MODELS = "admin:learning_modelversion"


@pytest.fixture
def panel(admin: User, client_of: Callable[[User], Client]) -> Client:
    return client_of(admin)


@pytest.fixture
def snapshot(
    project: Project, import_legends: Callable[..., list[Document]], manager: User
) -> Snapshot:
    """Enough accepted papers that each side has some, with panels that are long enough to learn
    from."""
    import_legends([long_legend(number) for number in range(40)], labels="gold")
    return build_snapshot(snapshot=add_snapshot(project=project, actor=manager))


def scores(f1: float) -> dict[str, Any]:
    line = {"precision": f1, "recall": f1, "f1": f1, "support": 40}
    return {
        "by_label": {"GENEPROD": line, "CELL": {**line, "f1": f1 / 2}},
        "micro": line,
        "macro": line,
        "seconds": 1.0,
    }


@pytest.fixture
def finished(project: Project, snapshot: Snapshot) -> TrainingRun:
    """A run whose candidate was evaluated beside the serving model."""
    base = serving_model(project)
    run = TrainingRun.objects.create(
        project=project,
        snapshot=snapshot,
        base=base,
        recipe="quick",
        state=RunState.SUCCEEDED,
        finished_at=timezone.now(),
        hyperparameters={"epochs": 2},
    )
    run.candidate = ModelVersion.objects.create(
        name=run.candidate_name,
        origin=ModelOrigin.TRAINED,
        location="x",
        project=project,
        parent=base,
    )
    run.save()
    for model, f1 in ((run.candidate, 0.81), (base, 0.74)):
        Evaluation.objects.create(
            model_version=model, snapshot=snapshot, scores=scores(f1), micro_f1=f1
        )
    return run


def text_of(response: Any) -> str:
    assert response.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def test_a_snapshot_is_frozen_and_shows_its_contents(
    panel: Client, project: Project, snapshot: Snapshot
) -> None:
    response = panel.post(
        reverse("admin:datasets_snapshot_add"), {"project": project.pk, "note": "after the retreat"}
    )
    newer = Snapshot.objects.get(number=2)
    assert response["Location"] == reverse("admin:datasets_snapshot_change", args=[newer.pk])
    assert newer.state == SnapshotState.BUILDING
    assert newer.note == "after the retreat"
    assert Job.objects.get(pk=newer.job_id).state == JobState.PENDING
    page = text_of(panel.get(reverse("admin:datasets_snapshot_change", args=[snapshot.pk])))
    assert "GENEPROD" in page
    assert str(snapshot.counts["train"]["panels"]) in page
    assert "being built" in text_of(
        panel.get(reverse("admin:datasets_snapshot_change", args=[newer.pk]))
    )


def test_nothing_can_be_frozen_where_nothing_is_accepted(panel: Client, project: Project) -> None:
    response = panel.post(reverse("admin:datasets_snapshot_add"), {"project": project.pk})
    assert response.status_code == 422
    assert "There is no accepted legend to freeze yet" in response.content.decode()
    assert not Snapshot.objects.exists()


def test_a_training_is_started_with_what_was_filled_in(panel: Client, snapshot: Snapshot) -> None:
    asked = {
        "snapshot": snapshot.pk,
        "recipe": "quick",
        "epochs": "1",
        "warmup": "0.2",
        "seed": "7",
    }
    response = panel.post(reverse(f"{RUNS}_add"), asked)
    run = TrainingRun.objects.get()
    assert response["Location"] == reverse(f"{RUNS}_change", args=[run.pk])
    assert run.hyperparameters["epochs"] == 1.0
    assert run.hyperparameters["warmup"] == 0.2
    assert run.hyperparameters["seed"] == 7
    assert run.base == serving_model(snapshot.project)
    assert run.job is not None
    assert run.job.queue == "train"


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"epochs": "many"}, "epochs cannot be"),
        ({"epochs": "-1"}, "epochs must lie between"),
        ({"warmup": "much"}, "warmup cannot be"),
        ({"average": "3", "keep": "best"}, "keep=best and average exclude"),
        ({"recipe": "slow"}, "Select a valid choice"),
    ],
)
def test_an_impossible_hyperparameter_is_refused(
    panel: Client, snapshot: Snapshot, asked: dict[str, str], sentence: str
) -> None:
    response = panel.post(
        reverse(f"{RUNS}_add"), {"snapshot": snapshot.pk, "recipe": "quick", **asked}
    )
    assert response.status_code == 422
    assert sentence in response.content.decode()
    assert not TrainingRun.objects.exists()
    assert not Job.objects.filter(kind=TRAIN_KIND).exists()


def test_a_second_training_at_once_is_refused(panel: Client, snapshot: Snapshot) -> None:
    asked = {"snapshot": snapshot.pk, "recipe": "quick"}
    assert panel.post(reverse(f"{RUNS}_add"), asked).status_code == 302
    assert panel.post(reverse(f"{RUNS}_add"), asked).status_code == 422
    assert TrainingRun.objects.count() == 1


def test_the_page_of_a_run_is_polled_until_the_run_has_ended(
    panel: Client, snapshot: Snapshot, admin: User
) -> None:
    run = start_training(TrainingRequest(project=snapshot.project, snapshot=snapshot), actor=admin)
    part = reverse(f"{RUNS}_part", args=[run.pk])
    assert panel.get(part).status_code == 200
    panel.post(reverse(f"{RUNS}_cancel", args=[run.pk]))
    run.refresh_from_db()
    assert run.state == RunState.CANCELLED
    assert panel.get(part).status_code == 286
    assert "cancelled" in text_of(panel.get(reverse(f"{RUNS}_change", args=[run.pk])))


def test_a_run_says_how_much_memory_it_took(panel: Client, finished: TrainingRun) -> None:
    page = reverse(f"{RUNS}_change", args=[finished.pk])
    assert "Peak memory" not in text_of(panel.get(page))
    TrainingRun.objects.filter(pk=finished.pk).update(progress={"memory_bytes": 3_249_000_000})
    assert "Peak memory 3.2 GB" in text_of(panel.get(page))


def test_a_run_shows_its_curves_with_a_table_of_the_same_numbers(
    panel: Client, finished: TrainingRun
) -> None:
    finished.folder.mkdir(parents=True)
    steps = [
        {"event": "step", "step": step, "steps": 400, "loss": 1 / step} for step in range(1, 401)
    ]
    micro = {"precision": 0.8, "recall": 0.7, "f1": 0.747}
    events = [*steps, {"event": "eval", "step": 200, "epoch": 1.0, "loss": 0.31, "micro": micro}]
    Path(finished.folder, "events.jsonl").write_text(
        "".join(json.dumps(event) + "\n" for event in events), encoding="utf-8"
    )
    page = panel.get(reverse(f"{RUNS}_change", args=[finished.pk])).content.decode()
    line = re.search(r'is-line" points="([^"]+)"', page)
    assert line is not None
    assert 2 < len(line[1].split()) <= charts.MAX_POINTS
    assert "0.747" in page
    assert "Best micro F1 0.747 at step 200" in page


@pytest.mark.parametrize(
    ("measured", "words"),
    [
        (
            [[0.0, 0.7], [0.25, 0.7125], [0.5, 0.71]],
            (
                r"weights of the new model are an average: 25 % of \S+ the rest"
                r" .* 25 % 50 % F1 0\.7000 0\.7125 \(chosen\) 0\.7100"
            ),
        ),
        ([], r"are an average: 25 % of \S+"),
    ],
)
def test_a_run_says_how_much_of_its_base_is_in_the_model(
    panel: Client, finished: TrainingRun, measured: list[list[float]], words: str
) -> None:
    page = reverse(f"{RUNS}_change", args=[finished.pk])
    assert "an average" not in text_of(panel.get(page))
    finished.folder.mkdir(parents=True)
    event = {"event": "blend", "share_of_base": 0.25, "micro_f1": measured}
    Path(finished.folder, "events.jsonl").write_text(json.dumps(event) + "\n", encoding="utf-8")
    assert re.search(words, text_of(panel.get(page)))


def test_the_candidate_is_compared_label_by_label(panel: Client, finished: TrainingRun) -> None:
    page = text_of(panel.get(reverse(f"{RUNS}_change", args=[finished.pk])))
    assert re.search(r"GENEPROD 40 0\.810 0\.810 0\.810 0\.740 0\.740 0\.740 \+7\.0", page)
    assert re.search(r"Micro average 40 0\.810 0\.810 0\.810 0\.740 0\.740 0\.740 \+7\.0", page)


@pytest.mark.parametrize("page", ["roll_back", "stop_canary"])
def test_a_missing_default_model_is_a_message(
    panel: Client, project: Project, page: str, settings: Any
) -> None:
    settings.DEFAULT_MODEL = "gone"
    response = panel.post(reverse(f"{MODELS}_{page}", args=[project.pk]), follow=True)
    assert response.status_code == 200
    (said,) = [str(message) for message in response.context["messages"]]
    assert said.startswith(
        {"roll_back": "gone is not in", "stop_canary": "No canary is running"}[page]
    )


def test_promotion_and_roll_back_are_a_click_each_and_are_logged(
    panel: Client, finished: TrainingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eligibility, "ancestors_of", lambda model: [finished.snapshot])
    base, candidate = finished.base, finished.candidate
    asked = {"project": finished.project_id, "reason": "better on proteins", "run": finished.pk}
    response = panel.post(reverse(f"{MODELS}_promote", args=[candidate.pk]), asked, follow=True)
    assert "is now the serving model for entities in" in text_of(response)
    assert serving_model(finished.project) == candidate
    assert Promotion.objects.get().reason == "better on proteins"
    assert "Roll back to" in text_of(panel.get(reverse(f"{RUNS}_change", args=[finished.pk])))
    panel.post(reverse(f"{MODELS}_roll_back", args=[finished.project_id]), {"run": finished.pk})
    assert serving_model(finished.project) == base
    log = text_of(panel.get(reverse("admin:learning_promotion_changelist")))
    assert "Promoted" in log
    assert "Rolled Back" in log


def test_the_page_shows_errors_and_worse_legends(
    panel: Client, project: Project, snapshot: Snapshot, finished: TrainingRun
) -> None:
    Evaluation.objects.all().delete()
    judged_as(snapshot, finished.base, perfect)
    judged_as(
        snapshot,
        finished.candidate,
        lambda document: [found for found in perfect(document) if found.label == "CELL"],
    )
    response = panel.get(reverse(f"{RUNS}_change", args=[finished.pk]))
    page, html = text_of(response), response.content.decode()
    assert re.search(
        r"−\d+\.\d points of micro F1 \(95 % confidence interval −\d+\.\d to −\d+\.\d\)", page
    )
    assert 'aria-label="F1 of strict spans by label. Micro average' in html
    n = snapshot.counts["test"]["panels"]
    assert re.search(rf"GENEPROD 0 0 −{n}|GENEPROD 0 0 {n} \+{n}", page), (
        "all proteins became nothing"
    )
    assert re.search(rf"LC3 GENEPROD {n} \+{n}", page)
    worse = Document.objects.filter(
        doi__in=[row["doi"] for row in rows_of(snapshot.folder, "test")]
    )
    links = [reverse("review:legend", args=[project.slug, document.pk]) for document in worse]
    assert all(f'href="{link}"' in html for link in links)
    assert "The candidate does not pass the gate" in page
    assert "style=" not in html.partition('id="run"')[2].partition("</main>")[0]


def test_a_worse_candidate_needs_an_override_reason(
    panel: Client, finished: TrainingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eligibility, "ancestors_of", lambda model: [finished.snapshot])
    Evaluation.objects.filter(model_version=finished.candidate).update(
        scores=scores(0.5), micro_f1=0.5
    )
    for address in (
        reverse(f"{RUNS}_change", args=[finished.pk]),
        reverse(f"{MODELS}_change", args=[finished.candidate_id]),
    ):
        response = panel.get(address)
        assert "The micro average falls by 24 points of F1; no loss is allowed." in text_of(
            response
        )
        assert 'minlength="20"' in response.content.decode()
    asked = {"project": finished.project_id, "run": finished.pk}
    refused = panel.post(
        reverse(f"{MODELS}_promote", args=[finished.candidate_id]), asked, follow=True
    )
    assert "does not pass the gate" in text_of(refused)
    assert not Promotion.objects.exists()
    panel.post(
        reverse(f"{MODELS}_promote", args=[finished.candidate_id]),
        {**asked, "reason": "It alone knows the labels of the new guideline."},
    )
    assert serving_model(finished.project) == finished.candidate
    entry = text_of(
        panel.get(reverse("admin:learning_promotion_change", args=[Promotion.objects.get().pk]))
    )
    assert "It alone knows the labels" in entry
    assert "falls by 24 points" in entry


def test_managers_change_the_rules_of_the_gate(
    panel: Client, project: Project, client_of: Callable[[User | None], Client], reviewer: User
) -> None:
    address = reverse(f"{RUNS}_gate", args=[project.pk])
    asked = {"max_label_loss": "3.5", "min_support": "20", "max_overall_loss": "0"}
    assert "may not fall at all" in text_of(panel.get(address))
    assert panel.post(address, asked).status_code == 302
    assert gate.Rules.of(project) == gate.Rules(20, 3.5, 0.0)
    assert (
        "No label with 20 or more entities in the held-out papers may lose more than 3.5 points"
        in text_of(panel.get(address))
    )
    for bad in (
        {"max_label_loss": "-1"},
        {"min_support": "0"},
        {"max_overall_loss": "nan"},
        {"min_support": ""},
    ):
        assert panel.post(address, {**asked, **bad}).status_code == 422
    reviewer.is_staff = True
    reviewer.save()
    assert client_of(reviewer).post(address, asked).status_code == 403
    assert gate.Rules.of(project) == gate.Rules(20, 3.5, 0.0)


def test_a_model_that_was_not_judged_is_not_promoted(panel: Client, project: Project) -> None:
    model = ModelVersion.objects.create(
        name="untried", origin=ModelOrigin.TRAINED, location="y", project=project
    )
    response = panel.post(
        reverse(f"{MODELS}_promote", args=[model.pk]), {"project": project.pk}, follow=True
    )
    assert "has no evaluation on held-out papers" in text_of(response)
    assert serving_model(project) != model


def test_a_default_model_shows_where_it_serves(panel: Client, project: Project) -> None:
    model = serving_model(project)
    assert f"serves {project}" in text_of(panel.get(reverse(f"{MODELS}_change", args=[model.pk])))


def test_the_first_page_shows_what_each_project_could_learn(
    panel: Client, finished: TrainingRun
) -> None:
    page = text_of(panel.get(reverse("admin:index")))
    assert "Autophagy legends" in page
    assert "Train on snapshot 1" in page
    assert "Run" in page


LISTS = [
    "learning_trainingrun",
    "learning_modelversion",
    "learning_promotion",
    "datasets_snapshot",
    "corpus_project",
    "corpus_document",
]
FOR_SUPERUSERS = [
    "corpus_labelset",
    "jobs_job",
    "jobs_worker",
    "accounts_user",
    "accounts_apitoken",
]


@pytest.mark.parametrize("name", [*LISTS, *FOR_SUPERUSERS])
def test_every_list_of_the_panel_opens(panel: Client, finished: TrainingRun, name: str) -> None:
    assert panel.get(reverse(f"admin:{name}_changelist")).status_code == 200


def test_staff_see_the_rows_of_their_own_projects_alone(
    client_of: Callable[[User | None], Client], manager: User, stranger: User, finished: TrainingRun
) -> None:
    for user in (manager, stranger):
        user.is_staff = True
        user.save()
    addresses = [
        reverse(f"{RUNS}_change", args=[finished.pk]),
        reverse(f"{RUNS}_part", args=[finished.pk]),
        reverse(f"{MODELS}_change", args=[finished.candidate_id]),
        reverse("admin:datasets_snapshot_change", args=[finished.snapshot_id]),
        reverse("admin:datasets_snapshot_part", args=[finished.snapshot_id]),
    ]
    assert {client_of(manager).get(address).status_code for address in addresses} <= {200, 286}
    assert {client_of(stranger).get(address).status_code for address in addresses} == {403}
    for name in LISTS:
        page = client_of(stranger).get(reverse(f"admin:{name}_changelist"))
        assert page.status_code == 200
        assert "autophagy" not in page.content.decode().lower()
    for name in FOR_SUPERUSERS:
        assert client_of(manager).get(reverse(f"admin:{name}_changelist")).status_code == 403


def test_staff_without_the_right_can_change_nothing(
    client_of: Callable[[User | None], Client], viewer: User, finished: TrainingRun
) -> None:
    viewer.is_staff = True
    viewer.save()
    browser = client_of(viewer)
    run = TrainingRun.objects.create(
        project=finished.project, snapshot=finished.snapshot, base=finished.base, recipe="quick"
    )
    run.job = Job.objects.create(kind=TRAIN_KIND, scope=finished.project.scope, queue="train")
    run.save()
    answers = [
        browser.get(reverse(f"{RUNS}_add")),
        browser.post(reverse("admin:datasets_snapshot_add"), {"project": finished.project_id}),
        browser.post(reverse(f"{RUNS}_cancel", args=[run.pk])),
        browser.post(
            reverse(f"{MODELS}_promote", args=[finished.candidate_id]),
            {"project": finished.project_id},
        ),
        browser.post(
            reverse(f"{MODELS}_evaluate", args=[finished.candidate_id]),
            {"snapshot": finished.snapshot_id},
        ),
        browser.post(reverse(f"{MODELS}_roll_back", args=[finished.project_id])),
    ]
    assert {answer.status_code for answer in answers} <= {403, 404}
    run.refresh_from_db()
    assert run.state == RunState.QUEUED
    assert not Promotion.objects.exists()


def test_only_staff_get_into_the_admin(
    client_of: Callable[[User | None], Client], manager: User, finished: TrainingRun
) -> None:
    for name in ("admin:index", f"{RUNS}_changelist", f"{MODELS}_changelist"):
        assert client_of(manager).get(reverse(name)).status_code in {302, 403}
        assert client_of(None).get(reverse(name)).status_code == 302


def test_buttons_answer_to_post_alone(panel: Client, finished: TrainingRun) -> None:
    for address in (
        reverse(f"{MODELS}_promote", args=[finished.candidate_id]),
        reverse(f"{MODELS}_roll_back", args=[finished.project_id]),
    ):
        assert panel.get(address).status_code == 405
    assert not Promotion.objects.exists()


def test_a_snapshot_of_another_project_cannot_be_trained_on(
    client_of: Callable[[User | None], Client], stranger: User, snapshot: Snapshot
) -> None:
    stranger.is_staff = True
    stranger.save()
    own = create_project(name="Other", slug="other", actor=SYSTEM)
    Membership.objects.create(project=own, user=stranger, role=Role.MANAGER)
    response = client_of(stranger).post(
        reverse(f"{RUNS}_add"), {"snapshot": snapshot.pk, "recipe": "quick"}
    )
    assert response.status_code == 422
    assert not TrainingRun.objects.exists()
