"""Augment labelled texts: in copies, some entities are replaced by other names of their label.

The names come from lists (see ``replacement_lists``) or from the training texts, never from a
held-out split: a model must not learn its names this way.
"""

from __future__ import annotations

import random
import shutil
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

from ner_engine.errors import TrainingError
from ner_engine.files import atomic_folder
from ner_engine.formats import jsonl
from ner_engine.schema import Document, Segment, Span
from ner_engine.training.data import read_documents
from ner_engine.training.replacement_lists import MAX_NAME_CHARACTERS, Lists


def augment_documents(
    documents: Sequence[Document], share: float, lists: Lists | None = None, seed: int = 42
) -> list[Document]:
    """Return copies of ``documents`` in which entities are replaced, without unchanged ones.

    The fraction ``share`` (0-1) of all replaceable entities is chosen by ``seed``. An entity is
    replaceable if ``lists`` (default: ``lists_of`` the documents) has another name for its label,
    if it shares no character with another span and crosses no panel boundary, and if it does not
    start or end inside a word. Label, role and id are kept; other attributes of a replaced entity,
    such as identifiers, are not. Suggestions are left out. The same arguments give the same copies.
    Raise ``TrainingError`` if ``share`` is outside 0-1.
    """
    if not 0 <= share <= 1:
        raise TrainingError(
            f"the fraction of entities to replace must lie between 0 and 1, not {share:g}"
        )
    if lists is None:
        lists = lists_of(documents)
    chance = random.Random(seed)  # noqa: S311 - repeatable, not for security
    places = []
    for index, document in enumerate(documents):
        for span in _replaceable(document, lists):
            places.append((index, span))
    replacements: defaultdict[int, list[_Replacement]] = defaultdict(list)
    for place in sorted(chance.sample(range(len(places)), round(share * len(places)))):
        index, span = places[place]
        name = _other_name(lists[span.label], span.surface, chance)
        replacements[index].append(_Replacement(span, cased_as(name, span.surface)))
    return [_replaced(documents[index], each) for index, each in replacements.items()]


def lists_of(documents: Iterable[Document]) -> dict[str, list[str]]:
    """Return the surfaces of the documents' entities, by label."""
    by_label: defaultdict[str, set[str]] = defaultdict(set)
    for document in documents:
        for span in document.gold:
            if span.label and len(span.surface) <= MAX_NAME_CHARACTERS and "\n" not in span.surface:
                by_label[span.label].add(span.surface)
    return {label: sorted(names) for label, names in sorted(by_label.items())}


def _replaceable(document: Document, lists: Lists) -> Iterator[Span]:
    """Yield the entities that can be replaced (see ``augment_documents``)."""
    for span in _separate(document.gold):
        if (
            span.label
            and not _crosses_panels(span, document.segments)
            and _is_whole(document.text, span)
            and _has_other_name(lists.get(span.label, ()), span.surface)
        ):
            yield span


def _separate(spans: Iterable[Span]) -> Iterator[Span]:
    """Yield in order the spans that share no character with another."""
    ordered = sorted(spans, key=lambda span: (span.start, span.end))
    end_before = 0
    for span, following in zip_longest(ordered, ordered[1:]):
        if end_before <= span.start and (following is None or span.end <= following.start):
            yield span
        end_before = max(end_before, span.end)


def _crosses_panels(span: Span, segments: Iterable[Segment]) -> bool:
    for segment in segments:
        if span.start < segment.start < span.end or span.start < segment.end < span.end:
            return True
    return False


def _is_whole(text: str, span: Span) -> bool:
    """Return whether the entity is not part of a longer word, as ``ERK1`` in ``phosphoERK1``."""
    before, after = text[max(0, span.start - 1) : span.start], text[span.end : span.end + 1]
    return not (before.isalnum() or after.isalnum())


def _has_other_name(names: Sequence[str], surface: str) -> bool:
    return any(name.casefold() != surface.casefold() for name in names)


def _other_name(names: Sequence[str], surface: str, chance: random.Random) -> str:
    """Return a random name that differs from ``surface``."""
    first = chance.randrange(len(names))
    rotated = (*names[first:], *names[:first])
    return next(name for name in rotated if name.casefold() != surface.casefold())


def cased_as(name: str, surface: str) -> str:
    """Return ``name`` in upper case, capitalised or in lower case, as ``surface`` is.

    A symbol (``HeLa``, ``K14``, ``DNA``) is only changed to upper case, because its case is part of
    the name.
    """
    if surface.isupper() and sum(char.isupper() for char in surface) > 1:
        return name.upper()
    if _is_symbol(name):
        return name
    if surface.islower():
        return name.lower()
    if surface[0].isupper() and surface[1:].islower():
        return name[:1].upper() + name[1:].lower()
    return name


def _is_symbol(name: str) -> bool:
    """Return whether the name has capitals after its first letter, or no small letter.

    Several words in capitals are a way of printing, not a symbol.
    """
    n_capitals = sum(char.isupper() for char in name)
    if n_capitals > name[:1].isupper():
        return not (name.isupper() and " " in name)
    return name.isupper()


@dataclass(frozen=True, slots=True)
class _Replacement:
    """An entity and its new name."""

    span: Span
    name: str


def _replaced(document: Document, replacements: Sequence[_Replacement]) -> Document:
    """Return the document with the replacements, which are in the order of the text."""
    shift = _Shift(replacements)
    names = {}
    for each in replacements:
        names[each.span.start, each.span.end] = each.name
    gold: list[Span] = []
    for span in document.gold:
        moved = replace(span, start=shift(span.start), end=shift(span.end))
        if (span.start, span.end) in names:
            moved = replace(moved, surface=names[span.start, span.end], attributes={})
        gold.append(moved)
    segments = []
    for segment in document.segments:
        segments.append(replace(segment, start=shift(segment.start), end=shift(segment.end)))
    return replace(
        document,
        id=f"{document.id}+augmented",
        text=_new_text(document.text, replacements),
        segments=tuple(segments),
        gold=tuple(gold),
        suggestions=(),
        attributes={**document.attributes, "paper": document.group, "augmented": True},
    )


def _new_text(text: str, replacements: Iterable[_Replacement]) -> str:
    pieces: list[str] = []
    position = 0
    for each in replacements:
        pieces += (text[position : each.span.start], each.name)
        position = each.span.end
    return "".join((*pieces, text[position:]))


class _Shift:
    """Map offsets of the old text to the new one."""

    def __init__(self, replacements: Sequence[_Replacement]) -> None:
        self._ends: list[int] = []
        self._total_gains = [0]
        for each in replacements:
            self._ends.append(each.span.end)
            gain = len(each.name) - len(each.span.surface)
            self._total_gains.append(self._total_gains[-1] + gain)

    def __call__(self, offset: int) -> int:
        return offset + self._total_gains[bisect_right(self._ends, offset)]


@dataclass(frozen=True, slots=True)
class Augmented:
    """The counts of ``augment_folder``: texts before, copies added, and names in lists by label."""

    n_before: int
    n_added: int
    names: Mapping[str, int]


def augment_folder(
    data: Path, out: Path, *, share: float, lists: Lists | None, seed: int
) -> Augmented:
    """Write ``out/train.jsonl`` with the texts of ``data/train.jsonl`` and copies after them.

    eval and test are copied unchanged. Without ``lists`` the names are those of the training texts.
    ``out`` appears in one rename. Raise ``TrainingError`` if ``out`` exists, if no entity can be
    replaced, or if a line of the training texts cannot be read.
    """
    if out.exists():
        raise TrainingError(f"{out.name} exists already; give another folder")
    documents = read_documents(data / "train.jsonl")
    if lists is None:
        lists = lists_of(documents)
    added = augment_documents(documents, share, lists, seed)
    if not added:
        in_lists, in_texts = ", ".join(lists), ", ".join(lists_of(documents))
        raise TrainingError(
            f"no entity was replaced: the lists name {in_lists or 'no label'}, the training texts"
            f" have {in_texts or 'none'}"
        )
    with atomic_folder(out) as part:
        with (part / "train.jsonl").open("w", encoding="utf-8", newline="\n") as stream:
            jsonl.write([*documents, *added], stream)
        for name in ("eval.jsonl", "test.jsonl"):
            if (data / name).is_file():
                shutil.copyfile(data / name, part / name)
    n_names = {label: len(names) for label, names in lists.items()}
    return Augmented(len(documents), len(added), n_names)
