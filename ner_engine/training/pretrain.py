"""Domain pre-training: an encoder goes on as a masked language model on texts without labels, and
is what fine-tuning begins from afterwards.

The run's loop, with its folder, events and checkpoints, is the one of fine-tuning (``loop``).
Nothing is cut off a text: a long one becomes several windows. Of the chosen positions of a window
80 % become the mask token, 10 % another token, 10 % stay; which ones depends on seed, epoch and
window alone, so a run that is taken up again sees what it would have seen.
"""

from __future__ import annotations

import hashlib
import math
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import TrainingArguments

from ner_engine.errors import TrainingError
from ner_engine.formats import detect, read_inputs
from ner_engine.formats.report import Report
from ner_engine.inference.loading import load_masked_lm, load_tokenizer, save_tokenizer
from ner_engine.inference.windows import IGNORED, Example, TextEncoder, Tokens
from ner_engine.registry import catalogue as catalog
from ner_engine.registry.cards import table
from ner_engine.registry.catalogue import Checkpoint
from ner_engine.registry.recipes import FILL_MASK, Recipe
from ner_engine.split import SPLITS, Split, split_of
from ner_engine.training.batching import (
    MICRO_TOKENS,
    Batcher,
    MicroBatch,
    choose_attention,
    takes_packed,
    token_loss,
)
from ner_engine.training.loop import (
    Emit,
    History,
    Reporter,
    RunTrainer,
    claim,
    last_checkpoint,
    processes,
    runs_in_bf16,
    training_arguments,
)

#: Once held out, never trained on.
_KEEP_FIRST: Final[tuple[Split, ...]] = ("test", "eval", "train")
_TOKENIZED_AT_ONCE: Final = 1000
T = TypeVar("T")


def pretrain(
    recipe: Recipe,
    *,
    texts: Sequence[Path],
    base: str | Path,
    out: Path,
    source_format: str = "",
    resume: bool = False,
    emit: Emit = lambda event: None,
    stop_requested: Callable[[], bool] = lambda: False,
) -> Path | None:
    """Train ``base`` to fill in masked tokens of ``texts`` and write ``out/model``; its path, or
    None where ``stop_requested`` ended the run early.

    ``texts`` are read by ``read_texts``, which also holds some of them out. A base without a
    masked-language-model head gets a new one that shares the embeddings. A stopped or killed run
    goes on from its last checkpoint with ``resume``. Raises ``TrainingError``, ``FormatError``,
    ``ModelNotFoundError`` or ``UnsafeModelError``.
    """
    recipe.check()
    if recipe.task != FILL_MASK:
        raise TrainingError(
            f"{recipe.name} is no recipe for pre-training; run it with `python -m ner_engine train`"
        )
    found = read_texts(texts, source_format)
    checkpoint = catalog.find_base(base)
    is_first = processes().is_main_process
    if is_first:
        claim(
            out,
            {
                "recipe": recipe.name,
                **recipe.hyperparameters(),
                "base": checkpoint.name,
                "data": found.digest,
            },
            resume=resume,
        )
    transformers.utils.logging.disable_progress_bar()
    model = _Model.load(checkpoint, recipe)
    run = _Run(
        recipe=recipe,
        model=model,
        texts=found,
        out=out,
        emit=emit if is_first else _in_silence,
        stop_requested=stop_requested,
    )
    if not run.fit(resume=resume):
        return None
    if is_first:
        run.finish()
    processes().wait_for_everyone()
    return out / "model"


def _in_silence(event: Mapping[str, Any]) -> None:
    """Only one process tells what all of them do."""


# Texts


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts by side, each once, on the side that is held out first; ``digest`` is the SHA-256 of
    all of them."""

    sides: Mapping[Split, Sequence[str]]
    n_repeated: int
    digest: str


def read_texts(paths: Iterable[Path], source_format: str = "") -> Texts:
    """The texts of files, folders and zips in any form (told by their content where
    ``source_format`` is ""), whatever labels they have left aside.

    A folder with a train.jsonl brings its sides along; anything else is split by the fixed rule, so
    that the papers that taggers are tested on stay unread. A plain text file by itself holds a text
    a line. Raises ``TrainingError`` where an input cannot be read or nothing is left to train on.
    """
    sides: dict[Split, dict[str, None]] = {side: {} for side in SPLITS}
    n_read = 0
    report = Report()
    for path, fixed in _inputs(paths):
        form = source_format or detect(path)
        options: dict[str, Any] = {"per_line": True} if form == "text" and path.is_file() else {}
        for document in read_inputs([path], form, report, **options):
            sides[fixed or split_of(document.group)][document.text] = None
            n_read += 1
    if report.problems:
        raise TrainingError(f"{report.problems[0]} (refused in all: {len(report.problems)})")
    seen: set[str] = set()
    for side in _KEEP_FIRST:
        sides[side] = {text: None for text in sides[side] if text not in seen}
        seen |= sides[side].keys()
    if not sides["train"]:
        raise TrainingError(
            "there is no text to learn from: all that was read is held out, or nothing was; give"
            " more texts"
        )
    digest = hashlib.sha256()
    for side in SPLITS:
        for text in sides[side]:
            digest.update(f"{side}:{len(text)}:{text}".encode())
    return Texts(
        {side: list(found) for side, found in sides.items()}, n_read - len(seen), digest.hexdigest()
    )


def _inputs(paths: Iterable[Path]) -> Iterator[tuple[Path, Split | None]]:
    for path in paths:
        if (path / "train.jsonl").is_file():
            yield from (
                (path / f"{side}.jsonl", side)
                for side in SPLITS
                if (path / f"{side}.jsonl").is_file()
            )
        else:
            yield path, None


# Masking

Ids = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What masking needs of a tokenizer: the mask token's id, and the ids of all tokens that text
    can have."""

    mask_id: int
    ordinary: Ids

    @classmethod
    def of(cls, tokenizer: Tokenizer, encoder: TextEncoder) -> Vocabulary:
        if encoder.mask_id is None:
            raise TrainingError(
                "the base's vocabulary has no mask token, so there is nothing to fill in; use"
                " another base"
            )
        special = {
            index for index, token in tokenizer.get_added_tokens_decoder().items() if token.special
        }
        special |= {encoder.mask_id, *encoder.prefix, *encoder.suffix}
        return cls(
            encoder.mask_id,
            np.array(sorted(set(tokenizer.get_vocab().values()) - special), dtype=np.int32),
        )


class MaskedWindows(torch.utils.data.Dataset[Example]):
    """All windows of ``texts``; taking one masks it anew each epoch. ``epoch`` is asked each time a
    window is taken."""

    def __init__(
        self, texts: Iterable[str], encoder: TextEncoder, vocabulary: Vocabulary, recipe: Recipe
    ) -> None:
        self.epoch: Callable[[], int] = lambda: 0
        self._vocabulary, self._recipe = vocabulary, recipe
        self._prefix, self._suffix = encoder.prefix, encoder.suffix
        self._windows: list[tuple[Ids, Ids]] = []
        for chunk in _chunks(texts, _TOKENIZED_AT_ONCE):
            for text, tokens in zip(chunk, encoder.tokens(chunk), strict=True):
                ids = np.array(tokens.ids, dtype=np.int32)
                units = (
                    word_numbers(text, tokens)
                    if recipe.mask_unit == "word"
                    else np.arange(len(ids), dtype=np.int32)
                )
                self._windows += [
                    (ids[start:end], units[start:end]) for start, end in encoder.windows(len(ids))
                ]

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, index: int) -> Example:
        ids, units = self._windows[index]
        chance = np.random.default_rng([self._recipe.seed, self.epoch(), index])
        chosen = choose(units, self._recipe.mask_share, chance)
        labels = np.where(chosen, ids, IGNORED).tolist()
        ids = hide(ids, chosen, self._vocabulary, chance)
        head, tail = [IGNORED] * len(self._prefix), [IGNORED] * len(self._suffix)
        return Example([*self._prefix, *ids.tolist(), *self._suffix], [*head, *labels, *tail])

    @property
    def lengths(self) -> list[int]:
        """Tokens of each window, special ones counted."""
        return [len(ids) + len(self._prefix) + len(self._suffix) for ids, _ in self._windows]


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    left = iter(items)
    while chunk := list(islice(left, size)):
        yield chunk


def word_numbers(text: str, tokens: Tokens) -> Ids:
    """The number of the word that each token is a part of: a token goes on with the word before it
    where letters or digits meet without a gap."""
    begins = np.ones(len(tokens), dtype=np.int32)
    for index in range(1, len(tokens)):
        start, end = int(tokens.starts[index]), int(tokens.ends[index - 1])
        begins[index] = start > end or (
            start == end and not (text[start].isalnum() and text[end - 1].isalnum())
        )
    return np.cumsum(begins, dtype=np.int32)


def choose(units: Ids, share: float, chance: np.random.Generator) -> NDArray[np.bool_]:
    """Which tokens are to be told: whole units by chance until ``share`` of the tokens is reached,
    at least one."""
    wanted = max(1, round(share * len(units)))
    names, sizes = np.unique(units, return_counts=True)
    order = chance.permutation(len(names))
    n_units = int(np.searchsorted(np.cumsum(sizes[order]), wanted)) + 1
    return np.isin(units, names[order[:n_units]])


def hide(
    ids: Ids, chosen: NDArray[np.bool_], vocabulary: Vocabulary, chance: np.random.Generator
) -> Ids:
    """The ids with 80 % of the chosen ones masked and 10 % replaced by any other token of the
    vocabulary."""
    fate = chance.random(len(ids))
    hidden = np.where(chosen & (fate < 0.8), np.int32(vocabulary.mask_id), ids)
    return np.where(
        chosen & (fate >= 0.9), chance.choice(vocabulary.ordinary, len(ids)), hidden
    ).astype(np.int32)


# The model


class _Rows:
    """Lets a network's head see the positions in question alone: over a vocabulary of tens of
    thousands it is half of the work or more."""

    def __init__(self, network: Any) -> None:
        (head,) = (
            module for name, module in network.named_children() if name != network.base_model_prefix
        )
        head.register_forward_pre_hook(self._narrow)
        self._rows: torch.Tensor | None = None

    def _narrow(self, _: Any, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return args if self._rows is None else (args[0][self._rows], *args[1:])

    def scores(self, network: Any, row: MicroBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores ``(positions, vocabulary)`` and the true ids ``(positions,)`` where a micro-batch
        has labels."""
        self._rows = row["labels"] != IGNORED
        try:
            found = network(
                **{name: value for name, value in row.items() if name != "labels"}
            ).logits
        finally:
            rows, self._rows = self._rows, None
        return found, row["labels"][rows]


@dataclass(frozen=True, slots=True)
class _Model:
    base: Checkpoint
    network: Any
    rows: _Rows
    tokenizer: Tokenizer
    encoder: TextEncoder
    has_new_head: bool

    @classmethod
    def load(cls, base: Checkpoint, recipe: Recipe) -> _Model:
        transformers.set_seed(recipe.seed)
        dropout = {
            "hidden_dropout_prob": recipe.dropout,
            "attention_probs_dropout_prob": recipe.attention_dropout,
        }
        network, has_new_head = load_masked_lm(base, settings=dropout)
        choose_attention(network, recipe.packing)
        tokenizer = load_tokenizer(base)
        encoder = TextEncoder(
            tokenizer, max_length=min(recipe.max_length, base.max_length), overlap=0
        )
        return cls(base, network, _Rows(network), tokenizer, encoder, has_new_head)

    @property
    def packs(self) -> bool:
        """Whether it takes examples end to end."""
        return takes_packed(self.network)

    def batcher(self, recipe: Recipe) -> Batcher:
        device = "cuda" if torch.cuda.is_available() else "cpu"
        return Batcher.of(
            self.network.config.to_dict(),
            budget=recipe.micro_tokens or MICRO_TOKENS[device],
            packed=self.packs,
        )


@dataclass(frozen=True, slots=True)
class Recall:
    """How well masked tokens are told: the share that is told right, and the mean cross-entropy in
    nats, over ``positions`` in ``texts``."""

    texts: int
    positions: int
    recall: float
    masked_loss: float

    def as_json(self) -> dict[str, Any]:
        return {
            "documents": self.texts,
            "positions": self.positions,
            "recall": round(self.recall, 4),
            "masked_loss": round(self.masked_loss, 4),
            "perplexity": round(math.exp(min(self.masked_loss, 700.0)), 3),
        }


# The run


class _Run:
    """One pre-training from its first step, or its last checkpoint, to the finished model."""

    def __init__(
        self,
        *,
        recipe: Recipe,
        model: _Model,
        texts: Texts,
        out: Path,
        emit: Emit,
        stop_requested: Callable[[], bool],
    ) -> None:
        self.recipe, self.model, self.texts, self.out, self.emit = recipe, model, texts, out, emit
        self.stop_requested = stop_requested
        self.vocabulary = Vocabulary.of(model.tokenizer, model.encoder)
        self.windows = self._masked(texts.sides["train"])
        self.steps_per_epoch = math.ceil(len(self.windows) / recipe.batch_size)
        self.n_steps = math.ceil(self.steps_per_epoch * recipe.epochs)
        self.history = History(out / "history.jsonl")

    def fit(self, *, resume: bool) -> bool:
        """Run all steps; False where the run was asked to stop before."""
        arguments = training_arguments(self.recipe, self.n_steps, self.out)
        trainer = _Trainer(
            rows=self.model.rows,
            model=self.model.network,
            args=arguments,
            train_dataset=self.windows,
            data_collator=self.model.batcher(self.recipe),
            callbacks=[Reporter(self, str(arguments.device.type))],
            grouped=not self.model.packs,
        )
        trainer.remove_callback(transformers.PrinterCallback)
        self.windows.epoch = lambda: int((trainer.state.epoch or 0.0) + 1e-6)
        checkpoint = last_checkpoint(self.out / "checkpoints") if resume else None
        self.emit(self._start(arguments, checkpoint))
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        if trainer.state.global_step < self.n_steps:
            self.emit(
                {"event": "cancelled", "step": trainer.state.global_step, "steps": self.n_steps}
            )
            return False
        return True

    def measure(self, device: str) -> Recall | None:
        """Recall on the first of the held-out texts, None where there are none."""
        subset = self.texts.sides["eval"][: self.recipe.eval_panels]
        return self._recall(subset) if subset else None

    def finish(self) -> None:
        """Measure on everything held out, write the model with its card, and let the checkpoints
        go."""
        scores = {
            side: self._recall(self.texts.sides[side]).as_json()
            for side in ("eval", "test")
            if self.texts.sides[side]
        }
        part = self.out / "model.part"
        shutil.rmtree(part, ignore_errors=True)
        self.model.network.save_pretrained(part)
        save_tokenizer(self.model.base, part)
        (part / "README.md").write_text(self._card(scores), encoding="utf-8")
        part.replace(self.out / "model")
        shutil.rmtree(self.out / "checkpoints", ignore_errors=True)
        self.emit({"event": "done", "out": str(self.out / "model"), "scores": scores})

    def _masked(self, texts: Iterable[str]) -> MaskedWindows:
        return MaskedWindows(texts, self.model.encoder, self.vocabulary, self.recipe)

    @torch.inference_mode()
    def _recall(self, texts: Sequence[str]) -> Recall:
        """Masked once by the seed, so that two evaluations can be compared."""
        windows = self._masked(texts)
        network = self.model.network
        device = next(network.parameters()).device
        was_training = network.training
        network.eval()
        n_right, loss, n_positions = 0, 0.0, 0
        order = np.argsort(windows.lengths, kind="stable").tolist()
        batcher = self.model.batcher(self.recipe)
        for chosen in _chunks(order, self.recipe.batch_size):
            for row in batcher([windows[index] for index in chosen]):
                there = {
                    name: value.to(device) if isinstance(value, torch.Tensor) else value
                    for name, value in row.items()
                }
                with torch.autocast(
                    device.type, dtype=torch.bfloat16, enabled=runs_in_bf16(self.recipe)
                ):
                    scores, truth = self.model.rows.scores(network, there)
                n_right += int((scores.argmax(dim=-1) == truth).sum())
                loss += float(token_loss(scores, truth))
                n_positions += len(truth)
        network.train(was_training)
        return Recall(
            len(texts), n_positions, n_right / max(n_positions, 1), loss / max(n_positions, 1)
        )

    def _start(self, arguments: TrainingArguments, checkpoint: Path | None) -> dict[str, Any]:
        return {
            "event": "start",
            "recipe": self.recipe.name,
            "base": self.model.base.name,
            "labels": [],
            "steps": self.n_steps,
            "epochs": self.recipe.epochs,
            "examples": len(self.windows),
            "texts": {side: len(texts) for side, texts in self.texts.sides.items()},
            "repeated_texts_left_out": self.texts.n_repeated,
            "new_head": self.model.has_new_head,
            "examples_per_step": self.recipe.batch_size,
            "processes": arguments.world_size,
            "packed": self.model.packs,
            "precision": "bf16" if runs_in_bf16(self.recipe) else "fp32",
            "device": str(arguments.device),
            "resumed_at": int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0,
        }

    def _card(self, scores: Mapping[str, Mapping[str, Any]]) -> str:
        recipe, base = self.recipe, self.model.base.name
        counts = ", ".join(f"{len(texts):,} {side}" for side, texts in self.texts.sides.items())
        figures = ("recall", "masked_loss", "perplexity")
        history = [
            (
                f"{event['epoch']:.2f}",
                event["step"],
                f"{event['loss']:.4f}",
                *(event[name] for name in figures),
            )
            for event in self.history.read()
        ]
        held_out = [
            (side, *(found[name] for name in ("documents", "positions", *figures)))
            for side, found in scores.items()
        ]
        versions = (
            f"torch {torch.__version__.partition('+')[0]}, transformers {transformers.__version__}"
        )
        return (
            "\n\n".join(
                (
                    (
                        "---\npipeline_tag: fill-mask\nlibrary_name: transformers\ntags:\n-"
                        " biomedical\n---"
                    ),
                    (
                        f"# {recipe.name}\n\n{recipe.about}\n\nBase model:"
                        f" {base}{' (its head is new)' if self.model.has_new_head else ''}."
                    ),
                    (
                        "## How it was made\n\n```\npython -m ner_engine pretrain --recipe"
                        f" {recipe.name} --texts TEXTS --base {base} --out OUT\n```"
                    ),
                    (
                        f"Texts: {counts}; windows to train on: {len(self.windows):,}. SHA-256 of"
                        f" the texts: `{self.texts.digest}`. Made with {versions}."
                    ),
                    "## Hyperparameters\n\n"
                    + table(("name", "value"), sorted(recipe.hyperparameters().items())),
                    "## While it trained\n\n"
                    + (
                        table(("epoch", "step", "training loss", *figures), history)
                        if history
                        else "Nothing was held out, or no evaluation asked for."
                    ),
                    "## Masked tokens of held-out texts\n\nRecall is the share that the model tells"
                    " right.\n\n"
                    + (
                        table(("side", "texts", "positions", *figures), held_out)
                        if held_out
                        else "Nothing was held out."
                    ),
                )
            )
            + "\n"
        )


class _Trainer(RunTrainer):
    """The trainer with scores at masked positions alone."""

    def __init__(self, *, rows: _Rows, **settings: Any) -> None:
        super().__init__(**settings)
        self._rows = rows

    def loss_sum(self, model: Any, row: MicroBatch) -> torch.Tensor:
        return token_loss(*self._rows.scores(model, row))
