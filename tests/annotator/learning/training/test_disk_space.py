"""Disk space: checked before a run, missing during a run, freed after a run."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from annotator.accounts.actors import SYSTEM
from annotator.common.errors import UserError
from annotator.corpus.models import Document, Layer, LayerKind
from annotator.datasets.models import Snapshot
from annotator.jobs.models import Job, JobState
from annotator.jobs.services import run_job
from annotator.learning import engine
from annotator.learning.models import (
    Evaluation,
    ModelOrigin,
    ModelVersion,
    RunState,
    TrainingRun,
    TrainingSeries,
)
from annotator.learning.tagging.services import serving_model, start_pretagging
from annotator.learning.training import disk_space as room
from ner_engine.registry.catalogue import find_base
from tests.annotator.datasets.conftest import long_legend
from tests.annotator.learning.training.conftest import done, started
from tests.requirements import Need, need

pytestmark = pytest.mark.django_db

ImportLegends = Callable[..., list[Document]]
ENDLESS: dict[str, Any] = {"epochs": 1000, "batch_size": 1, "checkpoint_seconds": 1}


def assert_failed_and_the_old_model_serves(
    run: TrainingRun, snapshot: Snapshot, tiny: ModelVersion, import_legends: ImportLegends
) -> None:
    assert run.state == RunState.FAILED
    assert run.job.state == JobState.FAILED
    assert run.candidate is None
    assert not (run.folder / "out").exists()
    assert not (Path(room.settings.MODELS_DIR) / run.candidate_name).exists()
    assert not ModelVersion.objects.filter(origin=ModelOrigin.TRAINED).exists()
    assert not Evaluation.objects.exists()
    assert serving_model(snapshot.project) == tiny
    waiting = import_legends([long_legend(90)])
    run_job(start_pretagging(project=snapshot.project, actor=SYSTEM).pk)
    assert (
        Layer.objects.current().get(kind=LayerKind.SUGGESTED, document=waiting[0]).source
        == tiny.name
    )


def limited_to(n_bytes: int) -> Callable[..., list[str]]:
    """A training that can make no file larger than that."""
    real = engine.training_command
    program = (
        f"import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({n_bytes},"
        f" {n_bytes})); os.execv(sys.argv[1], sys.argv[1:])"
    )
    return lambda **facts: [sys.executable, "-c", program, *real(**facts)]


@pytest.mark.parametrize("share", [0.5, 1.5], ids=["its weights", "its optimiser"])
def test_a_checkpoint_that_cannot_be_written_ends_the_run(
    share: float,
    learned: Snapshot,
    tiny: ModelVersion,
    monkeypatch: pytest.MonkeyPatch,
    import_legends: ImportLegends,
) -> None:
    n_bytes = int(share * 4 * find_base(tiny.path).n_parameters)
    monkeypatch.setattr(engine, "training_command", limited_to(n_bytes))
    run = done(started(learned, hyperparameters=ENDLESS))
    assert f"the disk of {run.folder / 'out'} is full" in run.error
    assert "free some disk space, then start again" in run.error
    assert_failed_and_the_old_model_serves(run, learned, tiny, import_legends)


@contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """A disk of four megabytes at ``place``."""
    place.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)],
        capture_output=True,
        check=False,
    )
    need(
        Need.SMALL_DISK,
        found=mounted.returncode == 0,
        otherwise="This user may not mount a small disk (root may).",
    )
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(place: Path, *, leave: int) -> None:
    with (place / "ballast").open("wb") as stream:
        stream.write(bytes(room.free_bytes(place) - leave))


def test_a_disk_that_fills_up_during_training_ends_the_run(
    learned: Snapshot,
    tiny: ModelVersion,
    monkeypatch: pytest.MonkeyPatch,
    import_legends: ImportLegends,
    settings: Any,
) -> None:
    monkeypatch.setattr(room, "RESERVE_BYTES", 0)
    real = engine.training_command
    with small_disk(Path(settings.RUNS_DIR)) as disk:

        def filled_meanwhile(**facts: Any) -> list[str]:
            fill(disk, leave=200_000)
            return real(**facts)

        monkeypatch.setattr(engine, "training_command", filled_meanwhile)
        run = done(started(learned, hyperparameters=ENDLESS))
        assert str(run.folder) in run.error
        assert "No space left on device" in run.error or "is full" in run.error
        monkeypatch.setattr(engine, "training_command", real)
        assert_failed_and_the_old_model_serves(run, learned, tiny, import_legends)
        (disk / "ballast").unlink()
        assert done(started(learned)).state == RunState.SUCCEEDED


def test_a_disk_that_is_full_at_registration_ends_the_run(
    learned: Snapshot,
    tiny: ModelVersion,
    tiny_folders: list[Path],
    monkeypatch: pytest.MonkeyPatch,
    import_legends: ImportLegends,
    settings: Any,
) -> None:
    monkeypatch.setattr(room, "RESERVE_BYTES", 0)
    with small_disk(Path(settings.MODELS_DIR)) as disk:

        def trained_at_once(*, out: Path, **_: Any) -> list[str]:
            fill(disk, leave=100_000)
            begin = (
                f"import json, pathlib, shutil; out = pathlib.Path({str(out)!r});"
                " out.mkdir(parents=True)"
            )
            end = (
                f"shutil.copytree({str(tiny_folders[1])!r}, out / 'model');"
                " print(json.dumps({'event': 'done'}))"
            )
            return [sys.executable, "-c", f"{begin}; {end}"]

        monkeypatch.setattr(engine, "training_command", trained_at_once)
        run = done(started(learned))
        assert f"could not be written to {disk}" in run.error
        assert "No space left on device" in run.error
        assert [path.name for path in disk.iterdir()] == ["ballast"]
        assert_failed_and_the_old_model_serves(run, learned, tiny, import_legends)


def test_a_run_does_not_start_without_enough_disk_space(
    learned: Snapshot,
    tiny: ModelVersion,
    monkeypatch: pytest.MonkeyPatch,
    import_legends: ImportLegends,
) -> None:
    monkeypatch.setattr(room, "free_bytes", lambda folder: room.RESERVE_BYTES)
    monkeypatch.setattr(engine, "training_command", None)
    run = done(started(learned))
    needed = 10 * 4 * find_base(tiny.path).n_parameters
    assert (
        f"The training needs {room.in_bytes(needed)} on the disk of {room.settings.RUNS_DIR}"
        in run.error
    )
    assert f"{room.in_bytes(needed)} are missing" in run.error
    assert_failed_and_the_old_model_serves(run, learned, tiny, import_legends)


def test_written_bytes_count_as_space_that_the_run_has(
    learned: Snapshot, tiny: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs = room.DiskSpace(runs=9_000_000, models=1_000_000)
    monkeypatch.setattr(room, "free_bytes", lambda folder: room.RESERVE_BYTES + 4_000_000)
    assert "6 MB are missing" in room.shortage(needs)
    assert room.shortage(needs, taken=6_000_000) == ""
    with pytest.raises(UserError, match="1 MB are missing"):
        room.refuse_without_space(needs, taken=5_000_000)


def test_leftovers_of_ended_runs_are_removed_and_others_stay(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    runs = Path(room.settings.RUNS_DIR)
    waiting = started(learned)
    ended = TrainingRun.objects.create(
        project=learned.project, snapshot=learned, base=tiny, recipe="quick", state=RunState.FAILED
    )
    over = Job.objects.create(kind="try_training", state=JobState.FAILED)
    series = TrainingSeries.objects.create(
        project=learned.project,
        snapshot=learned,
        base=tiny,
        kind="curve",
        recipe="quick",
        result={"done": 1},
    )
    left = [
        runs / ended.folder.name / "out",
        runs / "run-99999" / "out",
        runs / f"trial-{over.pk}" / "out",
        runs / "series-99999" / "found",
    ]
    stays = [
        waiting.folder / "out",
        runs / "run-88888" / "out",
        runs / f"trial-{waiting.job_id}" / "out",
        series.folder / "found",
    ]
    for folder in (*left, *stays):
        (folder / "checkpoints").mkdir(parents=True)
    (ended.folder / "events.jsonl").touch()
    with (runs / "run-88888" / "lock").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert room.remove_leftovers_of_ended_runs() == 4
    assert not any(folder.exists() for folder in left)
    assert all(folder.exists() for folder in stays)
    assert (ended.folder / "events.jsonl").exists()


# The space that a run needs

_PLAIN = {"average": 0, "keep": "last", "augment_share": 0.0}


def test_a_plain_run_needs_three_checkpoints_of_three_weights() -> None:
    assert room.DiskSpace.of_run(10, _PLAIN) == room.DiskSpace(runs=9 * 40, models=40)


@pytest.mark.parametrize(
    ("changes", "copies"),
    [({"keep": "best"}, 12), ({"average": 5}, 16), ({"augment_share": 0.2}, 10)],
)
def test_weights_that_are_kept_need_space(changes: dict[str, Any], copies: int) -> None:
    assert room.DiskSpace.of_run(10, _PLAIN | changes).runs == copies * 40


def test_a_dry_run_registers_no_model() -> None:
    assert room.DiskSpace.of_dry_run(10).models == 0


@pytest.mark.parametrize(
    ("n_bytes", "words"), [(0, "1 MB"), (640_000_000, "640 MB"), (2_340_000_000, "2.3 GB")]
)
def test_bytes_are_written_in_words(n_bytes: int, words: str) -> None:
    assert room.in_bytes(n_bytes) == words


def test_the_bytes_in_a_folder_are_those_of_all_files_below(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(b"123")
    (tmp_path / "c").write_bytes(b"4567")
    assert room.bytes_in(tmp_path) == 7


def test_a_folder_that_does_not_exist_holds_no_bytes(tmp_path: Path) -> None:
    assert room.bytes_in(tmp_path / "missing") == 0


def test_the_free_bytes_of_a_missing_folder_are_its_parents(tmp_path: Path) -> None:
    assert room.free_bytes(tmp_path / "a" / "b") > 0
