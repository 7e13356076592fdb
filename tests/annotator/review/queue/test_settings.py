"""Review settings: what they mean for waiting legends, and what random samples estimate."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse
from hypothesis import example, given
from hypothesis import strategies as st

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.models import Document, Project
from annotator.review.editing.errors import OperationError
from annotator.review.editing.panels import panel_problems
from annotator.review.queue.estimates import Row, honest_estimate, share_of, tally, wilson
from annotator.review.queue.settings import change_review_settings
from tests.annotator.html import html_of
from tests.annotator.review.conftest import MakeLegend, Operate

ClientOf = Callable[[User | None], Client]
SETTINGS: dict[str, Any] = {
    "review_mode": "decide",
    "threshold": 0.8,
    "queue_order": "certainty",
    "random_share": 0.1,
    "blind_share": 0.05,
}
FIELDS = {
    "review_mode": "decide",
    "threshold_percent": "80",
    "queue_order": "certainty",
    "random_percent": "10",
    "blind_percent": "5",
}


def settings_of(project: Project) -> dict[str, Any]:
    return Project.objects.values(*SETTINGS).get(pk=project.pk)


# Settings
# ------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_manager_says_how_legends_are_reviewed(project: Project, manager: User) -> None:
    assert settings_of(project) == {
        "review_mode": "sweep",
        "threshold": 0.5,
        "queue_order": "import",
        "random_share": 0.0,
        "blind_share": 0.0,
    }
    assert change_review_settings(project=project, actor=manager, **SETTINGS) == list(SETTINGS)
    assert settings_of(project) == SETTINGS
    assert change_review_settings(project=project, actor=manager, **SETTINGS) == []


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["reviewer", "curator", "viewer", "stranger"])
def test_nobody_else_does(who: str, project: Project, request: pytest.FixtureRequest) -> None:
    with pytest.raises(PermissionDenied):
        change_review_settings(project=project, actor=request.getfixturevalue(who), **SETTINGS)
    assert settings_of(project)["review_mode"] == "sweep"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "wrong",
    [
        {"review_mode": "guess"},
        {"queue_order": ""},
        {"threshold": 1.01},
        {"random_share": -0.1},
        {"blind_share": float("nan")},
        {"threshold": "0.5"},
        {"random_share": True},
    ],
)
def test_nonsense_is_refused_with_a_sentence_and_changes_nothing(
    wrong: dict[str, Any], project: Project, manager: User
) -> None:
    before = settings_of(project)
    with pytest.raises(UserError, match=r"\.$"):
        change_review_settings(project=project, actor=manager, **(SETTINGS | wrong))
    assert settings_of(project) == before


@pytest.mark.django_db
def test_the_settings_page_shows_and_takes_the_settings(
    project: Project, client_of: ClientOf, manager: User
) -> None:
    url = reverse("review:settings", args=[project.slug])
    client = client_of(manager)
    assert client.get(url).context["form"].initial["random_percent"] == 0
    answer = client.post(url, FIELDS)
    assert answer.status_code == 302
    assert answer["Location"] == url
    assert settings_of(project) == SETTINGS
    assert client.get(url).context["form"].initial["blind_percent"] == 5


@pytest.mark.django_db
@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold_percent": "101"},
        {"threshold_percent": "NaN"},
        {"random_percent": "101"},
        {"queue_order": "x"},
        {"review_mode": ""},
    ],
)
def test_bad_input_answers_422_with_the_form(
    wrong: dict[str, str], project: Project, client_of: ClientOf, manager: User
) -> None:
    before = settings_of(project)
    answer = client_of(manager).post(
        reverse("review:settings", args=[project.slug]), FIELDS | wrong
    )
    assert answer.status_code == 422
    assert b'class="field-error"' in answer.content
    assert settings_of(project) == before


@pytest.mark.django_db
def test_queue_and_project_link_to_the_settings_for_managers(
    make_legend: MakeLegend, project: Project, client_of: ClientOf, manager: User, curator: User
) -> None:
    make_legend()
    url = reverse("review:settings", args=[project.slug])
    for page in (
        reverse("review:queue", args=[project.slug]),
        reverse("corpus:project", args=[project.slug]),
    ):
        assert url in client_of(manager).get(page).content.decode()
        assert url not in client_of(curator).get(page).content.decode()


# Facts of the review page
# ------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_page_gets_the_rules_and_the_open_entities(
    make_legend: MakeLegend, project: Project, client_of: ClientOf, curator: User
) -> None:
    change_review_settings(
        project=project, actor=SYSTEM, **(SETTINGS | {"threshold": 0.92, "blind_share": 0.0})
    )
    document = make_legend()
    Document.objects.update(n_questions=2)
    page = client_of(curator).get(reverse("review:legend", args=[project.slug, document.pk]))
    facts = page.context["facts"]
    assert facts["mode"] == "decide"
    assert facts["threshold"] == 0.92
    assert facts["questions"] == 2
    assert {key: (entity["below"], entity["low"]) for key, entity in facts["entities"].items()} == {
        "s0": (False, False),
        "s1": (True, True),
        "s2": (True, True),
    }
    assert page.content.decode().count("e suggested low") == 2


@pytest.mark.django_db
def test_an_unsure_suggestion_is_dotted_at_a_lower_threshold(
    make_legend: MakeLegend, project: Project, client_of: ClientOf, curator: User
) -> None:
    Project.objects.update(threshold=0.1)
    document = make_legend()
    facts = (
        client_of(curator)
        .get(reverse("review:legend", args=[project.slug, document.pk]))
        .context["facts"]
    )
    assert facts["entities"]["s1"]["low"] is True
    assert facts["entities"]["s1"]["below"] is False


@pytest.mark.django_db
def test_acceptance_waits_for_suggestions_below_the_threshold(
    make_legend: MakeLegend, operate: Operate, project: Project
) -> None:
    change_review_settings(project=project, actor=SYSTEM, **(SETTINGS | {"blind_share": 0.0}))
    document = make_legend()
    with pytest.raises(OperationError, match="1 suggestion waits"):
        operate(document, "accept_legend")
    operate(document, "reject", entity="s1")
    assert operate(document, "accept_legend").state.accepted


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("(A) x (B, C) y (D) z", []),
        ("A–C x D y", []),
        ("(a) x (c) y", ["Panel B is missing before C."]),
        ("(A) x (E) y", ["Panel B–D is missing before E."]),
        ("(A) x (B) y (B) z", ["Panel B comes after B."]),
        ("(A–C) x (B) y", ["Panel B comes after C."]),
    ],
)
def test_odd_panel_letters_are_reported(
    text: str,
    problems: list[str],
    make_legend: MakeLegend,
    project: Project,
    client_of: ClientOf,
    curator: User,
) -> None:
    starts = [index for index, char in enumerate(text) if char == "("] or [0, text.index("D")]
    document = make_legend(text, suggested=None, panels=[("", 0, len(text))])
    client = client_of(curator)
    operation = {
        "id": "7f3f4b1e-96d4-4a26-bb3c-5f3a2b6d5c10",
        "kind": "set_panels",
        "base_revision": 0,
        "arguments": {"starts": starts},
    }
    url = reverse("review:operations", args=[project.slug, document.pk])
    assert (
        client.post(url, json.dumps(operation), content_type="application/json").json()[
            "panelProblems"
        ]
        == problems
    )
    facts = client.get(reverse("review:legend", args=[project.slug, document.pk])).context["facts"]
    assert facts["panelProblems"] == problems


def test_panels_without_letters_are_no_problem() -> None:
    assert panel_problems([]) == []


# Kinds of decisions
# ------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_exported_legend_says_how_each_entity_was_decided(
    make_legend: MakeLegend, operate: Operate, project: Project, tmp_path: Path
) -> None:
    from annotator.datasets.exports.services import export_dataset

    text = "Bax Bax Bak MEFs HeLa"
    found = [
        ("Bax", "GENEPROD", 0.9),
        ("Bak", "GENEPROD", 0.95),
        ("MEFs", "CELL", 0.2),
        ("HeLa", "CELL", 0.9),
    ]
    document = make_legend(text, suggested=found, imported=[("HeLa", "CELL", None)])
    operate(document, "accept", entity="s0")
    operate(document, "propagate", entity="s0")
    operate(document, "accept_legend")
    export_dataset(project=project, format_name="jsonl", out_dir=tmp_path / "out", actor=SYSTEM)
    rows = [
        json.loads(line)
        for file in (tmp_path / "out").rglob("*.jsonl")
        for line in file.read_text().splitlines()
    ]
    spans = [span for row in rows for span in row.get("spans", row.get("gold", []))]
    kinds = {
        (span["start"], span["text"] if "text" in span else span["surface"]): span["attributes"][
            "decision"
        ]
        for span in spans
    }
    assert kinds == {
        (0, "Bax"): "explicit",
        (4, "Bax"): "propagated",
        (8, "Bak"): "swept",
        (17, "HeLa"): "imported",
    }


# Estimates from random samples
# ------------------------------------------------------------------------------------------


def row(key: str, start: int, end: int, label: str = "CELL", **facts: str) -> Row:
    return Row(key, start, end, label, **facts)


def test_each_suggestion_and_each_entity_is_counted_once() -> None:
    suggested = [
        row("a", 0, 3),
        row("b", 4, 7),
        row("c", 8, 11),
        row("d", 12, 15),
        row("e", 16, 19),
        row("f", 20, 23),
    ]
    decided = [
        row("a", 0, 3),  # as suggested
        row("b", 4, 7, "TISSUE"),  # relabelled
        row("c", 8, 11, verdict="rejected"),
        row("add-1", 12, 15),  # added where the same was suggested
        row("add-2", 15, 19),  # added in place of what was suggested beside it
        row("add-3", 30, 33),  # missed
    ]
    counted = tally(suggested, decided)
    assert counted == (2, 2, 2, 1)
    assert counted.suggested == 6
    assert counted.true == 5
    assert tally([], []) == (0, 0, 0, 0)


@st.composite
def legends(draw: st.DrawFn) -> tuple[list[Row], list[Row]]:
    ranges = st.tuples(st.integers(0, 30), st.integers(1, 5), st.sampled_from("XY"))
    made = [
        [
            row(f"{side}{n}", start, start + long, label)
            for n, (start, long, label) in enumerate(draw(st.lists(ranges, max_size=8)))
        ]
        for side in "sd"
    ]
    shared = draw(st.integers(0, 8))
    return made[0], [
        *(
            Row(each.key, *other[1:])
            for each, other in zip(made[0][:shared], made[1], strict=False)
        ),
        *made[1][shared:],
    ]


@given(legends())
def test_the_counts_add_up(legend: tuple[list[Row], list[Row]]) -> None:
    suggested, decided = legend
    counted = tally(suggested, decided)
    assert counted.suggested == len(suggested)
    assert counted.true == len(decided)
    assert tally(suggested, suggested) == (len(suggested), 0, 0, 0)


@example(0, 261)
@given(st.integers(0, 500), st.integers(1, 500))
def test_a_range_holds_its_share_and_lies_between_0_and_1(n: int, more: int) -> None:
    low, high = wilson(n, n + more)
    assert 0 <= low <= n / (n + more) <= high <= 1


def test_ranges_are_those_of_wilson() -> None:
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


def test_legends_that_differ_much_make_the_range_wider() -> None:
    alike, unlike = share_of([(8, 10)] * 20), share_of([(10, 10)] * 16 + [(0, 10)] * 4)
    assert alike.value == unlike.value == 0.8
    assert (alike.low, alike.high) == pytest.approx(wilson(160, 200))
    assert unlike.high - unlike.low > 2 * (alike.high - alike.low)


@pytest.mark.django_db
def test_the_estimate_uses_random_and_blind_samples_alone(
    make_legend: MakeLegend, operate: Operate, project: Project
) -> None:
    def set_shares(random: float, blind: float) -> None:
        Project.objects.update(random_share=random, blind_share=blind)

    assert not honest_estimate(project)
    operate(make_legend(), "accept_legend")
    set_shares(1.0, 0.0)
    drawn = [make_legend() for _ in range(2)]
    operate(drawn[0], "relabel", entity="s1", label="CELL")
    operate(drawn[1], "reject", entity="s1")
    operate(drawn[1], "add", start=46, end=50, label="CELL")
    for document in drawn:
        operate(document, "accept_legend")
    set_shares(0.0, 1.0)
    blind = make_legend()
    operate(blind, "add", start=4, end=7, label="GENEPROD")
    operate(blind, "add", start=12, end=15, label="CELL")
    operate(blind, "accept_legend")
    set_shares(1.0, 1.0)
    project.refresh_from_db()
    estimate = honest_estimate(project)
    assert [(words, share[1], share[2]) for words, share, *_ in estimate.rows] == [
        ("taken as suggested", 4, 6),
        ("corrected", 1, 6),
        ("rejected or left out", 1, 6),
        ("missing, added by hand", 1, 6),
    ]
    assert estimate.n_drawn == 2
    assert estimate.n_blind == 1
    assert estimate.agreement is not None
    assert estimate.agreement.n_correct == 1
    assert estimate.agreement.n_predicted == 3
    assert estimate.agreement.support == 2


@pytest.mark.django_db
def test_each_legend_counts_by_its_last_acceptance(
    make_legend: MakeLegend, operate: Operate, project: Project
) -> None:
    document = make_legend()
    operate(document, "accept_legend")
    Project.objects.update(random_share=1.0)
    project.refresh_from_db()
    assert honest_estimate(project).n_drawn == 0
    operate(document, "reopen_legend")
    assert honest_estimate(project).n_drawn == 0
    operate(document, "accept_legend")
    assert honest_estimate(project).n_drawn == 1


@pytest.mark.django_db
def test_the_settings_page_shows_what_chance_told(
    make_legend: MakeLegend, operate: Operate, project: Project, client_of: ClientOf, manager: User
) -> None:
    client, url = client_of(manager), reverse("review:settings", args=[project.slug])
    assert "No estimate yet" in client.get(url).content.decode()
    Project.objects.update(random_share=1.0)
    operate(make_legend(), "accept_legend")
    page = html_of(client.get(url))
    assert "From a random sample of 1 accepted legend" in page
    assert "3 of 3 suggestions" in page
    Project.objects.update(blind_share=1.0)
    operate(make_legend(), "accept_legend")
    assert "1 legend of the blind sample" in html_of(client.get(url))
