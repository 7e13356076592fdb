"""The practice legend on the site: edits, result, and that nothing of it is stored."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.contrib.humanize.templatetags.humanize import apnumber
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.corpus.models import Project
from annotator.review.practice.legend import N_MISTAKES
from annotator.review.practice.services import MAX_EDITS, practice_labels
from tests.annotator.html import html_of

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User | None], Client]
Send = Callable[..., Any]


def address(name: str, project: Project) -> str:
    return reverse(f"review:{name}", args=[project.slug])


@pytest.fixture
def client(client_of: ClientOf, curator: User) -> Client:
    return client_of(curator)


@pytest.fixture
def send(client: Client, project: Project) -> Send:
    """``send("relabel", base, entity="s0", arguments={…})``, as the page's script does it."""

    def run(kind: str, base: int, **facts: Any) -> Any:
        operation = {"id": uuid.uuid4().hex, "kind": kind, "base_revision": base} | facts
        return client.post(
            address("practice_operations", project),
            json.dumps(operation),
            content_type="application/json",
        )

    return run


def counts() -> dict[str, int]:
    """Return how many rows each table of the site has; sessions are left out."""
    found = {}
    for model in apps.get_models():
        if model is not Session:
            found[model._meta.label] = model._base_manager.count()
    return found


def test_practice_stores_no_row(client: Client, project: Project, send: Send) -> None:
    """So nothing can be exported, learnt from, queued or counted."""
    client.get(reverse("dashboard:home"))
    before = counts()
    client.get(address("practice", project))
    assert send("reject", 0, entity="s0").status_code == 200
    assert send("accept_legend", 1, suggestions=1).status_code == 200
    assert client.get(address("practice_result", project)).status_code == 200
    assert counts() == before


def test_the_page_says_how_many_mistakes_there_are(client: Client, project: Project) -> None:
    page = html_of(client.get(address("practice", project)))
    assert f"its suggestions have {apnumber(N_MISTAKES)} mistakes" in page


def test_an_edit_is_shown_and_kept(client: Client, project: Project, send: Send) -> None:
    answer = send("relabel", 0, entity="s9", arguments={"label": "GENEPROD"}).json()
    assert answer["entities"]["s9"]["label"] == "GENEPROD"
    assert answer["said"] == "made “Caspase-3” gene product"
    state = client.get(address("practice_state", project)).json()
    assert state["entities"]["s9"]["status"] == "decided"
    assert state["history"] == {"undo": True, "redo": False}


def test_undo_and_redo_work(send: Send) -> None:
    send("reject", 0, entity="s0")
    assert send("undo", 1).json()["entities"]["s0"]["status"] == "suggested"
    assert send("redo", 2).json()["history"] == {"undo": True, "redo": False}


def test_an_operation_sent_twice_is_applied_once(send: Send) -> None:
    twice = {"id": uuid.uuid4().hex, "entity": "s0"}
    send("reject", 0, **twice)
    answer = send("reject", 0, **twice)
    assert answer.status_code == 200
    assert answer.json()["revision"] == 1


def test_an_edit_of_another_window_is_a_conflict(send: Send) -> None:
    send("reject", 0, entity="s0")
    answer = send("reject", 0, entity="s1")
    assert answer.status_code == 409
    assert answer.json()["revision"] == 1


@pytest.mark.parametrize(
    ("kind", "facts", "sentence"),
    [
        ("accept_legend", {}, "does not name the suggestions"),
        ("undo", {}, "There is nothing to undo."),
        ("set_identifiers", {"entity": "s0", "arguments": {"identifiers": []}}, "no identifiers"),
        ("propagate", {"entity": "s0", "arguments": {"scope": "paper"}}, "only one of its paper"),
        ("propagate", {"entity": "s0", "arguments": {"scope": "p" * 2000}}, "at most 1,000"),
        ("relabel", {"entity": "s0", "arguments": {"label": "NONE"}}, "is not one of this project"),
    ],
)
def test_bad_edits_get_a_sentence(send: Send, kind: str, facts: Any, sentence: str) -> None:
    answer = send(kind, 0, **facts)
    assert answer.status_code == 422
    assert sentence in answer.json()["sentence"]


def test_the_session_does_not_grow_for_ever(client: Client, project: Project, send: Send) -> None:
    session = client.session
    row = {"id": "", "kind": "reject", "arguments": {}, "effect": {}}
    session[f"practice-{project.pk}"] = [row] * MAX_EDITS
    session.save()
    assert "Start again" in send("reject", MAX_EDITS, entity="s0").json()["sentence"]


def test_the_result_shows_right_missed_and_wrong(
    client: Client, project: Project, send: Send
) -> None:
    answer = send("accept_legend", 0, suggestions=1)
    assert answer.json()["next"] == address("practice_result", project)
    page = html_of(client.get(address("practice_result", project)))
    assert "8 of 13 entities are right." in page
    assert "2 are missed, 4 are wrong." in page
    assert "Other boundaries." in page
    assert "small molecule, measured variable" in page


def test_without_an_acceptance_there_is_no_result(client: Client, project: Project) -> None:
    answer = client.get(address("practice_result", project))
    assert answer["Location"] == address("practice", project)


def test_practice_can_be_repeated(client: Client, project: Project, send: Send) -> None:
    send("accept_legend", 0, suggestions=1)
    assert client.post(address("practice", project)).status_code == 302
    state = client.get(address("practice_state", project)).json()
    assert state["revision"] == 0
    assert not state["accepted"]


def test_someone_signed_out_is_told_as_json(client_of: ClientOf, project: Project) -> None:
    answer = client_of(None).post(
        address("practice_operations", project), "{}", content_type="application/json"
    )
    assert answer.status_code == 401
    assert "signed out" in answer.json()["sentence"]


def test_without_its_labels_practice_has_the_default_ones(project: Project) -> None:
    project.label_set.labels.exclude(code="CELL").delete()
    labels = practice_labels(project)
    assert [label.code for label in labels][:2] == ["SMALL_MOLECULE", "GENEPROD"]
    assert [label.key for label in labels][:2] == ["1", "2"]


def test_the_queue_leads_to_practice(client: Client, project: Project) -> None:
    assert address("practice", project) in client.get(address("queue", project)).content.decode()
