"""Fine-tuning: checkpoints on the way, a finished model only at the end.

``out/checkpoints/`` holds what ``resume`` goes on from, ``out/run.json`` what the run was started
with, ``out/history.jsonl`` its evaluations; ``out/model/`` appears in one rename when everything is
done, and then the checkpoints go. A recipe of two steps has the first of them in
``out/augmented/``. Nothing is fetched from a network, and weights are read and written as
safetensors only. Optimizer and random state are torch files that this program wrote itself; they
are read back with ``weights_only=True``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import platform
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import tokenizers
import torch
import transformers
from transformers import TrainingArguments

from ner_engine.errors import TrainingError
from ner_engine.inference.backends import (
    Backend,
    LeanBackend,
    PlainBackend,
    Probabilities,
    cpu_precision,
)
from ner_engine.inference.evaluation import Evaluation, Watcher, evaluate
from ner_engine.inference.loading import load_classifier, load_tokenizer, save_tokenizer
from ner_engine.inference.tagger import Tagger
from ner_engine.inference.windows import IGNORED, Examples, TextEncoder, read_documents, side_file
from ner_engine.registry import catalogue as catalog
from ner_engine.registry.cards import RunRecord, card, licence_in
from ner_engine.registry.catalogue import Checkpoint
from ner_engine.registry.hyperparameters import AUTO_LABELS
from ner_engine.registry.recipes import FILL_MASK, SHARES_OF_BASE, Recipe
from ner_engine.registry.tasks import TASKS, weight_of
from ner_engine.schema import ENTITY_LABELS, Document
from ner_engine.scoring.comparison import Counts, counts_of
from ner_engine.split import SPLITS, Split
from ner_engine.training.augment import augment_documents
from ner_engine.training.batching import (
    MICRO_TOKENS,
    Batcher,
    balanced_weights,
    choose_attention,
    takes_packed,
)
from ner_engine.training.folds import paper_of
from ner_engine.training.loop import (
    Emit,
    History,
    KeptWeights,
    Reporter,
    RunTrainer,
    claim,
    last_checkpoint,
    processes,
    runs_in_bf16,
    training_arguments,
)
from ner_engine.training.weight_averaging import Blend, blend

#: The order in which equal texts are kept: once held out, never trained on.
_KEEP_FIRST: Final[tuple[Split, ...]] = ("test", "eval", "train")


def train(
    recipe: Recipe,
    *,
    data: Path,
    base: str | Path,
    out: Path,
    resume: bool = False,
    emit: Emit = lambda event: None,
    stop_requested: Callable[[], bool] = lambda: False,
) -> Path | None:
    """Fine-tune ``base`` on ``data/train.jsonl`` and write ``out/model``; its path, or None where
    ``stop_requested`` ended the run early.

    ``data/eval.jsonl`` is measured on the way and at the end, ``data/test.jsonl``, where there is
    one, at the end; any of them may be IOB2 instead (``train.iob2``, ``train.tsv.xz``). A stopped
    or killed run goes on from its last checkpoint with ``resume``. Of several processes the first
    writes and emits. Raises ``TrainingError`` (also for a paper that lies on two sides),
    ``ModelNotFoundError`` or ``UnsafeModelError``.
    """
    recipe.check()
    if recipe.task == FILL_MASK:
        raise TrainingError(
            f"{recipe.name} trains a language model; run it with `python -m ner_engine pretrain`"
        )
    here = processes()
    if here.num_processes > recipe.batch_size:
        raise TrainingError(
            f"a batch of {recipe.batch_size} examples cannot feed {here.num_processes} processes;"
            " start fewer, or set batch_size"
        )
    if here.is_main_process:
        claim(
            out,
            {
                "recipe": recipe.name,
                **recipe.hyperparameters(),
                "labels": list(recipe.labels),
                "data": data_hash(data),
            },
            resume=resume,
        )
    panels = read_sides(data, recipe)
    recipe = with_labels(recipe, panels.sides["train"])
    transformers.utils.logging.disable_progress_bar()  # a log is no terminal: each bar would be a line as long as the run  # noqa: E501
    told = emit if here.is_main_process else _in_silence
    run = _Run(
        recipe, catalog.find_base(base), panels, out=out, emit=told, stop_requested=stop_requested
    )
    return out / "model" if run.learn(resume=resume) else None


def _in_silence(event: Mapping[str, Any]) -> None:
    """Only one process tells what all of them do."""


# Data


@dataclass(frozen=True, slots=True)
class Panels:
    """The labelled texts of each side; ``n_repeated`` counts those left out because their text
    occurs elsewhere, ``n_weightless`` those of the training side that have a weight of 0."""

    sides: Mapping[Split, Sequence[Document]]
    n_repeated: int
    n_weightless: int = 0


def read_sides(data: Path, recipe: Recipe) -> Panels:
    """The examples of ``data`` by the rules of the recipe. A text that occurs twice is kept once,
    on the side that is held out first.

    Raises ``TrainingError`` where a paper lies on two sides, or where there is nothing to train on.
    """
    documents = {
        side: read_documents(path)
        for side in SPLITS
        if (path := side_file(data, side)).is_file() or side == "train"
    }
    _refuse_leaks(documents)
    sides = {side: _usable(found, recipe) for side, found in documents.items()}
    weighty = [
        text for text in sides["train"] if weight_of(text) > 0
    ]  # a row that counts nothing is as good as none
    n_weightless, sides["train"] = len(sides["train"]) - len(weighty), weighty
    seen: set[str] = set()
    n_before = sum(map(len, sides.values()))
    for side in _KEEP_FIRST:
        kept = []
        for panel in sides.get(side, []):
            if panel.text not in seen:
                seen.add(panel.text)
                kept.append(panel)
        sides[side] = kept
    if not sides["train"]:
        name = side_file(data, "train").name
        raise TrainingError(
            f"{name} holds no text to learn from; accept some legends first, or relax"
            " min_characters and panels"
        )
    return Panels(sides, n_before - sum(map(len, sides.values())), n_weightless)


def _usable(documents: Sequence[Document], recipe: Recipe) -> list[Document]:
    task, labelled = TASKS[recipe.task], recipe.panels == "labelled"
    return [
        text
        for text in task.texts(documents)
        if len(text.text) > recipe.min_characters and task.is_example(text, labelled_only=labelled)
    ]


def _refuse_leaks(sides: Mapping[Split, Sequence[Document]]) -> None:
    """A paper seen in training must not be measured on: stop, and name it."""
    side_of_paper: dict[str, str] = {}
    for side, documents in sides.items():
        for paper in {
            str(paper)
            for document in documents
            if (paper := document.doi or document.attributes.get("paper"))
        }:
            other = side_of_paper.setdefault(paper, side)
            if other != side:
                raise TrainingError(
                    f"the paper {paper} lies in {other} and in {side}; put all of its panels on one"
                    " side, or its scores mean nothing"
                )


def with_labels(recipe: Recipe, texts: Sequence[Document]) -> Recipe:
    """The recipe with the labels it is to learn: its own, or where it leaves them to the data,
    those of ``texts``.

    Raises ``TrainingError`` where the texts have labels and none of them is the recipe's.
    """
    task = TASKS[recipe.task]
    found = Counter(span.label for text in texts for span in task.targets(text))
    if recipe.labels == AUTO_LABELS:
        known = [label for label in task.labels or ENTITY_LABELS if label in found]
        labels = (*known, *sorted(found.keys() - set(known)))
        if not labels:
            raise TrainingError(
                "the training texts hold no label, so there is none to learn; name them by labels"
            )
        return dataclasses.replace(recipe, labels=labels)
    if found and not found.keys() & set(recipe.labels):
        names, asked = ", ".join(sorted(found)), ", ".join(recipe.labels)
        raise TrainingError(
            f"the training texts are labelled {names}, the recipe learns {asked}; set labels=auto,"
            " or name those to learn"
        )
    return recipe


def data_hash(data: Path) -> str:
    """SHA-256 over the three files of a data folder, in hexadecimal digits."""
    digest = hashlib.sha256()
    for side in SPLITS:
        path = side_file(data, side)
        if path.is_file():
            digest.update(f"{side}:{path.stat().st_size}\n".encode())
            with path.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
    return digest.hexdigest()


# The model


@dataclass(frozen=True, slots=True)
class _Model:
    """A network in training with its tokenizer and label list."""

    base: Checkpoint
    network: Any
    encoder: TextEncoder
    id2label: tuple[str, ...]

    @classmethod
    def load(cls, base: Checkpoint, recipe: Recipe) -> _Model:
        """The base with its own head where that has the recipe's types, else with a new one."""
        transformers.set_seed(recipe.seed)
        keeps_head = set(base.labels) == set(recipe.labels)
        id2label = (
            base.id2label
            if keeps_head
            else (
                "O",
                *(
                    f"{prefix}-{label}"
                    for label in recipe.labels
                    for prefix in TASKS[recipe.task].prefixes
                ),
            )
        )
        window = min(recipe.max_length, base.max_length)
        settings = {
            "hidden_dropout_prob": recipe.dropout,
            "attention_probs_dropout_prob": recipe.attention_dropout,
            "window_tokens": window,
            "span_task": recipe.task,
        }
        if recipe.layers:
            settings["num_hidden_layers"] = min(
                recipe.layers, int(base.config["num_hidden_layers"])
            )
        network = load_classifier(
            base, settings=settings, new_labels=None if keeps_head else id2label
        )
        choose_attention(network, recipe.packing)
        encoder = TextEncoder(load_tokenizer(base), max_length=window)
        return cls(base, network, encoder, id2label)

    @property
    def label2id(self) -> dict[str, int]:
        return {label: index for index, label in enumerate(self.id2label)}

    @property
    def packs(self) -> bool:
        """Whether it takes examples end to end."""
        return takes_packed(self.network)

    def mix_with(self, base: Checkpoint, recipe: Recipe, held_out: Sequence[Document]) -> Blend:
        """Mix the weights with those of ``base``, which has the same labels, in the share that the
        recipe asks for."""
        share, papers = (
            None if recipe.blend == "auto" else float(recipe.blend),
            [paper_of(text) for text in held_out],
        )

        def counts_now() -> list[Counts]:
            counts: list[Counts] = []
            self.judge(
                held_out, recipe, watch=lambda _, gold, found: counts.append(counts_of(gold, found))
            )
            return counts

        return blend(
            self.network, _Model.load(base, recipe).network.state_dict(), share, papers, counts_now
        )

    def examples(self, documents: Sequence[Document], recipe: Recipe) -> Examples:
        """The windows of the documents with their labels."""
        return Examples(documents, self.encoder, self.label2id, TASKS[recipe.task])

    def judge(
        self, documents: Sequence[Document], recipe: Recipe, watch: Watcher | None = None
    ) -> Evaluation:
        """Scores of the weights as they are now; ``watch`` is told of each text."""
        examples = self.examples(documents, recipe)
        listening = _Listening(
            self._backend(), (examples[index].labels for index in range(len(examples)))
        )
        found = evaluate(
            Tagger("candidate", listening, self.encoder, self.id2label),
            documents,
            TASKS[recipe.task],
            watch=watch,
        )
        return dataclasses.replace(found, loss=listening.loss)

    def _backend(self) -> Backend:
        config, device = (
            self.network.config.to_dict(),
            ("cuda" if torch.cuda.is_available() else "cpu"),
        )
        if device == "cpu" and LeanBackend.can_run(config):
            return LeanBackend(config, self.network.state_dict(), precision=cpu_precision())
        return PlainBackend(self.network, device=device)

    def save(self, folder: Path) -> None:
        """Weights, config and tokenizer, as any Hugging Face program reads them."""
        self.network.save_pretrained(folder)
        save_tokenizer(self.base, folder)


class _Listening:
    """A backend that also hears what the right ``labels`` of each window are: the validation loss,
    from what tagging computes anyway.

    ``labels`` come in the order in which windows are run, ``IGNORED`` where a token has none.
    """

    def __init__(self, backend: Backend, labels: Iterator[Sequence[int]]) -> None:
        self._backend, self._labels = backend, labels
        self._sum, self._count = 0.0, 0

    @property
    def device(self) -> str:
        return self._backend.device

    @property
    def loss(self) -> float:
        """Mean cross entropy in nats over the labelled tokens so far."""
        return self._sum / max(self._count, 1)

    def run(self, windows: Sequence[Sequence[int]]) -> list[Probabilities]:
        results = self._backend.run(windows)
        for scores in results:
            labels = np.array(next(self._labels))
            (known,) = np.nonzero(labels != IGNORED)
            self._sum -= float(np.log(np.maximum(scores[known, labels[known]], 1e-12)).sum())
            self._count += len(known)
        return results


# The run


class _Run:
    """One training from its first step, or its last checkpoint, to the finished model."""

    def __init__(
        self,
        recipe: Recipe,
        base: Checkpoint,
        panels: Panels,
        *,
        out: Path,
        emit: Emit,
        stop_requested: Callable[[], bool],
    ) -> None:
        self._recipe, self._base, self._panels, self._out, self._emit, self._stop_requested = (
            recipe,
            base,
            panels,
            out,
            emit,
            stop_requested,
        )

    def _learn_augmented(self, *, resume: bool) -> Checkpoint | None:
        """What comes of the base by the texts and copies of them with other entities; None where
        the run was asked to stop before."""
        folder, texts = self._out / "augmented", self._panels.sides["train"]
        if not (folder / "model").is_dir():
            copies = augment_documents(texts, self._recipe.augment_share, seed=self._recipe.seed)
            sides = {**self._panels.sides, "train": [*texts, *copies]}
            step = self._step(self._base, sides, folder, self._tell_of_first_step)
            if not step.fit(resume=resume):
                return None
            step.store("")
        return dataclasses.replace(catalog.find_base(folder / "model"), name=self._base.name)

    def _tell_of_first_step(self, event: Mapping[str, Any]) -> None:
        self._emit({**event, "phase": "augmented"})

    def learn(self, *, resume: bool) -> bool:
        """Train, measure on everything held out, write the model with its card, and let the
        checkpoints go. False where it was asked to stop."""
        begin = self._learn_augmented(resume=resume) if self._recipe.augment_share else self._base
        if begin is None:
            return False
        step = self._step(begin, self._panels.sides, self._out, self._emit)
        left_out = {
            "repeated_texts_left_out": self._panels.n_repeated,
            "texts_of_no_weight_left_out": self._panels.n_weightless,
        }
        if not step.fit(resume=resume, told=left_out):
            return False
        step.mix_with(self._base)
        scores: dict[str, dict[str, Any]] = {}
        if processes().is_main_process:
            scores = {
                side: step.model.judge(self._panels.sides[side], self._recipe).as_json()
                for side in ("eval", "test")
                if self._panels.sides[side]
            }
        step.store(card(self._record(step, scores)))
        self._emit(
            {
                "event": "done",
                "out": str(self._out / "model"),
                "weights_of_steps": step.weights_of,
                "scores": scores,
            }
        )
        return True

    def _step(
        self, base: Checkpoint, sides: Mapping[Split, Sequence[Document]], out: Path, emit: Emit
    ) -> _Step:
        recipe = self._recipe
        return _Step(
            recipe=recipe,
            model=_Model.load(base, recipe),
            sides=sides,
            out=out,
            emit=emit,
            stop_requested=self._stop_requested,
        )

    def _record(self, step: _Step, scores: Mapping[str, Mapping[str, Any]]) -> RunRecord:
        recipe, base = self._recipe, self._base.name
        return RunRecord(
            recipe=recipe,
            base=base,
            command=(
                f"python -m ner_engine train --recipe {recipe.name} --data DATA --base {base}"
                " --out OUT"
            ),
            labels=recipe.labels,
            counts={side: len(panels) for side, panels in self._panels.sides.items()},
            data_hash=json.loads((self._out / "run.json").read_text(encoding="utf-8"))["data"],
            history=step.history.read(),
            scores=scores,
            weights_of=step.weights_of,
            blend=step.blend,
            versions={
                "Python": platform.python_version(),
                "torch": torch.__version__.partition("+")[0],
                "transformers": transformers.__version__,
                "tokenizers": tokenizers.__version__,
            },
            base_licence=licence_in(_text_of(self._base.folder / "README.md")),
            machine=(
                f"{torch.cuda.get_device_name() if torch.cuda.is_available() else 'CPU'} in"
                f" {'bf16' if runs_in_bf16(recipe) else 'fp32'}"
            ),
        )


def _text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


class _Step:
    """One fine-tuning of a model in a folder of its own; most runs have one.

    ``weights_of`` are the steps whose weights, or the mean of them, the model has in the end; empty
    where it has the last. ``blend`` says how much of the base is mixed into them, None where
    nothing is.
    """

    def __init__(
        self,
        *,
        recipe: Recipe,
        model: _Model,
        sides: Mapping[Split, Sequence[Document]],
        out: Path,
        emit: Emit,
        stop_requested: Callable[[], bool],
    ) -> None:
        self.recipe, self.model, self.emit, self.stop_requested = (
            recipe,
            model,
            emit,
            stop_requested,
        )
        self._out = out
        self._eval = sides["eval"]
        self._held_out = sides["eval"][: recipe.eval_panels]
        self._examples = model.examples(sides["train"], recipe)
        self.steps_per_epoch = math.ceil(len(self._examples) / recipe.batch_size)
        self.n_steps = math.ceil(self.steps_per_epoch * recipe.epochs)
        self.history = History(out / "history.jsonl")
        self.weights_of: list[int] = []
        self.blend: Blend | None = None

    def fit(self, *, resume: bool, told: Mapping[str, Any] | None = None) -> bool:
        """Run all steps, or as many as the recipe's patience allows; False where the run was asked
        to stop before. ``told`` goes with its start."""
        arguments = training_arguments(self.recipe, self.n_steps, self._out)
        reporter = Reporter(self, str(arguments.device.type))
        trainer = self._trainer(arguments, reporter)
        checkpoint = last_checkpoint(self._out / "checkpoints") if resume else None
        self.emit({**self._start(arguments, checkpoint), **(told or {})})
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        reached = trainer.state.global_step
        if reached < self.n_steps and not reporter.stopped_early:
            self.emit({"event": "cancelled", "step": reached, "steps": self.n_steps})
            return False
        if processes().is_main_process:
            kept = KeptWeights(self._out / "checkpoints", self.recipe)
            self.weights_of = kept.put_into(self.model.network, self.history.read(until=reached))
        return True

    def mix_with(self, base: Checkpoint) -> None:
        """Mix the weights with those of ``base``, where the recipe asks for it and the base tells
        the same labels."""
        if (
            self.recipe.blend == "off"
            or set(base.labels) != set(self.recipe.labels)
            or not processes().is_main_process
        ):
            return
        self.emit(
            {
                "event": "blending",
                "shares": len(SHARES_OF_BASE) if self.recipe.blend == "auto" else 1,
            }
        )
        self.blend = self.model.mix_with(base, self.recipe, self._eval)
        self.emit({"event": "blend", **self.blend.as_json()})

    def store(self, text: str) -> None:
        """Write the model with the card ``text`` in one rename, and let the checkpoints go."""
        if processes().is_main_process:
            part = self._out / "model.part"
            shutil.rmtree(part, ignore_errors=True)
            self.model.save(part)
            (part / "README.md").write_text(text, encoding="utf-8")
            part.replace(self._out / "model")
            for folder in ("checkpoints", "augmented"):
                shutil.rmtree(self._out / folder, ignore_errors=True)
        processes().wait_for_everyone()

    def measure(self, device: str) -> Evaluation | None:
        """Scores on the first of the held-out texts, None where there are none."""
        return self.model.judge(self._held_out, self.recipe) if self._held_out else None

    def _trainer(self, arguments: TrainingArguments, reporter: Reporter) -> RunTrainer:
        recipe, config = self.recipe, self.model.network.config.to_dict()
        budget = recipe.micro_tokens or MICRO_TOKENS[arguments.device.type]
        weights = None
        if recipe.class_weights == "balanced":
            labels = [
                label
                for index in range(len(self._examples))
                for label in self._examples[index].labels
                if label != IGNORED
            ]
            weights = balanced_weights(labels, len(self.model.id2label))
        trainer = RunTrainer(
            model=self.model.network,
            args=arguments,
            train_dataset=self._examples,
            data_collator=Batcher.of(config, budget=budget, packed=self.model.packs),
            callbacks=[reporter],
            grouped=not self.model.packs,
            label_weights=weights,
            smoothing=recipe.label_smoothing,
        )
        trainer.remove_callback(transformers.PrinterCallback)
        return trainer

    def _start(self, arguments: TrainingArguments, checkpoint: Path | None) -> dict[str, Any]:
        return {
            "event": "start",
            "recipe": self.recipe.name,
            "base": self.model.base.name,
            "labels": list(self.recipe.labels),
            "steps": self.n_steps,
            "epochs": self.recipe.epochs,
            "examples": len(self._examples),
            "mean_weight": round(self._examples.mean_weight, 4),
            "examples_per_step": self.recipe.batch_size,
            "processes": arguments.world_size,
            "packed": self.model.packs,
            "precision": "bf16" if runs_in_bf16(self.recipe) else "fp32",
            "device": str(arguments.device),
            "resumed_at": int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0,
        }
