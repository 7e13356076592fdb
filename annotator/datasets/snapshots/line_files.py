"""Files of JSON lines from which single lines can be taken out again."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Final

from ner_engine.files import atomic_file
from ner_engine.split import SPLITS

TOKENIZED: Final = "tokenized/"
_to_json: Final = json.JSONEncoder(ensure_ascii=False).encode
_BETWEEN: Final = '", "'
#: The owner of a line is a panel, a figure or a legend, each by its number. A line is removed
#: together with its owner.
_KINDS: Final = 3


def panel_owner(number: int) -> int:
    return _KINDS * number


def figure_owner(legend: int) -> int:
    return _KINDS * legend + 1


def legend_owner(legend: int) -> int:
    return _KINDS * legend + 2


def names_of_files(*, tokenized: bool) -> list[str]:
    """Return the names of all files of a snapshot."""
    folders = ["", "sd_panels/", "sd_figs/"]
    if tokenized:
        folders += [f"{TOKENIZED}sd_panels/", f"{TOKENIZED}sd_figs/"]
    names = []
    for folder in folders:
        names += [f"{folder}{split}.jsonl" for split in SPLITS]
    return [*names, "lossy.jsonl", "left_out.jsonl"]


def as_json(row: Mapping[str, Any]) -> str:
    """Return the JSON of a row.

    Lists of labels, which make up most of sd-nlp, are joined rather than encoded one by one: five
    times as fast.
    """
    if "label_ids" not in row:
        return _to_json(row)
    rest = _to_json({key: value for key, value in row.items() if key != "label_ids"})
    layers = ", ".join(
        f"{_to_json(layer)}: {_labels_as_json(labels)}"
        for layer, labels in row["label_ids"].items()
    )
    return f'{rest[:-1]}, "label_ids": {{{layers}}}}}'


def _labels_as_json(labels: Sequence[str]) -> str:
    joined = _BETWEEN.join(labels)
    n_quotes = 2 * (len(labels) - 1)
    if joined.isprintable() and "\\" not in joined and joined.count('"') == n_quotes:
        return f'["{joined}"]'
    return _to_json(labels)


class LineFiles:
    """Files of JSON lines below a folder, open side by side.

    Each line has an owner and can be removed together with it.
    """

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        self._folder, self._names = folder, tuple(names)
        self._stack = ExitStack()
        self._streams: dict[str, IO[bytes]] = {}
        self._owners = {name: array("q") for name in self._names}
        self._ends = {name: array("q", [0]) for name in self._names}

    def __enter__(self) -> LineFiles:
        for name in self._names:
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            self._streams[name] = self._stack.enter_context(path.open("wb", buffering=1 << 20))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def line(self, name: str, row: Mapping[str, Any], owner: int = -1) -> None:
        """Write a row. A row without an owner is never removed."""
        data = (as_json(row) + "\n").encode()
        self._streams[name].write(data)
        self._owners[name].append(owner)
        self._ends[name].append(self._ends[name][-1] + len(data))

    def take_out(self, owners: Set[int]) -> None:
        """Remove the lines of these owners from all files; the files must be closed."""
        for name in self._names:
            if not owners.isdisjoint(self._owners[name]):
                self._copy_without(name, owners)

    def _copy_without(self, name: str, owners: Set[int]) -> None:
        path = self._folder / name
        ends = self._ends[name]
        with path.open("rb") as source, atomic_file(path, "wb") as target:
            begin = 0
            for number, owner in enumerate(self._owners[name]):
                if owner in owners:
                    _copy(source, target, begin, ends[number])
                    begin = ends[number + 1]
            _copy(source, target, begin, ends[-1])


def _copy(source: IO[bytes], target: IO[bytes], begin: int, end: int) -> None:
    source.seek(begin)
    while block := source.read(min(1 << 20, end - begin)):
        target.write(block)
        begin += len(block)
