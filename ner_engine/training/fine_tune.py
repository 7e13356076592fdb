"""Fine-tuning of token classifiers: checkpoints during the run, a finished model at the end.

See ``run_folder`` for the files of a run. A recipe with ``augment_share`` has two phases, the first
in ``out/augmented/``. Nothing is fetched from a network, and weights are read and written as
safetensors only. Optimiser and random state are torch files that this program wrote itself; they
are read with ``weights_only=True``.
"""

from __future__ import annotations

import dataclasses
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tokenizers
import torch
import transformers

from ner_engine.errors import TrainingError
from ner_engine.registry import catalogue
from ner_engine.registry.cards import RunRecord, card, licence_in
from ner_engine.registry.catalogue import Checkpoint
from ner_engine.registry.recipes import FILL_MASK, Recipe
from ner_engine.registry.tasks import TASKS
from ner_engine.schema import Document
from ner_engine.split import Split
from ner_engine.training.augment import augment_documents
from ner_engine.training.data import ExampleTexts, data_hash, read_examples, with_labels
from ner_engine.training.events import Emit, discard, never
from ner_engine.training.finishing import Finish, finish
from ner_engine.training.network import TaggerNetwork
from ner_engine.training.phase import Phase
from ner_engine.training.processes import processes
from ner_engine.training.run_folder import claim
from ner_engine.training.trainer import runs_in_bf16


def train(
    recipe: Recipe,
    *,
    data: Path,
    base: str | Path,
    out: Path,
    resume: bool = False,
    emit: Emit = discard,
    stop_requested: Callable[[], bool] = never,
) -> Path | None:
    """Fine-tune ``base`` on ``data/train.jsonl`` and write ``out/model``.

    Return its path, or None if ``stop_requested`` ended the run early. The model is evaluated on
    ``data/eval.jsonl`` during the run and at the end, and on ``data/test.jsonl``, if it exists, at
    the end. Each file may be IOB2 instead (``train.iob2``, ``train.tsv.xz``). With ``resume`` an
    interrupted run continues from its last checkpoint. Of several processes the first writes and
    emits. Raise ``TrainingError`` (also for a paper in two splits), ``ModelNotFoundError`` or
    ``UnsafeModelError``.
    """
    recipe.check()
    _refuse_impossible(recipe)
    is_first = processes().is_main_process
    if is_first:
        facts = {
            "recipe": recipe.name,
            **recipe.hyperparameters(),
            "labels": list(recipe.labels),
            "data": data_hash(data),
        }
        claim(out, facts, resume=resume)
    texts = read_examples(data, recipe)
    recipe = with_labels(recipe, texts.splits["train"])
    # In a log, each progress bar would be a line as long as the run.
    transformers.utils.logging.disable_progress_bar()
    run = _Run(
        recipe,
        catalogue.find_base(base),
        texts,
        out=out,
        emit=emit if is_first else discard,
        stop_requested=stop_requested,
    )
    return out / "model" if run.train(resume=resume) else None


def _refuse_impossible(recipe: Recipe) -> None:
    if recipe.task == FILL_MASK:
        raise TrainingError(
            f"{recipe.name} trains a language model; run it with `python -m ner_engine pretrain`"
        )
    n_processes = processes().num_processes
    if n_processes > recipe.batch_size:
        raise TrainingError(
            f"a batch of {recipe.batch_size} examples is too small for {n_processes} processes;"
            " start fewer, or set batch_size"
        )


class _Run:
    """A fine-tuning run from its first step, or its last checkpoint, to the finished model."""

    def __init__(
        self,
        recipe: Recipe,
        base: Checkpoint,
        texts: ExampleTexts,
        *,
        out: Path,
        emit: Emit,
        stop_requested: Callable[[], bool],
    ) -> None:
        self._recipe, self._base, self._texts, self._out = recipe, base, texts, out
        self._emit, self._stop_requested = emit, stop_requested

    def train(self, *, resume: bool) -> bool:
        """Train, evaluate on all held-out texts, and write the model with its card.

        Return False if the run was asked to stop before the end.
        """
        start = self._base
        if self._recipe.augment_share:
            augmented = self._train_on_copies(resume=resume)
            if augmented is None:
                return False
            start = augmented
        phase = self._phase(start, self._texts.splits, self._out, self._emit)
        left_out = {
            "repeated_texts_left_out": self._texts.n_repeated,
            "texts_of_no_weight_left_out": self._texts.n_weightless,
        }
        if not phase.fit(resume=resume, start=left_out):
            return False
        phase.average_with(self._base)
        scores, finished = {}, Finish()
        if processes().is_main_process:
            scores = self._scores(phase)
            finished = self._finish(phase)
        phase.store(card(self._record(phase, scores)), finished)
        self._emit(
            {
                "event": "done",
                "out": str(self._out / "model"),
                "weights_of_steps": phase.weights_of,
                "scores": scores,
                "calibration": finished.sentence,
            }
        )
        return True

    def _train_on_copies(self, *, resume: bool) -> Checkpoint | None:
        """Return the model after the first phase, on the texts and on copies with other entities.

        Return None if the run was asked to stop before the end.
        """
        folder, texts = self._out / "augmented", self._texts.splits["train"]
        if not (folder / "model").is_dir():
            copies = augment_documents(texts, self._recipe.augment_share, seed=self._recipe.seed)
            splits = {**self._texts.splits, "train": [*texts, *copies]}
            phase = self._phase(self._base, splits, folder, self._emit_of_first_phase)
            if not phase.fit(resume=resume):
                return None
            phase.store("")
        return dataclasses.replace(catalogue.find_base(folder / "model"), name=self._base.name)

    def _emit_of_first_phase(self, event: Mapping[str, Any]) -> None:
        self._emit({**event, "phase": "augmented"})

    def _phase(
        self, base: Checkpoint, splits: Mapping[Split, Sequence[Document]], out: Path, emit: Emit
    ) -> Phase:
        model = TaggerNetwork.load(base, self._recipe)
        return Phase(
            self._recipe, model, splits, out=out, emit=emit, stop_requested=self._stop_requested
        )

    def _scores(self, phase: Phase) -> dict[str, dict[str, Any]]:
        """Return the scores on each held-out split that has texts."""
        held_out: tuple[Split, ...] = ("eval", "test")
        scores: dict[str, dict[str, Any]] = {}
        for split in held_out:
            if self._texts.splits[split]:
                evaluation = phase.model.evaluate(self._texts.splits[split], self._recipe)
                scores[split] = evaluation.as_json()
        return scores

    def _finish(self, phase: Phase) -> Finish:
        facts = json.loads((self._out / "run.json").read_text(encoding="utf-8"))
        data = f"the data with SHA-256 {facts['data'][:12]}"
        tagger = phase.model.tagger()
        return finish(tagger, self._texts.splits, TASKS[self._recipe.task], data=data)

    def _record(self, phase: Phase, scores: Mapping[str, Mapping[str, Any]]) -> RunRecord:
        recipe, base = self._recipe, self._base.name
        facts = json.loads((self._out / "run.json").read_text(encoding="utf-8"))
        return RunRecord(
            recipe=recipe,
            base=base,
            command=(
                f"python -m ner_engine train --recipe {recipe.name} --data DATA --base {base}"
                " --out OUT"
            ),
            labels=recipe.labels,
            counts={split: len(texts) for split, texts in self._texts.splits.items()},
            data_hash=facts["data"],
            history=phase.evaluations,
            scores=scores,
            weights_of=phase.weights_of,
            blend=phase.blend,
            versions=_versions(),
            base_licence=licence_in(_card_of(self._base)),
            machine=_machine(recipe),
        )


def _versions() -> dict[str, str]:
    return {
        "Python": platform.python_version(),
        "torch": torch.__version__.partition("+")[0],
        "transformers": transformers.__version__,
        "tokenizers": tokenizers.__version__,
    }


def _machine(recipe: Recipe) -> str:
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    return f"{device} in {'bf16' if runs_in_bf16(recipe) else 'fp32'}"


def _card_of(checkpoint: Checkpoint) -> str:
    """Return the text of the model's card, or "" if it has none."""
    path = checkpoint.folder / "README.md"
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
