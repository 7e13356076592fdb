"""Split files: read line by line, refused with the line that is wrong, and followed by
snapshots."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.common.errors import UserError
from annotator.datasets.snapshots.splits import SplitRule, hash_of_splits, read_split
from ner_engine.split import RULE_VERSION, SPLITS, split_of


def lines(text: str) -> list[bytes]:
    return text.encode().splitlines(keepends=True)


papers = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Z"]), min_size=1, max_size=20
).map(lambda name: f"10.1/{name}".lower())


@given(st.dictionaries(papers, st.sampled_from(SPLITS), min_size=1, max_size=8))
def test_what_was_written_is_read_in_any_order_of_lines(sides: dict[str, str]) -> None:
    written = [f"{paper}\t{side}\r\n".encode() for paper, side in sides.items()]
    assert read_split(written) == read_split(reversed(written)) == sides
    assert hash_of_splits(sides) == hash_of_splits(dict(reversed(sides.items())))


def test_headers_empty_lines_urls_and_synonyms_are_accepted() -> None:
    found = read_split(
        lines(
            "\ufeffdoi\tsplit\nhttps://doi.org/10.1/A\tTrain\n\nDOI:10.1/b\tvalidation\n10.1/c \t"
            " dev\n"
        )
    )
    assert found == {"10.1/a": "train", "10.1/b": "eval", "10.1/c": "eval"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "10.1/a\ttrain\n10.1/b\n",
            r"Line 2 of the split file must be a DOI, a tab, and train, eval or test",
        ),
        (
            "10.1/a\ttrain\n10.1/b\ttrian\n",
            r"Line 2 of the split file has the unknown split “trian”",
        ),
        (
            "10.1/a\ttrain\n\n10.1/A\ttest\n",
            r"Line 3 of the split file puts 10\.1/a into test, but line 1 puts it into train",
        ),
        ("\ttrain\n", r"Line 1 of the split file must be"),
        ("\n\n", r"names no paper"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        read_split(lines(text))


def test_invalid_utf_8_and_too_many_lines_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(UserError, match="Line 1 of the split file is not valid UTF-8"):
        read_split([b"10.1/\xff\ttrain\n"])
    monkeypatch.setattr("annotator.datasets.snapshots.splits.MAX_LINES", 2)
    with pytest.raises(UserError, match="more than 2 lines"):
        read_split(lines("10.1/a\ttrain\n" * 3))


def test_papers_missing_in_the_file_follow_the_fixed_rule() -> None:
    rule = SplitRule({"10.1/a": "eval"})
    assert rule.split_of(" https://doi.org/10.1/A") == "eval"
    assert all(
        rule.split_of(f"10.2/{number}") == split_of(f"10.2/{number}") for number in range(50)
    )
    assert (
        rule.version.endswith(RULE_VERSION)
        and rule.version != SplitRule({"10.1/a": "test"}).version
    )
    assert SplitRule().version == RULE_VERSION
