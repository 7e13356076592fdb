"""The fixed rule that puts a paper on one side: train, eval or test.

The side depends on the paper's key alone (its DOI; see ``Document.group``), so a paper never moves,
whatever else is in the set, and panels of one paper never lie on two sides.
"""

from __future__ import annotations

import hashlib
from typing import Final, Literal

Split = Literal["train", "eval", "test"]

SPLITS: Final[tuple[Split, ...]] = ("train", "eval", "test")
RULE_VERSION: Final = "sha256-80-10-10"


def split_of(group: str) -> Split:
    """The side of the paper ``group``: of 100 papers about 80 train, 10 eval and 10 test."""
    bucket = int(hashlib.sha256(group.strip().lower().encode("utf-8")).hexdigest()[:8], 16) % 100
    if bucket < 80:
        return "train"
    return "eval" if bucket < 90 else "test"
