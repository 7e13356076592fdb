"""A training series: the short trainings of a cross-validation or a learning curve.

All trainings start from the same base model; no model is kept. ``out/series.json`` has the facts
the series was started with, ``out/NAME/result.json`` the result of a finished part. An unfinished
part has its data and checkpoints beside it. An interrupted series continues with the part, and the
step, at which it stopped.
"""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ner_engine.errors import TrainingError
from ner_engine.formats import jsonl
from ner_engine.inference.tagger import Tagger, load_tagger
from ner_engine.registry.hyperparameters import HYPERPARAMETERS
from ner_engine.registry.recipes import Recipe
from ner_engine.schema import Document
from ner_engine.split import Split
from ner_engine.training.events import Emit, discard, never
from ner_engine.training.fine_tune import train
from ner_engine.training.run_folder import refuse_changes, write_json

#: Texts that are read between two checks of ``stop_requested``.
CHUNK: Final = 64


@dataclass(frozen=True, slots=True)
class Part:
    """One training of a series, in the folder ``name``.

    ``splits`` has the texts it learns from (train) and is evaluated on (eval).
    """

    name: str
    recipe: Recipe
    splits: Mapping[Split, Sequence[Document]]

    @property
    def estimated_steps(self) -> int:
        """Number of steps if each text is one window; long texts make more."""
        n_batches = math.ceil(len(self.splits["train"]) / self.recipe.batch_size)
        return max(1, math.ceil(n_batches * self.recipe.epochs))


#: Return the result of a part from its trained model.
ReadModel = Callable[[Part, Tagger], dict[str, Any]]


class _StoppedError(Exception):
    """The series was asked to stop."""


@dataclass
class Series:
    """A series in the folder ``out``; other ``facts`` make another series.

    ``emit`` receives the events of each training with its ``part``; ``step`` and ``steps`` count
    over the whole series.
    """

    out: Path
    base: str | Path
    facts: Mapping[str, Any]
    emit: Emit = discard
    stop_requested: Callable[[], bool] = never
    _planned: list[int] = field(default_factory=list)

    def run(
        self, parts: Sequence[Part], read_model: ReadModel, *, resume: bool
    ) -> list[dict[str, Any]] | None:
        """Train each part and return what ``read_model`` makes of the models, in order.

        Each result has ``steps`` and ``seconds`` added. Return None if the series was asked to stop
        before the end; ``read_model`` uses ``chunks`` to be stopped soon. Raise ``TrainingError``
        if ``out`` belongs to another series.
        """
        self._claim(resume=resume)
        self._planned = [part.estimated_steps for part in parts]
        results = []
        try:
            for number, part in enumerate(parts):
                position = {"part": part.name, "number": number + 1, "parts": len(parts)}
                results.append(self._result(number, part, position, read_model))
        except _StoppedError:
            self.emit({"event": "cancelled", "steps": sum(self._planned)})
            return None
        return results

    def chunks(self, documents: Sequence[Document]) -> Iterator[Sequence[Document]]:
        """Yield the documents a few at a time, until the series is asked to stop."""
        for start in range(0, len(documents), CHUNK):
            self._stop_if_requested()
            self.emit({"event": "looking", "done": start, "of": len(documents)})
            yield documents[start : start + CHUNK]

    def _stop_if_requested(self) -> None:
        if self.stop_requested():
            raise _StoppedError

    def _claim(self, *, resume: bool) -> None:
        stored = self.out / "series.json"
        if not stored.is_file():
            self.out.mkdir(parents=True, exist_ok=True)
            write_json(stored, self.facts)
            return
        if not resume:
            raise TrainingError(
                f"{self.out.name} holds another run; continue it with --resume, or give another"
                " folder"
            )
        refuse_changes(stored, self.facts)

    def _result(
        self, number: int, part: Part, position: Mapping[str, Any], read_model: ReadModel
    ) -> dict[str, Any]:
        """Return the stored result of the part, or train it first."""
        folder = self.out / part.name
        stored = folder / "result.json"
        if not stored.is_file():
            started = time.monotonic()
            self.emit({"event": "part", **position})
            result = read_model(part, self._trained(number, part, folder))
            seconds = round(time.monotonic() - started, 1)
            write_json(stored, {**result, "steps": self._planned[number], "seconds": seconds})
        for name in ("data", "run"):
            shutil.rmtree(folder / name, ignore_errors=True)
        found: dict[str, Any] = json.loads(stored.read_text(encoding="utf-8"))
        self._planned[number] = found["steps"]
        self.emit({"event": "part_done", **position})
        return found

    def _trained(self, number: int, part: Part, folder: Path) -> Tagger:
        """Return the tagger of the part, trained from its last checkpoint if there is one."""
        self._stop_if_requested()
        model = folder / "run/model"
        if not model.is_dir():
            _write_splits(folder / "data", part.splits)
            finished = train(
                part.recipe,
                data=folder / "data",
                base=self.base,
                out=folder / "run",
                resume=True,
                emit=lambda event: self._pass_on(number, part, event),
                stop_requested=self.stop_requested,
            )
            if finished is None:
                raise _StoppedError
        return load_tagger(model)

    def _pass_on(self, number: int, part: Part, event: Mapping[str, Any]) -> None:
        """Emit an event of one training as one of the series; its end is not the series' end."""
        kind = event.get("event")
        if kind == "start":
            self._planned[number] = int(event["steps"])
        if kind in ("done", "cancelled"):
            return
        passed: dict[str, Any] = {**event, "part": part.name, "steps": sum(self._planned)}
        if "step" in event:
            passed["step"] = sum(self._planned[:number]) + int(event["step"])
        self.emit(passed)


def _write_splits(data: Path, splits: Mapping[Split, Sequence[Document]]) -> None:
    data.mkdir(parents=True, exist_ok=True)
    for split, documents in splits.items():
        with (data / f"{split}.jsonl").open("w", encoding="utf-8") as stream:
            jsonl.write(documents, stream)


def shortened(recipe: Recipe, n_texts: int, max_steps: int) -> Recipe:
    """Return the recipe with about ``max_steps`` steps at most on so many texts (0: unchanged)."""
    if not max_steps:
        return recipe
    n_batches = math.ceil(max(1, n_texts) / recipe.batch_size)
    row = HYPERPARAMETERS["epochs"]
    epochs = min(recipe.epochs, max_steps / n_batches)
    return dataclasses.replace(recipe, epochs=min(max(epochs, row.low), row.high))
