"""One way to cut text into words, for screen, export and training.

The rule is sd-nlp's: each maximal run of alphanumeric characters (``str.isalnum``) is a word, every other character except
U+0020 is a word by itself, U+0020 separates and is dropped. A change of the rule is a new version: stored word indices and exported
rows name the version they were made with.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final, NamedTuple

TOKENIZER_VERSION: Final = "sd-nlp-1"


class Word(NamedTuple):
    """A word as a half-open range of code points."""

    start: int
    end: int


#: ``[^\W_]`` is ``str.isalnum`` for every code point (a test looks at each); it cuts several times faster than a loop over characters.
_WORD: Final = re.compile(r"[^\W_]+|[^ ]")


def words(text: str) -> list[Word]:
    """The words of ``text`` in order; they never overlap and hold every character but U+0020."""
    return [Word._make(edges) for edges in word_edges(text)]


def word_edges(text: str) -> list[tuple[int, int]]:
    """The words of ``text`` as bare pairs: what an export of millions of words has the time for."""
    return [match.span() for match in _WORD.finditer(text)]


def covering(cut: Sequence[Word], start: int, end: int) -> range:
    """Indices of the words of ``cut`` that share at least one character with ``[start, end)``."""
    first = bisect_right(cut, start, key=lambda word: word.end)
    last = bisect_left(cut, end, key=lambda word: word.start)
    return range(first, max(first, last))


def trim(text: str, start: int, end: int) -> tuple[int, int]:
    """The range without white space at its ends; empty (``start == end``) where nothing else was in it."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


_RUN_OF_SPACES = re.compile(" {2,}")


def collapse_white_space(text: str) -> str:
    r"""The data sets' rule: ``\r``, ``\n`` and ``\t`` become a space, runs of spaces one space. Used while reading, never on stored text."""
    return _RUN_OF_SPACES.sub(" ", text.translate({0x0D: " ", 0x0A: " ", 0x09: " "}))
