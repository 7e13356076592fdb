"""Mask tokens for a masked language model.

Of the chosen tokens of a window 80 % become the mask token, 10 % another token, 10 % stay. The
choice depends on seed, epoch and window alone, so a resumed run sees the same. No text is
truncated: a long one becomes several windows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from ner_engine.chunks import chunks
from ner_engine.errors import TrainingError
from ner_engine.inference.windows import TextEncoder, Tokens
from ner_engine.registry.recipes import Recipe
from ner_engine.training.examples import IGNORED, Example

_TOKENIZED_AT_ONCE: Final = 1000
#: Of the chosen tokens: the fraction that is masked, and the fraction that is masked or replaced.
_MASKED: Final = 0.8
_KEPT_FROM: Final = 0.9

Ids = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The mask token's id, and the ids of all tokens that can occur in text."""

    mask_id: int
    ordinary: Ids

    @classmethod
    def of(cls, tokenizer: Tokenizer, encoder: TextEncoder) -> Vocabulary:
        """Return the vocabulary of a tokenizer. Raise ``TrainingError`` without a mask token."""
        if encoder.mask_id is None:
            raise TrainingError(
                "the base model's vocabulary has no mask token, so it cannot be pre-trained; use"
                " another base model"
            )
        special = set()
        for index, token in tokenizer.get_added_tokens_decoder().items():
            if token.special:
                special.add(index)
        special |= {encoder.mask_id, *encoder.prefix, *encoder.suffix}
        ordinary = sorted(set(tokenizer.get_vocab().values()) - special)
        return cls(encoder.mask_id, np.array(ordinary, dtype=np.int32))


class MaskedWindows(torch.utils.data.Dataset[Example]):
    """All windows of ``texts``, masked differently in each epoch.

    ``epoch`` is called each time a window is taken.
    """

    def __init__(
        self, texts: Iterable[str], encoder: TextEncoder, vocabulary: Vocabulary, recipe: Recipe
    ) -> None:
        self.epoch: Callable[[], int] = lambda: 0
        self._vocabulary, self._recipe = vocabulary, recipe
        self._prefix, self._suffix = encoder.prefix, encoder.suffix
        #: Token ids of each window, and the unit that each token belongs to.
        self._windows: list[tuple[Ids, Ids]] = []
        for chunk in chunks(texts, _TOKENIZED_AT_ONCE):
            for text, tokens in zip(chunk, encoder.tokens(chunk), strict=True):
                ids = np.array(tokens.ids, dtype=np.int32)
                units = np.arange(len(ids), dtype=np.int32)
                if recipe.mask_unit == "word":
                    units = word_numbers(text, tokens)
                for start, end in encoder.windows(len(ids)):
                    self._windows.append((ids[start:end], units[start:end]))

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, index: int) -> Example:
        ids, units = self._windows[index]
        chance = np.random.default_rng([self._recipe.seed, self.epoch(), index])
        chosen = choose(units, self._recipe.mask_share, chance)
        labels = np.where(chosen, ids, IGNORED).tolist()
        masked = mask(ids, chosen, self._vocabulary, chance).tolist()
        prefix, suffix = [IGNORED] * len(self._prefix), [IGNORED] * len(self._suffix)
        return Example([*self._prefix, *masked, *self._suffix], [*prefix, *labels, *suffix])

    @property
    def lengths(self) -> list[int]:
        """Number of tokens of each window, including special tokens."""
        n_special = len(self._prefix) + len(self._suffix)
        return [len(ids) + n_special for ids, _ in self._windows]


def word_numbers(text: str, tokens: Tokens) -> Ids:
    """Return the number of the word that each token belongs to.

    A token continues a word if letters or digits of both meet without a gap.
    """
    starts_word = np.ones(len(tokens), dtype=np.int32)
    for index in range(1, len(tokens)):
        start, end = int(tokens.starts[index]), int(tokens.ends[index - 1])
        meets = text[start].isalnum() and text[end - 1].isalnum()
        starts_word[index] = start > end or (start == end and not meets)
    return np.cumsum(starts_word, dtype=np.int32)


def choose(units: Ids, fraction: float, chance: np.random.Generator) -> NDArray[np.bool_]:
    """Return which tokens to predict: random whole units, until ``fraction`` of the tokens.

    At least one unit is chosen.
    """
    wanted = max(1, round(fraction * len(units)))
    names, sizes = np.unique(units, return_counts=True)
    order = chance.permutation(len(names))
    n_units = int(np.searchsorted(np.cumsum(sizes[order]), wanted)) + 1
    return np.isin(units, names[order[:n_units]])


def mask(
    ids: Ids, chosen: NDArray[np.bool_], vocabulary: Vocabulary, chance: np.random.Generator
) -> Ids:
    """Return the ids with most of the chosen ones masked or replaced (see the module)."""
    fate = chance.random(len(ids))
    masked = np.where(chosen & (fate < _MASKED), np.int32(vocabulary.mask_id), ids)
    others = chance.choice(vocabulary.ordinary, len(ids))
    return np.where(chosen & (fate >= _KEPT_FROM), others, masked).astype(np.int32)
