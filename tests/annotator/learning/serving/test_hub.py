"""Models are given to a hub: to one of our own that listens to what the hub's own library says to
it."""

from __future__ import annotations

import base64
import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse

from annotator.accounts.actors import SYSTEM, Actor
from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.models import Project
from annotator.jobs.models import Job, JobState
from annotator.jobs.services import run_job
from annotator.learning.models import ModelOrigin, ModelVersion
from annotator.learning.serving import hub
from annotator.learning.serving.hub import offer_of, start_push
from annotator.learning.tagging.services import register_model
from tests.annotator.commands import run_command

TOKEN = "hf_secretsecretsecret"
CARD = "---\nlibrary_name: transformers\n---\n\n# Ours\n"


@dataclass
class Hub:
    """A hub that keeps what it is given; ``refuses`` is the status it answers with instead; where
    it ``babbles``, it is none."""

    address: str = ""
    refuses: int = 0
    babbles: bool = False
    made: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    paths: list[str] = field(default_factory=list)

    def answer(self, path: str, body: bytes) -> dict[str, Any]:
        if path == "/api/repos/create":
            self.made.append(json.loads(body))
            return {"url": f"{self.address}/us/ours", "name": "us/ours", "id": "us/ours"}
        if "/preupload/" in path:
            wanted = json.loads(body)["files"]
            return {
                "files": [
                    {"path": each["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for each in wanted
                ]
            }
        if "/commit/" in path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            return {
                "commitUrl": f"{self.address}/us/ours/commit/1",
                "commitOid": "1",
                "success": True,
            }
        return {"id": "us/ours", "sha": "0", "siblings": []}


@pytest.fixture
def fake(settings: Any) -> Iterator[Hub]:
    found = Hub()

    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            found.paths.append(self.path)
            found.tokens.add(self.headers.get("Authorization", ""))
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Transfer-Encoding") == "chunked":
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
            answer = json.dumps(
                {"error": "no"}
                if found.refuses
                else found.answer(self.path.partition("?")[0], body)
            ).encode()
            answer = b"<html>Welcome</html>" if found.babbles else answer
            self.send_response(found.refuses or 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = _do  # noqa: N815 - so they are called

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.address = f"http://127.0.0.1:{server.server_port}"
    settings.HUB_ENDPOINT, settings.HUB_TOKEN = found.address, TOKEN
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture
def ours(
    project: Project, tiny: ModelVersion, settings: Any, tiny_folders: list[Path]
) -> ModelVersion:
    """A model of the project, with its card."""
    folder = Path(settings.MODELS_DIR) / "autophagy-run-1"
    shutil.copytree(tiny_folders[0], folder)
    (folder / "README.md").write_text(CARD, encoding="utf-8")
    facts = {
        "origin": ModelOrigin.TRAINED,
        "location": folder.name,
        "project": project,
        "parent": tiny,
    }
    return ModelVersion.objects.create(name="autophagy-run-1", **facts)


def push(model: ModelVersion, actor: Actor = SYSTEM, **facts: Any) -> Job:
    asked = {"repository": "us/ours", "licence": "cc-by-4.0", "is_private": True} | facts
    job = start_push(model=model, actor=actor, **asked)
    run_job(job.pk)
    job.refresh_from_db()
    return job


@pytest.mark.django_db
def test_a_push_uploads_model_card_and_licence_alone(
    fake: Hub, ours: ModelVersion, manager: User, capfd: Any
) -> None:
    (Path(ours.path) / "notes.txt").write_text("not for others")
    job = push(ours, manager)
    assert job.state == JobState.SUCCEEDED
    assert job.error == ""
    assert job.result == {
        "model": ours.name,
        "repository": "us/ours",
        "url": f"{fake.address}/us/ours",
        "licence": "cc-by-4.0",
    }
    assert set(fake.files) >= {"README.md", "config.json", "model.safetensors", "tokenizer.json"}
    assert "notes.txt" not in fake.files
    assert fake.files["model.safetensors"] == (Path(ours.path) / "model.safetensors").read_bytes()
    assert (
        fake.files["README.md"].decode()
        == "---\nlicense: cc-by-4.0\nlibrary_name: transformers\n---\n\n# Ours\n"
    )
    assert (Path(ours.path) / "README.md").read_text() == CARD
    assert [
        made.get("visibility", "private" if made.get("private") else "public") for made in fake.made
    ] == ["private"]


@pytest.mark.django_db
def test_the_token_is_sent_to_the_hub_and_stands_nowhere_else(
    fake: Hub,
    ours: ModelVersion,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    for status in (0, 401):
        fake.refuses = status
        job = push(ours)
        stored = json.dumps([job.arguments, job.result, job.error, job.message])
        printed = capfd.readouterr()
        assert TOKEN not in stored + printed.out + printed.err + caplog.text
    assert fake.tokens == {f"Bearer {TOKEN}"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, "does not know the token"),
        (403, "no write access to us/ours"),
        (500, r"refused the upload \(status 500\)"),
    ],
)
def test_a_refusal_of_the_hub_is_a_sentence(
    fake: Hub, ours: ModelVersion, status: int, sentence: str
) -> None:
    fake.refuses = status
    job = push(ours)
    assert job.state == JobState.FAILED, job.error
    assert re.search(sentence, job.error), job.error


@pytest.mark.django_db
def test_a_hub_that_does_not_answer_is_named(ours: ModelVersion, settings: Any) -> None:
    settings.HUB_ENDPOINT, settings.HUB_TOKEN = "http://127.0.0.1:9", TOKEN
    job = push(ours)
    assert job.state == JobState.FAILED, job.error
    assert "http://127.0.0.1:9 does not answer" in job.error, job.error


@pytest.mark.django_db
def test_a_server_that_is_no_hub_is_named(fake: Hub, ours: ModelVersion) -> None:
    fake.babbles = True
    job = push(ours)
    assert job.state == JobState.FAILED, job.error
    assert f"The server at {fake.address} is not a hub" in job.error, job.error


@pytest.mark.django_db
def test_a_licence_may_be_written_in_capitals(fake: Hub, ours: ModelVersion) -> None:
    assert push(ours, licence=" CC-BY-4.0 ").result["licence"] == "cc-by-4.0"
    assert fake.files["README.md"].decode().startswith("---\nlicense: cc-by-4.0\n")


@pytest.mark.django_db
def test_without_a_token_nothing_is_pushed(ours: ModelVersion, settings: Any) -> None:
    settings.HUB_TOKEN = ""
    with pytest.raises(UserError, match="Set SD_HUB_TOKEN to a token with write access"):
        push(ours)
    assert Job.objects.count() == 0


@pytest.mark.django_db
def test_models_without_a_card_or_changed_are_refused(
    fake: Hub, ours: ModelVersion, tiny: ModelVersion
) -> None:
    (Path(ours.path) / "README.md").unlink()
    with pytest.raises(UserError, match=r"has no card \(README.md\)"):
        push(ours)
    (Path(ours.path) / "README.md").write_text(CARD)
    ModelVersion.objects.filter(pk=ours.pk).update(weights_sha256="0" * 64)
    ours.refresh_from_db()
    with pytest.raises(UserError, match="not those it was registered with"):
        push(ours)
    with pytest.raises(UserError, match="comes from a hub"):
        offer_of(
            model=ModelVersion(name="x", origin=ModelOrigin.HUB, location="us/x"), actor=SYSTEM
        )
    assert fake.paths == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("repository", "ours"),
        ("repository", "a/b/c"),
        ("repository", "us/.."),
        ("licence", ""),
        ("licence", "Do what\nyou want"),
    ],
)
def test_a_repository_or_licence_that_cannot_be_is_refused(
    fake: Hub, ours: ModelVersion, field: str, value: str
) -> None:
    with pytest.raises(UserError, match=r"owner/name|by its identifier"):
        push(ours, **{field: value})
    assert fake.paths == []


@pytest.mark.django_db
def test_a_push_needs_the_right_to_manage(
    fake: Hub, ours: ModelVersion, manager: User, reviewer: User, admin: User
) -> None:
    with pytest.raises(PermissionDenied):
        push(ours, reviewer)
    bundled = register_model(location="bundled")
    with pytest.raises(PermissionDenied):
        offer_of(model=bundled, actor=manager)
    offer = offer_of(model=bundled, actor=admin)
    assert offer.licence == "cc-by-4.0"
    assert offer.proposed == "cc-by-4.0"
    assert (offer.n_bytes > 10_000_000) is True


@pytest.mark.django_db
def test_the_licence_of_the_base_model_is_proposed(ours: ModelVersion, manager: User) -> None:
    offer = offer_of(model=ours, actor=manager)
    assert offer.licence == ""
    assert [name for name, _ in offer.licences] == [ours.parent.name]
    ModelVersion.objects.filter(pk=ours.pk).update(parent=register_model(location="bundled"))
    ours.refresh_from_db()
    assert offer_of(model=ours, actor=manager).proposed == "cc-by-4.0"


# Where people meet it


@pytest.mark.django_db
def test_the_page_shows_the_licence_before_the_push(
    fake: Hub, ours: ModelVersion, admin: User, client_of: Callable[[User], Client]
) -> None:
    panel, address = client_of(admin), reverse("admin:learning_modelversion_push", args=[ours.pk])
    assert (
        address
        in panel.get(reverse("admin:learning_modelversion_change", args=[ours.pk])).content.decode()
    )
    page = panel.get(address).content.decode()
    assert "card names no licence." in page
    assert page.index("licence") < page.index('id="push"')
    assert panel.post(address, {"repository": "ours", "licence": "mit"}).status_code == 422
    answer = panel.post(address, {"repository": "us/ours", "licence": "mit", "is_private": "on"})
    job = Job.objects.get(kind=hub.PUSH_KIND)
    assert answer["Location"] == reverse("jobs:job", args=[job.pk])
    assert job.arguments == {
        "model": ours.pk,
        "repository": "us/ours",
        "licence": "mit",
        "is_private": True,
    }


@pytest.mark.django_db
def test_the_panel_says_what_to_set_where_no_token_is(
    ours: ModelVersion, admin: User, client_of: Callable[[User], Client], settings: Any
) -> None:
    settings.HUB_TOKEN = ""
    page = (
        client_of(admin)
        .get(reverse("admin:learning_modelversion_push", args=[ours.pk]))
        .content.decode()
    )
    assert "SD_HUB_TOKEN" in page
    assert 'id="push"' not in page


@pytest.mark.django_db
def test_a_command_gives_it_away_unpacked_where_it_was_packed(fake: Hub, settings: Any) -> None:
    bundled = register_model(location="bundled")
    ended = run_command("push_model", bundled.name, "us/ours", "--json")
    assert ended.code == 0
    assert ended.err == ""
    assert ended.summary["licence"] == "cc-by-4.0"
    assert "packed_weights" not in json.loads(fake.files["config.json"])
    assert len(fake.files["model.safetensors"]) > 40_000_000
    assert run_command("push_model", "nobody", "us/ours").code == 2
