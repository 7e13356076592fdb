"""What the site's tests share: people, a project, legends, folders of their own, and a real broker
with real workers.

Runs on SQLite (a file, so that worker processes see it) and, with ``DATABASE_URL`` set, on
PostgreSQL; with ``REDIS_URL`` set on that Redis.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client

from annotator.accounts.models import User
from annotator.corpus.models import Document, Membership, Project, Role
from annotator.corpus.services import create_project
from annotator.jobs.broker import start_embedded_broker
from annotator.jobs.models import Job, Worker
from annotator.jobs.services import live_queues
from ner_engine import schema
from scripts.redis_databases import database_url as redis_database_url

ROOT = Path(__file__).resolve().parents[2]


#: The settings that name the default models of the steps beside entities.
OTHER_STEPS = (
    "DEFAULT_PANELS_MODEL",
    "DEFAULT_GENEPROD_ROLES_MODEL",
    "DEFAULT_SMALL_MOL_ROLES_MODEL",
)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """SQLite in a file of this session; PostgreSQL in a test database of this pytest process."""
    database = django_settings.DATABASES["default"]
    if "sqlite" in database["ENGINE"]:
        database.setdefault("TEST", {})["NAME"] = str(
            tmp_path_factory.mktemp("database") / "test.sqlite3"
        )
    else:
        worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
        database.setdefault("TEST", {})["NAME"] = f"test_{database['NAME']}_{worker}_{os.getpid()}"


@pytest.fixture(autouse=True)
def var(settings: Any, tmp_path: Path) -> Path:
    """Folders of the test's own for everything the site writes, and no broker: a test that wants
    one asks for ``broker``.

    Legends are tagged with entities alone unless a test asks for more.
    """
    folder = tmp_path / "var"
    folder.mkdir()
    settings.VAR_DIR = folder
    settings.UPLOADS_DIR = folder / "uploads"
    settings.SNAPSHOTS_DIR = folder / "snapshots"
    settings.MODELS_DIR = folder / "models"
    settings.RUNS_DIR = folder / "runs"
    settings.DICTIONARIES_DIR = folder / "dictionaries"
    media = {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": folder / "media"},
    }
    settings.STORAGES = {**settings.STORAGES, "default": media}
    settings.BROKER_SOCKET = folder / "nobody.sock"
    settings.CELERY_BROKER_URL = f"redis+socket://{settings.BROKER_SOCKET}"
    settings.JOB_HEARTBEAT_SECONDS = 60
    for name in OTHER_STEPS:
        setattr(settings, name, "")
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # Otherwise each test client reads the names of all static files before its first request.
    settings.WHITENOISE_AUTOREFRESH = True
    return folder


def _user(name: str, **facts: Any) -> User:
    return User.objects.create_user(name, f"{name}@example.org", "correct horse battery", **facts)


@pytest.fixture
def admin(db: None) -> User:
    return _user("admin", is_staff=True, is_superuser=True)


@pytest.fixture
def manager(db: None) -> User:
    """Manages ``project``, and may make projects."""
    user = _user("manager")
    user.user_permissions.add(Permission.objects.get(codename="add_project"))
    return user


@pytest.fixture
def reviewer(db: None) -> User:
    return _user("reviewer")


@pytest.fixture
def curator(db: None) -> User:
    return _user("curator")


@pytest.fixture
def viewer(db: None) -> User:
    return _user("viewer")


@pytest.fixture
def stranger(db: None) -> User:
    """Signs in, but is a member of nothing."""
    return _user("stranger")


@pytest.fixture
def project(manager: User, reviewer: User, curator: User, viewer: User) -> Project:
    project = create_project(name="Autophagy legends", slug="autophagy", actor=manager)
    # The suggestions of most tests are less likely right than 90 %, some lie in titles.
    Project.objects.update(threshold=0.5, steps=[])
    project.refresh_from_db()
    for user, role in ((reviewer, Role.REVIEWER), (curator, Role.CURATOR), (viewer, Role.VIEWER)):
        Membership.objects.create(project=project, user=user, role=role)
    return project


@pytest.fixture
def client_of() -> Callable[[User | None], Client]:
    """A browser in which the user is signed in; ``None`` is somebody anonymous."""

    def client(user: User | None) -> Client:
        browser = Client()
        if user is not None:
            browser.force_login(user)
        return browser

    return client


def _legend(number: int) -> schema.Document:
    text = (
        f"Figure {number} Autophagy needs ATG{number}. (A) HeLa cells were treated with bafilomycin"
        " A1. (B) Western blot of LC3 in HeLa cells."
    )
    starts = [text.index("(A)"), text.index("(B)"), len(text) + 1]
    entities = [
        (f"ATG{number}", "GENEPROD", ""),
        ("bafilomycin A1", "SMALL_MOLECULE", "CONTROLLED_VAR"),
        ("LC3", "GENEPROD", "MEASURED_VAR"),
    ]
    entities += [("Western blot", "EXP_ASSAY", ""), ("HeLa", "CELL", "")]
    spans = [(text.index(surface), surface, label, role) for surface, label, role in entities]
    gold = (
        schema.Span(start, start + len(surface), label, surface, role, None, f"e{start}")
        for start, surface, label, role in sorted(spans)
    )
    return schema.Document(
        id=f"fig-{number}",
        text=text,
        doi=f"10.1000/paper.{number // 3}",
        title=f"Autophagy needs ATG{number}.",
        label=f"Figure {number}",
        segments=tuple(
            schema.Segment(start, end - 1, f"panel-{number}{marker}", marker)
            for marker, start, end in zip("AB", starts, starts[1:], strict=False)
        ),
        gold=tuple(gold),
    )


@pytest.fixture
def legend() -> Callable[[int], schema.Document]:
    """A small legend as the engine knows it: two panels, five entities, other text and another id
    for each number; three to a paper."""
    return _legend


@pytest.fixture
def import_legends(project: Project, manager: User) -> Callable[..., list[Document]]:
    """Put legends into ``project`` through the import service: a number of invented ones, or engine
    documents."""
    from annotator.corpus.imports import import_documents

    def run(
        documents: int | Sequence[schema.Document] = 3, *, labels: str = "none"
    ) -> list[Document]:
        wanted = (
            [_legend(number) for number in range(1, documents + 1)]
            if isinstance(documents, int)
            else documents
        )
        import_documents(
            project=project,
            documents=iter(wanted),
            source_format="jsonl",
            labels=labels,
            actor=manager,
        )
        return list(
            project.documents.filter(external_id__in=[document.id for document in wanted]).order_by(
                "id"
            )
        )

    return run


def _own_redis_database(url: str) -> str:
    """Return the address of this pytest process's own database.

    So no worker sees another test's messages. The database is one of those that the run claimed
    (``SD_TEST_REDIS_DATABASES``); without a claim, one counted from that of ``url``.
    """
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    claimed = os.environ.get("SD_TEST_REDIS_DATABASES")
    if claimed is None:
        return redis_database_url(url, int(urlsplit(url).path.strip("/") or 0) + process)
    numbers = claimed.split(",")
    if process >= len(numbers):
        pytest.fail(
            f"{len(numbers)} Redis databases are claimed, too few for process {process + 1}: set"
            " SD_TEST_PROCESSES rather than -n."
        )
    return redis_database_url(url, int(numbers[process]))


@pytest.fixture(scope="session")
def broker_url() -> Iterator[str]:
    """A broker that answers: Redis where ``REDIS_URL`` names one, else an embedded Valkey."""
    if url := os.environ.get("REDIS_URL"):
        yield _own_redis_database(url)
        return
    with (
        tempfile.TemporaryDirectory(prefix="sdc-") as folder,
        start_embedded_broker(Path(folder) / "b" / "valkey.sock") as url,
    ):
        yield url


@pytest.fixture
def broker(settings: Any, broker_url: str) -> str:
    settings.CELERY_BROKER_URL = broker_url
    return broker_url


def database_url() -> str:
    """The test database's address for another process."""
    facts = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{facts['NAME']}"
    address = f"{facts['HOST'] or '127.0.0.1'}:{facts['PORT'] or 5432}/{facts['NAME']}"
    credentials = f"{facts['USER']}:{facts['PASSWORD']}".rstrip(":")
    if credentials:
        address = f"{credentials}@{address}"
    return f"postgres://{address}"


def process_environment(var: Path, broker_url: str) -> dict[str, str]:
    """The environment in which another process is the same site."""
    no_other_steps = {f"SD_{name}": "" for name in OTHER_STEPS}
    return (
        no_other_steps
        | os.environ
        | {
            "DATABASE_URL": database_url(),
            "REDIS_URL": broker_url,
            "SD_VAR": str(var),
            "SD_JOB_HEARTBEAT_SECONDS": "0.3",
            "SD_JOB_HEARTBEAT_TIMEOUT": "3",
            "SD_JOB_SWEEP_SECONDS": "0.5",
            "DJANGO_SETTINGS_MODULE": "annotator.config.settings",
            "PYTHONPATH": str(ROOT),
        }
    )


class WorkerProcess:
    """A Celery worker of its own process group."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                command,
                env=environment,
                cwd=ROOT,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )

    def kill(self) -> None:
        """As the out-of-memory killer does: no good-bye."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self, timeout: float = 20) -> int:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode


def _worker_command(
    number: int, queues: str, modules: Sequence[str], concurrency: int
) -> list[str]:
    name = f"test{os.getpid()}-{number}@%h"
    command = [sys.executable, "-m", "celery", "-A", "annotator.config.celery", "worker"]
    command += ["-Q", queues, "-c", str(concurrency), "-n", name, "--loglevel", "INFO"]
    command += ["--without-gossip", "--without-mingle"]
    for module in modules:
        command += ["-I", module]
    return command


@pytest.fixture
def start_worker(
    transactional_db: None, broker: str, var: Path, tmp_path: Path
) -> Iterator[Callable[..., WorkerProcess]]:
    """Start real workers: ``start_worker(queues="default,tag,train",
    modules=["tests.annotator.jobs.handlers"])``; all end with the test."""
    workers: list[WorkerProcess] = []

    def start(
        queues: str = "default,tag,train",
        *,
        modules: Sequence[str] = (),
        concurrency: int = 2,
        wait: bool = True,
    ) -> WorkerProcess:
        number = len(workers)
        command = _worker_command(number, queues, modules, concurrency)
        before = Worker.objects.count()
        workers.append(
            WorkerProcess(
                command, process_environment(var, broker), tmp_path / f"worker-{number}.log"
            )
        )
        if wait:
            wait_for(
                lambda: Worker.objects.count() > before,
                what=f"worker {number} to listen",
                log=workers[-1].log,
            )
        return workers[-1]

    with _all_stopped(workers):
        yield start


@contextmanager
def _all_stopped(workers: list[WorkerProcess]) -> Iterator[None]:
    try:
        yield
    finally:
        for worker in workers:
            worker.stop()


@pytest.fixture
def worker(start_worker: Callable[..., WorkerProcess]) -> WorkerProcess:
    """One worker that listens on every queue."""
    started = start_worker()
    assert live_queues() >= {"default", "tag", "train"}
    return started


def wait_for(
    condition: Callable[[], Any], *, what: str, timeout: float = 60, log: Path | None = None
) -> None:
    """Until the condition holds; fails with the end of the worker's log."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            tail = (
                log.read_text(errors="replace")[-4000:] if log is not None and log.exists() else ""
            )
            pytest.fail(f"waited {timeout} s in vain for {what}\n{tail}")
        time.sleep(0.05)


@pytest.fixture
def finished() -> Callable[..., Job]:
    """Wait until a job has ended, and give it as it is then."""

    def wait(job: Job, *, timeout: float = 60, log: Path | None = None) -> Job:
        wait_for(
            lambda: Job.objects.get(pk=job.pk).is_final,
            what=f"job {job.pk} ({job.kind}) to end",
            timeout=timeout,
            log=log,
        )
        job.refresh_from_db()
        return job

    return wait
