"""Which side a paper lies on: by the fixed rule, or as a file says that somebody brought along,
such as EMBO's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from annotator.common.errors import UserError
from ner_engine.split import RULE_VERSION, SPLITS, split_of

MAX_LINES: Final = 500_000
#: What the side that chooses the best step is called elsewhere.
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
    """The sides of the papers in ``listed`` (by ``paper_key``) as a file has them; every other
    paper's by the fixed rule."""

    listed: Mapping[str, str] = field(default_factory=dict)

    def split_of(self, paper: str) -> str:
        return self.listed.get(paper_key(paper)) or split_of(paper)

    @property
    def version(self) -> str:
        """Two rules of the same version put every paper on the same side."""
        return (
            f"file-{sides_hash(self.listed)[:12]}+{RULE_VERSION}" if self.listed else RULE_VERSION
        )


def paper_key(paper: str) -> str:
    """What a paper goes by in a split file: its DOI in small letters, without the resolver's
    address."""
    key = paper.strip().lower()
    for prefix in _PREFIXES:
        key = key.removeprefix(prefix)
    return key.strip()


def sides_hash(sides: Mapping[str, str]) -> str:
    """SHA-256 of a split, whatever the order of its lines."""
    return hashlib.sha256(
        "".join(f"{paper}\t{side}\n" for paper, side in sorted(sides.items())).encode()
    ).hexdigest()


def read_split(lines: Iterable[bytes]) -> dict[str, str]:
    """The sides in a file of lines ``doi<TAB>side``; a heading and empty lines are passed over.

    Raises ``UserError`` naming the line that is none, or that puts a paper on another side than an
    earlier one.
    """
    sides: dict[str, str] = {}
    line_of: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if number > MAX_LINES:
            raise UserError(
                f"The split file has more than {MAX_LINES:,} lines. One line a paper is enough."
            )
        text = _decoded(line, number)
        if not text.strip() or (not sides and _is_heading(text)):
            continue
        paper, side = _parsed(text, number)
        if sides.setdefault(paper, side) != side:
            raise UserError(
                f"Line {number} of the split file puts {paper} on {side}, line {line_of[paper]} on"
                f" {sides[paper]}. Leave one of them."
            )
        line_of.setdefault(paper, number)
    if not sides:
        raise UserError(
            "The split file names no paper. Write one line a paper: its DOI, a tab, and train, eval"
            " or test."
        )
    return sides


def _decoded(line: bytes, number: int) -> str:
    try:
        return line.decode("utf-8-sig").strip("\r\n")
    except UnicodeDecodeError as error:
        raise UserError(
            f"Line {number} of the split file is not valid UTF-8; save it as UTF-8."
        ) from error


def _is_heading(text: str) -> bool:
    return text.rpartition("\t")[2].strip().lower() in ("side", "split", "set", "subset")


def _parsed(text: str, number: int) -> tuple[str, str]:
    paper, tab, name = text.partition("\t")
    side = _OTHER_NAMES.get(name.strip().lower(), name.strip().lower())
    if not tab or not paper_key(paper) or "\0" in paper:
        raise UserError(
            f"Line {number} of the split file must be a DOI, a tab, and train, eval or test."
        )
    if side not in SPLITS:
        raise UserError(
            f"Line {number} of the split file names a side “{name.strip()[:40]}”; sides are train,"
            " eval (or validation) and test."
        )
    return paper_key(paper), side
