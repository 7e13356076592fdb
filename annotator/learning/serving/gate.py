"""The promotion gate: the rules that decide whether a candidate may replace the serving model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import structlog

from annotator.accounts.actors import Actor, log_name
from annotator.common.errors import UserError
from annotator.corpus.access import Action, require
from annotator.corpus.models import Project
from annotator.learning.models import Evaluation, GateRules, ModelVersion
from annotator.learning.stored import StoredScore, StoredScores
from annotator.learning.training.data import TEST

log = structlog.get_logger(__name__)

#: The shortest override reason, in characters: long enough for a sentence.
MIN_REASON: Final = 20


class GateError(UserError):
    """The candidate does not pass the gate, and no override reason was given."""


# Rules


@dataclass(frozen=True, slots=True)
class Rules:
    """The gate rules of a project. Losses are points of F1 (0-100) of strict spans."""

    min_support: int = 50
    max_label_loss: float = 2.0
    max_overall_loss: float = 0.0

    @classmethod
    def of(cls, project: Project) -> Rules:
        """Return the project's rules, or the defaults if it has none of its own."""
        stored = GateRules.objects.filter(project=project).first() or GateRules()
        return cls(stored.min_support, stored.max_label_loss, stored.max_overall_loss)

    def as_json(self) -> dict[str, Any]:
        """Return the rules by name."""
        return asdict(self)

    @property
    def in_words(self) -> str:
        """The rules in one sentence."""
        overall = "at all"
        if self.max_overall_loss:
            overall = f"by more than {_points(self.max_overall_loss)}"
        return (
            f"No label with {self.min_support:,} or more entities in the held-out papers may lose"
            f" more than {_points(self.max_label_loss)} of F1; the micro average may not fall"
            f" {overall}."
        )


def change_gate_rules(
    *,
    project: Project,
    actor: Actor,
    min_support: int,
    max_label_loss: float,
    max_overall_loss: float,
) -> Rules:
    """Store new gate rules for the project and return them.

    Raises ``PermissionDenied``, and ``UserError`` if a value is out of range.
    """
    require(actor, project, Action.MANAGE)
    if type(min_support) is not int or min_support < 1:
        raise UserError("The minimum number of entities must be a whole number of 1 or more.")
    _refuse_points("The largest loss of a label", max_label_loss)
    _refuse_points("The largest loss of the micro average", max_overall_loss)
    rules = Rules(min_support, max_label_loss, max_overall_loss)
    GateRules.objects.update_or_create(project=project, defaults=rules.as_json())
    log.info(
        "gate_rules_changed",
        project=project.pk,
        actor=log_name(actor),
        **rules.as_json(),
    )
    return rules


def _refuse_points(name: str, value: float) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= 100:
        raise UserError(f"{name} must lie between 0 and 100 points.")


def gate_reasons(rules: Rules, current: StoredScores, candidate: StoredScores) -> list[str]:
    """Return the reasons, a sentence each, why a candidate may not replace the current model.

    Both scores are those on the same held-out papers. A label that the candidate does not predict
    counts with an F1 of 0.
    """
    reasons = []
    loss = _loss(current.micro.f1, candidate.micro.f1)
    if loss > rules.max_overall_loss:
        allowed = _allowed(rules.max_overall_loss)
        reasons.append(f"The micro average falls by {_points(loss)} of F1; {allowed}.")
    reasons.extend(_label_reasons(rules, current.by_label, candidate.by_label))
    return reasons


def _label_reasons(
    rules: Rules, current: Mapping[str, StoredScore], candidate: Mapping[str, StoredScore]
) -> Iterator[str]:
    for label, before in sorted(current.items()):
        support = before.support or 0
        if support < rules.min_support:
            continue
        f1 = candidate[label].f1 if label in candidate else 0.0
        loss = _loss(before.f1, f1)
        if loss > rules.max_label_loss:
            yield (
                f"{label} falls by {_points(loss)} of F1, from {before.f1:.3f} to {f1:.3f} on"
                f" {support:,} entities; {_allowed(rules.max_label_loss)}."
            )


def _loss(before: float, after: float) -> float:
    """Return the loss of F1 (0-1) in points, or 0 if F1 did not fall."""
    return max(0.0, round(100 * (before - after), 4))


def _points(value: float) -> str:
    if 0 < value < 0.1:
        return f"{value:.2g} points"
    number = f"{value:.1f}".removesuffix(".0")
    return f"{number} point" if number == "1" else f"{number} points"


def _allowed(points: float) -> str:
    if not points:
        return "no loss is allowed"
    return f"the limit is {_points(points)}"


# Results


@dataclass(frozen=True, slots=True)
class GateResult:
    """A gate result: the ``reasons`` against the model, and the ``basis`` of the comparison."""

    reasons: tuple[str, ...]
    basis: str

    @property
    def has_passed(self) -> bool:
        """Whether there is no reason against the model."""
        return not self.reasons

    def __str__(self) -> str:
        reasons = self.reasons or ("The candidate passes the gate.",)
        return " ".join([*reasons, self.basis]).strip()


def gate_result(model: ModelVersion, current: ModelVersion | None, project: Project) -> GateResult:
    """Return the gate result of replacing ``current`` by ``model``.

    The comparison uses the project's newest snapshot on whose held-out papers both models were
    evaluated.
    """
    if current is None:
        return GateResult((), "No model served this stage before, so there was no comparison.")
    evaluations = (
        Evaluation.objects.filter(snapshot__project=project, split=TEST)
        .select_related("snapshot")
        .order_by("-snapshot__number")
    )
    of_current = {each.snapshot_id: each for each in evaluations.filter(model_version=current)}
    of_model = list(evaluations.filter(model_version=model))
    for evaluation in of_model:
        if evaluation.snapshot_id in of_current:
            reference = of_current[evaluation.snapshot_id]
            reasons = gate_reasons(
                Rules.of(project), StoredScores.of(reference), StoredScores.of(evaluation)
            )
            number = evaluation.snapshot.number
            basis = f"Compared with {current} on the held-out papers of snapshot {number}."
            return GateResult(tuple(reasons), basis)
    return GateResult((_no_common_evaluation(current, of_model),), "")


def _no_common_evaluation(current: ModelVersion, of_model: list[Evaluation]) -> str:
    where = f"snapshot {of_model[0].snapshot.number}" if of_model else "the same snapshot"
    return (
        f"The serving model {current} has no evaluation on the held-out papers of {where}, so the"
        " two models cannot be compared."
    )


def pass_gate(
    model: ModelVersion, current: ModelVersion | None, project: Project, reason: str
) -> GateResult:
    """Return the gate result for the log.

    Raises ``GateError`` if the model does not pass and ``reason`` is too short to override that.
    """
    result = gate_result(model, current, project)
    if not result.has_passed and len(reason.strip()) < MIN_REASON:
        raise GateError(
            f"{model} does not pass the gate, and no override reason was given. {result} To promote"
            f" it anyway, write an override reason of {MIN_REASON} characters or more; it is kept"
            " in the promotion log."
        )
    return result
