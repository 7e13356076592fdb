"""The gate: a worse model needs a written reason, and what was said of it stays in the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.models import Project
from annotator.datasets.models import Snapshot
from annotator.datasets.snapshots.services import add_snapshot, build_snapshot
from annotator.learning.models import Evaluation, GateRules, ModelVersion, Promotion
from annotator.learning.serving.gate import (
    MIN_REASON,
    GateError,
    Rules,
    change_gate_rules,
    gate_reasons,
)
from annotator.learning.serving.promotion import gate_result_of, promote, roll_back
from annotator.learning.stored import StoredScores
from annotator.learning.tagging.services import serving_model

CandidateOf = Callable[..., ModelVersion]
REASON = "Curators need the new label now, and know what it costs."


def judged(overall: float, **by_label: tuple[float, int]) -> dict[str, Any]:
    def line(f1: float, support: int) -> dict[str, Any]:
        return {"precision": f1, "recall": f1, "f1": f1, "support": support}

    average = line(overall, 1000)
    lines = {label: line(*score) for label, score in by_label.items()}
    return {"micro": average, "macro": average, "by_label": lines}


def reasons_of(rules: Rules, current: dict[str, Any], candidate: dict[str, Any]) -> list[str]:
    return gate_reasons(rules, StoredScores.from_json(current), StoredScores.from_json(candidate))


shares = st.integers(0, 1_000_000).map(lambda n: n / 1_000_000)
labels = st.dictionaries(
    st.sampled_from(["CELL", "GENEPROD", "TISSUE"]),
    st.tuples(shares, st.integers(0, 200)),
    max_size=3,
)
scores_of = st.builds(lambda overall, of_labels: judged(overall, **of_labels), shares, labels)
rules_of = st.builds(Rules, st.integers(1, 200), st.floats(0, 100), st.floats(0, 100))


@given(rules_of, scores_of)
def test_a_model_passes_beside_itself(rules: Rules, scores: dict[str, Any]) -> None:
    assert reasons_of(rules, scores, scores) == []


@given(rules_of, scores_of, scores_of)
def test_a_better_model_never_gets_more_reasons(
    rules: Rules, current: dict[str, Any], candidate: dict[str, Any]
) -> None:
    better = judged(
        max(current["micro"]["f1"], candidate["micro"]["f1"]),
        **{
            label: (max(line["f1"], candidate["by_label"].get(label, line)["f1"]), line["support"])
            for label, line in current["by_label"].items()
        },
    )
    assert reasons_of(rules, current, better) == []
    assert len(reasons_of(rules, current, candidate)) >= len(reasons_of(rules, current, better))


@given(rules_of, scores_of, scores_of)
def test_each_broken_rule_is_a_reason(
    rules: Rules, current: dict[str, Any], candidate: dict[str, Any]
) -> None:
    def falls(before: float, after: float, allowed: float) -> bool:
        return before > after and round(100 * (before - after), 4) > allowed

    broken = [
        label
        for label, line in sorted(current["by_label"].items())
        if line["support"] >= rules.min_support
        and falls(
            line["f1"], candidate["by_label"].get(label, {"f1": 0.0})["f1"], rules.max_label_loss
        )
    ]
    if falls(current["micro"]["f1"], candidate["micro"]["f1"], rules.max_overall_loss):
        broken.insert(0, "The micro average")
    reasons = reasons_of(rules, current, candidate)
    assert len(reasons) == len(broken)
    assert all(reason.startswith(name) for reason, name in zip(reasons, broken, strict=True))


@given(scores_of, scores_of, rules_of, st.floats(0, 100), st.integers(0, 200))
def test_looser_rules_never_find_more(
    current: dict[str, Any],
    candidate: dict[str, Any],
    rules: Rules,
    more_points: float,
    more_entities: int,
) -> None:
    looser = Rules(
        rules.min_support + more_entities,
        rules.max_label_loss + more_points,
        rules.max_overall_loss + more_points,
    )
    assert len(reasons_of(looser, current, candidate)) <= len(reasons_of(rules, current, candidate))


def test_reasons_give_the_loss_and_the_limit() -> None:
    current = judged(0.8, CELL=(0.75, 50), TISSUE=(0.9, 49), GENEPROD=(0.8, 500))
    candidate = judged(0.79996, CELL=(0.7, 50), TISSUE=(0.1, 49), GENEPROD=(0.781, 500))
    assert reasons_of(Rules(), current, candidate) == [
        "The micro average falls by 0.004 points of F1; no loss is allowed.",
        (
            "CELL falls by 5 points of F1, from 0.750 to 0.700 on 50 entities; the limit is 2"
            " points."
        ),
    ]
    assert reasons_of(Rules(max_overall_loss=1, max_label_loss=5), current, candidate) == []


def test_a_label_the_candidate_lacks_counts_as_0() -> None:
    reasons = reasons_of(Rules(), judged(0.8, CELL=(0.75, 50)), judged(0.8))
    assert "CELL falls by 75 points" in reasons[0]


# In a project


@pytest.mark.django_db
def test_a_worse_model_needs_an_override_reason(
    learned: Snapshot, tiny: ModelVersion, candidate_of: CandidateOf, manager: User
) -> None:
    project, worse = learned.project, candidate_of(learned, f1=0.6)
    for reason in ("", "  ", "x" * (MIN_REASON - 1), f"  {'x' * (MIN_REASON - 1)}  "):
        with pytest.raises(
            GateError,
            match=(
                r"falls by 10 points of F1.*Compared with .* on the held-out papers of snapshot"
                r" 1.*write an override reason"
            ),
        ):
            promote(project=project, model_version=worse, actor=manager, reason=reason)
    assert serving_model(project) == tiny
    assert Promotion.objects.count() == 0
    promotion = promote(project=project, model_version=worse, actor=manager, reason=REASON)
    assert serving_model(project) == worse
    assert promotion.reason == REASON
    assert "The micro average falls by 10 points of F1; no loss is allowed." in promotion.verdict


@pytest.mark.django_db
def test_a_model_that_passes_needs_no_reason(
    learned: Snapshot, tiny: ModelVersion, candidate_of: CandidateOf, manager: User
) -> None:
    promotion = promote(project=learned.project, model_version=candidate_of(learned), actor=manager)
    assert promotion.verdict == (
        f"The candidate passes the gate. Compared with {tiny} on the held-out papers of snapshot 1."
    )
    assert roll_back(project=learned.project, actor=manager).verdict == ""


@pytest.mark.django_db
def test_without_a_common_evaluation_the_gate_stays_shut(
    learned: Snapshot, tiny: ModelVersion, candidate_of: CandidateOf, manager: User
) -> None:
    candidate = candidate_of(learned)
    Evaluation.objects.filter(model_version=tiny).delete()
    with pytest.raises(
        GateError,
        match=f"The serving model {tiny} has no evaluation on the held-out papers of snapshot 1",
    ):
        promote(project=learned.project, model_version=candidate, actor=manager)
    assert (
        "has no evaluation"
        in promote(
            project=learned.project, model_version=candidate, actor=manager, reason=REASON
        ).verdict
    )


@pytest.mark.django_db
def test_the_newest_snapshot_on_which_both_were_judged_decides(
    learned: Snapshot, tiny: ModelVersion, candidate_of: CandidateOf, manager: User
) -> None:
    project, candidate = learned.project, candidate_of(learned)
    newer = build_snapshot(snapshot=add_snapshot(project=project, actor=SYSTEM))
    scores = Evaluation.objects.get(model_version=candidate).scores
    Evaluation.objects.create(model_version=candidate, snapshot=newer, scores=scores, micro_f1=0.8)
    assert gate_result_of(project=project, model_version=candidate).has_passed
    Evaluation.objects.create(model_version=tiny, snapshot=newer, scores=judged(0.9), micro_f1=0.9)
    assert "falls by 10 points" in str(gate_result_of(project=project, model_version=candidate))


@pytest.mark.django_db
def test_the_project_says_by_which_rules(
    learned: Snapshot, tiny: ModelVersion, candidate_of: CandidateOf, manager: User
) -> None:
    project, worse = learned.project, candidate_of(learned, f1=0.6)
    change_gate_rules(
        project=project, actor=manager, min_support=50, max_label_loss=10, max_overall_loss=10
    )
    assert Rules.of(project) == Rules(50, 10, 10)
    assert promote(project=project, model_version=worse, actor=manager).verdict.startswith(
        "The candidate passes the gate."
    )


@pytest.mark.django_db
def test_rules_that_cannot_be_are_refused_also_by_the_database(
    project: Project, manager: User, reviewer: User
) -> None:
    good = {"min_support": 50, "max_label_loss": 2.0, "max_overall_loss": 0.0}
    for bad in (
        {"min_support": 0},
        {"min_support": True},
        {"max_label_loss": -1},
        {"max_overall_loss": 101},
        {"max_label_loss": float("nan")},
    ):
        with pytest.raises(UserError, match="must"):
            change_gate_rules(project=project, actor=manager, **{**good, **bad})
    with pytest.raises(PermissionDenied):
        change_gate_rules(project=project, actor=reviewer, **good)
    with pytest.raises(IntegrityError), transaction.atomic():
        GateRules.objects.create(project=project, max_label_loss=-1)
    assert Rules.of(project) == Rules()
