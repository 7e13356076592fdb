"""The folder of a training run: its facts, checkpoints, evaluations and finished model.

``run.json`` has the facts the run was started with, ``checkpoints/`` its checkpoints,
``history.jsonl`` its evaluations. ``model/`` appears in one rename at the end.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from ner_engine.errors import TrainingError
from ner_engine.files import atomic_file, atomic_path, write_text_atomically


def claim(out: Path, facts: Mapping[str, Any], *, resume: bool) -> None:
    """Make ``out`` the folder of a run with these facts, or check that it is its folder already.

    Raise ``TrainingError`` if it is another run's.
    """
    if (out / "model").exists():
        raise TrainingError(f"{out.name} already holds a finished model; give another folder")
    stored = out / "run.json"
    if stored.is_file() and any(out.rglob("checkpoint-*/trainer_state.json")):
        if not resume:
            raise TrainingError(
                f"{out.name} holds an unfinished run; continue it with --resume, or give another"
                " folder"
            )
        refuse_changes(stored, facts)
        return
    out.mkdir(parents=True, exist_ok=True)
    write_json(stored, facts)


def refuse_changes(stored: Path, facts: Mapping[str, Any]) -> None:
    """Raise ``TrainingError`` if ``facts`` differ from the stored ones.

    New names are no difference: a run of an older version stored fewer.
    """
    before = json.loads(stored.read_text(encoding="utf-8"))
    now = json.loads(json.dumps(facts))
    changed = []
    for name in sorted(before):
        if before[name] != now.get(name):
            changed.append(name)
    if changed:
        raise TrainingError(
            f"the run in {stored.parent.name} was started with another {', '.join(changed)}; start"
            " a new one in another folder"
        )


def last_checkpoint(out: Path) -> Path | None:
    """Return the newest complete checkpoint of the run in ``out``, or None if there is none.

    ``trainer_state.json`` is the last file of a checkpoint that is written.
    """
    states = (out / "checkpoints").glob("checkpoint-*/trainer_state.json")
    return max((state.parent for state in states), key=step_of, default=None)


def step_of(checkpoint: Path) -> int:
    """Return the step of a checkpoint folder, ``checkpoint-STEP``."""
    return int(checkpoint.name.rpartition("-")[2])


class Finishing(Protocol):
    """Further files of a model, written when its weights and its card are there."""

    def write(self, folder: Path) -> None: ...


def store_model(
    out: Path, save: Callable[[Path], None], card: str, finish: Finishing | None = None
) -> None:
    """Write ``out/model`` with its card and ``finish`` in one rename; delete the checkpoints."""
    with atomic_path(out / "model") as part:
        save(part)
        (part / "README.md").write_text(card, encoding="utf-8")
        if finish is not None:
            finish.write(part)
    for folder in ("checkpoints", "augmented"):
        shutil.rmtree(out / folder, ignore_errors=True)


class History:
    """The evaluations of a run, one JSON line each, over all of its resumptions."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, event: Mapping[str, Any]) -> None:
        """Append an evaluation."""
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(event) + "\n")

    def read(self, until: int | None = None) -> list[dict[str, Any]]:
        """Return the evaluations in order of their step, up to step ``until``.

        Of a step that was run twice, the last evaluation is returned.
        """
        if not self._path.is_file():
            return []
        by_step: dict[int, dict[str, Any]] = {}
        for line in self._path.read_text(encoding="utf-8").splitlines():
            if line.endswith("}"):  # an interrupted write leaves half a line
                event = json.loads(line)
                by_step[event["step"]] = event
        events = []
        for step in sorted(by_step):
            if until is None or step <= until:
                events.append(by_step[step])
        return events


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file completely or not at all."""
    write_text_atomically(path, json.dumps(content, indent=1, ensure_ascii=False))


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a file with one JSON object per line completely or not at all."""
    with atomic_file(path) as stream:
        stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
