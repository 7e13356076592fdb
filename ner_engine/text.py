"""One way to cut text into words, for screen, export and training.

The rule is sd-nlp's: each maximal run of alphanumeric characters (``str.isalnum``) is a word, every
other character except U+0020 is a word by itself, U+0020 separates and is dropped. A change of the
rule is a new version: stored word indices and exported rows name the version they were made with.
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


#: ``[^\W_]`` is ``str.isalnum`` for every code point (a test looks at each); it cuts several times
#: faster than a loop over characters.
_WORD: Final = re.compile(r"[^\W_]+|[^ ]")


def words(text: str) -> list[Word]:
    """The words of ``text`` in order; they never overlap and hold every character but U+0020."""
    return [Word._make(edges) for edges in word_boundaries(text)]


def word_boundaries(text: str) -> list[tuple[int, int]]:
    """The words of ``text`` as bare pairs: what an export of millions of words has the time for."""
    return [match.span() for match in _WORD.finditer(text)]


def covering(cut: Sequence[Word], start: int, end: int) -> range:
    """Indices of the words of ``cut`` that share at least one character with ``[start, end)``."""
    first = bisect_right(cut, start, key=lambda word: word.end)
    last = bisect_left(cut, end, key=lambda word: word.start)
    return range(first, max(first, last))


def trim(text: str, start: int, end: int) -> tuple[int, int]:
    """The range without white space at its ends; empty (``start == end``) where nothing else was in
    it."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


_RUN_OF_SPACES = re.compile(" {2,}")


def collapse_white_space(text: str) -> str:
    r"""The data sets' rule: ``\r``, ``\n`` and ``\t`` become a space, runs of spaces one space.
    Used while reading, never on stored text."""
    return _RUN_OF_SPACES.sub(" ", text.translate({0x0D: " ", 0x0A: " ", 0x09: " "}))


#: An end of sentence, what may close after it, white space, and what begins the next one; or a line
#: break.
_SENTENCE_END: Final = re.compile(r"""[.!?][)\]"'”’]*\s+(?=["'“‘(\[]*[^\W_a-z])|\s*[\r\n]+\s*""")
#: What a full stop does not end a sentence after: abbreviations of the literature, and single
#: letters ("E. coli", "J. Smith").
_ABBREVIATION: Final = re.compile(
    r"(?:^|[\s(\[])(?:[^\W\d_a-z]|e\.g|i\.e|vs|cf|ca|approx|et"
    r" al|resp|[Ff]igs?|[Rr]efs?|[Ee]qs?|[Nn]os?|Drs?|St|Inc|spp?|subsp|var)\.$"
)


def sentence_boundaries(text: str) -> list[tuple[int, int]]:
    """The sentences of running text as half-open ranges without white space at their ends, by rule;
    a line break always ends one."""
    edges = []
    start = 0
    for match in _SENTENCE_END.finditer(text):
        if (
            match.group()[0] == "."
            and "\n" not in match.group()
            and _ABBREVIATION.search(text, max(start, match.start() - 12), match.start() + 1)
        ):
            continue
        edges.append(trim(text, start, match.end()))
        start = match.end()
    edges.append(trim(text, start, len(text)))
    return [(first, last) for first, last in edges if first < last]
