"""Counts of an evaluation, text by text: recorded, stored and read back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.learning.evaluation import recorder as recording
from annotator.learning.evaluation.recorder import Findings, Recorder
from annotator.learning.models import Evaluation
from ner_engine import schema
from ner_engine.align import Labelled
from ner_engine.scoring.comparison import Counts, counts_of, errors_of, partial_scores
from ner_engine.scoring.metrics import score

ranges = st.builds(
    lambda start, length, label: Labelled(start, start + length, label),
    st.integers(0, 20),
    st.integers(1, 6),
    st.sampled_from(["CELL", "GENEPROD"]),
)
judged_texts = st.lists(
    st.tuples(
        st.lists(ranges, max_size=5),
        st.lists(ranges, max_size=5),
        st.sampled_from(["10.1/a", "10.1/b", ""]),
    ),
    max_size=6,
)
TEXT = "abcdefghijklmnopqrstuvwxyz0123456789"


def recorded(texts: list[tuple[list[Labelled], list[Labelled], str]]) -> Recorder:
    recorder = Recorder()
    for number, (gold, found, paper) in enumerate(texts):
        recorder.watch(schema.Document(id=f"p{number}", text=TEXT, doi=paper), gold, found)
    return recorder


@given(judged_texts)
def test_findings_give_scores_and_errors_of_each_text(
    texts: list[tuple[list[Labelled], list[Labelled], str]],
) -> None:
    gold, found = [each[0] for each in texts], [each[1] for each in texts]
    recorder = recorded(texts)
    kept = Findings.of(Evaluation(findings=json.loads(json.dumps(recorder.findings()))))
    assert kept is not None
    strict, errors = score(gold, found), errors_of([TEXT] * len(texts), gold, found)
    assert kept.totals == [counts_of(*each) for each in zip(gold, found, strict=True)]
    for label, of_label in strict.by_label.items():
        total = sum(
            (text.counts[label] for text in kept.texts if label in text.counts), Counts(0, 0, 0)
        )
        assert total.n_correct == of_label.n_correct
        assert total.n_predicted == of_label.n_predicted
        assert total.support == of_label.support
    assert recorder.partial == partial_scores(gold, found).as_json()
    assert kept.confusion == errors.confusion
    assert kept.boundaries == errors.boundaries
    assert kept.missed == errors.missed
    assert kept.invented == errors.invented
    assert [text.paper for text in kept.texts] == [
        paper or f"p{number}" for number, (_, _, paper) in enumerate(texts)
    ]


def test_findings_of_another_form_are_ignored() -> None:
    assert Findings.of(Evaluation(findings={})) is None
    assert Findings.of(Evaluation(findings={"form": recording.FORM + 1})) is None


def cells(*starts: int) -> list[Labelled]:
    """Return entities of three characters that begin there."""
    return [Labelled(start, start + 3, "CELL") for start in starts]


def watched(*documents: schema.Document) -> Findings:
    """Return the findings of a model that predicts nothing in the documents."""
    recorder = Recorder()
    for document in documents:
        recorder.watch(document, cells(0), [])
    findings = Findings.of(Evaluation(findings=recorder.findings()))
    assert findings is not None
    return findings


def test_the_paper_of_a_row_is_that_of_its_lineage() -> None:
    lineage = {"lineage": {"paper": "10.1/b", "document": 7}}
    (text,) = watched(schema.Document("p1", TEXT, doi="10.1/a", attributes=lineage)).texts
    assert text.paper == "10.1/b"
    assert text.document == 7
    assert text.name == "p1"


def test_a_row_without_lineage_belongs_to_its_own_paper() -> None:
    (text,) = watched(schema.Document("p1", TEXT, doi="10.1/a")).texts
    assert text.paper == "10.1/a"
    assert text.document == 0


def test_strings_are_cut_and_then_counted_together() -> None:
    text = "a" * 300
    recorder = Recorder()
    gold = [Labelled(0, 120, "CELL"), Labelled(130, 260, "CELL")]
    recorder.watch(schema.Document("p1", text), gold, [])
    assert recorder.findings()["missed"] == [["CELL", "a" * 100, 2]]


def test_only_the_most_frequent_strings_are_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "KEPT_STRINGS", 2)
    recorder = Recorder()
    recorder.watch(schema.Document("p1", "abc def abc ghi"), cells(0, 4, 8, 12), [])
    assert recorder.findings()["missed"] == [["CELL", "abc", 2], ["CELL", "def", 1]]


def test_the_labels_of_findings_leave_out_that_of_nothing() -> None:
    assert watched(schema.Document("p1", TEXT)).labels == ["CELL"]


def test_findings_of_other_texts_cannot_be_compared() -> None:
    first, second = schema.Document("p1", TEXT, doi="10.1/a"), schema.Document("p2", TEXT)
    both = watched(first, second)
    assert both.are_of_the_same_texts_as(watched(first, second))
    assert not both.are_of_the_same_texts_as(watched(second, first))
    assert not both.are_of_the_same_texts_as(watched(first))


def test_findings_of_no_text_are_empty() -> None:
    findings = Findings.of(Evaluation(findings=Recorder().findings()))
    assert findings is not None
    assert findings.texts == []
    assert findings.labels == []
