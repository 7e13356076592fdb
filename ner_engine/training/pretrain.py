"""Domain pre-training: train an encoder further as a masked language model on unlabelled texts.

The result is a base model for fine-tuning. Folder, events and checkpoints of a run are those of
fine-tuning (``run_folder``, ``loop``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import transformers

from ner_engine.errors import TrainingError
from ner_engine.registry import catalogue
from ner_engine.registry.recipes import FILL_MASK, Recipe
from ner_engine.split import Split
from ner_engine.training.events import Emit, discard, never
from ner_engine.training.loop import Loop, batcher_for
from ner_engine.training.masked_lm import MaskedLanguageModel, MaskedTrainer, Recall
from ner_engine.training.masking import MaskedWindows, Vocabulary
from ner_engine.training.pretrain_card import PretrainingRecord, pretraining_card
from ner_engine.training.pretrain_texts import Texts, read_texts
from ner_engine.training.processes import processes
from ner_engine.training.run_folder import claim, store_model


def pretrain(
    recipe: Recipe,
    *,
    texts: Sequence[Path],
    base: str | Path,
    out: Path,
    source_format: str = "",
    resume: bool = False,
    emit: Emit = discard,
    stop_requested: Callable[[], bool] = never,
) -> Path | None:
    """Train ``base`` to predict masked tokens of ``texts``, and write ``out/model``.

    Return its path, or None if ``stop_requested`` ended the run early. ``read_texts`` reads the
    texts and holds some of them out. A base model without a masked-language-model head gets a new
    one that shares the embeddings. With ``resume`` an interrupted run continues from its last
    checkpoint. Raise ``TrainingError``, ``FormatError``, ``ModelNotFoundError`` or
    ``UnsafeModelError``.
    """
    recipe.check()
    if recipe.task != FILL_MASK:
        raise TrainingError(
            f"{recipe.name} is not a recipe for pre-training; run it with `python -m ner_engine"
            " train`"
        )
    splits = read_texts(texts, source_format)
    checkpoint = catalogue.find_base(base)
    is_first = processes().is_main_process
    if is_first:
        facts = {"recipe": recipe.name, **recipe.hyperparameters()}
        claim(out, facts | {"base": checkpoint.name, "data": splits.digest}, resume=resume)
    # In a log, each progress bar would be a line as long as the run.
    transformers.utils.logging.disable_progress_bar()
    run = _Run(
        recipe,
        MaskedLanguageModel.load(checkpoint, recipe),
        splits,
        out=out,
        emit=emit if is_first else discard,
        stop_requested=stop_requested,
    )
    if not run.fit(resume=resume):
        return None
    if is_first:
        run.finish()
    processes().wait_for_everyone()
    return out / "model"


class _Run:
    """A pre-training from its first step, or its last checkpoint, to the finished model."""

    def __init__(
        self,
        recipe: Recipe,
        model: MaskedLanguageModel,
        texts: Texts,
        *,
        out: Path,
        emit: Emit,
        stop_requested: Callable[[], bool],
    ) -> None:
        self._recipe, self._model, self._texts = recipe, model, texts
        self._out, self._emit = out, emit
        self._vocabulary = Vocabulary.of(model.tokenizer, model.encoder)
        self._windows = self._masked(texts.splits["train"])
        self._loop = Loop(
            recipe,
            n_examples=len(self._windows),
            out=out,
            evaluate=self._evaluate,
            emit=emit,
            stop_requested=stop_requested,
        )

    def fit(self, *, resume: bool) -> bool:
        """Run all steps; return False if the run was asked to stop before the end."""
        start = {
            "base": self._model.base.name,
            "labels": [],
            "texts": {split: len(texts) for split, texts in self._texts.splits.items()},
            "repeated_texts_left_out": self._texts.n_repeated,
            "new_head": self._model.has_new_head,
        }
        return self._loop.run(
            self._model.network,
            self._windows,
            start=start,
            resume=resume,
            trainer_class=MaskedTrainer,
            head=self._model.head,
        )

    def finish(self) -> None:
        """Evaluate on all held-out texts, and write the model with its card."""
        held_out: tuple[Split, ...] = ("eval", "test")
        scores: dict[str, dict[str, Any]] = {}
        for split in held_out:
            if self._texts.splits[split]:
                scores[split] = self._recall(self._texts.splits[split]).as_json()
        record = PretrainingRecord(
            recipe=self._recipe,
            base=self._model.base.name,
            has_new_head=self._model.has_new_head,
            texts=self._texts,
            n_windows=len(self._windows),
            history=self._loop.history.read(),
            scores=scores,
        )
        store_model(self._out, self._model.save, pretraining_card(record))
        self._emit({"event": "done", "out": str(self._out / "model"), "scores": scores})

    def _masked(self, texts: Sequence[str]) -> MaskedWindows:
        return MaskedWindows(texts, self._model.encoder, self._vocabulary, self._recipe)

    def _evaluate(self) -> Recall | None:
        """Return the recall on the first held-out texts, or None if there are none."""
        held_out = self._texts.splits["eval"][: self._recipe.eval_panels]
        return self._recall(held_out) if held_out else None

    def _recall(self, texts: Sequence[str]) -> Recall:
        """Return the recall on texts masked once by the seed, so that evaluations compare."""
        batcher = batcher_for(self._model.network, self._recipe)
        return self._model.recall(len(texts), self._masked(texts), batcher, self._recipe)
