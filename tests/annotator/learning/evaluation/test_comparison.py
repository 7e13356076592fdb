"""Stored findings of evaluations, and the comparison of two of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from annotator.accounts.actors import SYSTEM
from annotator.corpus.models import Document
from annotator.datasets.models import Snapshot
from annotator.datasets.snapshots.contents import rows_of
from annotator.jobs.models import JobState
from annotator.jobs.services import run_job
from annotator.learning.evaluation import recorder as recording
from annotator.learning.evaluation.comparison import compare_evaluations
from annotator.learning.evaluation.details import (
    _LegendCounts,
    _with_documents,
    details_of,
    difference_in_words,
    points,
)
from annotator.learning.evaluation.recorder import Findings, Recorder
from annotator.learning.evaluation.services import start_evaluation
from annotator.learning.models import Evaluation, ModelVersion
from ner_engine import schema
from ner_engine.align import Labelled
from ner_engine.inference.backends import LeanBackend
from ner_engine.scoring.comparison import Counts, Difference, counts_of, errors_of, partial_scores
from ner_engine.scoring.metrics import score
from tests.annotator.learning.conftest import judged_as, perfect, scores

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


def test_a_difference_is_said_in_one_sentence() -> None:
    assert points(0.018) == "+1.8"
    assert points(-0.0004) == "0.0"
    assert points(-0.02) == "−2.0"
    sure = difference_in_words(Difference(0.018, 0.009, 0.026, 0.0, 70))
    assert sure == "+1.8 points of micro F1 (95 % confidence interval +0.9 to +2.6) on 70 papers."
    assert difference_in_words(Difference(0.018, -0.009, 0.026, 0.2, 70)).endswith(
        "The difference is not significant."
    )
    assert "on 1 paper. With so few papers" in difference_in_words(
        Difference(0.018, 0.018, 0.018, 0.0, 1)
    )


# Two models beside each other


@pytest.mark.django_db
def test_worse_legends_and_missed_strings_are_named(
    learned: Snapshot, tiny: ModelVersion, other: ModelVersion
) -> None:
    first = next(rows_of(learned.folder, "test"))["id"]

    def worse(document: schema.Document) -> list[Labelled]:
        return [
            Labelled(span.start, span.end, "CELL")
            for span in document.gold
            if document.id != first or span.label == "CELL"
        ]

    comparison = compare_evaluations(
        judged_as(learned, other, worse), judged_as(learned, tiny, perfect), tiny
    )
    details = details_of(comparison, learned.project)
    assert details is not None
    n = learned.counts["test"]["panels"]
    assert details.n_legends == n
    assert details.n_worse == n
    assert details.n_better == 0
    assert {(legend.n_candidate, legend.n_current) for legend in details.worse} == {
        (2, 0),
        (1, 0),
    }
    assert [legend.more for legend in details.worse] == sorted(
        (legend.more for legend in details.worse), reverse=True
    )
    held_out = set(
        Document.objects.filter(doi__in=[row["doi"] for row in rows_of(learned.folder, "test")])
    )
    assert {legend.document for legend in details.worse} <= held_out
    assert [
        (each.label, each.surface, each.cell.candidate, each.cell.more) for each in details.missed
    ] == [("GENEPROD", "LC3", 1, 1)]
    confusion = {
        gold: dict(zip([*details.labels, ""], cells, strict=True))
        for gold, cells in details.confusion
    }
    assert confusion["GENEPROD"]["CELL"].candidate == n - 1
    assert confusion["GENEPROD"]["CELL"].current == 0
    assert confusion["GENEPROD"][""].candidate == 1
    assert confusion["CELL"]["CELL"].more == 0
    assert details.in_words.startswith("−")
    assert f"on {learned.counts['test']['papers']} paper" in details.in_words


@pytest.mark.django_db
def test_a_legend_that_was_removed_since_is_named_by_its_paper(
    learned: Snapshot, tiny: ModelVersion, other: ModelVersion
) -> None:
    comparison = compare_evaluations(
        judged_as(learned, other, lambda _: []), judged_as(learned, tiny, perfect), tiny
    )
    Document.objects.all().delete()
    details = details_of(comparison, learned.project)
    assert details is not None
    assert {legend.document for legend in details.worse} == {None}
    assert {legend.paper for legend in details.worse} == {
        row["doi"] for row in rows_of(learned.folder, "test")
    }


@pytest.mark.django_db
def test_one_model_alone_has_errors_but_no_difference(
    learned: Snapshot, tiny: ModelVersion, other: ModelVersion
) -> None:
    of_candidate = judged_as(learned, other, lambda _: [])
    of_current = Evaluation.objects.create(
        model_version=tiny, snapshot=learned, scores=scores(0.7), micro_f1=0.7
    )
    details = details_of(compare_evaluations(of_candidate, of_current, tiny), learned.project)
    assert details is not None
    assert details.difference is None
    assert details.in_words == ""
    assert list(details.worse) == []
    assert details.missed[0].cell.current is None
    assert details_of(compare_evaluations(of_current, of_candidate, other), learned.project) is None


@pytest.mark.django_db
def test_an_evaluation_without_findings_is_repeated(
    learned: Snapshot, tiny: ModelVersion, other: ModelVersion
) -> None:
    old = Evaluation.objects.create(
        model_version=tiny, snapshot=learned, scores=scores(0.7), micro_f1=0.7
    )
    run_job(
        start_evaluation(
            project=learned.project, snapshot=learned, model_version=other, actor=SYSTEM
        ).pk
    )
    found: dict[Any, Evaluation] = {each.model_version: each for each in Evaluation.objects.all()}
    assert set(found) == {tiny, other}
    assert found[tiny].pk == old.pk
    details = details_of(compare_evaluations(found[other], found[tiny], tiny), learned.project)
    assert details is not None
    assert details.difference is not None
    assert details.difference.measured == pytest.approx(
        found[other].micro_f1 - found[tiny].micro_f1, abs=1e-6
    )
    for each in found.values():
        kept = Findings.of(each)
        assert kept is not None
        assert sum(kept.totals, Counts(0, 0, 0)).support == learned.counts["test"]["spans"]
        assert {text.document for text in kept.texts} <= set(
            Document.objects.values_list("pk", flat=True)
        )


@pytest.mark.django_db
def test_lists_of_evaluations_leave_the_findings_in_the_database(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    Evaluation.objects.create(
        model_version=tiny, snapshot=learned, scores=scores(0.7), micro_f1=0.7, findings={"form": 0}
    )
    assert "findings" in Evaluation.objects.get().get_deferred_fields()
    assert "findings" in tiny.evaluations.get().get_deferred_fields()
    assert Evaluation.objects.get().findings == {"form": 0}


@pytest.mark.django_db
def test_a_failing_device_ends_the_judging_and_keeps_no_scores(
    learned: Snapshot, tiny: ModelVersion, other: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise torch.AcceleratorError("CUDA error: unspecified launch failure")

    monkeypatch.setattr(LeanBackend, "run", fail)
    job = start_evaluation(
        project=learned.project, snapshot=learned, model_version=other, actor=SYSTEM
    )
    run_job(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.FAILED
    assert job.error.startswith(
        "The device cpu failed (CUDA error: unspecified launch failure). Restart the worker"
    )
    assert not Evaluation.objects.exists()


@pytest.mark.django_db
def test_worse_legends_are_found_with_as_many_queries_as_few(learned: Snapshot) -> None:
    none = Counts(0, 0, 0)

    def queries(keys: list[int]) -> int:
        with CaptureQueriesContext(connection) as asked:
            _with_documents(
                learned.project, [_LegendCounts((key, "", ""), none, none) for key in keys]
            )
        return len(asked)

    keys = list(learned.project.documents.values_list("pk", flat=True))
    assert queries(keys) == queries(keys[:2])
