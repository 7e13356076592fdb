"""`manage.py demo` as somebody runs it: in a process of its own, with a real broker, worker, web
server and the bundled model."""

from __future__ import annotations

import json
import signal
import sqlite3
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.packaging.served import PATIENCE, ROOT, Served, environment

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def var(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def first_run(var: Path) -> dict[str, Any]:
    """The summary of the very first run, on an empty folder."""
    return once(var)


def demo(var: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", "demo", *words]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment(var),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def once(var: Path) -> dict[str, Any]:
    done = demo(var, "--once")
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return summary


def processes_of(var: Path) -> list[str]:
    """What runs with this folder in its command line or environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(var) in " ".join(process.cmdline()) or process.environ().get("SD_VAR") == str(
                var
            ):
                found.append(" ".join(process.cmdline()))
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def rows(var: Path, query: str) -> list[Any]:
    with sqlite3.connect(var / "sd-curator.sqlite3") as database:
        return database.execute(query).fetchall()


def test_once_tags_all_that_waits_and_leaves_nothing_running(
    var: Path, first_run: dict[str, Any]
) -> None:
    assert first_run["n_legends"] >= 40
    assert first_run["n_legends_with_gold"] >= 20
    assert (
        first_run["n_legends_tagged"] == first_run["n_legends"] - first_run["n_legends_with_gold"]
    )
    assert first_run["n_legends_waiting_for_tags"] == 0
    assert first_run["n_suggestions"] > 5 * first_run["n_legends_tagged"]
    assert processes_of(var) == []


def test_passwords_are_generated_and_readable_by_the_owner_only(
    var: Path, first_run: dict[str, Any]
) -> None:
    path = Path(first_run["credentials"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    passwords = dict(
        line.split(" ")
        for line in path.read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    )
    assert set(passwords) == {"admin", "demo-curator"}
    assert all(len(password) >= 12 for password in passwords.values())
    assert len(set(passwords.values())) == 2


def test_a_second_run_changes_nothing(var: Path, first_run: dict[str, Any]) -> None:
    queries = (
        "SELECT id, username, password FROM accounts_user",
        "SELECT id, state, revision, sha256 FROM corpus_document",
        "SELECT id FROM corpus_span",
        "SELECT id FROM jobs_job",
    )
    before = [rows(var, query) for query in queries]
    second = once(var)
    assert [rows(var, query) for query in queries] == before
    assert {key: value for key, value in second.items() if key != "seconds"} == {
        key: value for key, value in first_run.items() if key != "seconds"
    }


def test_a_users_own_admin_and_projects_stay_as_they_are(tmp_path: Path) -> None:
    before = (
        "from django.core.management import call_command; call_command('migrate', verbosity=0);from"
        " annotator.accounts.models import User; from annotator.corpus.services import"
        " create_project;me = User.objects.create_superuser('admin', 'me@example.org', 'my own"
        " password');User.objects.create_user('demo-curator',"
        " password='somebody');create_project(name='Demo', slug='demo', actor=me)"
    )
    run_python(tmp_path, before)
    users = rows(tmp_path, "SELECT username, password, is_superuser FROM accounts_user ORDER BY id")
    accounts = run_python(
        tmp_path,
        "from annotator.dashboard.demo import prepare_demo; print(prepare_demo().accounts)",
    )
    assert accounts.splitlines()[-1] == "()"
    assert (
        rows(tmp_path, "SELECT username, password, is_superuser FROM accounts_user ORDER BY id")
        == users
    )
    assert rows(tmp_path, "SELECT slug FROM corpus_project ORDER BY id") == [
        ("demo",),
        ("sd-curator-demo",),
    ]
    own = (
        "SELECT count(*) FROM corpus_document d JOIN corpus_project p ON p.id = d.project_id WHERE"
        " p.slug = 'demo'"
    )
    assert rows(tmp_path, own) == [(0,)]
    assert not (tmp_path / "demo-credentials").exists()


def run_python(var: Path, code: str) -> str:
    command = [sys.executable, "manage.py", "shell", "--no-imports", "--command", code]
    return subprocess.run(
        command, cwd=ROOT, env=environment(var), check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def served(var: Path, first_run: dict[str, Any], tmp_path: Path) -> Iterator[Served]:
    """The demo of the module, serving."""
    demo = Served(var, tmp_path / "printed")
    demo.wait_for("Ctrl-C ends everything")
    yield demo
    if demo.process.poll() is None:
        demo.process.kill()
    demo.process.wait()


def test_serve_takes_a_free_port_and_ctrl_c_ends_everything(var: Path, served: Served) -> None:
    with urllib.request.urlopen(f"{served.address}accounts/login/", timeout=30) as page:
        assert page.status == 200
    assert "password as before" in served.printed()
    assert "press Review" in served.printed()
    refused = demo(var, "--once")
    assert refused.returncode == 2
    assert "is already running" in refused.stderr
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(timeout=60) == 0
    assert served.printed().rstrip().endswith("make demo continues with it.")
    assert processes_of(var) == []


def test_it_says_which_process_died_and_stops(var: Path, served: Served) -> None:
    worker = next(
        child
        for child in psutil.Process(served.process.pid).children()
        if "celery" in " ".join(child.cmdline())
    )
    worker.kill()
    assert served.process.wait(timeout=60) == 2
    assert "The worker ended unexpectedly (SIGKILL)" in served.printed()
    assert processes_of(var) == []


def test_after_it_was_killed_it_starts_again(var: Path, served: Served) -> None:
    served.process.kill()
    served.process.wait()
    assert once(var)["n_legends_waiting_for_tags"] == 0
    assert processes_of(var) == []
