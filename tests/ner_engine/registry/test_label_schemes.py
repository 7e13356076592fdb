"""Translations between label schemes: one entry per label, exact or with what is lost."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_engine.cli import main
from ner_engine.errors import LabelSchemeError
from ner_engine.registry.label_schemes import (
    SCHEMES,
    LabelScheme,
    scheme_named,
    scheme_of,
    translate,
    translations,
)
from ner_engine.schema import Span
from tests.ner_engine.checkpoints import SENTENCES, save_bert

pairs = st.tuples(st.sampled_from(list(SCHEMES.values())), st.sampled_from(list(SCHEMES.values())))


@st.composite
def spans_of(draw: st.DrawFn, labels: tuple[str, ...]) -> list[Span]:
    text = "abcdefghij"
    found = []
    for _ in range(draw(st.integers(0, 8))):
        start = draw(st.integers(0, 8))
        end = draw(st.integers(start + 1, 10))
        found.append(
            Span(
                start,
                end,
                draw(st.sampled_from([*labels, "nothing known"])),
                text[start:end],
                score=0.5,
            )
        )
    return found


@given(pair=pairs)
def test_every_translation_is_exact_or_says_what_is_lost(
    pair: tuple[LabelScheme, LabelScheme],
) -> None:
    source, target = pair
    table = translations(source, target)
    assert [entry.source for entry in table] == list(source.labels)
    for entry in table:
        assert entry.target in ("", *target.labels)
        assert bool(entry.why) != entry.exact
        assert not entry.exact or entry.target


@given(pair=pairs)
def test_what_is_exact_leads_back(pair: tuple[LabelScheme, LabelScheme]) -> None:
    source, target = pair
    back = {entry.source: entry for entry in translations(target, source)}
    for entry in translations(source, target):
        if entry.exact:
            assert back[entry.target].target == entry.source
            assert back[entry.target].exact


@given(pair=pairs, data=st.data())
def test_every_span_is_kept_merged_or_counted(
    pair: tuple[LabelScheme, LabelScheme], data: st.DataObject
) -> None:
    source, target = pair
    spans = data.draw(spans_of(source.labels))
    found = translate(spans, source, target)
    assert len(found.spans) + found.merged + found.dropped.total() == len(spans)
    assert {span.label for span in found.spans} <= set(target.labels)
    edges = {(span.start, span.end, span.surface) for span in spans}
    assert {(span.start, span.end, span.surface) for span in found.spans} <= edges
    assert len({(span.start, span.end, span.label) for span in found.spans}) == len(found.spans)


@pytest.mark.parametrize(
    ("source", "label", "target", "becomes", "exact"),
    [
        ("jnlpba", "protein", "sd-nlp-2", "GENEPROD", False),
        ("jnlpba", "DNA", "sd-nlp-1", "GENEPROD", False),
        ("jnlpba", "cell_line", "sd-nlp-2", "CELL", False),
        ("craft", "Chemical", "sd-nlp-2", "SMALL_MOLECULE", False),
        ("craft", "Taxon", "sd-nlp-2", "ORGANISM", False),
        ("craft", "GENE", "sd-nlp-2", "GENEPROD", False),
        ("craft", "Sequence", "sd-nlp-2", "", False),
        ("sd-nlp-1", "TISSUE", "sd-nlp-2", "TISSUE", True),
        ("sd-nlp-2", "DISEASE", "sd-nlp-1", "", False),
    ],
)
def test_labels_become_what_the_table_says(
    source: str, label: str, target: str, becomes: str, exact: bool
) -> None:
    found = translate([Span(0, 1, label, "x")], SCHEMES[source], SCHEMES[target])
    assert [span.label for span in found.spans] == ([becomes] if becomes else [])
    assert dict(found.dropped) == ({} if becomes else {label: 1})
    entries = {
        entry.source.lower(): entry for entry in translations(SCHEMES[source], SCHEMES[target])
    }
    assert entries[label.lower()].exact == exact


def test_scores_of_labels_that_become_one_add_up() -> None:
    scores = {"protein": 0.5, "DNA": 0.3, "RNA": 0.05, "cell_type": 0.1, "cell_line": 0.0}
    attributes = {"runner_up": "DNA", "runner_up_score": 0.3, "scores": scores}
    twice = [
        Span(0, 3, "protein", "p53", score=0.5, attributes=attributes),
        Span(0, 3, "DNA", "p53", score=0.3),
    ]
    found = translate(twice, SCHEMES["jnlpba"], SCHEMES["sd-nlp-2"])
    assert found.merged == 1
    (span,) = found.spans
    assert span.label == "GENEPROD"
    assert span.score == 0.85
    assert dict(span.attributes) == {
        "scores": {"GENEPROD": 0.85, "CELL": 0.1},
        "runner_up": "CELL",
        "runner_up_score": 0.1,
    }


def test_a_runner_up_with_the_same_translation_is_removed() -> None:
    span = Span(
        0,
        3,
        "protein",
        "p53",
        score=0.5,
        attributes={"runner_up": "DNA", "runner_up_score": 0.3, "seen": 1},
    )
    assert dict(translate([span], SCHEMES["jnlpba"], SCHEMES["sd-nlp-2"]).spans[0].attributes) == {
        "seen": 1
    }


def test_the_runner_up_is_the_most_probable_other_label() -> None:
    scheme = SCHEMES["sd-nlp-2"]
    attributes = {"scores": {"GENEPROD": 0.5, "CELL": 0.1, "TISSUE": 0.3, "DISEASE": 0.1}}
    span = Span(0, 3, "GENEPROD", "p53", score=0.5, attributes=attributes)
    (found,) = translate([span], scheme, scheme).spans
    assert found.attributes["runner_up"] == "TISSUE"
    assert found.attributes["runner_up_score"] == 0.3


def test_a_scheme_is_recognised_by_its_labels_in_any_case() -> None:
    assert scheme_of(["CELL", "TISSUE"]).name == "sd-nlp-1"
    assert scheme_of(["DISEASE"]).name == "sd-nlp-2"
    assert scheme_of(["GENE", "Chemical", "TAXON"]).name == "craft"
    assert scheme_of(["DNA", "cell_line"]).name == "jnlpba"
    for labels in (["PANEL_START"], ["CELL", "Planet"], []):
        with pytest.raises(LabelSchemeError, match="belong to no known scheme"):
            scheme_of(labels)
    with pytest.raises(LabelSchemeError, match="there is no label scheme conll"):
        scheme_named("conll")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    labels = (
        "O",
        *(f"{prefix}-{label}" for label in SCHEMES["sd-nlp-2"].labels for prefix in "BI"),
    )
    return save_bert(tmp_path_factory.mktemp("models") / "sd", labels=labels)


def test_tag_writes_the_labels_of_another_scheme(
    model: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tagged(*options: str) -> tuple[list[dict[str, Any]], str]:
        lines = "".join(json.dumps({"text": text}) + "\n" for text in SENTENCES)
        monkeypatch.setattr(
            sys, "stdin", io.TextIOWrapper(io.BytesIO(lines.encode()), encoding="utf-8")
        )
        assert main(["tag", "--model", str(model), "--device", "cpu", *options]) == 0
        out, err = capsys.readouterr()
        return [span for line in out.splitlines() for span in json.loads(line)["spans"]], err

    as_they_are, _ = tagged()
    assert as_they_are
    for target in ("jnlpba", "sd-nlp-1"):
        names = {
            entry.source: entry.target
            for entry in translations(SCHEMES["sd-nlp-2"], SCHEMES[target])
        }
        expected = [
            (span["start"], span["end"], names[span["label"]])
            for span in as_they_are
            if names[span["label"]]
        ]
        mapped, said = tagged("--labels-as", target)
        assert [(span["start"], span["end"], span["label"]) for span in mapped] == expected
        assert (f"left out, with no label in {target}: " in said) == (
            len(expected) < len(as_they_are)
        )
        assert not any("scores" in span for span in mapped)
        scored, _ = tagged("--labels-as", target, "--scores")
        assert all(span["scores"][span["label"]] == span["score"] for span in scored)
    assert main(["tag", "--model", str(model), "--labels-as", "conll"]) == 2
    assert "there is no label scheme conll" in capsys.readouterr().err


def test_the_tables_are_listed(capsys: Any) -> None:
    assert main(["models", "--schemes"]) == 0
    text = capsys.readouterr().out
    assert "jnlpba DNA -> sd-nlp-2 GENEPROD; lossy: " in text
    assert "craft Sequence -> sd-nlp-2 (left out); lossy: " in text
    assert "sd-nlp-1 CELL -> sd-nlp-2 CELL; exact" in text
    assert main(["models", "--schemes", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == sum(
        3 * len(scheme.labels) for scheme in SCHEMES.values()
    )
