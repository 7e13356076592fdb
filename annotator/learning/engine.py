"""The torch half of the engine: the only module of the site that loads it or starts it.

``inference`` and ``training`` import torch, which takes seconds and hundreds of megabytes. They
are therefore imported inside functions, and those functions are called in workers and commands,
never in a web request. Everything light is in ``ner_engine.registry``, which any module may import.
"""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from annotator.learning.tagging.checkpoints import correction_stamps, verify_model
from ner_engine.errors import DeviceError
from ner_engine.registry.steps import NO_STEPS, Steps
from ner_engine.registry.tasks import TASKS
from ner_engine.schema import Document, Segment

if TYPE_CHECKING:
    from collections.abc import Callable

    from annotator.learning.models import ModelVersion
    from ner_engine.inference.backends import Probabilities
    from ner_engine.inference.evaluation import Watcher
    from ner_engine.inference.pipeline import (
        Tagged as Tagged,  # noqa: PLC0414
    )
    from ner_engine.inference.tagger import Tagger

log = structlog.get_logger(__name__)

#: Bytes of weights (``CheckpointFacts.n_bytes``) that a process keeps loaded: enough for the models
#: of a project's stages and a candidate beside them. A single call may need more.
KEPT_BYTES: Final = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A loaded tagger; ``stamps`` are the times of the files that ``weights_sha256`` leaves out."""

    tagger: Tagger
    n_bytes: int
    folder: Path
    stamps: tuple[int, ...]


class _Taggers:
    """The loaded taggers of this process. One caller at a time, because each uses all cores."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: OrderedDict[str, _Loaded] = OrderedDict()

    @contextmanager
    def of(self, models: Mapping[str, ModelVersion]) -> Iterator[dict[str, Tagger]]:
        """Yield the taggers of ``models`` under the same names, for this caller alone.

        A device that fails drops all taggers, so that its memory is free for the next job.
        """
        with self._lock:
            keys = {name: f"{model.path}:{model.weights_sha256}" for name, model in models.items()}
            try:
                for name, model in models.items():
                    self._load(keys[name], model, needed=keys.values())
                yield {name: self._loaded[key].tagger for name, key in keys.items()}
            except DeviceError as error:
                self._loaded.clear()
                log.error(
                    "device_failed",
                    models=[model.name for model in models.values()],
                    error=str(error),
                )
                raise

    def _load(self, key: str, model: ModelVersion, needed: Collection[str]) -> None:
        loaded = self._loaded.get(key)
        if loaded is not None and loaded.stamps != correction_stamps(loaded.folder):
            del self._loaded[key]  # the model was calibrated again
        if key not in self._loaded:
            facts = verify_model(model)
            from ner_engine.inference.tagger import load_tagger  # noqa: PLC0415 - torch

            self._make_room(facts.n_bytes, needed)
            stamps = correction_stamps(facts.folder)
            tagger = load_tagger(facts.folder)
            self._loaded[key] = _Loaded(tagger, facts.n_bytes, facts.folder, stamps)
        self._loaded.move_to_end(key)

    def _make_room(self, n_bytes: int, needed: Collection[str]) -> None:
        """Drop the least recently used taggers until ``n_bytes`` more fit."""
        for other in list(self._loaded):
            if sum(each.n_bytes for each in self._loaded.values()) + n_bytes <= KEPT_BYTES:
                return
            if other not in needed:
                del self._loaded[other]


_taggers = _Taggers()


def tag(
    models: Mapping[str, ModelVersion],
    texts: Sequence[str],
    segments: Sequence[Sequence[Segment]],
    *,
    steps: Steps = NO_STEPS,
    papers: Sequence[str] | None = None,
) -> list[Tagged]:
    """Run the pipeline stages of ``models`` (by task) on each text.

    ``segments`` are the panels of each text, empty where they are to be predicted. ``steps`` run
    after decoding; ``papers`` has the paper of each text for the step that gives a string one label
    in a paper, so the texts of a paper belong into one call. Confidence is calibrated where the
    model comes with a calibration. Models stay
    loaded up to ``KEPT_BYTES``. Raises ``UserError`` if the files of a model changed,
    ``ModelNotFoundError``, ``UnsafeModelError``, ``DeviceError``.
    """
    from ner_engine.inference.pipeline import Pipeline  # noqa: PLC0415 - torch

    with _taggers.of(models) as taggers:
        roles = {
            TASKS[task].masked_label: tagger
            for task, tagger in taggers.items()
            if TASKS[task].masked_label
        }
        pipeline = Pipeline(
            panels=taggers.get("panels"),
            entities=taggers.get("entities"),
            roles=roles,
            steps=steps,
        )
        return pipeline.run(texts, segments, papers=papers)


def load(model: ModelVersion) -> None:
    """Load the model into this process. Raises as ``tag``."""
    with _taggers.of({"": model}):
        pass


def evaluate(
    model: ModelVersion,
    documents: Iterable[Document],
    *,
    before_each_batch: Callable[[], None],
    watch: Watcher | None = None,
) -> dict[str, Any]:
    """Return the scores of ``model`` on labelled documents (see ``inference.evaluation``).

    ``watch`` is called with each text and its predictions; ``before_each_batch`` may raise to stop.
    """
    from ner_engine.inference import evaluation  # noqa: PLC0415 - torch
    from ner_engine.inference.tagger import Tagger  # noqa: PLC0415 - torch

    task = TASKS[model.task]
    with _taggers.of({"": model}) as taggers:
        loaded = taggers[""]
    network = _InterruptibleNetwork(model, before_each_batch, loaded.backend.device)
    tagger = Tagger(model.name, network, loaded.encoder, loaded.id2label)
    examples = (text for text in task.texts(documents) if task.is_example(text))
    return evaluation.evaluate(tagger, examples, task, watch=watch).as_json()


@dataclass(frozen=True, slots=True)
class _InterruptibleNetwork:
    """A model's network that runs small batches, so that it can stop and others get a turn."""

    model: ModelVersion
    before_each_batch: Callable[[], None]
    device: str
    batch: int = 64

    def run(self, windows: Sequence[Sequence[int]]) -> list[Probabilities]:
        rows: list[Probabilities] = []
        for start in range(0, len(windows), self.batch):
            self.before_each_batch()
            with _taggers.of({"": self.model}) as taggers:
                rows += taggers[""].run(windows[start : start + self.batch])
        return rows


def accelerators() -> list[tuple[str, str]]:
    """Return ``CUDA_VISIBLE_DEVICES`` and a key for each accelerator that can train here.

    The key is the same in every process and container of the machine. The list is empty on a
    machine that computes on its CPU.
    """
    from ner_engine.inference import devices  # noqa: PLC0415 - torch

    return devices.accelerators()


def training_command(
    *, recipe: str, data: Path, base: str, out: Path, settings: Mapping[str, Any]
) -> list[str]:
    """Return the command of the child process that trains.

    It prints events, a JSON object a line, and resumes from a checkpoint in ``out``.
    """
    command = _command("train", recipe=recipe, data=data, base=base, out=out)
    return [*command, *_settings(settings)]


def series_command(
    *,
    program: str,
    recipe: str,
    data: Path,
    base: str,
    out: Path,
    settings: Mapping[str, Any],
    options: Mapping[str, Any],
) -> list[str]:
    """Return the command of the child process of a training series.

    ``program`` is a value of ``SeriesKind``. The child keeps the trainings that are finished in
    ``out`` and resumes after them.
    """
    command = _command(program, recipe=recipe, data=data, base=base, out=out)
    for name, value in options.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    return [*command, *_settings(settings)]


def _command(program: str, *, recipe: str, data: Path, base: str, out: Path) -> list[str]:
    command = [sys.executable, "-m", "ner_engine", program, "--recipe", recipe]
    return [*command, "--data", str(data), "--base", base, "--out", str(out), "--resume"]


def _settings(settings: Mapping[str, Any]) -> list[str]:
    arguments = []
    for name, value in settings.items():
        arguments += ["--set", f"{name}={value}"]
    return arguments
