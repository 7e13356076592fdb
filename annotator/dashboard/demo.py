"""The demo: a project of invented legends, two accounts, and suggestions by the worker.

Nothing that a user made is changed.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.conf import settings
from django.core.management import call_command
from django.db import transaction

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.imports import import_documents
from annotator.corpus.models import DocumentState, LayerKind, Membership, Project, Role, Span
from annotator.corpus.services import add_member, create_project
from annotator.dashboard.serving import Site
from annotator.demo_data import DICTIONARIES, load_demo
from annotator.jobs.errors import JobConflictError
from annotator.jobs.models import Job, JobState
from annotator.learning.tagging.services import serving_model, start_pretagging
from annotator.lookup.importing import import_dictionary
from annotator.lookup.models import Dictionary

DEMO_SLUG: Final = "sd-curator-demo"
DEMO_NAME: Final = "Demo: invented legends"
FIRST_ADMIN: Final = "admin"
DEMO_CURATOR: Final = "demo-curator"
_POLL_SECONDS: Final = 0.5
_DESCRIPTION: Final = (
    "Legends for first steps. The genes and drugs exist, the experiments are invented. Some legends"
    " are tagged by hand."
)


@dataclass(frozen=True, slots=True)
class Account:
    """An account to sign in with.

    ``password`` comes from the credentials file. It is empty if the file has none, or if the user
    has changed it.
    """

    username: str
    what: str
    password: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class Demo:
    project: Project
    admin: User
    accounts: tuple[Account, ...]


def credentials_path() -> Path:
    """Return the path of the file with generated passwords, which only its owner can read."""
    return Path(settings.VAR_DIR) / "demo-credentials"


def prepare_demo() -> Demo:
    """Migrate the database and create the missing parts of the demo: accounts, project, legends.

    A second call changes nothing.
    """
    call_command("migrate", verbosity=0, interactive=False)
    admin, admin_account = _first_admin()
    curator, curator_account = _person(
        DEMO_CURATOR, what="a curator of the demo project", is_superuser=False
    )
    project = Project.objects.filter(slug=DEMO_SLUG).first()
    if project is None:
        project = create_project(
            name=DEMO_NAME, slug=DEMO_SLUG, description=_DESCRIPTION, actor=admin
        )
    members = Membership.objects.filter(project=project)
    if curator is not None and not members.filter(user=curator).exists():
        add_member(project=project, user=curator, role=Role.CURATOR, actor=admin)
    _import_legends(project, admin)
    _import_dictionaries()
    accounts = tuple(filter(None, (admin_account, curator_account)))
    return Demo(project, admin, accounts)


def legends_to_tag(project: Project) -> int:
    """Return the number of the project's legends that no model has tagged yet."""
    return project.documents.filter(state=DocumentState.IMPORTED).count()


def tag_legends(
    site: Site, demo: Demo, *, timeout: float, on_progress: Callable[[int, int, str], None]
) -> Job:
    """Let the worker tag the waiting legends, and wait until it has finished.

    Raise ``UserError`` with the job's error if it fails, or ``ProcessDiedError`` if the worker or
    another process dies.
    """
    job = _pretagging(demo)
    waited = 0.0
    while not job.is_final:
        if waited > timeout:
            raise UserError(
                f"The worker did not tag the demo's legends within {timeout:.0f} s. See the logs in"
                f" {site.log_dir}."
            )
        site.watch(_POLL_SECONDS)
        waited += _POLL_SECONDS
        job.refresh_from_db()
        on_progress(job.n_done, job.n_total, job.message)
    if job.state != JobState.SUCCEEDED:
        raise UserError(
            job.error
            or "Tagging the demo's legends was cancelled. Start it again on the project's page."
        )
    return job


def summary_of(demo: Demo) -> dict[str, object]:
    """Return the counts, accounts and model of the demo."""
    documents = demo.project.documents
    suggested = Span.objects.filter(
        layer__document__project=demo.project,
        layer__kind=LayerKind.SUGGESTED,
        layer__superseded_at=None,
    )
    return {
        "project": demo.project.slug,
        "n_legends": documents.count(),
        "n_panels": sum(documents.values_list("n_panels", flat=True)),
        "n_legends_with_gold": documents.filter(layers__kind=LayerKind.IMPORTED).distinct().count(),
        "n_legends_tagged": (
            documents.filter(layers__in=suggested.values("layer")).distinct().count()
        ),
        "n_legends_waiting_for_tags": legends_to_tag(demo.project),
        "n_suggestions": suggested.count(),
        "model": serving_model(demo.project).name,
        "accounts": [account.username for account in demo.accounts],
        "credentials": str(credentials_path()),
    }


def _pretagging(demo: Demo) -> Job:
    try:
        return start_pretagging(project=demo.project, actor=demo.admin)
    except JobConflictError:
        # An earlier demo ended before its worker finished. A worker continues its job.
        waiting = Job.objects.unfinished().filter(scope=demo.project.scope).order_by("-id").first()
        if waiting is None:
            return start_pretagging(project=demo.project, actor=demo.admin)
        return waiting


def _first_admin() -> tuple[User, Account | None]:
    """Return an administrator: the demo's own, else the site's first, else a new one."""
    if FIRST_ADMIN not in _stored_passwords():
        own = User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
        if own is not None:
            return own, None
    admin, account = _person(FIRST_ADMIN, what="the administrator", is_superuser=True)
    if admin is None:
        raise UserError(
            f'The user "{FIRST_ADMIN}" is not an administrator. Create one first: manage.py'
            " createsuperuser."
        )
    return admin, account


def _person(username: str, *, what: str, is_superuser: bool) -> tuple[User | None, Account | None]:
    """Return the demo's user of that name; the first run creates it with a new password.

    Returns (None, None) if the name belongs to a user that the demo did not create.
    """
    kept = _stored_passwords()
    user = User.objects.filter(username=username).first()
    if user is not None:
        if username not in kept:
            return None, None
        password = kept[username]
        if not user.check_password(password):
            password = ""
        return user, Account(username, what, password, is_new=False)
    password = secrets.token_urlsafe(12)
    with transaction.atomic():
        user = User.objects.create_user(
            username=username, password=password, is_superuser=is_superuser, is_staff=is_superuser
        )
        _store_passwords(kept | {username: password})
    return user, Account(username, what, password, is_new=True)


def _stored_passwords() -> dict[str, str]:
    try:
        lines = credentials_path().read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    return dict(line.split(" ", 1) for line in lines if " " in line and not line.startswith("#"))


def _store_passwords(passwords: dict[str, str]) -> None:
    """Replace the file in one step; other users can read neither the old nor the new file."""
    path = credentials_path()
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(
            "# The demo's users and their first passwords. Remove this file after you have changed"
            " them.\n"
        )
        file.writelines(f"{username} {password}\n" for username, password in passwords.items())
    new.replace(path)


def _import_dictionaries() -> None:
    """Import the demo's dictionaries of those databases that have none yet."""
    there = set(Dictionary.objects.current().values_list("database", flat=True))
    for path in sorted(DICTIONARIES.glob("*.tsv")):
        if path.stem not in there:
            import_dictionary(path=path, source=path.name, database=path.stem, actor=SYSTEM)


def _import_legends(project: Project, admin: User) -> None:
    report = import_documents(
        project=project, documents=load_demo(), source_format="jsonl", labels="gold", actor=admin
    )
    if not project.documents.exists():
        raise UserError(
            f"The demo's legends are damaged: {report['problems'][0]}. Install the program again."
        )
