"""Curator effort with a canary and with the serving model: figures, samples, and who sees them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.corpus.models import Document, Project
from annotator.jobs.models import Job
from annotator.learning.models import Canary, LabelEffort, LegendEffort, ModelVersion
from annotator.learning.serving.canary_report import (
    Compared,
    Ratio,
    canary_of,
    compared,
    report_on,
)
from tests.annotator.learning.serving.conftest import worked_on

ImportLegends = Callable[..., list[Document]]

# Figures


def test_a_ratio_is_that_of_sums_over_legends() -> None:
    assert Ratio.of([(1, 2), (3, 4)]).value == pytest.approx(4 / 6)
    assert Ratio.of([(2.0, 1.0), (4.0, 1.0)]) == Ratio(2, 3.0, pytest.approx(1.0))
    assert Ratio.of([(1, 2), (0, 0)]) == Ratio(1, 0.5, None)
    assert Ratio.of([]) == Ratio(0, None, None)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(5, 9)), min_size=2, max_size=30))
def test_equal_effort_is_not_significant(
    pairs: list[tuple[float, float]],
) -> None:
    row = compared("x", "%", pairs, pairs)
    assert row.difference == 0
    assert row.in_words == "not significant"
    assert row.low == -row.high


def test_a_difference_needs_enough_legends() -> None:
    good, bad = [(9, 10), (10, 10), (8, 10)] * 10, [(5, 10), (6, 10), (4, 10)] * 10
    row = compared("accepted", "%", good, bad)
    assert row.candidate == 90
    assert row.serving == 50
    assert row.difference == 40
    assert row.in_words == "significant"
    assert row.low > 30
    assert compared("accepted", "%", good[:1], bad).in_words == "too few legends"
    assert compared("accepted", "%", [], bad).in_words == "no data yet"


def test_a_ratio_of_equal_legends_has_no_variance() -> None:
    assert Ratio.of([(1, 2)] * 5).variance == 0


def test_legends_without_a_total_are_ignored() -> None:
    assert Ratio.of([(0, 0), (0, 0)]) == Ratio(0, None, None)
    assert Ratio.of([(0, 0), (1, 2), (1, 2)]).n == 2


def test_a_scaled_ratio_has_two_decimals() -> None:
    assert Ratio.of([(1, 3)]).scaled(100) == 33.33
    assert Ratio.of([]).scaled(100) is None


def test_a_figure_without_a_unit_is_not_in_percent() -> None:
    row = compared("Actions per legend", "", [(2, 1)], [(6, 1)])
    assert row.candidate == 2.0
    assert row.serving == 6.0
    assert row.difference == -4.0


def test_the_interval_lies_around_the_difference() -> None:
    row = compared("Seconds", "s", [(10, 1), (14, 1)], [(20, 1), (24, 1)])
    assert row.difference == -10
    assert row.low == pytest.approx(-10 - 1.959964 * 8**0.5, abs=0.01)
    assert row.high == pytest.approx(-10 + 1.959964 * 8**0.5, abs=0.01)


def row_of(difference: float | None, low: float | None, high: float | None) -> Compared:
    return Compared(
        "x",
        "%",
        candidate=None,
        n_candidate=0,
        serving=None,
        n_serving=0,
        difference=difference,
        low=low,
        high=high,
    )


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.01, 2.0, "significant"),
        (0.0, 2.0, "not significant"),
        (-2.0, 0.0, "not significant"),
        (-2.0, -0.01, "significant"),
        (None, None, "too few legends"),
    ],
)
def test_an_interval_is_said_in_words(low: float | None, high: float | None, words: str) -> None:
    assert row_of(1.0, low, high).in_words == words


@pytest.mark.parametrize(
    ("difference", "shown"), [(1.25, "+1.2"), (0.0, "0.0"), (-3.0, "-3.0"), (None, "–")]
)
def test_a_difference_is_shown_with_its_sign(difference: float | None, shown: str) -> None:
    assert row_of(difference, None, None).signed_difference == shown


def test_an_interval_is_shown_with_both_ends() -> None:
    assert row_of(1.0, -0.25, 2.0).interval == "-0.2 to 2.0"
    assert row_of(1.0, None, 2.0).interval == "–"
    assert row_of(1.0, -0.25, None).interval == "–"


# Samples


@pytest.fixture
def canary(project: Project, tiny: ModelVersion, other: ModelVersion) -> Canary:
    """A canary that has run for an hour on half of the new legends."""
    running = Canary.objects.create(
        project=project, model_version=other, serving_model=tiny, fraction=0.5, started_by=None
    )
    Canary.objects.filter(pk=running.pk).update(started_at=timezone.now() - timedelta(hours=1))
    running.refresh_from_db()
    return running


@pytest.fixture
def pair(canary: Canary, import_legends: ImportLegends) -> tuple[Document, Document]:
    """A legend of the candidate's sample, and one of the serving model's."""
    legends = import_legends(12)
    below = next(each for each in legends if each.sha256 < canary.bound)
    above = next(each for each in legends if each.sha256 >= canary.bound)
    return below, above


def sizes(canary: Canary) -> tuple[int, int]:
    report = report_on(canary)
    return report.n_candidate, report.n_serving


@pytest.mark.django_db
def test_each_model_has_its_own_legends(canary: Canary, pair: tuple[Document, Document]) -> None:
    below, above = pair
    worked_on(below, canary.model_version.name, accepted=1, rejected=0, seconds=4)
    worked_on(above, canary.serving_model.name, accepted=1, rejected=0, seconds=4)
    assert sizes(canary) == (1, 1)


@pytest.mark.django_db
def test_a_legend_tagged_by_the_wrong_model_does_not_count(
    canary: Canary, pair: tuple[Document, Document]
) -> None:
    below, above = pair
    worked_on(below, canary.serving_model.name, accepted=1, rejected=0, seconds=4)
    worked_on(above, canary.model_version.name, accepted=1, rejected=0, seconds=4)
    assert sizes(canary) == (0, 0)


@pytest.mark.django_db
def test_legends_tagged_after_the_canary_do_not_count(
    canary: Canary, pair: tuple[Document, Document]
) -> None:
    below, _ = pair
    worked_on(below, canary.model_version.name, accepted=1, rejected=0, seconds=4)
    canary.stopped_at = timezone.now() - timedelta(minutes=5)
    canary.save()
    assert sizes(canary) == (0, 0)
    LegendEffort.objects.update(suggested_at=canary.stopped_at)
    assert sizes(canary) == (1, 0)


@pytest.mark.django_db
def test_a_legend_tagged_as_the_canary_started_counts(
    canary: Canary, pair: tuple[Document, Document]
) -> None:
    below, _ = pair
    worked_on(below, canary.model_version.name, accepted=1, rejected=0, seconds=4)
    LegendEffort.objects.update(suggested_at=canary.started_at)
    assert sizes(canary) == (1, 0)


@pytest.mark.django_db
def test_a_legend_edited_since_no_longer_counts(
    canary: Canary, pair: tuple[Document, Document]
) -> None:
    below, _ = pair
    worked_on(below, canary.model_version.name, accepted=1, rejected=0, seconds=4)
    Document.objects.filter(pk=below.pk).update(revision=8)
    assert sizes(canary) == (0, 0)


@pytest.mark.django_db
def test_corrected_suggestions_count_as_not_accepted(
    canary: Canary, pair: tuple[Document, Document]
) -> None:
    below, _ = pair
    worked_on(below, canary.model_version.name, accepted=1, rejected=0, seconds=None)
    LabelEffort.objects.update(boundaries_corrected=1, relabelled=1, left_out=1, added=5)
    accepted, actions, seconds = report_on(canary).work
    assert accepted.candidate == 25.0
    assert actions.candidate == 3.0
    assert seconds.candidate is None


@pytest.mark.django_db
def test_only_labels_with_suggestions_have_a_row(
    canary: Canary, pair: tuple[Document, Document]
) -> None:
    worked_on(pair[0], canary.model_version.name, accepted=3, rejected=1, seconds=4)
    (row,) = report_on(canary).labels
    assert row.name == "Cell"
    assert row.candidate == 75.0
    assert row.serving is None
    assert row.in_words == "no data yet"


@pytest.mark.django_db
def test_roles_are_not_part_of_a_canary(canary: Canary, pair: tuple[Document, Document]) -> None:
    worked_on(pair[0], canary.model_version.name, accepted=3, rejected=1, seconds=4)
    LabelEffort.objects.update(task="geneprod_roles")
    assert report_on(canary).labels == []


# Reports


@pytest.mark.django_db
def test_a_project_without_a_canary_has_no_report(project: Project) -> None:
    assert canary_of(project=project, actor=SYSTEM) is None


@pytest.mark.django_db
def test_a_report_is_for_members_alone(canary: Canary, viewer: User, stranger: User) -> None:
    assert canary_of(project=canary.project, actor=viewer) is not None
    with pytest.raises(PermissionDenied):
        canary_of(project=canary.project, actor=stranger)


@pytest.mark.django_db
def test_the_latest_canary_is_reported(canary: Canary, tiny: ModelVersion) -> None:
    Canary.objects.update(stopped_at=timezone.now())
    latest = Canary.objects.create(
        project=canary.project, model_version=tiny, serving_model=canary.model_version, fraction=0.1
    )
    report = canary_of(project=canary.project, actor=SYSTEM)
    assert report is not None
    assert report.canary == latest


@pytest.mark.django_db
def test_a_report_on_an_earlier_candidate_can_be_asked_for(
    canary: Canary, tiny: ModelVersion
) -> None:
    Canary.objects.update(stopped_at=timezone.now())
    Canary.objects.create(
        project=canary.project, model_version=tiny, serving_model=canary.model_version, fraction=0.1
    )
    report = canary_of(project=canary.project, actor=SYSTEM, model=canary.model_version)
    assert report is not None
    assert report.canary == canary


@pytest.mark.django_db
def test_a_report_for_programs_names_both_models(
    canary: Canary, pair: tuple[Document, Document]
) -> None:
    worked_on(pair[0], canary.model_version.name, accepted=3, rejected=1, seconds=4)
    written = report_on(canary).as_json()
    assert written["candidate"] == canary.model_version.name
    assert written["serving"] == canary.serving_model.name
    assert written["share"] == 0.5
    assert written["n_candidate"] == 1
    assert written["n_serving"] == 0
    assert [row["name"] for row in written["work"]] == [
        "Suggestions accepted unchanged",
        "Actions per legend",
        "Seconds per legend",
    ]
    assert written["labels"][0]["candidate"] == 75.0
    assert not Job.objects.exists()
