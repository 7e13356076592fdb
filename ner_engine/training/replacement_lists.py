"""Read names by label from files: ontologies (OBO), tables of labels and names, plain lists."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from ner_engine.errors import FormatError

#: Names by label, at least one each, in an order that is always the same.
Lists = Mapping[str, Sequence[str]]

MAX_NAME_CHARACTERS: Final = 100
_OBO_SYNONYM: Final = re.compile(r'synonym: "((?:[^"\\]|\\.)*)" EXACT\b')
_OBO_ESCAPE: Final = re.compile(r"\\(.)")


def read_lists(files: Sequence[str]) -> dict[str, list[str]]:
    """Return names by label from files.

    ``LABEL=FILE`` is an OBO ontology or a list with one name per line; ``FILE`` is a table with a
    label, a tab and a name per line. Of an ontology, names and exact synonyms of the terms that are
    not obsolete are read. Names over ``MAX_NAME_CHARACTERS`` are left out. Raise ``FormatError``
    for a file that cannot be read, or a line of a table without a label.
    """
    by_label: defaultdict[str, set[str]] = defaultdict(set)
    for argument in files:
        label, equals, path = argument.partition("=")
        if not equals:
            label, path = "", argument
        for name_label, name in _names(Path(path), label):
            if 0 < len(name) <= MAX_NAME_CHARACTERS:
                by_label[name_label].add(name)
    return {label: sorted(names) for label, names in sorted(by_label.items())}


def _names(path: Path, label: str) -> Iterator[tuple[str, str]]:
    """Yield label and name of each entry of a file; ``label`` is "" for a table."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(
            f"the list cannot be read ({error}); give a text file in UTF-8", where=path.name
        ) from error
    if "\n[Term]" in f"\n{text}":
        if not label:
            raise FormatError(
                f"an ontology does not say which label its names have; give it as LABEL={path}",
                where=path.name,
            )
        for name in _obo_names(text):
            yield label, _plain(name)
    elif label:
        for line in text.splitlines():
            yield label, _plain(line)
    else:
        yield from _table(path, text)


def _table(path: Path, text: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        label, tab, name = line.partition("\t")
        if not tab:
            raise FormatError(
                f"it must be a label, a tab and a name; give a list of one label as LABEL={path}",
                where=f"{path.name}, line {number}",
            )
        yield label.strip(), _plain(name)


def _plain(name: str) -> str:
    return " ".join(name.split())


def _obo_names(text: str) -> Iterator[str]:
    """Yield names and exact synonyms of the terms of an ontology that are not obsolete."""
    for stanza in re.split(r"\n(?=\[)", text):
        if not stanza.startswith("[Term]") or "\nis_obsolete: true" in stanza:
            continue
        for line in stanza.splitlines():
            if line.startswith("name: "):
                yield line.removeprefix("name: ")
            elif match := _OBO_SYNONYM.match(line):
                yield _OBO_ESCAPE.sub(r"\1", match.group(1))
