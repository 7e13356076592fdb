"""What lies behind a comparison: its uncertainty, the errors, the legends that got worse."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from annotator.corpus.models import Document
from annotator.datasets.models import Snapshot
from annotator.datasets.snapshots.contents import rows_of
from annotator.learning.evaluation.comparison import compare_evaluations
from annotator.learning.evaluation.details import (
    FEW_PAPERS,
    SHOWN_STRINGS,
    Cell,
    _Counted,
    _LegendCounts,
    _strings,
    _with_documents,
    details_of,
    difference_in_words,
    points,
)
from annotator.learning.models import Evaluation, ModelVersion
from ner_engine import schema
from ner_engine.align import Labelled
from ner_engine.scoring.comparison import Counts, Difference
from tests.annotator.learning.conftest import judged_as, perfect, scores


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


# Cells


def test_a_cell_knows_by_how_much_the_candidate_differs() -> None:
    cell = Cell(candidate=5, current=3)
    assert cell.more == 2
    assert cell.less == -2


def test_a_cell_without_a_current_model_does_not_differ() -> None:
    assert Cell(candidate=5, current=None).more == 0


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [(0.0005, "+0.1"), (0.0004, "0.0"), (-0.0005, "−0.1"), (1.0, "+100.0"), (-1.0, "−100.0")],
)
def test_points_bear_their_sign(fraction: float, expected: str) -> None:
    assert points(fraction) == expected


@pytest.mark.parametrize(
    ("low", "high", "is_significant"),
    [(0.001, 0.03, True), (0.0, 0.03, False), (-0.03, 0.0, False), (-0.03, -0.001, True)],
)
def test_an_interval_with_0_is_not_significant(
    low: float, high: float, is_significant: bool
) -> None:
    sentence = difference_in_words(Difference(0.01, low, high, 0.1, FEW_PAPERS))
    assert ("not significant" not in sentence) is is_significant
    assert "unreliable" not in sentence


def test_too_few_papers_are_said_instead_of_significance() -> None:
    sentence = difference_in_words(Difference(0.01, -0.1, 0.1, 0.1, FEW_PAPERS - 1))
    assert "With so few papers the interval is unreliable." in sentence
    assert "significant" not in sentence


# Lists


def test_strings_of_the_candidate_alone_come_first() -> None:
    candidate = {("CELL", "both"): 9, ("CELL", "new"): 2, ("GENEPROD", "new"): 2}
    strings = _strings(_Counted(candidate, {("CELL", "both"): 9, ("CELL", "gone"): 5}))
    assert [(each.label, each.surface) for each in strings] == [
        ("CELL", "new"),
        ("GENEPROD", "new"),
        ("CELL", "both"),
    ]


def test_strings_of_a_model_alone_are_the_most_frequent_first() -> None:
    strings = _strings(_Counted({("CELL", "rare"): 1, ("CELL", "often"): 3}, None))
    assert [each.surface for each in strings] == ["often", "rare"]
    assert {each.cell.current for each in strings} == {None}


def test_long_lists_of_strings_are_cut() -> None:
    strings = _strings(_Counted({("CELL", f"s{number:03}"): 1 for number in range(40)}, None))
    assert [each.surface for each in strings] == [
        f"s{number:03}" for number in range(SHOWN_STRINGS)
    ]


# Pages


@pytest.mark.django_db
def test_a_better_candidate_has_no_worse_legends(
    learned: Snapshot, tiny: ModelVersion, other: ModelVersion
) -> None:
    comparison = compare_evaluations(
        judged_as(learned, other, perfect), judged_as(learned, tiny, lambda _: []), tiny
    )
    details = details_of(comparison, learned.project)
    assert details is not None
    assert details.n_better == details.n_legends
    assert details.n_worse == 0
    assert list(details.missed) == []


@pytest.mark.django_db
def test_wrong_boundaries_are_counted_by_their_kind(
    learned: Snapshot, tiny: ModelVersion, other: ModelVersion
) -> None:
    def longer(document: schema.Document) -> list[Labelled]:
        cell = next(span for span in document.gold if span.label == "CELL")
        return [Labelled(cell.start, cell.end + 6, "CELL")]

    comparison = compare_evaluations(
        judged_as(learned, other, longer), judged_as(learned, tiny, perfect), tiny
    )
    details = details_of(comparison, learned.project)
    assert details is not None
    begins, ends, at_both = dict(details.boundaries)["CELL"]
    assert ends.candidate == details.n_legends
    assert ends.current == 0
    assert begins.candidate == at_both.candidate == 0


@pytest.mark.django_db
def test_the_time_for_a_legend_is_the_mean(
    learned: Snapshot, tiny: ModelVersion, other: ModelVersion
) -> None:
    candidate, current = judged_as(learned, other, perfect), judged_as(learned, tiny, perfect)
    candidate.seconds, current.seconds = 3.0, 6.0
    details = details_of(compare_evaluations(candidate, current, tiny), learned.project)
    assert details is not None
    of_candidate, of_current = details.milliseconds
    assert of_candidate == pytest.approx(3000 / details.n_legends)
    assert of_current == pytest.approx(6000 / details.n_legends)


@pytest.mark.django_db
def test_a_legend_without_a_key_is_found_by_paper_and_name(learned: Snapshot) -> None:
    none = Counts(0, 0, 0)
    document = learned.project.documents.first()
    assert document is not None
    wanted = [
        _LegendCounts((0, document.doi.upper(), document.external_id), none, none),
        _LegendCounts((0, "10.9999/other", document.external_id), none, none),
    ]
    found = _with_documents(learned.project, wanted)
    assert [legend.document for legend in found] == [document, None]
