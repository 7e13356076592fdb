"""Several short trainings one after the other, from the same base, for what they tell together: no
model of theirs is kept.

``out/series.json`` holds what the series was started with, ``out/NAME/result.json`` what was
learned of a part that is done; a part in the middle has its data and checkpoints beside it. A
series that was stopped or killed goes on with the part, and the step, that it was at.
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
from ner_engine.inference.windows import read_documents, side_file
from ner_engine.registry.recipes import Recipe
from ner_engine.schema import Document
from ner_engine.split import SPLITS, Split
from ner_engine.training.fine_tune import train
from ner_engine.training.loop import Emit

#: Texts that are looked at between two questions whether to stop.
CHUNK: Final = 64
#: The least and the most that a recipe's ``epochs`` may be.
_EPOCHS: Final = (0.001, 1000.0)


@dataclass(frozen=True, slots=True)
class Part:
    """One training of a series: ``name`` is its folder's, ``sides`` are the texts it learns from
    (train) and is watched by (eval)."""

    name: str
    recipe: Recipe
    sides: Mapping[Split, Sequence[Document]]

    @property
    def about_steps(self) -> int:
        """How many steps it will have, about: texts of several windows make more."""
        return max(
            1,
            math.ceil(
                math.ceil(len(self.sides["train"]) / self.recipe.batch_size) * self.recipe.epochs
            ),
        )


class _StoppedError(Exception):
    """Somebody asked for the series to end."""


@dataclass
class Series:
    """A series in ``out``. ``facts`` are what it was started with: with others it is another
    series.

    ``emit`` is told the events of each training with its ``part``; ``step`` and ``steps`` count
    through the whole series.
    """

    out: Path
    base: str | Path
    facts: Mapping[str, Any]
    emit: Emit = lambda event: None
    stop_requested: Callable[[], bool] = lambda: False
    _planned: list[int] = field(default_factory=list)

    def run(
        self,
        parts: Sequence[Part],
        learn: Callable[[Part, Tagger], dict[str, Any]],
        *,
        resume: bool,
    ) -> list[dict[str, Any]] | None:
        """What ``learn`` makes of the model of each part, in order, with its ``steps`` and
        ``seconds``; None where it was asked to stop before.

        ``learn`` calls ``chunks`` to be stopped in good time. Raises ``TrainingError`` where
        ``out`` is another series'.
        """
        self._claim(resume=resume)
        self._planned = [part.about_steps for part in parts]
        try:
            return [
                self._result_of(number, part, len(parts), learn)
                for number, part in enumerate(parts)
            ]
        except _StoppedError:
            self.emit({"event": "cancelled", "steps": sum(self._planned)})
            return None

    def chunks(self, documents: Sequence[Document]) -> Iterator[Sequence[Document]]:
        """The documents a few at a time, until somebody asks for the series to end."""
        for start in range(0, len(documents), CHUNK):
            if self.stop_requested():
                raise _StoppedError
            self.emit({"event": "looking", "done": start, "of": len(documents)})
            yield documents[start : start + CHUNK]

    def _claim(self, *, resume: bool) -> None:
        stored, facts = self.out / "series.json", json.loads(json.dumps(self.facts))
        if stored.is_file():
            before = json.loads(stored.read_text(encoding="utf-8"))
            if not resume:
                raise TrainingError(
                    f"{self.out.name} holds another run; go on with it by --resume, or give another"
                    " folder"
                )
            if changed := sorted(
                name for name in before if before[name] != facts.get(name)
            ):  # an older program's run knows fewer names
                raise TrainingError(
                    f"the run in {self.out.name} was started with another {', '.join(changed)};"
                    " start a new one in another folder"
                )
            return
        self.out.mkdir(parents=True, exist_ok=True)
        write_json(stored, facts)

    def _result_of(
        self, number: int, part: Part, n_parts: int, learn: Callable[[Part, Tagger], dict[str, Any]]
    ) -> dict[str, Any]:
        folder = self.out / part.name
        stored = folder / "result.json"
        if not stored.is_file():
            began = time.monotonic()
            self.emit({"event": "part", "part": part.name, "number": number + 1, "parts": n_parts})
            result = learn(part, self._trained(number, part, folder))
            write_json(
                stored,
                {
                    **result,
                    "steps": self._planned[number],
                    "seconds": round(time.monotonic() - began, 1),
                },
            )
        for name in ("data", "run"):
            shutil.rmtree(folder / name, ignore_errors=True)
        found: dict[str, Any] = json.loads(stored.read_text(encoding="utf-8"))
        self._planned[number] = found["steps"]
        self.emit({"event": "part_done", "part": part.name, "number": number + 1, "parts": n_parts})
        return found

    def _trained(self, number: int, part: Part, folder: Path) -> Tagger:
        if self.stop_requested():
            raise _StoppedError
        model = folder / "run/model"
        if not model.is_dir():
            data = folder / "data"
            data.mkdir(parents=True, exist_ok=True)
            for side, documents in part.sides.items():
                with (data / f"{side}.jsonl").open("w", encoding="utf-8") as stream:
                    jsonl.write(documents, stream)

            def emit(event: Mapping[str, Any]) -> None:
                self._told(number, part, event)

            done = train(
                part.recipe,
                data=data,
                base=self.base,
                out=folder / "run",
                resume=True,
                emit=emit,
                stop_requested=self.stop_requested,
            )
            if done is None:
                raise _StoppedError
        return load_tagger(model)

    def _told(self, number: int, part: Part, event: Mapping[str, Any]) -> None:
        """Pass on an event of one training as one of the series; its end is not the series' end."""
        kind = event.get("event")
        if kind == "start":
            self._planned[number] = int(event["steps"])
        if kind in ("done", "cancelled"):
            return
        counted = (
            {"step": sum(self._planned[:number]) + int(event["step"])} if "step" in event else {}
        )
        self.emit({**event, "part": part.name, **counted, "steps": sum(self._planned)})


def read_data(data: Path) -> dict[Split, list[Document]]:
    """The sides of a data folder that are there. Raises ``TrainingError`` where none is, or a file
    cannot be read."""
    found = {
        side: read_documents(path) for side in SPLITS if (path := side_file(data, side)).is_file()
    }
    if not found:
        raise TrainingError(
            f"{data.name} holds neither train.jsonl nor eval.jsonl nor test.jsonl; write them with"
            " `python -m ner_engine convert`"
        )
    return found


def shortened(recipe: Recipe, n_texts: int, max_steps: int) -> Recipe:
    """The recipe with no more than about ``max_steps`` steps on so many texts (0: as it is)."""
    if not max_steps:
        return recipe
    epochs = min(recipe.epochs, max_steps / math.ceil(max(1, n_texts) / recipe.batch_size))
    return dataclasses.replace(recipe, epochs=min(max(epochs, _EPOCHS[0]), _EPOCHS[1]))


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file that is there as a whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
    part.replace(path)


def write_lines(path: Path, rows: Iterator[Mapping[str, Any]]) -> None:
    """The same with a JSON object a line."""
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    part.replace(path)
