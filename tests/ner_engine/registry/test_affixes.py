"""Affixes: learned by counting, left out of words and never of more than words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_engine.errors import UnsafeModelError
from ner_engine.registry.affixes import (
    FILE,
    KINDS,
    MUTATION,
    PLACES,
    Affix,
    Affixes,
    Decided,
    decided_in,
    learn,
    merged,
    read_affixes,
    write_affixes,
)
from ner_engine.schema import Document, Span
from ner_engine.text import words

SI = Affix("prefix", "si", "upper", "GENEPROD")
KO = Affix("suffix", "KO", "lower", "GENEPROD")
POINT_MUTATION = Affix("suffix", MUTATION, "digit", "GENEPROD")


def known(*affixes: Affix) -> Affixes:
    return Affixes(dict.fromkeys(affixes, (9, 1)))


def span(surface: str, label: str = "GENEPROD", start: int = 7) -> Span:
    return Span(start, start + len(surface), label, surface, score=0.8)


def decisions(surface: str, start: int, end: int, papers: str = "abc") -> list[Decided]:
    return [Decided("GENEPROD", surface, start, end, paper) for paper in papers]


@pytest.mark.parametrize(
    ("surface", "expected"),
    [
        ("siAtg5", "Atg5"),
        ("siAtg", "Atg"),
        ("Cre KO", "Cre KO"),
        ("AtgKO", "Atg"),
        ("siAtgKO", "Atg"),
        ("Drp1K38E", "Drp1"),
        ("sirtuin", "sirtuin"),
        ("si", "si"),
        ("GFP-siAtg5", "GFP-siAtg5"),
    ],
)
def test_known_affixes_are_left_out(surface: str, expected: str) -> None:
    found = known(SI, KO, POINT_MUTATION).shortened(span(surface))
    assert found.surface == expected
    assert found.end - found.start == len(expected)


def test_a_shortened_span_keeps_its_other_facts() -> None:
    found = known(SI).shortened(span("siAtg5"))
    assert (found.start, found.label, found.score) == (9, "GENEPROD", 0.8)


def test_affixes_of_another_label_stay() -> None:
    assert known(SI).shortened(span("siAtg5", label="CELL")).surface == "siAtg5"


ALPHABET = st.sampled_from("siKOap5Δ- (")
SURFACES = st.text(ALPHABET, min_size=1, max_size=12).map(str.strip).filter(bool)
ANY_AFFIXES = st.sets(
    st.builds(
        Affix,
        st.sampled_from(PLACES),
        st.text(st.sampled_from("siKOap5Δ"), min_size=1, max_size=3),
        st.sampled_from(KINDS),
        st.just("GENEPROD"),
    ),
    max_size=12,
)


@given(SURFACES, ANY_AFFIXES)
def test_a_span_is_never_lengthened(surface: str, affixes: set[Affix]) -> None:
    before = span(surface)
    after = known(*affixes).shortened(before)
    assert before.start <= after.start < after.end <= before.end
    assert surface[after.start - before.start : after.end - before.start] == after.surface


@given(SURFACES, ANY_AFFIXES)
def test_boundaries_stay_inside_the_outer_words(surface: str, affixes: set[Affix]) -> None:
    after = known(*affixes).shortened(span(surface, start=0))
    cut = words(surface)
    assert after.start < cut[0].end
    assert after.end > cut[-1].start


@given(SURFACES, ANY_AFFIXES)
def test_shortening_twice_changes_nothing_more(surface: str, affixes: set[Affix]) -> None:
    chosen = known(*affixes)
    once = chosen.shortened(span(surface))
    assert chosen.shortened(once) == once


def test_an_affix_is_learned_from_several_papers() -> None:
    assert learn(decisions("siAtg5", 2, 6)).counts == {SI: (3, 0)}


def test_one_paper_teaches_nothing() -> None:
    assert learn(decisions("siAtg5", 2, 6, papers="aaa")).counts == {}


def test_an_affix_that_is_often_kept_is_not_learned() -> None:
    kept = decisions("siRNA", 0, 5, papers="abc")
    assert learn([*decisions("siAtg5", 2, 6), *kept]).counts == {}


def test_point_mutations_count_as_one_affix() -> None:
    surfaces = ["Drp1K38E", "Ras1G12V", "Raf1S259A"]
    decided = [decisions(each, 0, 4, papers=each)[0] for each in surfaces]
    assert learn(decided).counts == {POINT_MUTATION: (3, 0)}


def test_a_boundary_outside_the_word_is_no_vote() -> None:
    assert learn(decisions("GFP-Atg5", 4, 8)).counts == {}


def test_gold_within_a_word_becomes_a_decision() -> None:
    text = "the siAtg5 cells"
    document = Document("1", text, doi="10.1/x", gold=(Span(6, 10, "GENEPROD", "Atg5"),))
    assert list(decided_in(document)) == [Decided("GENEPROD", "siAtg5", 2, 6, "10.1/x")]


def test_written_affixes_are_read_again(tmp_path: Path) -> None:
    affixes = Affixes({SI: (9, 1), KO: (4, 0)}, "three papers", {"before": 0.7, "after": 0.71})
    write_affixes(tmp_path, affixes)
    assert read_affixes("mini", tmp_path) == affixes


def test_a_model_without_the_file_has_none(tmp_path: Path) -> None:
    assert read_affixes("mini", tmp_path) is None


@pytest.mark.parametrize(
    "change",
    [
        {"text": "a b"},
        {"text": ""},
        {"text": 5},
        {"text": "longer than eight"},
        {"place": "infix"},
        {"beside": "vowel"},
        {"label": None},
        {"kept": "os"},
    ],
)
def test_a_wrong_affix_refuses_the_file(tmp_path: Path, change: dict[str, object]) -> None:
    value = known(SI).as_json()
    value["affixes"][0] |= change
    (tmp_path / FILE).write_text(json.dumps(value), encoding="utf-8")
    refused = r"mini: its affixes\.json cannot be read \(.+\); learn"
    with pytest.raises(UnsafeModelError, match=refused):
        read_affixes("mini", tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"format": 2, "affixes": []}', "[" * 100_000])
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    with pytest.raises(UnsafeModelError, match="cannot be read"):
        read_affixes("mini", tmp_path)


def test_merged_affixes_add_their_counts() -> None:
    both = merged([Affixes({SI: (9, 1)}, "model"), None, Affixes({SI: (3, 0)}, "project")])
    assert both is not None
    assert both.counts == {SI: (12, 1)}
    assert both.learned_from == "model; project"


def test_nothing_merged_is_nothing() -> None:
    assert merged([None, None]) is None
