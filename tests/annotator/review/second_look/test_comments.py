"""Comments, flags and questions: who may, what is counted, and what a question keeps from
happening."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.models import Document, Project
from annotator.review.editing.errors import OperationError
from annotator.review.editing.leases import release_lease
from annotator.review.models import Comment
from annotator.review.queue.order import next_legend
from annotator.review.second_look.comments import (
    comments_on,
    miscounted,
    reopen_comment,
    resolve_comment,
    toggle_question,
    write_comment,
)
from tests.annotator.html import html_of
from tests.annotator.review.conftest import MakeLegend, Operate

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User | None], Client]


def url(document: Document, name: str = "comments") -> str:
    return reverse(f"review:{name}", args=[document.project.slug, document.pk])


def open_counts(document: Document) -> tuple[int, int]:
    document.refresh_from_db()
    return document.n_flags, document.n_questions


def test_open_comments_are_counted(make_legend: MakeLegend, curator: User) -> None:
    document = make_legend()
    write_comment(document_id=document.pk, actor=curator, kind="note", text="Odd panel order")
    flag = write_comment(document_id=document.pk, actor=curator, kind="flag", entity="s0")
    question = write_comment(
        document_id=document.pk, actor=curator, kind="question", text="Gene or family?", entity="s1"
    )
    assert flag.surface == "Bax"
    assert question.surface == "Bak"
    assert open_counts(document) == (1, 1)
    assert [each.comment.entity for each in comments_on(document, curator, entity="s1")] == [
        "s1",
        "",
        "s0",
    ]
    resolve_comment(comment_id=flag.pk, actor=curator)
    resolve_comment(comment_id=question.pk, actor=curator)  # taken back
    assert open_counts(document) == (0, 0)


def test_a_question_hands_the_legend_to_a_reviewer(
    make_legend: MakeLegend, operate: Operate, curator: User, reviewer: User
) -> None:
    document, following = make_legend(), make_legend()
    assert toggle_question(document_id=document.pk, actor=curator, entity="s1")[1]
    assert next_legend(project=document.project, actor=curator) == following.pk
    assert next_legend(project=document.project, actor=reviewer) == document.pk
    with pytest.raises(OperationError, match="waits for a reviewer"):
        operate(document, "accept_legend")
    release_lease(document=document, actor=curator)
    operate(document, "accept_legend", actor=reviewer)  # which answers it
    assert open_counts(document) == (0, 0)
    assert document.comments.get().resolved_by == reviewer


def test_a_question_is_the_reviewers_or_its_authors_to_settle(
    make_legend: MakeLegend, curator: User, reviewer: User, manager: User
) -> None:
    document = make_legend()
    asked = write_comment(document_id=document.pk, actor=manager, kind="question")
    with pytest.raises(PermissionDenied):
        resolve_comment(comment_id=asked.pk, actor=curator)
    assert open_counts(document) == (0, 1)
    resolve_comment(comment_id=asked.pk, actor=reviewer)
    assert toggle_question(document_id=document.pk, actor=curator)[1]
    assert open_counts(document) == (0, 1)
    assert not toggle_question(document_id=document.pk, actor=curator)[1]
    assert open_counts(document) == (0, 0)


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"kind": "note"}, "Write the comment"),
        ({"kind": "shout", "text": "x"}, "a comment, a flag or a question"),
        ({"kind": "note", "text": "x" * 5001}, "5,001 characters"),
        ({"kind": "flag", "entity": "nobody"}, "no longer in the legend"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(
    make_legend: MakeLegend, curator: User, facts: dict[str, str], sentence: str
) -> None:
    document = make_legend()
    with pytest.raises(UserError, match=sentence):
        write_comment(document_id=document.pk, actor=curator, **facts)
    assert not Comment.objects.exists()


def test_an_accepted_legend_takes_no_question(
    make_legend: MakeLegend, operate: Operate, curator: User
) -> None:
    document = make_legend()
    operate(document, "accept_legend")
    write_comment(document_id=document.pk, actor=curator, kind="flag", text="Look again")
    with pytest.raises(UserError, match="is accepted"):
        write_comment(document_id=document.pk, actor=curator, kind="question")
    with pytest.raises(UserError, match="Only a flag or a question"):
        resolve_comment(
            comment_id=write_comment(
                document_id=document.pk, actor=curator, kind="note", text="x"
            ).pk,
            actor=curator,
        )


def test_the_page_takes_comments_and_the_part_tells_the_screen(
    make_legend: MakeLegend, curator: User, client_of: ClientOf
) -> None:
    document, client = make_legend(), client_of(curator)
    assert (
        client.post(
            url(document), {"kind": "flag", "text": "<b>Odd</b>", "entity": "s0"}
        ).status_code
        == 302
    )
    page = client.get(url(document) + "?entity=s0").content.decode()
    assert "&lt;b&gt;Odd&lt;/b&gt;" in page
    part = client.post(
        url(document), {"kind": "question", "entity": "s1"}, headers={"HX-Request": "true"}
    )
    assert json.loads(part["HX-Trigger"]) == {"comments-changed": {"questions": 1, "flags": 1}}
    assert "<html" not in part.content.decode()
    assert client.post(url(document), {"resolve": "999999"}).status_code == 404
    empty = client.post(url(document), {"kind": "note"}, headers={"HX-Request": "true"})
    assert empty.status_code == 422
    assert "Write the comment first" in empty.content.decode()


def test_one_key_asks_the_reviewer_and_takes_it_back(
    make_legend: MakeLegend, operate: Operate, curator: User, client_of: ClientOf
) -> None:
    document, client = make_legend(), client_of(curator)
    added = operate(document, "add", start=61, end=70, label="CELL").state
    key = next(entity.key for entity in added.entities if entity.start == 61)
    quick = {"kind": "question", "quick": "1", "entity": key}
    asked = client.post(url(document), quick, headers={"Accept": "application/json"})
    assert asked.json() == {"said": "The reviewer is asked about “inhibitor”", "questions": 1}
    operate(document, "remove", entity=key)
    back = client.post(url(document), quick, headers={"Accept": "application/json"})
    assert back.json() == {"said": "The question about “inhibitor” is withdrawn", "questions": 0}
    gone = client.post(url(document), quick, headers={"Accept": "application/json"})
    assert gone.status_code == 422
    assert "no longer in the legend" in gone.json()["sentence"]
    assert (
        client.post(
            url(document), {"quick": "1"}, headers={"Accept": "text/html,*/*;q=0.8"}
        ).status_code
        == 302
    )
    assert open_counts(document) == (0, 1)


def test_whoever_may_resolve_a_comment_may_reopen_it(
    make_legend: MakeLegend, operate: Operate, curator: User, reviewer: User, manager: User
) -> None:
    document = make_legend()
    flag = write_comment(document_id=document.pk, actor=manager, kind="flag")
    asked = write_comment(document_id=document.pk, actor=manager, kind="question")
    resolve_comment(comment_id=flag.pk, actor=curator)
    resolve_comment(comment_id=asked.pk, actor=reviewer)
    reopen_comment(comment_id=flag.pk, actor=curator)
    with pytest.raises(PermissionDenied):
        reopen_comment(comment_id=asked.pk, actor=curator)
    assert open_counts(document) == (1, 0)
    reopen_comment(comment_id=asked.pk, actor=manager)
    assert open_counts(document) == (1, 1)
    resolve_comment(comment_id=asked.pk, actor=reviewer)
    operate(document, "accept_legend")
    with pytest.raises(UserError, match="is accepted"):
        reopen_comment(comment_id=asked.pk, actor=reviewer)
    assert open_counts(document) == (1, 0)


def test_each_user_sees_the_buttons_that_work_for_them(
    make_legend: MakeLegend, curator: User, reviewer: User, viewer: User, client_of: ClientOf
) -> None:
    document = make_legend()
    write_comment(document_id=document.pk, actor=curator, kind="note", text="Odd panel order")
    write_comment(document_id=document.pk, actor=reviewer, kind="flag")
    mine = write_comment(document_id=document.pk, actor=curator, kind="question", entity="s0")
    theirs = write_comment(document_id=document.pk, actor=reviewer, kind="question", entity="s1")

    def buttons(user: User) -> list[str]:
        return re.findall(
            r">\s*(Resolve|Withdraw|Mark as answered|Reopen)<span",
            client_of(user).get(url(document)).content.decode(),
        )

    assert [buttons(user) for user in (viewer, curator, reviewer)] == [
        [],
        ["Resolve", "Withdraw"],
        ["Resolve", "Mark as answered", "Withdraw"],
    ]
    client_of(curator).post(url(document), {"resolve": mine.pk})
    client_of(reviewer).post(url(document), {"resolve": theirs.pk})
    assert buttons(curator) == ["Resolve", "Reopen"]
    assert (
        "question to the reviewer, withdrawn"
        in client_of(viewer).get(url(document)).content.decode()
    )
    assert client_of(curator).post(url(document), {"resolve": theirs.pk}).status_code == 403
    client_of(curator).post(url(document), {"reopen": mine.pk})
    assert open_counts(document) == (1, 1)


def test_a_refused_comment_stays_in_the_form_and_is_not_logged(
    make_legend: MakeLegend, curator: User, client_of: ClientOf, capsys: pytest.CaptureFixture[str]
) -> None:
    document, client = make_legend(), client_of(curator)
    kept = client.post(
        url(document), {"kind": "shout", "text": "secret doubt\0", "whole": "1"}
    ).content.decode()
    assert "secret doubt" in kept
    client.post(url(document), {"kind": "flag", "text": "secret doubt\0"})
    assert Comment.objects.get().text == "secret doubt\\x00"
    assert "secret doubt" not in capsys.readouterr().err


def test_a_part_takes_the_focus_in_a_sheet_only(
    make_legend: MakeLegend, curator: User, client_of: ClientOf
) -> None:
    document, client = make_legend(), client_of(curator)
    in_sheet, folded = (
        client.get(url(document), headers={"HX-Request": "true"} | headers).content.decode()
        for headers in ({"HX-Target": "sheet-body"}, {})
    )
    assert "autofocus" in in_sheet
    assert "autofocus" not in folded


def test_comments_of_another_project_are_not_found(
    make_legend: MakeLegend, admin: User, client_of: ClientOf
) -> None:
    document, other = make_legend(), make_legend()
    flag = write_comment(document_id=other.pk, actor=admin, kind="flag")
    assert client_of(admin).post(url(document), {"resolve": flag.pk}).status_code == 404
    elsewhere = Project.objects.create(
        name="Other", slug="other", label_set=document.project.label_set
    )
    for name in ("comments", "history", "compare"):
        assert (
            client_of(admin)
            .get(reverse(f"review:{name}", args=[elsewhere.slug, document.pk]))
            .status_code
            == 404
        )


def test_the_numbers_of_open_comments_are_checked_and_repaired(
    make_legend: MakeLegend, curator: User, capsys: pytest.CaptureFixture[str]
) -> None:
    right, wrong = make_legend(), make_legend()
    for document in (right, wrong):
        write_comment(document_id=document.pk, actor=curator, kind="flag")
        write_comment(document_id=document.pk, actor=curator, kind="question")
    assert list(miscounted(Document.objects.all())) == []
    Document.objects.filter(pk=wrong.pk).update(n_flags=0, n_questions=7)
    assert [(document.pk, counts) for document, counts in miscounted(Document.objects.all())] == [
        (wrong.pk, {"n_flags": 1, "n_questions": 1})
    ]
    call_command("check_remarks", wrong.project.slug)
    assert f"legend {wrong.pk}" in capsys.readouterr().out
    call_command("check_remarks", "--repair")
    assert open_counts(wrong) == (1, 1)
    call_command("check_remarks")
    assert "2 legends checked, 0 miscounted." in capsys.readouterr().out


def test_the_history_names_each_edit_and_marks_what_was_undone(
    make_legend: MakeLegend, operate: Operate, curator: User, client_of: ClientOf
) -> None:
    document = make_legend()
    operate(document, "relabel", entity="s0", label="CELL")
    operate(document, "reject", entity="s1")
    operate(document, "undo")
    page = client_of(curator).get(url(document, "history")).content.decode()
    assert (
        page.index("undid an edit") < page.index("rejected “Bak”") < page.index("made “Bax” cell")
    )
    assert page.count(">undone<") == 1


def test_the_history_shows_fifty_edits_at_once(
    make_legend: MakeLegend, operate: Operate, curator: User, client_of: ClientOf
) -> None:
    document, client = make_legend(), client_of(curator)
    for number in range(55):
        operate(document, "relabel", entity="s0", label=("CELL", "TISSUE")[number % 2])
    part = {"HX-Request": "true"}
    first = client.get(url(document, "history"), headers=part).content.decode()
    assert first.count(" made “Bax”") == 50
    assert first.count("<ol") == 1
    assert "?before=6" in first
    rest = client.get(url(document, "history"), {"before": "6"}, headers=part).content.decode()
    assert rest.count(" made “Bax”") == 5
    assert rest.count("<ol") == 0
    assert "Show earlier edits" not in rest
    page = client.get(url(document, "history"), {"before": "6"}).content.decode()
    assert page.count(" made “Bax”") == 5
    assert page.count("<ol") == 1
    assert (
        client.get(url(document, "history"), {"before": "nonsense"})
        .content.decode()
        .count(" made “Bax”")
        == 50
    )


def test_open_questions_and_flags_have_tabs(
    make_legend: MakeLegend, operate: Operate, curator: User, client_of: ClientOf
) -> None:
    asked, flagged, settled, _ = (make_legend() for _ in range(4))
    for entity in ("s0", "s1"):
        write_comment(document_id=asked.pk, actor=curator, kind="question", entity=entity)
    operate(flagged, "accept_legend")
    for document in (flagged, settled):
        made = write_comment(document_id=document.pk, actor=curator, kind="flag")
    resolve_comment(comment_id=made.pk, actor=curator)
    client, queue = client_of(curator), reverse("review:queue", args=[asked.project.slug])
    tabs = {tab.name: n for tab, n in client.get(queue).context["tabs"]}
    assert tabs["questions"] == 1
    assert tabs["flagged"] == 1
    for name, document, words in (
        ("questions", asked, "2 questions </a>"),
        ("flagged", flagged, "1 flag </a>"),
    ):
        answer = client.get(queue, {"show": name})
        assert [row.pk for row in answer.context["page"].object_list] == [document.pk]
        assert words in html_of(answer)
    resolve_comment(comment_id=flagged.comments.get().pk, actor=curator)
    assert "No flags are open." in client.get(queue, {"show": "flagged"}).content.decode()
