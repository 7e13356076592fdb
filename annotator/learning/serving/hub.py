"""Push models to a hub: with their card, under a licence that a person names.

The token is known to the environment only. The upload runs in a child process (``hub_upload``).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
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
from annotator.learning.serving.archives import CARD, loadable_folder, model_files
from annotator.learning.serving.hub_upload import TOKEN
from annotator.learning.tagging.checkpoints import inspect_model, verify_model
from ner_engine.errors import EngineError
from ner_engine.registry.cards import licence_in, with_licence

if TYPE_CHECKING:
    from annotator.jobs.runs import JobRun

log = structlog.get_logger(__name__)

PUSH_KIND: Final = "push_model"
_REPOSITORY: Final = re.compile(r"[A-Za-z0-9][\w.-]{0,60}/[A-Za-z0-9][\w.-]{0,90}", re.ASCII)
_LICENCE: Final = re.compile(r"[a-z0-9][a-z0-9.+-]{1,40}")
_POLL_SECONDS: Final = 0.2


# Offers


@dataclass(frozen=True, slots=True)
class Offer:
    """The files and licences of a push, for the user to read before it starts.

    ``licence`` is the one the model's own card names; ``licences`` are (model, licence) of the
    models it was trained from.
    """

    model: ModelVersion
    files: Sequence[tuple[str, int]]
    licence: str
    licences: Sequence[tuple[str, str]]

    @property
    def n_bytes(self) -> int:
        """The size of all files."""
        return sum(size for _, size in self.files)

    @property
    def proposed(self) -> str:
        """The licence that the form proposes: the card's, else the nearest ancestor's, else ""."""
        if self.licence:
            return self.licence
        return next((licence for _, licence in self.licences if licence), "")


def is_set_up() -> bool:
    """Return whether there is a token to push with."""
    return bool(settings.HUB_TOKEN)


def offer_of(*, model: ModelVersion, actor: Actor) -> Offer:
    """Return what a push would publish.

    Raises ``PermissionDenied``; ``UserError`` if the model has no card, comes from a hub or its
    files changed; ``EngineError`` if the files are missing.
    """
    _require(model, actor)
    if model.origin == ModelOrigin.HUB:
        raise UserError(f"{model} comes from a hub already: {model.location}.")
    folder = verify_model(model).folder
    if not (folder / CARD).is_file():
        raise UserError(
            f"{model} has no card ({CARD}). Write one into its folder, then push it again."
        )
    files = [(name, (folder / name).stat().st_size) for name in model_files(folder)]
    licence = licence_in(_card_text(folder))
    return Offer(model, files, licence, list(_licences_of_ancestors(model)))


def _require(model: ModelVersion, actor: Actor) -> None:
    if model.project is not None:
        require(actor, model.project, Action.MANAGE)
        return
    user = user_of(actor)
    if user is not None and not user.is_superuser:
        raise PermissionDenied("Only a superuser may push a model that belongs to no project.")


def _card_text(folder: Path) -> str:
    path = folder / CARD
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _licences_of_ancestors(model: ModelVersion) -> Iterator[tuple[str, str]]:
    """Yield (name, licence) of the models it was trained from; "" for an unknown licence."""
    parent = model.parent
    while parent is not None:
        try:
            licence = licence_in(_card_text(inspect_model(parent.path).folder))
        except EngineError:
            licence = ""
        yield parent.name, licence
        parent = parent.parent


# Pushing


@dataclass(frozen=True)
class PushPayload(Payload):
    """The model to push, and where and under which licence."""

    model: int
    repository: str
    licence: str
    is_private: bool


def start_push(
    *, model: ModelVersion, repository: str, licence: str, is_private: bool, actor: Actor
) -> Job:
    """Enqueue a job that pushes the model. Raises as ``push_payload``."""
    payload = push_payload(
        model=model, repository=repository, licence=licence, is_private=is_private, actor=actor
    )
    scope = model.project.scope if model.project is not None else ""
    return enqueue(kind=PUSH_KIND, scope=scope, payload=payload, actor=actor)


def push_payload(
    *, model: ModelVersion, repository: str, licence: str, is_private: bool, actor: Actor
) -> PushPayload:
    """Return the payload of a job that pushes the model to ``repository`` (owner/name).

    The pushed card names ``licence``. Raises as ``offer_of``, and ``UserError`` if no token is
    set or the repository or the licence is not valid.
    """
    offer_of(model=model, actor=actor)
    _refuse_without_token()
    if not _REPOSITORY.fullmatch(repository):
        raise UserError(
            "Write the repository as owner/name, with letters, digits, hyphens, underscores and"
            " full stops only."
        )
    licence = licence.strip().lower()  # hubs write identifiers in lower case
    if not _LICENCE.fullmatch(licence):
        raise UserError(
            "Name the licence by its identifier, such as cc-by-4.0, apache-2.0 or other. Without a"
            " licence, nobody may use the model."
        )
    return PushPayload(
        model=model.pk, repository=repository, licence=licence, is_private=is_private
    )


def _refuse_without_token() -> None:
    if not is_set_up():
        raise UserError(
            f"No hub token is set. Set {TOKEN} to a token with write access (and SD_HUB_ENDPOINT"
            " for a hub other than huggingface.co), then restart the web server and the workers."
        )


def push_model(
    *, model: ModelVersion, repository: str, licence: str, is_private: bool, run: JobRun
) -> dict[str, Any]:
    """Push the model and return the report. Raises ``UserError`` with the hub's answer."""
    _refuse_without_token()
    run.report(message=f"Pushing {model} to {repository}")
    with _folder_to_push(model, licence) as folder:
        request = {
            "folder": str(folder),
            "repository": repository,
            "is_private": is_private,
            "endpoint": settings.HUB_ENDPOINT,
            "message": f"{model} from sd-curator",
        }
        answer = _upload(request, run)
    if "error" in answer:
        raise UserError(answer["error"])
    log.info("model_pushed", model=model.name, repository=repository, private=is_private)
    return {"model": model.name, "repository": repository, "url": answer["url"], "licence": licence}


@contextmanager
def _folder_to_push(model: ModelVersion, licence: str) -> Iterator[Path]:
    """Yield a folder with the model's loadable files, and a card that names the licence."""
    with TemporaryDirectory() as temporary, loadable_folder(model) as source:
        folder = Path(temporary)
        for name in model_files(source):
            if name == CARD:
                card = with_licence(_card_text(source), licence)
                (folder / name).write_text(card, encoding="utf-8")
            else:
                (folder / name).symlink_to(source / name)
        yield folder


# The child process


def _upload(request: Mapping[str, Any], run: JobRun) -> dict[str, str]:
    """Run the upload and return its answer. The child is killed if the job must stop."""
    with TemporaryFile() as question, TemporaryFile() as answer:
        question.write(json.dumps(request).encode())
        question.seek(0)
        with subprocess.Popen(
            [sys.executable, "-m", "annotator.learning.serving.hub_upload"],
            env=_upload_environment(),
            cwd=settings.BASE_DIR,
            stdin=question,
            stdout=answer,
            stderr=subprocess.DEVNULL,
        ) as child:
            _wait_for(child, run)
        answer.seek(0)
        return _parsed_answer(answer.read())


def _upload_environment() -> dict[str, str]:
    return {
        **os.environ,
        TOKEN: settings.HUB_TOKEN,
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }


def _wait_for(child: subprocess.Popen[bytes], run: JobRun) -> None:
    try:
        while child.poll() is None:
            run.check()
            time.sleep(_POLL_SECONDS)
    except BaseException:
        child.kill()
        raise


def _parsed_answer(line: bytes) -> dict[str, str]:
    try:
        answer: dict[str, str] = json.loads(line)
    except ValueError as error:
        raise UserError(
            "The upload process ended without an answer. Try again; if it fails again, check"
            " whether the machine runs out of memory."
        ) from error
    return answer
