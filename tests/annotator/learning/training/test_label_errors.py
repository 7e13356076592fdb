"""Label errors: located in legends, ranked on a page, and sent to review."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.models import Document, Project, QueueOrder
from annotator.datasets.snapshots.services import add_snapshot, build_snapshot
from annotator.learning.models import (
    ModelVersion,
    TrainingSeries,
)
from annotator.learning.training.label_errors import outcome_of, ranked, send_to_review
from annotator.review.models import LabelErrorCandidate
from annotator.review.queue.order import next_legend
from annotator.review.second_look.label_errors import keep_decisions
from tests.annotator.datasets.conftest import long_legend
from tests.annotator.learning.training.conftest import (
    done_series,
    legend_named,
    started_series,
    text_of,
)

pytestmark = pytest.mark.django_db

PAGES = "admin:learning_trainingseries"


def test_the_most_probable_errors_become_a_review_queue(
    mistaken: TrainingSeries, manager: User, curator: User
) -> None:
    sent = send_to_review(series=mistaken, n=1, actor=manager)
    third, seventh = legend_named(mistaken, "long-3"), legend_named(mistaken, "long-7")
    assert str(sent) == "1 legend sent to review."
    assert third.label_error_score == 0.9
    assert seventh.label_error_score is None
    assert send_to_review(series=mistaken, n=5, actor=manager).n_sent == 2
    assert (
        next_legend(project=mistaken.project, actor=curator, order=QueueOrder.LABEL_ERRORS)
        == third.pk
    )
    (row,) = third.label_errors.all()
    assert third.text[row.start : row.end] == "HeLa"
    assert row.label == "CELL"
    assert row.predicted_label == "TISSUE"
    assert round(row.probability, 2) == 0.1
    (row,) = seventh.label_errors.filter(settled_at=None)
    assert row.label == ""
    assert row.predicted_label == "TISSUE"
    assert row.score == 0.6


def test_changed_blind_and_checked_legends_are_left_out(
    mistaken: TrainingSeries, manager: User, curator: User
) -> None:
    third, seventh = legend_named(mistaken, "long-3"), legend_named(mistaken, "long-7")
    send_to_review(series=mistaken, n=5, actor=manager)
    third.refresh_from_db()
    keep_decisions(document=third, actor=curator)
    Document.objects.filter(pk=seventh.pk).update(revision=9)
    assert (
        str(send_to_review(series=mistaken, n=5, actor=manager))
        == "0 legends sent to review; left out: 1 edited or removed since the snapshot,"
        " 1 checked since the snapshot."
    )
    outcome = outcome_of(mistaken)
    assert outcome is not None
    assert outcome.n_open == 0
    assert outcome.n_kept == 1
    assert outcome.n_corrected == 0
    assert outcome.percent_corrected == 0.0
    LabelErrorCandidate.objects.all().delete()
    Project.objects.update(blind_share=1.0)
    mistaken.project.refresh_from_db()
    assert "1 in the blind sample" in str(send_to_review(series=mistaken, n=5, actor=manager))


def test_many_legends_are_sent_and_shown_with_few_queries(
    mistaken: TrainingSeries, manager: User, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    documents = list(mistaken.project.documents.values("pk", "revision"))
    lines = [
        {
            "document": each["pk"],
            "revision": each["revision"],
            "paper": "",
            "suspicion": 0.5,
            "disagreements": 1,
        }
        for each in documents
    ]
    (mistaken.folder / "found/legends.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8"
    )
    with django_assert_max_num_queries(15):
        assert send_to_review(series=mistaken, n=1000, actor=manager).n_sent == 30
    assert mistaken.project.documents.filter(label_error_score=0.5).count() == 30
    with django_assert_max_num_queries(3):
        assert [str(each.document) for each in ranked(mistaken).rows]


def test_sending_is_refused_without_right_or_result(
    mistaken: TrainingSeries, reviewer: User, manager: User
) -> None:
    with pytest.raises(PermissionDenied):
        send_to_review(series=mistaken, n=1, actor=reviewer)
    with pytest.raises(UserError, match="at least one legend"):
        send_to_review(series=mistaken, n=0, actor=manager)
    mistaken.result = {}
    with pytest.raises(UserError, match="has not ended yet"):
        send_to_review(series=mistaken, n=1, actor=manager)


def test_a_label_error_has_its_offsets_in_the_whole_legend(
    project: Project, import_legends: Callable[..., list[Document]], tiny: ModelVersion
) -> None:
    two_panels = []
    for number in range(8):
        one, other = long_legend(number), long_legend(number + 50)
        start = len(one.text) + 1
        segments = (
            one.segments[0],
            type(one.segments[0])(start, start + len(other.text), f"q{number}", "B"),
        )
        gold = (
            *one.gold,
            *(
                type(span)(
                    span.start + start, span.end + start, span.label, span.surface, id=f"b{span.id}"
                )
                for span in other.gold
            ),
        )
        two_panels.append(
            type(one)(
                id=one.id,
                text=f"{one.text} {other.text}",
                doi=one.doi,
                label=one.label,
                segments=segments,
                gold=gold,
            )
        )
    import_legends(two_panels, labels="gold")
    snapshot = build_snapshot(snapshot=add_snapshot(project=project, actor=SYSTEM))
    series = done_series(started_series(snapshot))
    assert series.result["texts"] == 16
    assert send_to_review(series=series, n=100, actor=SYSTEM).n_sent == series.result["legends"] > 0
    rows = list(LabelErrorCandidate.objects.select_related("document"))
    assert any(row.start > len(long_legend(0).text) for row in rows), (
        "the second panel begins in the middle"
    )
    shown = {(each.document.pk, each.surface) for each in ranked(series).rows if each.document}
    assert shown <= {(row.document_id, row.document.text[row.start : row.end]) for row in rows}
    for row in rows:
        if row.label:
            assert row.document.text[row.start : row.end] in ("HeLa", "LC3")


@pytest.fixture
def panel(admin: User, client_of: Callable[[User], Client]) -> Client:
    return client_of(admin)


def test_the_page_ranks_label_errors_and_sends_the_first(
    panel: Client, mistaken: TrainingSeries
) -> None:
    address = reverse(f"{PAGES}_change", args=[mistaken.pk])
    page = panel.get(address)
    rows = page.context["ranked"].rows
    assert [(each.surface, each.decided, each.found, each.kind) for each in rows] == [
        ("HeLa", "Cell", "Tissue", "different label"),
        ("HeLa", "", "Tissue", "entity not annotated"),
    ]
    assert (
        reverse("review:legend", args=[mistaken.project.slug, rows[0].document.pk])
        in page.content.decode()
    )
    assert panel.get(address, {"page": "99999"}).context["ranked"].number == 1
    sent = panel.post(reverse(f"{PAGES}_send", args=[mistaken.pk]), {"n": 1}, follow=True)
    assert "1 legend sent to review." in text_of(sent)
    assert "0 were corrected and 0 left unchanged" in text_of(panel.get(address))
    assert "The number of legends to send" in text_of(
        panel.post(reverse(f"{PAGES}_send", args=[mistaken.pk]), {"n": "x"}, follow=True)
    )


def test_a_search_whose_list_is_gone_still_shows_its_counts(
    panel: Client, mistaken: TrainingSeries
) -> None:
    shutil.rmtree(mistaken.folder)
    address = reverse(f"{PAGES}_change", args=[mistaken.pk])
    page = text_of(panel.get(address))
    assert "with 60 decided entities" in page
    assert "only its counts are left" in page
    assert "Send to review" not in page
    assert "only its counts are left" in text_of(
        panel.post(reverse(f"{PAGES}_send", args=[mistaken.pk]), {"n": 1}, follow=True)
    )
