"""Access to every address of the site, by every kind of user, with GET and POST.

The addresses come from the resolver: one that is missing in ``doors.py`` fails a test. The
API's addresses are tested in ``tests/annotator/api/test_rights.py``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import URLResolver, get_resolver, reverse
from django.utils import timezone

from annotator.accounts.models import ApiToken, User
from annotator.corpus.models import Document, Project
from annotator.datasets.models import Snapshot, SnapshotState
from annotator.jobs.models import Job, JobState, Worker
from annotator.learning.models import (
    Evaluation,
    ModelOrigin,
    ModelVersion,
    Promotion,
    PromotionKind,
    ServingModel,
    TrainingRun,
    TrainingSeries,
)
from annotator.lookup.models import Dictionary
from tests.annotator.doors import IN_A_PROJECT, MAKERS, OF_NO_PROJECT, PEOPLE, SIGN_IN

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User | None], Client]

#: Words of the project that only its members may read.
SECRETS = (
    "Autophagy legends",
    "bafilomycin",
    "needs ATG1",
    "autophagy-run-1",
    "secret snapshot note",
    "secret reason",
    "secret dictionary",
)


@dataclass(frozen=True)
class Route:
    """An address of the site: its full name, its whole pattern, and the module that answers."""

    name: str
    pattern: str
    module: str

    def path(self, known: dict[str, Any]) -> str:
        """Return the address, with the known values that it takes."""
        return reverse(
            self.name,
            kwargs={
                key: value
                for key, value in known.items()
                if re.search(rf"<(\w+:)?{key}>", self.pattern)
            },
        )


def routes(
    resolver: URLResolver | None = None, namespace: str = "", before: str = ""
) -> Iterator[Route]:
    """Yield every address of the site but unnamed ones of allauth and the admin, which redirect."""
    for pattern in (resolver or get_resolver()).url_patterns:
        whole = f"{before}{pattern.pattern}"
        if isinstance(pattern, URLResolver):
            yield from routes(
                pattern, namespace + (f"{pattern.namespace}:" if pattern.namespace else ""), whole
            )
        elif pattern.name or not whole.startswith(("accounts/social/", "admin/")):
            yield Route(f"{namespace}{pattern.name or ''}", whole, pattern.callback.__module__)


def routes_by_name() -> dict[str, Route]:
    return {route.name: route for route in routes()}


def allauths_routes() -> list[Route]:
    """Return the addresses of allauth outside the admin site."""
    return [
        route
        for route in routes()
        if route.module.startswith("allauth") and not route.name.startswith("admin:")
    ]


def admin_routes() -> list[Route]:
    return [route for route in routes() if route.name.startswith("admin:")]


@pytest.fixture(autouse=True)
def broker_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the broker answer: ``/healthz`` would otherwise wait for it each time."""
    monkeypatch.setattr("annotator.jobs.broker.is_reachable", lambda: True)


@pytest.fixture
def people(
    project: Project,
    admin: User,
    manager: User,
    reviewer: User,
    curator: User,
    viewer: User,
    stranger: User,
    client_of: ClientOf,
) -> dict[str, Client]:
    """Return a browser of each user. The staff user may use the admin, but is no project member."""
    staff = User.objects.create_user("staff", password="correct horse battery", is_staff=True)
    users = [None, stranger, viewer, curator, reviewer, manager, staff, admin]
    return {who: client_of(user) for who, user in zip(PEOPLE, users, strict=True)}


def ready_snapshot(project: Project) -> Snapshot:
    counts = {"panels": 1, "papers": 1, "spans": 1, "labels": {}, "decisions": {}}
    return Snapshot.objects.create(
        project=project,
        number=1,
        note="secret snapshot note",
        report={"left_out": {}, "n_lossy": 0},
        split_rule="x",
        tokenizer_version="x",
        state=SnapshotState.READY,
        counts={"train": counts, "eval": counts, "test": counts},
    )


def things_of_learning(project: Project) -> dict[str, Any]:
    """A serving model with its snapshot, evaluation, promotion, run and series."""
    model = ModelVersion.objects.create(
        name="autophagy-run-1", origin=ModelOrigin.TRAINED, location="run-1", project=project
    )
    ServingModel.objects.create(project=project, model_version=model)
    snapshot = ready_snapshot(project)
    one = {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 3}
    scores = {"micro": one, "macro": one, "by_label": {"CELL": one}}
    trained = {"project": project, "snapshot": snapshot, "base": model, "recipe": "quick"}
    return {
        "model": model,
        "snapshot": snapshot,
        "evaluation": Evaluation.objects.create(
            model_version=model, snapshot=snapshot, scores=scores, micro_f1=0.5
        ),
        "promotion": Promotion.objects.create(
            project=project,
            kind=PromotionKind.PROMOTED,
            model_version=model,
            reason="secret reason",
        ),
        "run": TrainingRun.objects.create(**trained),
        "series": TrainingSeries.objects.create(kind="curve", **trained),
    }


def jobs_of(project: Project) -> dict[str, Job]:
    """A job of the kind that each address is about."""
    ended = {"scope": project.scope, "state": JobState.SUCCEEDED, "finished_at": timezone.now()}
    imported = {"project": project.pk, "source_format": "", "labels": "gold"}
    exported = {"project": project.pk, "format_name": "jsonl"}
    return {
        "pretag": Job.objects.create(
            kind="pretag", scope=project.scope, arguments={}, message="Tagging with autophagy-run-1"
        ),
        "import": Job.objects.create(kind="import_documents", arguments=imported, **ended),
        "export": Job.objects.create(kind="export_dataset", arguments=exported, **ended),
    }


@pytest.fixture
def things(
    project: Project, manager: User, stranger: User, import_legends: Callable[..., list[Document]]
) -> dict[str, Any]:
    """One of each thing that an address names, all in the project."""
    return {
        "document": import_legends(1, labels="gold")[0],
        "token": ApiToken.objects.create(user=manager, name="nightly", prefix="sdc_x", digest="x"),
        "member": User.objects.create_user("leaver"),
        "dictionary": Dictionary.objects.create(database="go", name="secret dictionary", file="x"),
        "worker": Worker.objects.create(name="w", seen_at=timezone.now()),
        "project": project,
        "labels": project.label_set,
        **things_of_learning(project),
        **jobs_of(project),
    }


def address(name: str, things: dict[str, Any]) -> str:
    job = "import" if "import" in name else "export" if name.startswith("datasets:") else "pretag"
    known = {
        "slug": things["project"].slug,
        "document_id": things["document"].pk,
        "job_id": things[job].pk,
        "user_id": things["member"].pk,
        "token_id": things["token"].pk,
        "name": "curators",
    }
    return routes_by_name()[name].path(known)


def body(answer: HttpResponse) -> str:
    return "" if answer.streaming else answer.content.decode()


def knock(browser: Client, method: str, path: str, fields: dict[str, str] | None = None) -> Any:
    return getattr(browser, method)(path, fields or {})


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("name", IN_A_PROJECT)
def test_a_project_url_opens_from_its_role_on(
    name: str, method: str, people: dict[str, Client], things: dict[str, Any]
) -> None:
    door, path = IN_A_PROJECT[name], address(name, things)
    answers = {}
    for who, browser in people.items():
        if name == "corpus:members_remove":
            things["project"].memberships.get_or_create(user=things["member"])
        answers[who] = knock(browser, method, path, door.fields)
    assert {who: answer.status_code for who, answer in answers.items()} == {
        who: door.expected(who, method) for who in PEOPLE
    }
    for who in ("anonymous", "stranger", "staff"):
        assert [word for word in SECRETS if word in body(answers[who])] == []
    if answers["anonymous"].status_code == SIGN_IN:
        assert answers["anonymous"]["Location"].startswith(reverse("account_login"))


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("name", OF_NO_PROJECT)
def test_a_url_of_a_missing_project_answers_everybody_alike(
    name: str, method: str, people: dict[str, Client], things: dict[str, Any]
) -> None:
    stranger_to_tokens = {
        who: browser
        for who, browser in people.items()
        if not (name == "accounts:tokens_revoke" and who == "manager")
    }
    for who, browser in stranger_to_tokens.items():
        expected = OF_NO_PROJECT[name][who != "anonymous"][method == "post"]
        answer = knock(browser, method, address(name, things))
        assert answer.status_code == expected, who
        if who in ("anonymous", "stranger", "staff"):
            assert [word for word in SECRETS if word in body(answer)] == []


@pytest.mark.parametrize("method", ["get", "post"])
def test_only_staff_and_the_permitted_create_projects(
    method: str, people: dict[str, Client]
) -> None:
    for who, browser in people.items():
        expected = (
            SIGN_IN
            if who == "anonymous"
            else (200 if method == "get" else 422)
            if who in MAKERS
            else 403
        )
        assert knock(browser, method, "/projects/new/").status_code == expected, who


def test_a_token_is_revoked_by_its_owner_alone(
    people: dict[str, Client], things: dict[str, Any]
) -> None:
    path = address("accounts:tokens_revoke", things)
    for who in ("stranger", "admin"):
        people[who].post(path)
        assert ApiToken.objects.get().revoked_at is None
    assert people["manager"].post(path).status_code == 302
    assert ApiToken.objects.get().revoked_at is not None


@pytest.mark.parametrize("method", ["get", "post"])
def test_pages_of_allauth_never_fail_and_show_no_project(
    method: str, people: dict[str, Client], things: dict[str, Any]
) -> None:
    known = {"key": "x-y", "uidb36": "1", "provider_id": "nobody"}
    for route in allauths_routes():
        if route.name in OF_NO_PROJECT:
            continue
        for who in ("anonymous", "stranger"):
            answer = knock(people[who], method, route.path(known))
            assert answer.status_code in {200, 302, 400, 401, 403, 404, 405}, (
                route.name,
                who,
                answer.status_code,
            )
            assert [word for word in SECRETS if word in body(answer)] == []


ADMIN_OBJECTS = {
    "corpus_project": "project",
    "corpus_labelset": "labels",
    "corpus_document": "document",
    "lookup_dictionary": "dictionary",
    "datasets_snapshot": "snapshot",
    "learning_trainingrun": "run",
    "learning_trainingseries": "series",
    "learning_modelversion": "model",
    "learning_promotion": "promotion",
    "jobs_job": "pretag",
    "jobs_worker": "worker",
    "accounts_user": "member",
    "accounts_apitoken": "token",
    "auth_user": "member",
}


def admin_path(route: Route, things: dict[str, Any]) -> str:
    """Return the admin's address of the thing of that kind."""
    model = re.match(r"admin:([a-z]+_[a-z]+)", route.name)
    kind = ADMIN_OBJECTS.get(model[1] if model else "")
    pk = things[kind].pk if kind else 1
    return route.path(
        {
            "object_id": pk,
            "pk": pk,
            "id": pk,
            "project_id": things["project"].pk,
            "name": "jsonl",
            "content_type_id": 1,
            "app_label": "corpus",
        }
    )


@pytest.mark.parametrize("method", ["get", "post"])
def test_the_admin_site_shows_staff_only_their_projects(
    method: str, people: dict[str, Client], things: dict[str, Any]
) -> None:
    for route in admin_routes():
        path = admin_path(route, things)
        for who in ("anonymous", "stranger", "manager"):
            answer = knock(people[who], method, path)
            assert answer.status_code in {302, 403, 404}, (route.name, who, answer.status_code)
            assert [word for word in SECRETS if word in body(answer)] == [], (route.name, who)
        if route.name != "admin:logout":
            answer = knock(people["staff"], method, path)
            assert answer.status_code < 500, (route.name, answer.status_code)
            assert [word for word in SECRETS if word in body(answer)] == [], (
                route.name,
                answer.status_code,
            )


def test_every_admin_page_opens_for_a_superuser(
    people: dict[str, Client], things: dict[str, Any]
) -> None:
    for route in admin_routes():
        answer = people["admin"].get(admin_path(route, things))
        assert answer.status_code in {200, 286, 302, 403, 404, 405}, (
            route.name,
            answer.status_code,
        )
        if re.fullmatch(
            r"admin:(corpus|datasets|learning|lookup|jobs|accounts)_[a-z]+_(changelist|change)",
            route.name,
        ):
            assert answer.status_code == 200, route.name


def test_an_empty_form_breaks_no_admin_page(
    people: dict[str, Client], things: dict[str, Any]
) -> None:
    for route in admin_routes():
        if route.name != "admin:logout":
            answer = people["admin"].post(admin_path(route, things))
            assert answer.status_code < 500, (route.name, answer.status_code)


def test_no_address_was_forgotten() -> None:
    known = {*IN_A_PROJECT, *OF_NO_PROJECT, "corpus:create"}
    elsewhere = {route.name for route in [*allauths_routes(), *admin_routes()]}
    found = {name for name in routes_by_name() if not name.startswith("api:")}
    assert found - elsewhere - known == set()
    assert known - found == set()


def test_a_deactivated_user_opens_no_page(
    things: dict[str, Any], people: dict[str, Client], manager: User
) -> None:
    browser = people["manager"]
    manager.is_active = False
    manager.save()
    for name in IN_A_PROJECT:
        answer = browser.get(address(name, things))
        assert answer.status_code in {302, 405}, name
        assert [word for word in SECRETS if word in body(answer)] == []
