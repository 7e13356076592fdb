"""The child process of a training: crashes, silence, odd output, folders without access."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.utils import timezone

from annotator.accounts.actors import SYSTEM
from annotator.datasets.models import Snapshot
from annotator.jobs.models import JobState
from annotator.jobs.services import request_cancel
from annotator.learning import engine
from annotator.learning.models import (
    ModelVersion,
    RunState,
)
from annotator.learning.training import child_process
from annotator.learning.training.child_process import MAX_DEATHS, read_events
from tests.annotator.learning.training.conftest import (
    assert_failed_without_a_trace,
    assert_nothing_left,
    done,
    started,
)

pytestmark = pytest.mark.django_db


def test_a_child_that_keeps_crashing_at_one_step_fails_the_run(
    learned: Snapshot, tiny: ModelVersion, child: Any
) -> None:
    child("os.kill(os.getpid(), 9)")
    run = done(started(learned))
    assert_failed_without_a_trace(
        run, f"ended {MAX_DEATHS} times at the same place (SIGKILL)", "Choose a smaller batch_size"
    )
    assert [event["event"] for event in read_events(run.folder)] == ["died"] * MAX_DEATHS


def test_a_child_that_makes_progress_is_restarted_more_often(
    learned: Snapshot, tiny: ModelVersion, child: Any
) -> None:
    child(
        "out.mkdir(parents=True, exist_ok=True)\nstep = len(list(out.iterdir())) + 1\n(out /"
        " str(step)).touch()\nprint(json.dumps({'event': 'step', 'step': step, 'steps': 9}),"
        " flush=True)\nprint(json.dumps({'event': 'error', 'message': 'the well is dry'}),"
        " flush=True) if step == 6 else None\nos.kill(os.getpid(), 9)"
    )
    run = done(started(learned))
    assert_failed_without_a_trace(run, "the well is dry.")
    assert run.progress["n_resumed"] == 5 > MAX_DEATHS


def test_output_that_is_no_event_is_ignored(
    learned: Snapshot, tiny: ModelVersion, child: Any
) -> None:
    child(
        "print('Loading …'); print('[1, 2]'); print('{\"event\"'); print('{\"event\": \"error\","
        ' "message": "no room"}\'); sys.exit(2)'
    )
    run = done(started(learned))
    assert_failed_without_a_trace(run, "no room.")
    assert [event["event"] for event in read_events(run.folder)] == ["error"]


def test_a_child_that_exits_with_2_fails_the_run(
    learned: Snapshot, tiny: ModelVersion, child: Any
) -> None:
    child("sys.exit(2)")
    assert_failed_without_a_trace(done(started(learned)), "see train.log in the run's folder")


def test_a_run_is_cancelled_while_its_child_is_silent(
    learned: Snapshot, tiny: ModelVersion, child: Any
) -> None:
    child("time.sleep(600)")
    run = started(learned)
    real = engine.training_command

    def cancelled_meanwhile(**facts: Any) -> list[str]:
        request_cancel(job=run.job, actor=SYSTEM)
        return real(**facts)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "training_command", cancelled_meanwhile)
        run = done(run)
    assert run.state == RunState.CANCELLED
    assert run.job.state == JobState.CANCELLED
    assert run.error == ""
    assert_nothing_left(run)


def test_a_folder_that_takes_no_files_fails_the_run(
    learned: Snapshot, tiny: ModelVersion, settings: Any, var: Path
) -> None:
    (var / "file").touch()
    settings.RUNS_DIR = var / "file"
    assert_failed_without_a_trace(done(started(learned)), "could not be written", "Free disk space")


def test_a_full_disk_under_the_event_log_fails_the_run(
    learned: Snapshot, tiny: ModelVersion, child: Any
) -> None:
    child("print(json.dumps({'event': 'start'}), flush=True)\ntime.sleep(600)")
    run = started(learned)
    run.folder.mkdir(parents=True)
    (run.folder / "events.jsonl").symlink_to("/dev/full")
    run = done(run)
    assert_failed_without_a_trace(run, "No space left on device", "Free disk space")


def test_a_folder_that_the_child_cannot_write_fails_the_run(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    run = started(learned)
    run.folder.mkdir(parents=True)
    (run.folder / "out").touch()
    run = done(run)
    with suppress(FileNotFoundError):
        (run.folder / "out").unlink()
    assert_failed_without_a_trace(run, "a file could not be read or written")


def test_a_child_whose_pid_cannot_be_written_is_stopped(
    learned: Snapshot, tiny: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = started(learned)

    def with_no_place_for_it(**_: Any) -> list[str]:
        (run.folder / "pid").mkdir(parents=True)
        return [sys.executable, "-c", "import time; time.sleep(600)"]

    monkeypatch.setattr(engine, "training_command", with_no_place_for_it)
    children = psutil.Process().children(recursive=True)
    run = done(run)
    assert run.state == RunState.FAILED
    assert set(psutil.Process().children(recursive=True)) <= set(children)


# Events


def test_a_run_without_a_folder_has_no_events(tmp_path: Path) -> None:
    assert read_events(tmp_path / "missing") == []


def test_a_line_that_a_crash_cut_short_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text('{"event": "start"}\n{"event": "st')
    assert read_events(tmp_path) == [{"event": "start"}]


def test_events_have_the_time_at_which_they_came(tmp_path: Path) -> None:
    child_process._append(tmp_path / "events.jsonl", {"event": "start"})
    (event,) = read_events(tmp_path)
    assert event["event"] == "start"
    assert event["at"] <= timezone.now().isoformat()
