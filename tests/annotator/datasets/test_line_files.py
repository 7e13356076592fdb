"""Lines go with their owners, from all files, and the others stay as they were."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from annotator.datasets.snapshots.line_files import (
    LineFiles,
    as_json,
    figure_owner,
    legend_owner,
    panel_owner,
)

NAMES = ("train.jsonl", "sd_figs/train.jsonl")
lines = st.lists(
    st.tuples(st.sampled_from(NAMES), st.integers(-1, 6), st.text(max_size=8)), max_size=30
)


@given(lines, st.sets(st.integers(0, 6)))
def test_what_is_taken_out_is_gone_and_nothing_else(
    rows: list[tuple[str, int, str]], owners: set[int]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with LineFiles(Path(folder), NAMES) as files:
            for name, owner, text in rows:
                files.line(name, {"owner": owner, "text": text}, owner)
        files.take_out(owners)
        for name in NAMES:
            found = [
                json.loads(line)
                for line in (Path(folder) / name).read_text(encoding="utf-8").split("\n")[:-1]
            ]
            assert found == [
                {"owner": owner, "text": text}
                for where, owner, text in rows
                if where == name and owner not in owners
            ]
        assert sorted(path.name for path in Path(folder).rglob("*.jsonl*")) == [
            "train.jsonl",
            "train.jsonl",
        ]


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_panel_a_figure_and_a_legend_are_never_the_same_owner(one: int, other: int) -> None:
    assert len({panel_owner(one), figure_owner(other), legend_owner(other), figure_owner(one)}) == (
        4 if one != other else 3
    )


labels = st.lists(
    st.one_of(st.sampled_from(["O", "B-CELL", "I-GENEPROD"]), st.text(max_size=4)), max_size=6
)


@given(
    st.lists(st.text(max_size=4), max_size=4),
    st.dictionaries(st.text(max_size=3), labels, max_size=3),
)
def test_a_row_of_labels_of_any_name_reads_back_equal(
    words: list[str], layers: dict[str, list[str]]
) -> None:
    row = {"words": words, "doi": "10.1/x", "label_ids": layers, "text": " ".join(words)}
    assert json.loads(as_json(row)) == row
    assert "\n" not in as_json(row)
