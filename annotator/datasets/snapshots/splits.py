"""The split of papers into train, eval and test: by the fixed rule, or as an uploaded file says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from annotator.common.errors import UserError
from ner_engine.split import RULE_VERSION, SPLITS, split_of

MAX_LINES: Final = 500_000
#: Other names of the split that is used to choose the best step.
_OTHER_NAMES: Final = {"validation": "eval", "valid": "eval", "val": "eval", "dev": "eval"}
_PREFIXES: Final = (
    "https://doi.org/",
    "http://doi.org/",
    "https://dx.doi.org/",
    "http://dx.doi.org/",
    "doi:",
)


@dataclass(frozen=True, slots=True)
class SplitRule:
    """The rule that puts papers into splits.

    ``listed`` maps the ``paper_key`` of papers to their split, as a file has them. Every other
    paper follows the fixed rule.
    """

    listed: Mapping[str, str] = field(default_factory=dict)

    def split_of(self, paper: str) -> str:
        return self.listed.get(paper_key(paper)) or split_of(paper)

    @property
    def version(self) -> str:
        """The version; two rules of the same version put every paper into the same split."""
        if not self.listed:
            return RULE_VERSION
        return f"file-{hash_of_splits(self.listed)[:12]}+{RULE_VERSION}"


def paper_key(paper: str) -> str:
    """Return a paper's key in a split file: its DOI in lower case, without the resolver's URL."""
    key = paper.strip().lower()
    for prefix in _PREFIXES:
        key = key.removeprefix(prefix)
    return key.strip()


def hash_of_splits(splits: Mapping[str, str]) -> str:
    """Return the SHA-256 of the splits of papers; the order of papers does not matter."""
    lines = [f"{paper}\t{split}\n" for paper, split in sorted(splits.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def read_split(lines: Iterable[bytes]) -> dict[str, str]:
    """Return the splits of papers in a file of lines ``doi<TAB>split``.

    A header and empty lines are skipped. Raises ``UserError`` naming the first invalid line, or
    the first that puts a paper into another split than an earlier line.
    """
    splits: dict[str, str] = {}
    line_of: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if number > MAX_LINES:
            raise UserError(
                f"The split file has more than {MAX_LINES:,} lines. One line per paper is enough."
            )
        text = _decoded(line, number)
        if not text.strip() or (not splits and _is_header(text)):
            continue
        paper, split = _parsed(text, number)
        if splits.setdefault(paper, split) != split:
            raise UserError(
                f"Line {number} of the split file puts {paper} into {split}, but line"
                f" {line_of[paper]} puts it into {splits[paper]}. Remove one of the two lines."
            )
        line_of.setdefault(paper, number)
    if not splits:
        raise UserError(
            "The split file names no paper. Write one line per paper: its DOI, a tab, and train,"
            " eval or test."
        )
    return splits


def _decoded(line: bytes, number: int) -> str:
    try:
        return line.decode("utf-8-sig").strip("\r\n")
    except UnicodeDecodeError as error:
        raise UserError(
            f"Line {number} of the split file is not valid UTF-8. Save the file as UTF-8."
        ) from error


def _is_header(text: str) -> bool:
    return text.rpartition("\t")[2].strip().lower() in ("side", "split", "set", "subset")


def _parsed(text: str, number: int) -> tuple[str, str]:
    paper, tab, name = text.partition("\t")
    split = _OTHER_NAMES.get(name.strip().lower(), name.strip().lower())
    if not tab or not paper_key(paper) or "\0" in paper:
        raise UserError(
            f"Line {number} of the split file must be a DOI, a tab, and train, eval or test."
        )
    if split not in SPLITS:
        raise UserError(
            f"Line {number} of the split file has the unknown split “{name.strip()[:40]}”. Write"
            " train, eval (or validation) or test."
        )
    return paper_key(paper), split
