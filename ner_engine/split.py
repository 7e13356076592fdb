"""The fixed rule that assigns a paper to a split: train, eval or test.

The split depends only on the key of the paper (its DOI; see ``Document.group``). A paper therefore
never changes its split, whatever other papers are in the set, and all panels of a paper share one.
"""

from __future__ import annotations

import hashlib
from typing import Final, Literal

Split = Literal["train", "eval", "test"]

SPLITS: Final[tuple[Split, ...]] = ("train", "eval", "test")
RULE_VERSION: Final = "sha256-80-10-10"


def split_of(group: str) -> Split:
    """Return the split of the paper ``group``: 80 % of papers train, 10 % eval and 10 % test.

    The paper's bucket is the first 32 bits of the SHA-256 of its lower-case key, modulo 100.
    """
    bucket = int(hashlib.sha256(group.strip().lower().encode("utf-8")).hexdigest()[:8], 16) % 100
    if bucket < 80:
        return "train"
    return "eval" if bucket < 90 else "test"
