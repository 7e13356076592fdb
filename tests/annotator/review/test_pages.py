"""Queue, review page, its answers to the script, and the list that needs no script."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.corpus.models import Document, DocumentState, Project, Span
from annotator.corpus.storing import write_suggestions
from annotator.review.editing import services
from annotator.review.editing.leases import claim_lease
from annotator.review.editing.reading import legend_state
from annotator.review.models import Operation
from annotator.review.screen.keymap import COMMANDS
from ner_engine import schema
from tests.annotator.review.conftest import TEXT, MakeLegend, Operate

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User | None], Client]


def address(name: str, document: Document) -> str:
    return reverse(f"review:{name}", args=[document.project.slug, document.pk])


def send(client: Client, document: Document, kind: str, base: int = 0, **facts: Any) -> Any:
    operation = {"id": str(uuid.uuid4()), "kind": kind, "base_revision": base} | facts
    return client.post(
        address("operations", document), json.dumps(operation), content_type="application/json"
    )


def accept(client: Client, document: Document) -> Any:
    seen = legend_state(document).suggestions
    return send(client, document, "accept_legend", suggestions=seen)


def entities_of(document: Document) -> list[tuple[str, str, str]]:
    rows = Span.objects.filter(layer__document=document, layer__kind="decided")
    return [(row.surface, row.label, row.verdict) for row in rows]


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("queue", "get"),
        ("next", "get"),
        ("legend", "get"),
        ("operations", "post"),
        ("lease", "post"),
    ],
)
@pytest.mark.parametrize("who", ["curator", "viewer", "stranger", "anonymous"])
def test_every_address_answers_each_kind_of_person_rightly(
    name: str,
    method: str,
    who: str,
    make_legend: MakeLegend,
    client_of: ClientOf,
    request: pytest.FixtureRequest,
) -> None:
    document = make_legend()
    user = None if who == "anonymous" else request.getfixturevalue(who)
    slug = document.project.slug
    url = reverse(
        f"review:{name}", args=[slug] if name in ("queue", "next") else [slug, document.pk]
    )
    answer = getattr(client_of(user), method)(url)
    if who == "anonymous":
        assert answer.status_code == 302
        assert answer["Location"].startswith(reverse("account_login"))
    elif who == "stranger":
        assert answer.status_code == 404
    elif who == "viewer":
        assert answer.status_code == (403 if name in ("next", "operations", "lease") else 200)
    else:
        assert answer.status_code == {"next": 302, "operations": 422}.get(name, 200)
    assert not Operation.objects.exists()


def test_a_legend_of_another_project_is_not_found_under_this_one(
    make_legend: MakeLegend, client_of: ClientOf, admin: User
) -> None:
    document = make_legend()
    other = Project.objects.create(name="Other", slug="other", label_set=document.project.label_set)
    assert (
        client_of(admin).get(reverse("review:legend", args=[other.slug, document.pk])).status_code
        == 404
    )


def test_the_queue_lists_legends_by_state_with_their_counts(
    make_legend: MakeLegend, client_of: ClientOf, curator: User
) -> None:
    waiting, untagged, done = make_legend(), make_legend(suggested=None), make_legend()
    services.accept_legend(document_id=done.pk, actor=curator, base_revision=0)
    client = client_of(curator)
    url = reverse("review:queue", args=[waiting.project.slug])
    listed = client.get(url).context["page"].object_list
    assert [(document.pk, document.n_suggested, document.n_low) for document in listed] == [
        (waiting.pk, 3, 1),
        (untagged.pk, 0, 0),
    ]
    assert [
        document.pk
        for document in client.get(url, {"show": "accepted"}).context["page"].object_list
    ] == [done.pk]
    assert [n for _, n in client.get(url).context["tabs"]] == [2, 0, 1, 0, 0, 0, 1, 3]
    assert client.get(url, {"show": "nonsense", "page": "nonsense"}).status_code == 200


def test_pages_take_few_queries_however_many_legends_there_are(
    make_legend: MakeLegend, client_of: ClientOf, curator: User, django_assert_max_num_queries: Any
) -> None:
    documents = [make_legend() for _ in range(12)]
    client = client_of(curator)
    with django_assert_max_num_queries(10):
        client.get(reverse("review:queue", args=["autophagy"]))
    with django_assert_max_num_queries(19):
        client.get(address("legend", documents[3]))


def test_the_page_has_indexed_words_and_facts_for_the_script(
    make_legend: MakeLegend, client_of: ClientOf, curator: User
) -> None:
    document, after = make_legend(), make_legend()
    answer = client_of(curator).get(address("legend", document))
    html = answer.content.decode()
    assert "<span data-w=3>Bax</span>" in html
    facts = answer.context["facts"]
    assert facts["revision"] == 0
    assert facts["mayEdit"] is True
    assert sorted(facts["entities"]) == ["s0", "s1", "s2"]
    assert facts["urls"]["next"] == address("legend", after)
    assert answer["Cache-Control"].startswith("max-age=0")


def test_text_that_looks_like_markup_is_shown_as_text(
    make_legend: MakeLegend, client_of: ClientOf, curator: User
) -> None:
    document = make_legend("</script><script>alert(1)</script> & <b>", suggested=None)
    html = client_of(curator).get(address("legend", document)).content.decode()
    assert "<script>alert" not in html
    assert (
        "<script>alert"
        not in client_of(curator).get(address("legend", document) + "?list").content.decode()
    )


def test_next_opens_a_waiting_legend_or_else_the_queue(
    make_legend: MakeLegend, client_of: ClientOf, curator: User
) -> None:
    first, second = make_legend(), make_legend()
    client = client_of(curator)
    url = reverse("review:next", args=["autophagy"])
    assert client.get(url)["Location"] == address("legend", first)
    assert client.get(url, {"after": first.pk})["Location"] == address("legend", second)
    for document in (first, second):
        services.accept_legend(document_id=document.pk, actor=curator, base_revision=0)
    assert client.get(url)["Location"] == reverse("review:queue", args=["autophagy"])


def test_an_edit_answers_with_what_changed_and_nothing_else(
    make_legend: MakeLegend, client_of: ClientOf, curator: User
) -> None:
    document = make_legend()
    answer = send(
        client_of(curator), document, "relabel", entity="s1", arguments={"label": "CELL"}
    ).json()
    assert answer["revision"] == 1
    assert answer["operationRevision"] == 1
    assert answer["said"] == "made “Bak” cell"
    assert list(answer["entities"]) == ["s1"]
    assert answer["entities"]["s1"]["status"] == "decided"
    assert [block["marker"] for block in answer["blocks"]] == ["A"]
    assert answer["history"] == {"undo": True, "redo": False}


def test_a_rejected_entity_goes_from_the_screen(
    make_legend: MakeLegend, client_of: ClientOf, curator: User
) -> None:
    answer = send(client_of(curator), make_legend(), "reject", entity="s1").json()
    assert answer["entities"] == {"s1": None}
    assert 'data-e="s1"' not in answer["blocks"][0]["html"]


def test_new_panels_redraw_the_whole_legend(
    make_legend: MakeLegend, client_of: ClientOf, curator: User
) -> None:
    answer = send(client_of(curator), make_legend(), "set_panels", arguments={"word": 4}).json()
    assert answer["all"] is True
    assert len(answer["blocks"]) == 3


def test_accepting_names_the_next_legend(
    make_legend: MakeLegend, client_of: ClientOf, curator: User
) -> None:
    document, after = make_legend(), make_legend()
    client = client_of(curator)
    assert accept(client, document).json()["next"] == address("legend", after)
    assert accept(client, after).json()["next"] == reverse("review:queue", args=["autophagy"])


def test_a_stale_edit_gets_409_with_the_changes_of_others(
    make_legend: MakeLegend, client_of: ClientOf, curator: User, operate: Operate
) -> None:
    document = make_legend()
    operate(document, "relabel", entity="s1", label="CELL")
    answer = send(client_of(curator), document, "accept", entity="s1")
    assert answer.status_code == 409
    facts = answer.json()
    assert facts["revision"] == 1
    assert facts["theirs"] == ["curator made “Bak” cell"]
    assert facts["entities"]["s1"]["label"] == "CELL"
    assert len(facts["blocks"]) == 2


def suggest_anew(document: Document) -> None:
    """A model replaces the suggestions; the revision stays."""
    write_suggestions(
        batch=[(document, [schema.Span(8, 11, "TISSUE", "and")])], source="another model"
    )


def test_acceptance_needs_the_suggestions_that_were_seen(
    make_legend: MakeLegend, client_of: ClientOf, curator: User
) -> None:
    document = make_legend()
    seen = legend_state(document).suggestions
    assert send(client_of(curator), document, "accept_legend", suggestions=seen).status_code == 200
    document.refresh_from_db()
    assert document.state == DocumentState.ACCEPTED


@pytest.mark.parametrize("had_suggestions", [True, False])
def test_suggestions_that_nobody_saw_are_not_accepted(
    had_suggestions: bool, make_legend: MakeLegend, client_of: ClientOf, curator: User
) -> None:
    document = make_legend() if had_suggestions else make_legend(suggested=None)
    seen = legend_state(document).suggestions
    suggest_anew(document)
    answer = send(client_of(curator), document, "accept_legend", suggestions=seen)
    assert answer.status_code == 409
    facts = answer.json()
    assert facts["sentence"].startswith("A model has replaced the suggestions")
    assert facts["suggestions"] == legend_state(document).suggestions
    assert not Operation.objects.exists()


def test_an_acceptance_names_the_suggestions_that_were_seen(
    make_legend: MakeLegend, client_of: ClientOf, curator: User
) -> None:
    document = make_legend()
    client = client_of(curator)
    by_script = send(client, document, "accept_legend")
    by_form = client.post(address("operations", document), form(document, "accept_legend"))
    assert [by_script.status_code, by_form.status_code] == [422, 422]
    assert by_script.json()["sentence"].startswith("The acceptance does not name the suggestions")
    assert not Operation.objects.exists()


def test_the_list_accepts_no_suggestions_that_came_after_it(
    make_legend: MakeLegend, client_of: ClientOf, curator: User
) -> None:
    document = make_legend()
    client = client_of(curator)
    shown = client.get(f"{address('legend', document)}?list").content.decode()
    seen = re.findall(r'name="suggestions" value="(\d+)"', shown)[0]
    suggest_anew(document)
    answer = client.post(
        address("operations", document), form(document, "accept_legend", suggestions=seen)
    )
    assert answer.status_code == 409
    assert not Operation.objects.exists()


def test_an_acceptance_without_a_revision_is_refused(
    make_legend: MakeLegend, client_of: ClientOf, curator: User
) -> None:
    document = make_legend()
    answer = client_of(curator).post(
        address("operations", document), {"id": str(uuid.uuid4()), "edit": "accept_legend"}
    )
    assert answer.status_code == 422
    assert not Operation.objects.exists()


def test_an_edit_of_a_legend_in_other_hands_answers_423(
    make_legend: MakeLegend, client_of: ClientOf, curator: User, reviewer: User
) -> None:
    document = make_legend()
    claim_lease(document=document, actor=reviewer)
    answer = send(client_of(curator), document, "accept", entity="s1")
    assert answer.status_code == 423
    assert answer.json()["holder"] == "reviewer"
    client = client_of(curator)
    assert client.post(address("lease", document)).status_code == 423
    assert client.post(address("lease", document), {"take_over": "1"}).json() == {
        "revision": 0,
        "holder": "",
    }
    assert send(client, document, "accept", entity="s1").status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b"\xff", 400), (b"[" * 50_000, 400), (b"[]", 422), (b'{"id": 3}', 422)],
)
def test_what_is_no_operation_is_refused_with_a_sentence(
    body: bytes, status: int, make_legend: MakeLegend, client_of: ClientOf, curator: User
) -> None:
    answer = client_of(curator).post(
        address("operations", make_legend()), body, content_type="application/json"
    )
    assert answer.status_code == status
    assert answer.json()["sentence"].endswith(".")


def test_a_script_that_is_signed_out_is_told_so(
    make_legend: MakeLegend, client_of: ClientOf
) -> None:
    answer = send(client_of(None), make_legend(), "accept", entity="s1")
    assert answer.status_code == 401
    assert "Sign in" in answer.json()["sentence"]


def test_edits_need_the_csrf_token(make_legend: MakeLegend, curator: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(curator)
    assert send(client, make_legend(), "accept", entity="s1").status_code == 403
    assert not Operation.objects.exists()


# Without script
# ------------------------------------------------------------------------------------------


def form(document: Document, edit: str, base: int = 0, **fields: Any) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "edit": edit, "base_revision": base} | fields


def test_the_list_edits_a_legend_from_end_to_end(
    make_legend: MakeLegend, client_of: ClientOf, curator: User
) -> None:
    document, after = make_legend(), make_legend()
    client = client_of(curator)
    url = address("operations", document)
    seen = legend_state(document).suggestions
    steps = [
        form(document, "accept", 0, entity="s0", label="CELL", role=""),
        form(document, "relabel", 1, entity="s1", label="CELL", role=""),
        form(document, "set_role", 2, entity="s0", label="CELL", role="MEASURED_VAR"),
        form(document, "move_edges:end:word:-1", 3, entity="s2", label="CELL", role=""),
        form(document, "add", 4, text="Bax inhibitor", nth="1", label="SMALL_MOLECULE"),
        form(document, "remove", 4, entity="s2", label="CELL", role=""),
        form(document, "undo", 5),
        form(document, "redo", 6),
    ]
    statuses = [client.post(url, step).status_code for step in steps]
    # the one-word entity cannot lose its word, and the edit after the refused one is on an old
    # revision
    assert statuses == [302, 302, 302, 422, 409, 409, 409, 409]
    assert (
        client.post(
            url, form(document, "add", 3, text="Bax inhibitor", nth="1", label="SMALL_MOLECULE")
        ).status_code
        == 302
    )
    answer = client.post(url, form(document, "accept_legend", 4, suggestions=seen))
    assert answer["Location"] == address("legend", after) + "?list"
    assert entities_of(document) == [
        ("Bax", "GENEPROD", "accepted"),
        ("Bak", "CELL", "accepted"),
        ("MEFs", "CELL", "accepted"),
        ("Bax inhibitor", "SMALL_MOLECULE", "accepted"),
    ]


def test_the_list_explains_a_typed_string_that_is_not_found(
    make_legend: MakeLegend, client_of: ClientOf, curator: User
) -> None:
    document = make_legend()
    client = client_of(curator)
    answer = client.post(
        address("operations", document), form(document, "add", text="Ba", label="CELL")
    )
    assert answer.status_code == 422
    assert "occurs 0 times" in answer.content.decode()
    again = client.post(
        address("operations", document), form(document, "add", text="Bax", nth="9", label="CELL")
    )
    assert "occurs 3 times" in again.content.decode()
    assert client.post(address("operations", document), {"edit": "accept"}).status_code == 422


def test_pressing_a_button_twice_edits_once(
    make_legend: MakeLegend, client_of: ClientOf, curator: User
) -> None:
    document = make_legend()
    fields = form(document, "accept", entity="s0")
    client = client_of(curator)
    assert [client.post(address("operations", document), fields).status_code for _ in range(2)] == [
        302,
        302,
    ]
    document.refresh_from_db()
    assert document.revision == 1
    assert document.state == DocumentState.IN_REVIEW


def test_the_list_shows_the_text_and_a_form_for_each_entity(
    make_legend: MakeLegend, client_of: ClientOf, curator: User, viewer: User
) -> None:
    document = make_legend()
    page = client_of(curator).get(address("legend", document) + "?list")
    html = page.content.decode()
    assert TEXT in html
    assert [entity["surface"] for entity in page.context["entities"]] == ["Bax", "Bak", "MEFs"]
    assert html.count('name="edit" value="relabel"') == 3
    assert (
        'name="edit"'
        not in client_of(viewer).get(address("legend", document) + "?list").content.decode()
    )


def test_every_shortcut_has_a_button(
    make_legend: MakeLegend, client_of: ClientOf, curator: User
) -> None:
    html = client_of(curator).get(address("legend", make_legend())).content.decode()
    names = set(re.findall(r'data-command="(\w+)"', html))
    if "data-role=" in html:
        names |= {"controlled", "measured", "context"}
    if 'id="palette"' in html:  # the script puts a button a label there, and one for a panel
        names |= {"label", "panelStart"}
    names.add("escape")  # a click on the text drops a selection, and dialogs have a button
    assert {command.name for command in COMMANDS} - names == set()
