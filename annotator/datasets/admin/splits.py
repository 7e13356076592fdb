"""The splits of a snapshot in words."""

from __future__ import annotations

from typing import Final

#: What each split is used for.
SPLITS_IN_WORDS: Final = {
    "train": "for training",
    "eval": "for choosing the best step",
    "test": "held out, for evaluation",
}
