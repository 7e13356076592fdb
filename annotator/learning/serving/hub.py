"""A model is given to a hub, as others load it, with its card and its licence: by a person, and by
a token that only the environment holds."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import TYPE_CHECKING, Any, Final

import structlog
from django.conf import settings
from django.core.exceptions import PermissionDenied

from annotator.accounts.actors import Actor, user_of
from annotator.common.errors import UserError
from annotator.corpus.access import Action, require
from annotator.jobs.models import Job
from annotator.jobs.payloads import Payload
from annotator.jobs.services import enqueue
from annotator.learning.models import ModelOrigin, ModelVersion
from annotator.learning.serving import cards
from annotator.learning.serving.hub_upload import TOKEN
from annotator.learning.tagging.checkpoints import inspect_model, verify_model
from ner_engine.errors import EngineError
from ner_engine.registry.cards import licence_in

if TYPE_CHECKING:
    from annotator.jobs.runs import JobRun

log = structlog.get_logger(__name__)

PUSH_KIND: Final = "push_model"
_REPOSITORY: Final = re.compile(r"[A-Za-z0-9][\w.-]{0,60}/[A-Za-z0-9][\w.-]{0,90}", re.ASCII)
_LICENCE: Final = re.compile(r"[a-z0-9][a-z0-9.+-]{1,40}")
_FRONT: Final = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
#: A card's own to its end: where it names several, they stand in a list.
_LICENCE_ENTRY: Final = re.compile(r"^license:.*(?:\n[ \t]*-[ \t].*)*", re.MULTILINE)
_LOOK_EVERY_SECONDS: Final = 0.2


@dataclass(frozen=True)
class PushPayload(Payload):
    """The model to upload, and as what."""

    model: int
    repository: str
    licence: str
    is_private: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """What would be given away. ``licence`` is the one of its own card, ``licences`` (model,
    licence) those of the models it was trained from."""

    model: ModelVersion
    files: Sequence[tuple[str, int]]
    licence: str
    licences: Sequence[tuple[str, str]]

    @property
    def n_bytes(self) -> int:
        return sum(size for _, size in self.files)

    @property
    def proposed(self) -> str:
        """The licence to begin with: the card's own, else that of the nearest model it was trained
        from."""
        return self.licence or next((licence for _, licence in self.licences if licence), "")


def is_set_up() -> bool:
    """Whether there is a token to push with."""
    return bool(settings.HUB_TOKEN)


def offer_of(*, model: ModelVersion, actor: Actor) -> Offer:
    """What a push would give away, for somebody who may. Raises ``PermissionDenied``; ``UserError``
    for a model that cannot be given away: without a card, a hub's own, or with files that were
    changed; ``EngineError`` where they are gone."""
    _require(model, actor)
    if model.origin == ModelOrigin.HUB:
        raise UserError(f"{model} comes from a hub: {model.location}.")
    folder = verify_model(model).folder
    if not (folder / cards.CARD).is_file():
        raise UserError(
            f"{model} has no card ({cards.CARD}), and a model that nobody describes helps nobody."
            " Write one into its folder first."
        )
    files = [(name, (folder / name).stat().st_size) for name in cards.names_in(folder)]
    return Offer(model, files, licence_in(_text(folder)), list(_licences_of_ancestors(model)))


def _require(model: ModelVersion, actor: Actor) -> None:
    if model.project is not None:
        require(actor, model.project, Action.MANAGE)
        return
    user = user_of(actor)
    if user is not None and not user.is_superuser:
        raise PermissionDenied(
            "Only an administrator of the site may give away a model that belongs to no project."
        )


def _text(folder: Path) -> str:
    path = folder / cards.CARD
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _licences_of_ancestors(model: ModelVersion) -> Iterator[tuple[str, str]]:
    parent = model.parent
    while parent is not None:
        try:
            licence = licence_in(_text(inspect_model(parent.path).folder))
        except EngineError:
            licence = ""
        yield parent.name, licence
        parent = parent.parent


def start_push(
    *, model: ModelVersion, repository: str, licence: str, is_private: bool, actor: Actor
) -> Job:
    """Have a worker give the model to the hub. Raises as ``push_payload``."""
    payload = push_payload(
        model=model, repository=repository, licence=licence, is_private=is_private, actor=actor
    )
    return enqueue(
        kind=PUSH_KIND,
        scope=model.project.scope if model.project is not None else "",
        payload=payload,
        actor=actor,
    )


def push_payload(
    *, model: ModelVersion, repository: str, licence: str, is_private: bool, actor: Actor
) -> PushPayload:
    """What a job is told that gives the model to the hub as ``repository`` (owner/name) under
    ``licence``, which its card then names.

    Raises as ``offer_of``; ``UserError`` where no token is set, or for a repository or a licence
    that cannot be.
    """
    offer_of(model=model, actor=actor)
    _refuse_without_token()
    licence = (
        licence.strip().lower()
    )  # hubs write them so, and whoever knows them from elsewhere writes CC-BY-4.0
    if not _REPOSITORY.fullmatch(repository):
        raise UserError("Write the repository as owner/name: letters, digits, and - _ . alone.")
    if not _LICENCE.fullmatch(licence):
        raise UserError(
            "Name the licence by its identifier, such as cc-by-4.0, apache-2.0 or other; without"
            " one nobody may use the model."
        )
    return PushPayload(
        model=model.pk, repository=repository, licence=licence, is_private=is_private
    )


def _refuse_without_token() -> None:
    if not is_set_up():
        raise UserError(
            f"Models cannot be given to a hub from here: set {TOKEN} to a token that may write,"
            " SD_HUB_ENDPOINT where it is another hub than huggingface.co, and start web server"
            " and workers again."
        )


def push_model(
    *, model: ModelVersion, repository: str, licence: str, is_private: bool, run: JobRun
) -> dict[str, Any]:
    """Give the model away now; the report. Raises ``UserError`` with what the hub said."""
    _refuse_without_token()
    run.report(message=f"Giving {model} to the hub as {repository}")
    with _as_given(model, licence) as folder:
        asked = {
            "folder": str(folder),
            "repository": repository,
            "is_private": is_private,
            "endpoint": settings.HUB_ENDPOINT,
            "message": f"{model} from sd-curator",
        }
        found = _in_child(asked, run)
    if "error" in found:
        raise UserError(found["error"])
    log.info("model_pushed", model=model.name, repository=repository, private=is_private)
    return {"model": model.name, "repository": repository, "url": found["url"], "licence": licence}


@contextmanager
def _as_given(model: ModelVersion, licence: str) -> Iterator[Path]:
    """A folder with the model's files as other programs load them, and a card that names the
    licence."""
    with TemporaryDirectory() as room, cards.loadable_folder(model) as source:
        folder = Path(room)
        for name in cards.names_in(source):
            if name == cards.CARD:
                (folder / name).write_text(with_licence(_text(source), licence), encoding="utf-8")
            else:
                (folder / name).symlink_to(source / name)
        yield folder


def with_licence(card: str, licence: str) -> str:
    """The card with this licence in its front matter."""
    text = card.replace("\r\n", "\n")
    front = _FRONT.match(text)
    if front is None:
        return f"---\nlicense: {licence}\n---\n\n{text}"
    if _LICENCE_ENTRY.search(front[1]):
        return (
            "---\n"
            + _LICENCE_ENTRY.sub(f"license: {licence}", front[1], count=1)
            + "\n---\n"
            + text[front.end() :]
        )
    return f"---\nlicense: {licence}\n{front[1]}\n---\n{text[front.end() :]}"


def _in_child(asked: dict[str, Any], run: JobRun) -> dict[str, str]:
    """What the pushing program answers; it is killed where the job must stop."""
    more = {
        TOKEN: settings.HUB_TOKEN,
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    command = [sys.executable, "-m", "annotator.learning.serving.hub_upload"]
    with TemporaryFile() as question, TemporaryFile() as answer:
        question.write(json.dumps(asked).encode())
        question.seek(0)
        environment = {**os.environ, **more}
        with subprocess.Popen(
            command,
            env=environment,
            cwd=settings.BASE_DIR,
            stdin=question,
            stdout=answer,
            stderr=subprocess.DEVNULL,
        ) as child:
            try:
                while child.poll() is None:
                    run.check()
                    time.sleep(_LOOK_EVERY_SECONDS)
            except BaseException:
                child.kill()
                raise
        answer.seek(0)
        said = answer.read()
    try:
        found: dict[str, str] = json.loads(said)
    except ValueError as error:
        raise UserError(
            "The program that gives models to hubs ended without a word. Try again; if it stays so,"
            " look whether memory is short."
        ) from error
    return found
