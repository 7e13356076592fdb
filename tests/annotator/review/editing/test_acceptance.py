"""What an acceptance settles beside the entities, and that undoing it opens the same again."""

from __future__ import annotations

import pytest

from annotator.accounts.models import User
from annotator.corpus.models import Document
from annotator.review.editing.errors import OperationError
from annotator.review.models import Comment, LabelErrorCandidate
from annotator.review.second_look.comments import write_comment
from tests.annotator.review.conftest import MakeLegend, Operate

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked(make_legend: MakeLegend, curator: User) -> Document:
    """A legend with one open question of a curator."""
    document = make_legend()
    ask(document, curator, "Gene or family?")
    return document


@pytest.fixture
def suspected(make_legend: MakeLegend) -> Document:
    """A legend that waits, with one possible label error."""
    document = make_legend()
    Document.objects.filter(pk=document.pk).update(label_error_score=0.8)
    LabelErrorCandidate.objects.create(
        document=document, start=4, end=7, label="GENEPROD", probability=0.1, score=0.8
    )
    return document


def ask(document: Document, actor: User, text: str = "Which species?") -> None:
    write_comment(document_id=document.pk, actor=actor, kind="question", text=text)


def n_questions(document: Document) -> int:
    document.refresh_from_db()
    n_open = Comment.objects.filter(document=document, resolved_at=None).count()
    assert document.n_questions == n_open
    return n_open


def label_error(document: Document) -> tuple[float | None, bool | None]:
    """The score of the legend's row, and whether its candidate is settled as right or wrong."""
    document.refresh_from_db()
    return document.label_error_score, document.label_errors.get().was_right


def test_undo_asks_an_answered_question_again(
    asked: Document, operate: Operate, reviewer: User
) -> None:
    operate(asked, "accept_legend", actor=reviewer)
    assert n_questions(asked) == 0
    operate(asked, "undo", actor=reviewer)
    assert n_questions(asked) == 1
    assert asked.comments.get().resolved_by is None


def test_redo_answers_it_again(asked: Document, operate: Operate, reviewer: User) -> None:
    for kind in ("accept_legend", "undo", "redo"):
        operate(asked, kind, actor=reviewer)
    assert n_questions(asked) == 0
    operate(asked, "undo", actor=reviewer)
    assert n_questions(asked) == 1


def test_undo_leaves_a_question_answered_before(
    asked: Document, operate: Operate, curator: User, reviewer: User
) -> None:
    operate(asked, "accept_legend", actor=reviewer)
    operate(asked, "reopen_legend", actor=reviewer)
    ask(asked, curator)
    operate(asked, "accept_legend", actor=reviewer)
    operate(asked, "undo", actor=reviewer)
    assert list(asked.comments.filter(resolved_at=None).values_list("text", flat=True)) == [
        "Which species?"
    ]


def test_undo_of_a_redo_opens_what_the_redo_settled(
    asked: Document, operate: Operate, curator: User, reviewer: User
) -> None:
    operate(asked, "accept_legend", actor=reviewer)
    operate(asked, "undo", actor=reviewer)
    ask(asked, curator)
    operate(asked, "redo", actor=reviewer)
    operate(asked, "undo", actor=reviewer)
    assert n_questions(asked) == 2


def test_undo_of_a_reopening_is_undone_with_the_acceptance(
    asked: Document, operate: Operate, curator: User, reviewer: User
) -> None:
    operate(asked, "accept_legend", actor=reviewer)
    operate(asked, "reopen_legend", actor=reviewer)
    ask(asked, curator)
    operate(asked, "undo", actor=reviewer)
    assert n_questions(asked) == 0
    operate(asked, "undo", actor=reviewer)
    assert n_questions(asked) == 2


def test_a_question_asked_since_refuses_a_redo(
    make_legend: MakeLegend, operate: Operate, curator: User
) -> None:
    document = make_legend()
    operate(document, "accept_legend")
    operate(document, "undo")
    ask(document, curator)
    with pytest.raises(OperationError, match="waits for a reviewer"):
        operate(document, "redo")


def test_undo_opens_a_label_error_again(suspected: Document, operate: Operate) -> None:
    operate(suspected, "accept_legend")
    assert label_error(suspected) == (None, False)
    operate(suspected, "undo")
    assert label_error(suspected) == (0.8, None)
    assert suspected.label_errors.get().settled_by is None


@pytest.mark.parametrize("newer", [0.3, 0.9])
def test_undo_keeps_the_higher_label_error_score(
    newer: float, suspected: Document, operate: Operate
) -> None:
    operate(suspected, "accept_legend")
    Document.objects.filter(pk=suspected.pk).update(label_error_score=newer)
    operate(suspected, "undo")
    assert label_error(suspected) == (max(0.8, newer), None)


def test_redo_settles_a_label_error_again(suspected: Document, operate: Operate) -> None:
    for kind in ("accept_legend", "undo", "redo"):
        operate(suspected, kind)
    assert label_error(suspected) == (None, False)


def test_undo_of_an_older_acceptance_opens_nothing(suspected: Document, operate: Operate) -> None:
    """The log of earlier versions does not name what an acceptance settled."""
    accepted = operate(suspected, "accept_legend").operation
    del accepted.arguments["settled"]
    accepted.save()
    operate(suspected, "undo")
    assert label_error(suspected) == (None, False)


def test_an_acceptance_that_settled_nothing_logs_nothing(
    make_legend: MakeLegend, operate: Operate
) -> None:
    assert "settled" not in operate(make_legend(), "accept_legend").operation.arguments
