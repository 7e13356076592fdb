"""Affixes that curators leave out of an entity, learned by counting: ``si`` of ``siAtg5``.

A tagger labels whole words, but curators draw some boundaries inside a word: ``si[Atg5]``,
``[p32]KO``. An affix is the beginning (prefix) or end (suffix) of a word together with the kind of
the character that it touches: ``p`` before a capital is left out of ``pAKT`` but not of ``p53``.
Point mutations such as ``K38E`` count as one affix. What was learned is data: a file beside a
model's weights, or counts from the decisions of a project.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, get_args

from ner_engine.registry.side_files import read_side_file, write_side_file
from ner_engine.schema import Document, Span
from ner_engine.text import covering, words

FILE: Final = "affixes.json"
FORMAT: Final = 1
_ADVICE: Final = "learn them again with `python -m ner_engine affixes`, or delete the file"

Place = Literal["prefix", "suffix"]
#: The kind of the character that remains beside an affix.
Kind = Literal["upper", "lower", "digit", "other"]
PLACES: Final[tuple[Place, ...]] = get_args(Place)
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
#: Stands for every point mutation: an amino acid, a position, an amino acid.
MUTATION: Final = "X0X"
MAX_LENGTH: Final = 8
#: An affix is used if it was left out at least so often, in so many papers, and in this fraction
#: of the entities that it could have been left out of. Chosen on SourceData's eval papers.
MIN_COUNT: Final = 3
MIN_PAPERS: Final = 2
MIN_RATE: Final = 0.6
_MUTATION: Final = re.compile(r"[A-Z]\d+[A-Z]")
_FIRST_WORD: Final = re.compile(r"[^\W_]+")
_LAST_WORD: Final = re.compile(r"[^\W_]+\Z")


class Affix(NamedTuple):
    """An affix of entities with a label, and the kind of character that it touches."""

    place: Place
    text: str
    beside: Kind
    label: str


class Decided(NamedTuple):
    """A suggested span and the boundaries that a person decided for it.

    ``start`` and ``end`` are offsets into ``surface``, the suggested characters: 0 and its length
    if nothing was changed. ``paper`` identifies the paper.
    """

    label: str
    surface: str
    start: int
    end: int
    paper: str


@dataclass(frozen=True, slots=True)
class Affixes:
    """Affixes to leave out, each with how often it was left out and kept.

    ``learned_from`` says where the counts come from. ``f1`` has the strict micro F1 (0-1) on
    held-out texts, before and after; it is empty if it was not measured.
    """

    counts: Mapping[Affix, tuple[int, int]]
    learned_from: str = ""
    f1: Mapping[str, float] = field(default_factory=dict)

    def shortened(self, span: Span) -> Span:
        """Return the span without the affixes of its first and last word.

        A span is never lengthened, and at least one character of its first and of its last word
        remains. Shortening a shortened span changes nothing more.
        """
        start = end = 0
        surface = span.surface
        while (cut := self._cut(span.label, surface[start : len(surface) - end])) != (0, 0):
            start, end = start + cut[0], end + cut[1]
        if not start and not end:
            return span
        return Span(
            span.start + start,
            span.end - end,
            span.label,
            surface[start : len(surface) - end],
            span.role,
            span.score,
            span.id,
            span.attributes,
        )

    def _cut(self, label: str, surface: str) -> tuple[int, int]:
        """Return how many characters the longest known affixes have at both ends."""
        lengths = {"prefix": 0, "suffix": 0}
        for length, affix in _affixes_of(label, surface):
            if affix in self.counts:
                lengths[affix.place] = length
        start, end = lengths["prefix"], lengths["suffix"]
        if start + end >= len(surface):
            return start, 0
        return start, end

    def as_json(self) -> dict[str, Any]:
        """Return the content of the file."""
        rows = [
            {**affix._asdict(), "left_out": left_out, "kept": kept}
            for affix, (left_out, kept) in sorted(self.counts.items())
        ]
        f1 = {name: round(value, 5) for name, value in self.f1.items()}
        return {"format": FORMAT, "learned_from": self.learned_from, "f1": f1, "affixes": rows}


def learn(decided: Iterable[Decided], *, learned_from: str = "") -> Affixes:
    """Return the affixes that people leave out often enough.

    A boundary that was moved by more than an affix is no vote for it or against it.
    """
    left_out: Counter[Affix] = Counter()
    kept: Counter[Affix] = Counter()
    papers: dict[Affix, set[str]] = {}
    for each in decided:
        moved = {"prefix": each.start, "suffix": len(each.surface) - each.end}
        for length, affix in _affixes_of(each.label, each.surface):
            if moved[affix.place] == length:
                left_out[affix] += 1
                papers.setdefault(affix, set()).add(each.paper)
            elif 0 <= moved[affix.place] < length:
                kept[affix] += 1
    counts = {
        affix: (n, kept[affix])
        for affix, n in left_out.items()
        if n >= MIN_COUNT and len(papers[affix]) >= MIN_PAPERS and n >= MIN_RATE * (n + kept[affix])
    }
    return Affixes(counts, learned_from)


def left_out_of(decided: Decided) -> Iterator[Affix]:
    """Yield the affixes that a decision left out: none, a prefix, a suffix, or both."""
    moved = {"prefix": decided.start, "suffix": len(decided.surface) - decided.end}
    for length, affix in _affixes_of(decided.label, decided.surface):
        if moved[affix.place] == length:
            yield affix


def decided_in(document: Document) -> Iterator[Decided]:
    """Yield each gold entity with the words that hold it, as a tagger of words would suggest it."""
    cut = words(document.text)
    for span in document.gold:
        inside = covering(cut, span.start, span.end)
        if span.label and inside:
            start, end = cut[inside.start].start, cut[inside.stop - 1].end
            surface = document.text[start:end]
            yield Decided(span.label, surface, span.start - start, span.end - start, document.group)


def _affixes_of(label: str, surface: str) -> Iterator[tuple[int, Affix]]:
    """Yield all prefixes of the first and suffixes of the last word, each with its length.

    They grow longer, and never hold the whole word.
    """
    if first := _FIRST_WORD.match(surface):
        word = first[0]
        for length in range(1, min(len(word) - 1, MAX_LENGTH) + 1):
            affix = _general(word[:length])
            yield length, Affix("prefix", affix, _kind(word[length]), label)
    if last := _LAST_WORD.search(surface):
        word = last[0]
        for length in range(1, min(len(word) - 1, MAX_LENGTH) + 1):
            affix = _general(word[-length:])
            yield length, Affix("suffix", affix, _kind(word[-length - 1]), label)


def _general(affix: str) -> str:
    return MUTATION if _MUTATION.fullmatch(affix) else affix


def _kind(character: str) -> Kind:
    if character.isdigit():
        return "digit"
    if character.isupper():
        return "upper"
    return "lower" if character.islower() else "other"


# Files


def write_affixes(folder: Path, affixes: Affixes) -> None:
    """Write the file of the model folder completely or not at all."""
    write_side_file(folder / FILE, affixes.as_json())


def read_affixes(name: str, folder: Path) -> Affixes | None:
    """Return the affixes of the model ``name`` in ``folder``, or None if it has none.

    Raise ``UnsafeModelError`` if the file cannot be read.
    """
    return read_side_file(name, folder / FILE, affixes_from, advice=_ADVICE)


def affixes_from(value: Mapping[str, Any]) -> Affixes:
    """Return the affixes in the content of a file.

    Raise ``ValueError``, ``TypeError``, ``KeyError`` or ``AttributeError`` for anything else.
    """
    if value["format"] != FORMAT:
        raise ValueError(f"format {value['format']} is unknown")
    counts = {}
    for row in value["affixes"]:
        affix = Affix(row["place"], row["text"], row["beside"], row["label"])
        if affix.place not in PLACES or affix.beside not in KINDS:
            raise ValueError("an affix has a place or a kind of character that does not exist")
        if not isinstance(affix.label, str) or not _is_affix(affix.text):
            raise ValueError("an affix has no label, or a text that no word begins or ends with")
        counts[affix] = (int(row["left_out"]), int(row["kept"]))
    f1 = {str(name): float(f1) for name, f1 in value["f1"].items()}
    return Affixes(counts, str(value["learned_from"]), f1)


def _is_affix(text: object) -> bool:
    return isinstance(text, str) and text.isalnum() and len(text) <= MAX_LENGTH


def merged(affixes: Sequence[Affixes | None]) -> Affixes | None:
    """Return the affixes of a model and of a project together; None if there are none.

    Where both know an affix, the counts are added.
    """
    known = [each for each in affixes if each is not None]
    if not known:
        return None
    counts: dict[Affix, tuple[int, int]] = {}
    for each in known:
        for affix, (left_out, kept) in each.counts.items():
            before = counts.get(affix, (0, 0))
            counts[affix] = before[0] + left_out, before[1] + kept
    return Affixes(counts, "; ".join(each.learned_from for each in known if each.learned_from))
