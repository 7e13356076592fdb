"""Fine-tuning: checkpoints on the way, a finished model only at the end.

``out/checkpoints/`` holds what ``resume`` goes on from, ``out/run.json`` what the run was started with, ``out/history.jsonl`` its evaluations;
``out/model/`` appears in one rename when everything is done, and then the checkpoints go. Nothing is fetched from a network, and
weights are read and written as safetensors only. Optimizer and random state are torch files that this program wrote
itself; they are read back with ``weights_only=True``.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import torch
import transformers
from transformers import Trainer, TrainerCallback, TrainingArguments

from ner_engine.errors import TrainingError
from ner_engine.model import catalog
from ner_engine.model.backends import Backend, LeanBackend, PlainBackend, cpu_precision
from ner_engine.model.card import RunRecord, card
from ner_engine.model.catalog import Checkpoint
from ner_engine.model.data import Examples, LengthGroupedSampler, TextEncoder, collate, read_documents
from ner_engine.model.evaluate import Evaluation, evaluate
from ner_engine.model.loading import load_classifier, load_tokenizer, save_tokenizer
from ner_engine.model.recipes import FILL_MASK, Recipe
from ner_engine.model.tagger import Tagger
from ner_engine.model.tasks import TASKS
from ner_engine.schema import Document
from ner_engine.split import SIDES, Side

#: Events of a run: start, step, eval, done, cancelled (see ``cli`` for their fields).
Emit = Callable[[Mapping[str, Any]], None]
#: The order in which equal texts are kept: once held out, never trained on.
_KEEP_FIRST: Final[tuple[Side, ...]] = ("test", "eval", "train")


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
    """Fine-tune ``base`` on ``data/train.jsonl`` and write ``out/model``; its path, or None where ``stop_requested`` ended the run early.

    ``data/eval.jsonl`` is measured on the way and at the end, ``data/test.jsonl``, where there is one, at the end. A stopped or killed run
    goes on from its last checkpoint with ``resume``. Raises ``TrainingError`` (also for a paper that lies on two sides), ``ModelNotFoundError``
    or ``UnsafeModelError``.
    """
    recipe.check()
    if recipe.task == FILL_MASK:
        raise TrainingError(f"{recipe.name} trains a language model; run it with `python -m ner_engine pretrain`")
    claim(out, {"recipe": recipe.name, **recipe.hyperparameters(), "labels": list(recipe.labels), "data": data_hash(data)}, resume=resume)
    panels = read_sides(data, recipe)
    transformers.set_seed(recipe.seed)
    transformers.utils.logging.disable_progress_bar()  # a log is no terminal: each bar would be a line as long as the run
    model = _Model.load(catalog.find_base(base), recipe)
    run = _Run(recipe=recipe, model=model, panels=panels, out=out, emit=emit, stop_requested=stop_requested)
    if not run.fit(resume=resume):
        return None
    return run.finish()


# Data


@dataclass(frozen=True, slots=True)
class Panels:
    """The labelled texts of each side; ``n_repeated`` counts those left out because their text occurs elsewhere."""

    sides: Mapping[Side, Sequence[Document]]
    n_repeated: int


def read_sides(data: Path, recipe: Recipe) -> Panels:
    """The examples of ``data`` by the rules of the recipe. A text that occurs twice is kept once, on the side that is held out first.

    Raises ``TrainingError`` where a paper lies on two sides, or where there is nothing to train on.
    """
    sides = {side: _usable(read_documents(data / f"{side}.jsonl"), recipe) for side in SIDES if side == "train" or (data / f"{side}.jsonl").is_file()}
    _refuse_leaks(sides)
    seen: set[str] = set()
    n_before = sum(map(len, sides.values()))
    for side in _KEEP_FIRST:
        sides[side] = [panel for panel in sides.get(side, []) if panel.text not in seen and not seen.add(panel.text)]  # type: ignore[func-returns-value]
    if not sides["train"]:
        raise TrainingError("train.jsonl holds no text to learn from; accept some legends first, or relax min_characters and panels")
    return Panels(sides, n_before - sum(map(len, sides.values())))


def _usable(documents: Sequence[Document], recipe: Recipe) -> list[Document]:
    task, labelled = TASKS[recipe.task], recipe.panels == "labelled"
    return [text for text in task.texts(documents) if len(text.text) > recipe.min_characters and task.is_example(text, labelled_only=labelled)]


def _refuse_leaks(sides: Mapping[Side, Sequence[Document]]) -> None:
    """A paper seen in training must not be measured on: stop, and name it."""
    side_of_paper: dict[str, str] = {}
    for side, panels in sides.items():
        for paper in {panel.doi for panel in panels if panel.doi}:
            other = side_of_paper.setdefault(paper, side)
            if other != side:
                raise TrainingError(f"the paper {paper} lies in {other} and in {side}; put all of its panels on one side, or its scores mean nothing")


# The folder of a run


def claim(out: Path, started: Mapping[str, Any], *, resume: bool) -> None:
    """Make ``out`` the folder of the run ``started`` with these facts, or check that it is. Raises ``TrainingError`` where it is another's."""
    if (out / "model").exists():
        raise TrainingError(f"{out.name} already holds a finished model; give another folder")
    stored = out / "run.json"
    if stored.is_file() and last_checkpoint(out / "checkpoints"):
        if not resume:
            raise TrainingError(f"{out.name} holds an unfinished run; go on with it by --resume, or give another folder")
        before = json.loads(stored.read_text(encoding="utf-8"))
        changed = sorted(name for name in before.keys() | started.keys() if before.get(name) != json.loads(json.dumps(started)).get(name))
        if changed:
            raise TrainingError(f"the run in {out.name} was started with another {', '.join(changed)}; start a new one in another folder")
        return
    out.mkdir(parents=True, exist_ok=True)
    _write_atomically(stored, json.dumps(started, indent=1))


def data_hash(data: Path) -> str:
    """SHA-256 over the three files of a data folder, in hexadecimal digits."""
    digest = hashlib.sha256()
    for side in SIDES:
        path = data / f"{side}.jsonl"
        if path.is_file():
            digest.update(f"{side}:{path.stat().st_size}\n".encode())
            with path.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
    return digest.hexdigest()


def last_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint in ``folder``; ``trainer_state.json`` is what is written last of one."""
    found = [path for path in folder.glob("checkpoint-*") if (path / "trainer_state.json").is_file()]
    return max(found, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def _write_atomically(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


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
        keeps_head = set(base.labels) == set(recipe.labels)
        id2label = base.id2label if keeps_head else ("O", *(f"{prefix}-{label}" for label in recipe.labels for prefix in TASKS[recipe.task].prefixes))
        window = min(recipe.max_length, base.max_length)
        settings = {
            "hidden_dropout_prob": recipe.dropout,
            "attention_probs_dropout_prob": recipe.attention_dropout,
            "attn_implementation": "sdpa" if torch.cuda.is_available() else "eager",  # eager wins by a tenth in bf16 on a CPU
            "window_tokens": window,
            "span_task": recipe.task,
        }
        if recipe.layers:
            settings["num_hidden_layers"] = min(recipe.layers, int(base.config["num_hidden_layers"]))
        network = load_classifier(base, settings=settings, new_labels=None if keeps_head else id2label)
        encoder = TextEncoder(load_tokenizer(base.folder), max_length=window)
        return cls(base, network, encoder, id2label)

    @property
    def label2id(self) -> dict[str, int]:
        return {label: index for index, label in enumerate(self.id2label)}

    def tagger(self, device: str) -> Tagger:
        """A tagger with the weights as they are now."""
        config = self.network.config.to_dict()
        backend: Backend
        if device == "cpu" and LeanBackend.can_run(config):
            backend = LeanBackend(config, self.network.state_dict(), precision=cpu_precision())
        else:
            backend = PlainBackend(self.network, device=device)
        return Tagger("candidate", backend, self.encoder, self.id2label)

    def save(self, folder: Path) -> None:
        """Weights, config and tokenizer, as any Hugging Face program reads them."""
        self.network.save_pretrained(folder)
        save_tokenizer(self.base.folder, folder)


# The run


class _Run:
    """One fine-tuning from its first step, or its last checkpoint, to the finished model."""

    def __init__(self, *, recipe: Recipe, model: _Model, panels: Panels, out: Path, emit: Emit, stop_requested: Callable[[], bool]) -> None:
        self.recipe, self.model, self.panels, self.out, self.emit = recipe, model, panels, out, emit
        self.stop_requested = stop_requested
        self.examples = Examples(panels.sides["train"], model.encoder, model.label2id, TASKS[recipe.task])
        self.steps_per_epoch = math.ceil(len(self.examples) / recipe.batch_size)
        self.n_steps = math.ceil(self.steps_per_epoch * recipe.epochs)
        self.history = History(out / "history.jsonl")

    def fit(self, *, resume: bool) -> bool:
        """Run all steps; False where the run was asked to stop before."""
        arguments = training_arguments(self.recipe, self.n_steps, self.out)
        trainer = RunTrainer(
            model=self.model.network,
            args=arguments,
            train_dataset=self.examples,
            data_collator=functools.partial(collate, pad_id=int(self.model.network.config.pad_token_id or 0)),
            callbacks=[Reporter(self, str(arguments.device.type))],
        )
        trainer.remove_callback(transformers.PrinterCallback)
        checkpoint = last_checkpoint(self.out / "checkpoints") if resume else None
        self.emit(self._start(arguments, checkpoint))
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        if trainer.state.global_step < self.n_steps:
            self.emit({"event": "cancelled", "step": trainer.state.global_step, "steps": self.n_steps})
            return False
        return True

    def finish(self) -> Path:
        """Measure on everything held out, write the model with its card, and let the checkpoints go."""
        device = "cuda" if torch.cuda.is_available() else "cpu"
        tagger = self.model.tagger(device)
        scores = {
            side: evaluate(tagger, self.panels.sides[side], TASKS[self.recipe.task]).as_json() for side in ("eval", "test") if self.panels.sides[side]
        }
        part = self.out / "model.part"
        shutil.rmtree(part, ignore_errors=True)
        self.model.save(part)
        (part / "README.md").write_text(card(self._record(scores)), encoding="utf-8")
        part.replace(self.out / "model")
        shutil.rmtree(self.out / "checkpoints", ignore_errors=True)
        self.emit({"event": "done", "out": str(self.out / "model"), "scores": scores})
        return self.out / "model"

    def measure(self, device: str) -> Evaluation | None:
        """Scores on the first of the held-out texts, None where there are none."""
        subset = self.panels.sides["eval"][: self.recipe.eval_panels]
        return evaluate(self.model.tagger(device), subset, TASKS[self.recipe.task]) if subset else None

    def _start(self, arguments: TrainingArguments, checkpoint: Path | None) -> dict[str, Any]:
        return {
            "event": "start",
            "recipe": self.recipe.name,
            "base": self.model.base.name,
            "labels": list(self.recipe.labels),
            "steps": self.n_steps,
            "epochs": self.recipe.epochs,
            "examples": len(self.examples),
            "repeated_texts_left_out": self.panels.n_repeated,
            "device": str(arguments.device),
            "resumed_at": int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0,
        }

    def _record(self, scores: Mapping[str, Mapping[str, Any]]) -> RunRecord:
        recipe = self.recipe
        return RunRecord(
            recipe=recipe,
            base=self.model.base.name,
            command=f"python -m ner_engine train --recipe {recipe.name} --data DATA --base {self.model.base.name} --out OUT",
            labels=recipe.labels,
            counts={side: len(panels) for side, panels in self.panels.sides.items()},
            data_hash=json.loads((self.out / "run.json").read_text(encoding="utf-8"))["data"],
            history=self.history.read(),
            scores=scores,
            versions={"torch": torch.__version__.partition("+")[0], "transformers": transformers.__version__},
        )


def training_arguments(recipe: Recipe, n_steps: int, out: Path) -> TrainingArguments:
    """The trainer's settings for a run of the recipe in the folder ``out``."""
    on_gpu = torch.cuda.is_available()
    return TrainingArguments(
        output_dir=str(out / "checkpoints"),
        per_device_train_batch_size=recipe.batch_size,
        max_steps=n_steps,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        warmup_steps=round(recipe.warmup * n_steps),
        weight_decay=recipe.weight_decay,
        adam_beta1=recipe.adam_beta1,
        adam_beta2=recipe.adam_beta2,
        adam_epsilon=recipe.adam_epsilon,
        max_grad_norm=recipe.max_grad_norm,
        bf16=runs_in_bf16(recipe),
        logging_steps=max(1, min(10, n_steps // 20)),
        save_strategy="no",  # the reporter asks for checkpoints by the clock
        save_total_limit=2,
        report_to="none",
        disable_tqdm=True,
        seed=recipe.seed,
        dataloader_pin_memory=on_gpu,
        remove_unused_columns=False,
        use_cpu=not on_gpu,
    )


def runs_in_bf16(recipe: Recipe) -> bool:
    """Whether the recipe asks for it and the machine is fast in it."""
    fast = torch.cuda.is_bf16_supported() if torch.cuda.is_available() else cpu_precision() == "bf16"
    return recipe.precision == "bf16" and fast


class History:
    """The evaluations of a run, a JSON line each, over all of its resumptions."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, event: Mapping[str, Any]) -> None:
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(event) + "\n")

    def read(self) -> list[dict[str, Any]]:
        """In order of their step; a step that was run twice counts as it was run last."""
        if not self._path.is_file():
            return []
        events = [json.loads(line) for line in self._path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
        return [event for _, event in sorted({event["step"]: event for event in events}.items())]


class RunTrainer(Trainer):
    """The stock trainer, with batches of similar length whose order depends on seed and epoch alone, and no pickle beside the weights."""

    def _get_train_sampler(self, train_dataset: Any = None) -> _EpochSampler:
        examples: Any = train_dataset or self.train_dataset
        return _EpochSampler(self, examples.lengths)

    def _save(self, output_dir: str | None = None, state_dict: dict[str, torch.Tensor] | None = None) -> None:
        network: Any = self.model
        network.save_pretrained(output_dir, state_dict=state_dict)


class _EpochSampler(LengthGroupedSampler):
    """Asks the trainer which epoch it is, also when a run is taken up in the middle of one."""

    def __init__(self, trainer: Trainer, lengths: Sequence[int]) -> None:
        super().__init__(lengths, trainer.args.train_batch_size, trainer.args.seed)
        self._trainer = trainer

    def __iter__(self) -> Iterator[int]:
        self.epoch = int((self._trainer.state.epoch or 0.0) + 1e-6)
        return super().__iter__()


class Measured(Protocol):
    """What an evaluation found, as the fields of its event."""

    def as_json(self) -> dict[str, Any]: ...


class Reported(Protocol):
    """A run as the reporter sees it: fine-tuning here, pre-training in ``pretrain``."""

    recipe: Recipe
    emit: Emit
    stop_requested: Callable[[], bool]
    history: History
    steps_per_epoch: int
    n_steps: int

    def measure(self, device: str) -> Measured | None: ...


class Reporter(TrainerCallback):
    """Turns the trainer's calls into events, the clock into checkpoints, and a request to stop into both."""

    def __init__(self, run: Reported, device: str) -> None:
        self._run, self._device = run, device
        self._saved_at = time.monotonic()
        self._logged_at, self._logged_step = time.monotonic(), -1
        self._losses: list[float] = []
        per_epoch = run.recipe.evals_per_epoch
        self._eval_every = max(1, round(run.steps_per_epoch / per_epoch)) if per_epoch else 0

    def on_train_begin(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        self._logged_at, self._logged_step = time.monotonic(), state.global_step

    def on_step_end(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        stop = self._run.stop_requested()
        if stop or time.monotonic() - self._saved_at >= self._run.recipe.checkpoint_seconds:
            control.should_save = True
            self._saved_at = time.monotonic()
        control.should_training_stop = control.should_training_stop or stop
        control.should_log = control.should_log or self._is_eval_step(state.global_step)

    def on_log(self, args: TrainingArguments, state: Any, control: Any, **kwargs: Any) -> None:
        logs: Mapping[str, float] = kwargs.get("logs") or {}
        if "loss" not in logs:
            return
        self._losses.append(float(logs["loss"]))
        self._run.emit(self._step_event(args, state, logs))
        if self._is_eval_step(state.global_step):
            self._evaluate(state)
        self._logged_at, self._logged_step = time.monotonic(), state.global_step

    def _is_eval_step(self, step: int) -> bool:
        return bool(self._eval_every) and (step % self._eval_every == 0 or step == self._run.n_steps)

    def _step_event(self, args: TrainingArguments, state: Any, logs: Mapping[str, float]) -> dict[str, Any]:
        per_second = (state.global_step - self._logged_step) / max(time.monotonic() - self._logged_at, 1e-9)
        return {
            "event": "step",
            "step": state.global_step,
            "steps": self._run.n_steps,
            "epoch": round(state.global_step / self._run.steps_per_epoch, 4),
            "loss": round(float(logs["loss"]), 5),
            "learning_rate": float(logs["learning_rate"]),
            "examples_per_second": round(per_second * args.train_batch_size, 2),
            "seconds_left": round((self._run.n_steps - state.global_step) / per_second) if per_second else None,
        }

    def _evaluate(self, state: Any) -> None:
        found = self._run.measure(self._device)
        if found is None:
            return
        loss = sum(self._losses) / len(self._losses)
        self._losses = []
        epoch = round(state.global_step / self._run.steps_per_epoch, 4)
        event = {"event": "eval", "step": state.global_step, "epoch": epoch, "loss": round(loss, 5), **found.as_json()}
        self._run.history.add(event)
        self._run.emit(event)
