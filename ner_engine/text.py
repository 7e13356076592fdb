"""Words and sentences of a text, cut by the same rules for screen, export and training.

The word rule is sd-nlp's. Each maximal run of alphanumeric characters (``str.isalnum``) is a word,
and so is every other character except U+0020, which separates words and is dropped. A change of
the rule needs a new ``TOKENIZER_VERSION``, because stored word indices and exported rows name the
version they were made with.
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


#: ``[^\W_]`` equals ``str.isalnum`` for every code point (a test checks each one). The regular
#: expression is several times faster than a loop over characters.
_WORD: Final = re.compile(r"[^\W_]+|[^ ]")


def words(text: str) -> list[Word]:
    """Return the words of ``text`` in order.

    Words do not overlap, and together they hold every character except U+0020.
    """
    return [Word._make(boundaries) for boundaries in word_boundaries(text)]


def word_boundaries(text: str) -> list[tuple[int, int]]:
    """Return the words of ``text`` as plain pairs, which is faster for an export of millions."""
    return [match.span() for match in _WORD.finditer(text)]


def covering(cut: Sequence[Word], start: int, end: int) -> range:
    """Return the indices of the words in ``cut`` that share a character with ``[start, end)``."""
    first = bisect_right(cut, start, key=lambda word: word.end)
    last = bisect_left(cut, end, key=lambda word: word.start)
    return range(first, max(first, last))


def trim(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the range without white space at its ends.

    A range of pure white space becomes empty (``start == end``).
    """
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


_RUN_OF_SPACES = re.compile(" {2,}")


def collapse_white_space(text: str) -> str:
    r"""Replace ``\r``, ``\n`` and ``\t`` by a space, then each run of spaces by one space.

    This is the rule of the public data sets. Readers apply it; stored text is never changed.
    """
    return _RUN_OF_SPACES.sub(" ", text.translate({0x0D: " ", 0x0A: " ", 0x09: " "}))


#: The end of a sentence: a full stop (or ! or ?), closing brackets and quotes, and white space
#: before a capital or a digit. A line break also ends a sentence.
_SENTENCE_END: Final = re.compile(r"""[.!?][)\]"'”’]*\s+(?=["'“‘(\[]*[^\W_a-z])|\s*[\r\n]+\s*""")
#: A full stop after one of these does not end a sentence: abbreviations of the literature, and
#: single capitals ("E. coli", "J. Smith").
_ABBREVIATION: Final = re.compile(
    r"(?:^|[\s(\[])(?:[^\W\d_a-z]|e\.g|i\.e|vs|cf|ca|approx|et"
    r" al|resp|[Ff]igs?|[Rr]efs?|[Ee]qs?|[Nn]os?|Drs?|St|Inc|spp?|subsp|var)\.$"
)
#: The longest abbreviation, with what stands before it and its full stop.
_ABBREVIATION_LENGTH: Final = 12


def sentence_boundaries(text: str) -> list[tuple[int, int]]:
    """Return the sentences of running text as half-open ranges, found by rules.

    No range begins or ends in white space. A line break always ends a sentence.
    """
    boundaries = []
    start = 0
    for match in _SENTENCE_END.finditer(text):
        if _is_abbreviation(text, match):
            continue
        boundaries.append(trim(text, start, match.end()))
        start = match.end()
    boundaries.append(trim(text, start, len(text)))
    return [(first, last) for first, last in boundaries if first < last]


def _is_abbreviation(text: str, match: re.Match[str]) -> bool:
    """Return whether the full stop of ``match`` belongs to an abbreviation within a line."""
    if match.group()[0] != "." or "\n" in match.group():
        return False
    first = max(0, match.start() - _ABBREVIATION_LENGTH)
    return _ABBREVIATION.search(text, first, match.start() + 1) is not None
