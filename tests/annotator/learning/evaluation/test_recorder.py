"""Counts of an evaluation, text by text: recorded, stored and read back."""

from __future__ import annotations

import json

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
    assert kept.edges == errors.boundaries
    assert kept.missed == errors.missed
    assert kept.invented == errors.invented
    assert [text.paper for text in kept.texts] == [
        paper or f"p{number}" for number, (_, _, paper) in enumerate(texts)
    ]


def test_findings_of_another_form_are_ignored() -> None:
    assert Findings.of(Evaluation(findings={})) is None
    assert Findings.of(Evaluation(findings={"form": recording.FORM + 1})) is None
