"""More training texts from labelled ones: some of the entities are replaced by other names of their
label, everything else stays as it is.

The names come from lists: an ontology (OBO), a table of labels and names, plain lines, or the
training set itself; never from a held-out side, whose names a model must not have met by this way.
"""

from __future__ import annotations

import random
import re
import shutil
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, zip_longest
from pathlib import Path
from typing import Final

from ner_engine.errors import FormatError, TrainingError
from ner_engine.formats import accepted, detect, jsonl, read_inputs
from ner_engine.formats.report import Report
from ner_engine.schema import Document, Span

#: Names by label, each at least once, in an order that is always the same.
Lists = Mapping[str, Sequence[str]]

MAX_NAME_CHARACTERS: Final = 100
_OBO_SYNONYM: Final = re.compile(r'synonym: "((?:[^"\\]|\\.)*)" EXACT\b')
_OBO_ESCAPE: Final = re.compile(r"\\(.)")


def augment_documents(
    documents: Sequence[Document], share: float, lists: Lists | None = None, seed: int = 42
) -> list[Document]:
    """Copies of those ``documents`` in which entities were replaced: ``share`` (0-1) of all that
    can be, chosen by ``seed``.

    An entity can be replaced where ``lists`` (default: ``lists_of`` the documents) has another name
    for its label, where it shares no character with another span and crosses no panel's edge, and
    where it does not begin or end inside a word. Label, role and id stay; what else was known of a
    replaced entity, its identifiers above all, does not. Suggestions stay behind. The same
    arguments give the same copies. Raises ``TrainingError`` for a share outside 0-1.
    """
    if not 0 <= share <= 1:
        raise TrainingError(
            f"the share of entities to replace must lie between 0 and 1, not {share:g}"
        )
    lists = lists_of(documents) if lists is None else lists
    chance = random.Random(seed)  # noqa: S311 - chance that can be repeated is what is wanted
    places = [
        (index, span)
        for index, document in enumerate(documents)
        for span in _replaceable(document, lists)
    ]
    names: defaultdict[int, list[tuple[Span, str]]] = defaultdict(list)
    for place in sorted(chance.sample(range(len(places)), round(share * len(places)))):
        index, span = places[place]
        names[index].append(
            (span, cased_as(_other_name(lists[span.label], span.surface, chance), span.surface))
        )
    return [_replaced(documents[index], found) for index, found in names.items()]


def lists_of(documents: Iterable[Document]) -> dict[str, list[str]]:
    """The surfaces of the documents' entities, by label."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for document in documents:
        for span in document.gold:
            if span.label and len(span.surface) <= MAX_NAME_CHARACTERS and "\n" not in span.surface:
                found[span.label].add(span.surface)
    return {label: sorted(names) for label, names in sorted(found.items())}


def _replaceable(document: Document, lists: Lists) -> Iterator[Span]:
    edges = {edge for segment in document.segments for edge in (segment.start, segment.end)}
    ends = 0
    spans = sorted(document.gold, key=lambda span: (span.start, span.end))
    for span, following in zip_longest(spans, spans[1:]):
        is_alone = ends <= span.start and (following is None or span.end <= following.start)
        ends = max(ends, span.end)
        crosses = any(span.start < edge < span.end for edge in edges)
        if (
            span.label
            and is_alone
            and not crosses
            and _is_whole(document.text, span)
            and _has_other_name(lists.get(span.label, ()), span.surface)
        ):
            yield span


def _is_whole(text: str, span: Span) -> bool:
    """Whether no word goes on beyond the entity: ``ERK1`` in ``phosphoERK1`` cannot be any other
    name."""
    return not (
        text[max(0, span.start - 1) : span.start].isalnum()
        or text[span.end : span.end + 1].isalnum()
    )


def _has_other_name(names: Sequence[str], surface: str) -> bool:
    return any(name.casefold() != surface.casefold() for name in names)


def _other_name(names: Sequence[str], surface: str, chance: random.Random) -> str:
    first = chance.randrange(len(names))
    ring = (names[(first + step) % len(names)] for step in range(len(names)))
    return next(name for name in ring if name.casefold() != surface.casefold())


def cased_as(name: str, surface: str) -> str:
    """``name`` in capitals, capitalised or in small letters as ``surface`` is; as it is where the
    surface is neither.

    A symbol (``HeLa``, ``K14``, ``DNA``) is a name only as it is written: of the three it takes
    capitals alone.
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
    """Capitals beyond the first letter, or a capital and no small letter; words all in capitals are
    a way of printing, not symbols."""
    n_capitals = sum(char.isupper() for char in name)
    if n_capitals > name[:1].isupper():
        return not (name.isupper() and " " in name)
    return name.isupper()


def _replaced(document: Document, names: Sequence[tuple[Span, str]]) -> Document:
    """The document with other surfaces for some of its spans, which are given in the order of the
    text."""
    new_surface = {(span.start, span.end): name for span, name in names}
    shift = _Shift(
        [span.end for span, _ in names], [len(name) - len(span.surface) for span, name in names]
    )
    pieces: list[str] = []
    at = 0
    for span, name in names:
        pieces += (document.text[at : span.start], name)
        at = span.end
    gold: list[Span] = []
    for span in document.gold:
        surface = new_surface.get((span.start, span.end))
        moved = replace(span, start=shift(span.start), end=shift(span.end))
        gold.append(moved if surface is None else replace(moved, surface=surface, attributes={}))
    return replace(
        document,
        id=f"{document.id}+augmented",
        text="".join((*pieces, document.text[at:])),
        segments=tuple(
            replace(segment, start=shift(segment.start), end=shift(segment.end))
            for segment in document.segments
        ),
        gold=tuple(gold),
        suggestions=(),
        attributes={**document.attributes, "paper": document.group, "augmented": True},
    )


class _Shift:
    """Where an offset of the old text lies in the new one. ``ends`` of what was replaced ascend,
    ``gains`` say how much longer each became."""

    def __init__(self, ends: Sequence[int], gains: Sequence[int]) -> None:
        self._ends, self._sums = ends, [0, *accumulate(gains)]

    def __call__(self, offset: int) -> int:
        return offset + self._sums[bisect_right(self._ends, offset)]


# Lists from files


def read_lists(files: Sequence[str]) -> dict[str, list[str]]:
    """Names by label from files: ``LABEL=FILE`` for an OBO ontology or plain lines, ``FILE`` for
    lines of a label, a tab and a name.

    Of an ontology: names and exact synonyms of the terms that are not obsolete. Names over
    ``MAX_NAME_CHARACTERS`` are left out. Raises ``FormatError`` for a file that cannot be read, or
    a line of a table without a label.
    """
    found: defaultdict[str, set[str]] = defaultdict(set)
    for given in files:
        label, equals, path = given.partition("=")
        if not equals:
            label, path = "", given
        for name_label, name in _names(Path(path), label):
            if 0 < len(name) <= MAX_NAME_CHARACTERS:
                found[name_label].add(name)
    return {label: sorted(names) for label, names in sorted(found.items())}


def _names(path: Path, label: str) -> Iterator[tuple[str, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(
            f"the list cannot be read ({error}); give a text file in UTF-8", where=path.name
        ) from error
    if "\n[Term]" in f"\n{text}":
        if not label:
            raise FormatError(
                f"an ontology does not say which label its names are of; give it as LABEL={path}",
                where=path.name,
            )
        yield from ((label, _plain(name)) for name in _obo_names(text))
        return
    for number, line in enumerate(text.splitlines(), 1):
        if label:
            yield label, _plain(line)
        elif line.strip():
            name_label, tab, name = line.partition("\t")
            if not tab:
                raise FormatError(
                    "it must be a label, a tab and a name; give a list of one label as"
                    f" LABEL={path}",
                    where=f"{path.name}, line {number}",
                )
            yield name_label.strip(), _plain(name)


def _plain(name: str) -> str:
    return " ".join(name.split())


def _obo_names(text: str) -> Iterator[str]:
    for stanza in re.split(r"\n(?=\[)", text):
        if not stanza.startswith("[Term]") or "\nis_obsolete: true" in stanza:
            continue
        for line in stanza.splitlines():
            if line.startswith("name: "):
                yield line.removeprefix("name: ")
            elif match := _OBO_SYNONYM.match(line):
                yield _OBO_ESCAPE.sub(r"\1", match.group(1))


# Folders of training data


@dataclass(frozen=True, slots=True)
class Augmented:
    """What ``augment_folder`` did: training texts that were there, copies that were added, entities
    by label that lists offer names for."""

    n_before: int
    n_added: int
    names: Mapping[str, int]


def augment_folder(
    data: Path, out: Path, *, share: float, lists: Lists | None, seed: int
) -> Augmented:
    """Write ``out/train.jsonl`` with the texts of ``data/train.jsonl`` and their copies after them;
    eval and test are copied as they are.

    Without ``lists`` the names are those of the training texts. ``out`` appears in one step. Raises
    ``TrainingError`` where it is there already, where there is nothing to replace, or where a line
    of the training texts cannot be read.
    """
    if out.exists():
        raise TrainingError(f"{out.name} is there already; give another folder")
    documents = _read(data / "train.jsonl")
    lists = lists_of(documents) if lists is None else lists
    added = augment_documents(documents, share, lists, seed)
    if not added:
        labels = (
            ", ".join(
                sorted(
                    {span.label for document in documents for span in document.gold if span.label}
                )
            )
            or "none"
        )
        raise TrainingError(
            f"no entity was replaced: the lists name {', '.join(lists) or 'no label'}, the training"
            f" texts have {labels}"
        )
    part = out.with_name(out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    with (part / "train.jsonl").open("w", encoding="utf-8", newline="\n") as stream:
        jsonl.write([*documents, *added], stream)
    for name in ("eval.jsonl", "test.jsonl"):
        if (data / name).is_file():
            shutil.copyfile(data / name, part / name)
    part.replace(out)
    return Augmented(
        len(documents), len(added), {label: len(names) for label, names in lists.items()}
    )


def _read(path: Path) -> list[Document]:
    if not path.is_file():
        raise TrainingError(
            f"there is no {path.name} in the data folder; write one with `python -m ner_engine"
            " convert`"
        )
    report = Report()
    documents = list(accepted(read_inputs([path], detect(path), report)))
    if report.problems:
        raise TrainingError(f"{report.problems[0]} (refused in all: {len(report.problems)})")
    return documents
