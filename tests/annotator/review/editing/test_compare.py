"""Two versions of a legend held against each other."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.http import urlencode
from hypothesis import given
from hypothesis import strategies as st

from annotator.accounts.models import User
from annotator.corpus.models import Document, Layer, LayerKind, Project, Span
from annotator.review.editing.compare import Change, compare, counts, paired
from annotator.review.editing.leases import claim_lease, release_lease
from annotator.review.editing.legend import Entity
from annotator.review.editing.reading import legend_state, rebuilt_state
from annotator.review.editing.versions import Version, pair_to_compare, versions
from tests.annotator.review.conftest import MakeLegend, Operate

ClientOf = Callable[[User | None], Client]


def url(document: Document) -> str:
    return reverse("review:compare", args=[document.project.slug, document.pk])


def entity(start: int, end: int, label: str = "CELL", role: str = "", key: str = "") -> Entity:
    return Entity(key or f"{start}-{end}-{label}", start, end, label, role)


def test_each_kind_of_change_is_recognised() -> None:
    old = [entity(0, 3), entity(5, 9), entity(12, 15), entity(20, 22), entity(30, 33, "GENEPROD")]
    new = [
        entity(0, 3),
        entity(5, 11),
        entity(12, 15, "TISSUE"),
        entity(26, 28),
        entity(30, 33, "GENEPROD", "BORING"),
    ]
    differences = [("moved", 5), ("relabelled", 12), ("lost", 20), ("added", 26), ("role", 30)]
    assert [(each.change.value, each.start) for each in paired(old, new)] == [
        ("same", 0),
        *differences,
    ]
    assert [(each.change.value, each.start) for each in compare(old, new)] == differences


def test_the_partner_with_the_best_overlap_is_taken() -> None:
    found = paired([entity(0, 10), entity(2, 5)], [entity(2, 5), entity(0, 8)])
    assert [
        (each.change, each.old and each.old.end, each.new and each.new.end) for each in found
    ] == [(Change.MOVED, 10, 8), (Change.SAME, 5, 5)]
    split = paired([entity(0, 20)], [entity(0, 4), entity(5, 20, "TISSUE")])
    assert [(each.change, each.start) for each in split] == [
        (Change.RELABELLED, 0),
        (Change.ADDED, 0),
    ]
    even = paired([entity(0, 9)], [entity(0, 4, "TISSUE"), entity(5, 9)])
    assert [(each.change, each.new and each.new.start) for each in even] == [
        (Change.MOVED, 5),
        (Change.ADDED, 0),
    ]


spans = st.lists(
    st.tuples(
        st.integers(0, 20),
        st.integers(1, 6),
        st.sampled_from(["CELL", "TISSUE"]),
        st.sampled_from(["", "BORING"]),
    ),
    max_size=8,
).map(
    lambda rows: [
        Entity(str(number), start, start + n, label, role)
        for number, (start, n, label, role) in enumerate(rows)
    ]
)


@given(spans, st.randoms(use_true_random=False))
def test_a_version_does_not_differ_from_itself(found: list[Entity], random: Random) -> None:
    assert compare(found, random.sample(found, len(found))) == []


@given(spans, spans)
def test_every_entity_of_both_sides_stands_in_exactly_one_pair(
    old: list[Entity], new: list[Entity]
) -> None:
    found = paired(old, new)
    assert sorted(each.old.key for each in found if each.old) == sorted(each.key for each in old)
    assert sorted(each.new.key for each in found if each.new) == sorted(each.key for each in new)
    assert all(
        each.old.overlaps(each.new.start, each.new.end) for each in found if each.old and each.new
    )
    tally = counts(found)
    kept = tally[Change.SAME] + tally[Change.ROLE] + tally[Change.MOVED] + tally[Change.RELABELLED]
    assert kept + tally[Change.LOST] == len(old)
    assert kept + tally[Change.ADDED] == len(new)
    assert compare(old, new) == [each for each in found if each.change != Change.SAME]


@given(spans, spans)
def test_exchanging_the_versions_turns_added_into_lost(
    old: list[Entity], new: list[Entity]
) -> None:
    other_name = {Change.ADDED: Change.LOST, Change.LOST: Change.ADDED}

    def look(found: Entity | None) -> tuple[object, ...]:
        return (found.start, found.end, found.label, found.role) if found else ()

    forth = sorted((each.change, look(each.old), look(each.new)) for each in paired(old, new))
    back = sorted(
        (other_name.get(each.change, each.change), look(each.new), look(each.old))
        for each in paired(new, old)
    )
    assert forth == back


def test_thousands_of_entities_find_each_their_own_partner() -> None:
    old = [entity(10 * n, 10 * n + 6) for n in range(3000)]
    found = compare(old, [entity(10 * n + 1, 10 * n + 6) for n in range(3000)])
    assert [(pair.old.start, pair.new.start) for pair in found if pair.old and pair.new] == [
        (10 * n, 10 * n + 1) for n in range(3000)
    ]


def seen(document: Document) -> list[Version]:
    document = Document.objects.get(pk=document.pk)
    return versions(document, legend_state(document))


@pytest.mark.django_db
def test_versions_are_models_file_acceptances_and_now(
    make_legend: MakeLegend, operate: Operate
) -> None:
    document = make_legend(imported=[("inhibitor", "SMALL_MOLECULE", None)])
    assert [version.title.split(",")[0] for version in seen(document)] == [
        "as imported",
        "suggested by bundled",
    ]
    operate(document, "relabel", entity="s0", label="CELL")
    operate(document, "accept_legend")
    assert [version.title.split(",")[0] for version in seen(document)] == [
        "as accepted",
        "as imported",
        "suggested by bundled",
    ]
    operate(document, "reopen_legend")
    operate(document, "reject", entity="s1")
    found = seen(document)
    assert [
        (version.title.split(",")[0], len(version.entities), version.is_machine)
        for version in found
    ] == [
        ("decided so far", 3, False),
        ("accepted by curator", 4, False),
        ("as imported", 1, False),
        ("suggested by bundled", 3, True),
    ]
    old, new = pair_to_compare(found) or (None, None)
    assert old == found[3]
    assert new == found[0]
    assert pair_to_compare(found, found[1].key, "now") == (found[1], found[0])
    assert pair_to_compare(found, "nonsense", "nonsense") == (old, new)
    assert pair_to_compare(found[:1]) is None


@pytest.mark.django_db
def test_two_models_are_compared_where_nobody_decided_yet(make_legend: MakeLegend) -> None:
    document = make_legend()
    Layer.objects.update(superseded_at="2026-01-01T00:00Z")
    layer = Layer.objects.create(document=document, kind=LayerKind.SUGGESTED, source="newer")
    Span.objects.create(layer=layer, key="n0", start=4, end=7, surface="Bax", label="CELL")
    old, new = pair_to_compare(seen(document)) or (None, None)
    assert old
    assert new
    assert old.title.split(",")[0] == "suggested by bundled"
    assert new.title.split(",")[0] == "suggested by newer"


@pytest.mark.django_db
def test_a_blind_legend_hides_suggestions_until_accepted(
    make_legend: MakeLegend, operate: Operate, curator: User, client_of: ClientOf
) -> None:
    document = make_legend()
    Project.objects.update(blind_share=1.0)
    assert Document.objects.get(pk=document.pk).is_blind
    assert seen(document) == []
    operate(document, "add", start=4, end=7, label="GENEPROD")
    layer = document.layers.get(kind=LayerKind.SUGGESTED)
    page = client_of(curator).get(url(document), {"old": f"layer-{layer.pk}"}).content.decode()
    assert "only one version" in page
    assert "bundled" not in page
    operate(document, "accept_legend")
    assert [version.is_machine for version in seen(document)] == [False, True]


@pytest.mark.django_db
def test_the_page_shows_differences_in_context_and_agreement(
    make_legend: MakeLegend, operate: Operate, viewer: User, client_of: ClientOf
) -> None:
    document = make_legend(text="(A) Bax & Bak in <MEFs>.")
    operate(document, "relabel", entity="s0", label="CELL")
    operate(document, "accept", entity="s2")
    operate(document, "add", start=0, end=3, label="ORGANISM")
    answer = client_of(viewer).get(url(document))
    context, page = answer.context, answer.content.decode()
    assert [(sign, n) for sign, _, n in context["tally"]] == [
        ("+", 1),
        ("≠", 1),
        ("?", 1),
        ("=", 1),
    ]
    assert [(line.words, line.before, line.after, line.key) for line in context["lines"]] == [
        ("added", "", "“(A)” organism", ""),
        ("relabelled", "“Bax” gene product", "“Bax” cell", ""),
    ]
    assert context["lines"][1].context == ("(A) ", " & Bak in <MEFs>.")
    assert "".join(text for text, _, _ in context["pieces"]) == document.text
    assert [(text, kind, sign) for text, kind, sign in context["pieces"] if kind] == [
        ("(A)", "new", "+OR"),
        ("Bax", "changed", "≠GP→CE"),
        ("Bak", "open", "?GP"),
        ("MEFs", "both", "CE"),
    ]
    agreement = context["agreement"]
    assert agreement.n_correct == 1
    assert agreement.n_predicted == 2
    assert agreement.support == 3
    assert "precision 0.50, recall 0.33, F1 0.40" in " ".join(page.split())
    assert "&lt;<sup" in page
    assert "Take this" not in page


def pressed(page: str, surface: str) -> dict[str, str]:
    """The fields of the form in the row of a string."""
    row = next(row for row in re.findall(r"<tr>.*?</tr>", page, re.DOTALL) if f"“{surface}”" in row)
    return dict(re.findall(r'name="(id|base_revision|take)" value="([^"]*)"', row))


@pytest.fixture
def take_from_page(curator: User, client_of: ClientOf) -> Callable[..., Any]:
    """Press "Take this" in the row of a string; the answer."""

    def press(document: Document, surface: str, **query: str) -> Any:
        client, address = client_of(curator), f"{url(document)}?{urlencode(query)}"
        return client.post(
            address,
            pressed(client.get(address).content.decode(), surface),
            headers={"HX-Request": "true"},
        )

    return press


def standing(document: Document) -> set[tuple[str, str, str, str]]:
    rows = Span.objects.filter(layer__document=document, layer__kind="decided", verdict="accepted")
    return {(span.key, span.surface, span.label, span.role) for span in rows}


@pytest.mark.django_db
def test_taking_over_keeps_the_identity_of_an_entity(
    make_legend: MakeLegend, operate: Operate, take_from_page: Any
) -> None:
    document = make_legend()
    operate(document, "reject", entity="s1")
    operate(document, "accept", entity="s0")
    answer = take_from_page(document, "Bak")
    assert json.loads(answer["HX-Trigger"]) == {"legend-changed": {"revision": 3}}
    assert "The change was copied into the legend." in answer.content.decode()
    take_from_page(document, "MEFs")
    assert standing(document) == {
        ("s0", "Bax", "GENEPROD", ""),
        ("s1", "Bak", "GENEPROD", ""),
        ("s2", "MEFs", "CELL", ""),
    }
    assert [operation.kind for operation in document.operations.all()[2:]] == ["accept", "accept"]


@pytest.mark.django_db
def test_range_label_and_role_are_taken_over_together(
    make_legend: MakeLegend, operate: Operate, take_from_page: Any
) -> None:
    document = make_legend(suggested=[("Bax", "GENEPROD", 0.9)])
    operate(document, "set_role", entity="s0", role="MEASURED_VAR")
    operate(document, "add", start=61, end=70, label="SMALL_MOLECULE", role="CONTROLLED_VAR")
    operate(document, "accept_legend")
    accepted = standing(document)
    operate(document, "reopen_legend")
    operate(document, "move_edges", entity="s0", start=4, end=15)
    operate(document, "relabel", entity="s0", label="CELL")
    operate(document, "set_role", entity="s0", role="BORING")
    operate(document, "remove", entity=next(key for key, *_ in accepted if key != "s0"))
    earlier = next(version.key for version in seen(document) if version.key.startswith("revision"))
    assert json.loads(take_from_page(document, "Bax", old=earlier)["HX-Trigger"]) == {
        "legend-changed": {"revision": 11}
    }
    take_from_page(document, "inhibitor", old="now", new=earlier)  # the other way round
    assert {row[1:] for row in standing(document)} == {row[1:] for row in accepted}
    assert ("s0", "Bax", "GENEPROD", "MEASURED_VAR") in standing(document)
    assert (
        rebuilt_state(document).decided
        == legend_state(Document.objects.get(pk=document.pk)).decided
    )


@pytest.mark.django_db
def test_a_late_or_locked_take_over_changes_nothing(
    make_legend: MakeLegend, operate: Operate, curator: User, reviewer: User, client_of: ClientOf
) -> None:
    document = make_legend()
    operate(document, "accept", entity="s0")
    client = client_of(curator)
    fields = pressed(client.get(url(document)).content.decode(), "Bak")

    def send(**changes: str) -> tuple[int, str]:
        answer = client.post(url(document), fields | changes, headers={"HX-Request": "true"})
        assert "HX-Trigger" not in answer
        return answer.status_code, re.findall(r'role="alert">([^<]*)', answer.content.decode())[0]

    assert send(take="nobody") == (
        422,
        "The two versions do not differ in this entity any more. Reload the comparison.",
    )
    assert send(base_revision="x")[0] == send(take="")[0] == send(id="no uuid")[0] == 422
    claim_lease(document=document, actor=reviewer, take_over=True)
    assert send()[1].startswith("reviewer is working on this legend now")
    operate(document, "reject", entity="s1", actor=reviewer)
    assert send()[0] == 409
    release_lease(document=document, actor=reviewer)
    assert send()[0] == 409
    assert standing(document) == {("s0", "Bax", "GENEPROD", "")}


@pytest.mark.django_db
def test_of_an_accepted_legend_nothing_is_taken_over(
    make_legend: MakeLegend, operate: Operate, curator: User, client_of: ClientOf
) -> None:
    document = make_legend()
    operate(document, "reject", entity="s1")
    fields = pressed(client_of(curator).get(url(document)).content.decode(), "Bak")
    operate(document, "accept_legend")
    page = client_of(curator).get(url(document)).content.decode()
    assert "1 lost" in page
    assert "Take this" not in page
    assert (
        client_of(curator).post(url(document), fields | {"base_revision": "2"}).status_code == 422
    )


@pytest.mark.django_db
def test_the_comparison_takes_few_queries(
    make_legend: MakeLegend, operate: Operate, curator: User, client_of: ClientOf
) -> None:
    document = make_legend()
    for _ in range(3):
        operate(document, "accept_legend")
        operate(document, "reopen_legend")
    client = client_of(curator)
    client.get(url(document))
    with CaptureQueriesContext(connection) as queries:
        client.get(url(document))
    assert len(queries) <= 16
