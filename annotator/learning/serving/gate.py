"""The gate: by which rules a candidate may take the place of the model in service, and what is said
where it may not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog

from annotator.common.errors import UserError
from annotator.corpus.access import Action, require
from annotator.corpus.models import Project
from annotator.learning.models import Evaluation, GateRules, ModelVersion
from annotator.learning.training.runs import TEST

if TYPE_CHECKING:
    from annotator.accounts.models import User

log = structlog.get_logger(__name__)

#: Characters that a reason has at least: a sentence, not a sigh.
MIN_REASON: Final = 20
#: Scores are kept with six decimals; a difference below this is none.
_EPSILON: Final = 1e-6


class GateError(UserError):
    """The candidate does not pass the gate, and nobody wrote why it shall serve all the same."""


@dataclass(frozen=True, slots=True)
class Rules:
    """``GateRules`` of a project. Losses are points of F1, 0-100, strict spans."""

    min_support: int = 50
    max_label_loss: float = 2.0
    max_overall_loss: float = 0.0

    @classmethod
    def of(cls, project: Project) -> Rules:
        stored = GateRules.objects.filter(project=project).first() or GateRules()
        return cls(stored.min_support, stored.max_label_loss, stored.max_overall_loss)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def in_words(self) -> str:
        """Both rules in one sentence."""
        overall = (
            f"by more than {_points(self.max_overall_loss)}" if self.max_overall_loss else "at all"
        )
        return (
            f"No label with {self.min_support:,} or more entities in the held-out papers may fall"
            f" by more than {_points(self.max_label_loss)} of F1; the micro average may not fall"
            f" {overall}."
        )


def change_gate_rules(
    *,
    project: Project,
    actor: User | None,
    min_support: int,
    max_label_loss: float,
    max_overall_loss: float,
) -> Rules:
    """Let candidates into the project's service by these rules from now on. Raises
    ``PermissionDenied``, ``UserError``."""
    require(actor, project, Action.MANAGE)
    rules = Rules(min_support, max_label_loss, max_overall_loss)
    if type(min_support) is not int or min_support < 1:
        raise UserError("The number of entities from which a label counts must be 1 or more.")
    for words, value in (("a label", max_label_loss), ("the average", max_overall_loss)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
            raise UserError(f"The points that {words} may fall must lie between 0 and 100.")
    GateRules.objects.update_or_create(project=project, defaults=rules.as_json())
    log.info(
        "gate_rules_changed",
        project=project.pk,
        actor=actor.pk if actor else None,
        **rules.as_json(),
    )
    return rules


def verdict(rules: Rules, current: Mapping[str, Any], candidate: Mapping[str, Any]) -> list[str]:
    """Why a candidate with these scores may not replace a model with those, a sentence each; empty
    where it may.

    Scores are those of ``Evaluation.scores`` on the same held-out papers. A label that the
    candidate does not know has an F1 of 0.
    """
    reasons = []
    fall = _fall(current["micro"], candidate["micro"])
    if fall > rules.max_overall_loss:
        reasons.append(
            f"The micro average falls by {_points(fall)} of F1, {_allowed(rules.max_overall_loss)}."
        )
    for label, before in sorted(current["by_label"].items()):
        after = candidate["by_label"].get(label, {"f1": 0.0})
        fall = _fall(before, after)
        if before.get("support", 0) >= rules.min_support and fall > rules.max_label_loss:
            reasons.append(
                f"{label} falls by {_points(fall)} of F1, from {before['f1']:.3f} to"
                f" {after['f1']:.3f} on {before['support']:,} entities,"
                f" {_allowed(rules.max_label_loss)}."
            )
    return reasons


def _fall(before: Mapping[str, float], after: Mapping[str, float]) -> float:
    """By how many points F1 falls; 0 where it does not."""
    lost = before["f1"] - after["f1"]
    return round(100 * lost, 4) if lost >= _EPSILON else 0.0


def _points(value: float) -> str:
    words = f"{value:.1f}".removesuffix(".0") if value >= 0.1 or not value else f"{value:.2g}"
    return f"{words} point{'' if words == '1' else 's'}"


def _allowed(points: float) -> str:
    return f"and {_points(points)} are allowed" if points else "and may not fall at all"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says of a model: ``reasons`` against it, and on what it looked in
    ``ground``."""

    reasons: tuple[str, ...]
    ground: str

    @property
    def has_passed(self) -> bool:
        return not self.reasons

    def __str__(self) -> str:
        return " ".join([*(self.reasons or ("It passes the gate.",)), self.ground]).strip()


def verdict_on(model: ModelVersion, current: ModelVersion | None, project: Project) -> Verdict:
    """Whether ``model`` may take the place of ``current``: on the newest snapshot of the project on
    whose held-out papers both were judged."""
    if current is None:
        return Verdict((), "Nothing did this step before, so there was nothing to hold it against.")
    judged = (
        Evaluation.objects.filter(snapshot__project=project, side=TEST)
        .select_related("snapshot")
        .order_by("-snapshot__number")
    )
    of_current = {
        evaluation.snapshot_id: evaluation for evaluation in judged.filter(model_version=current)
    }
    of_model = list(judged.filter(model_version=model))
    for candidate in of_model:
        if candidate.snapshot_id in of_current:
            reasons = verdict(
                Rules.of(project), of_current[candidate.snapshot_id].scores, candidate.scores
            )
            return Verdict(
                tuple(reasons),
                f"Held against {current} on the held-out papers of snapshot"
                f" {candidate.snapshot.number}.",
            )
    where = f"snapshot {of_model[0].snapshot.number}" if of_model else "the same snapshot"
    return Verdict(
        (
            (
                f"{current}, which does this now, was not judged on the held-out papers of {where},"
                " so nobody knows which is better."
            ),
        ),
        "",
    )


def pass_gate(
    model: ModelVersion, current: ModelVersion | None, project: Project, reason: str
) -> Verdict:
    """The verdict for the log. Raises ``GateError`` where it is against the model and ``reason`` is
    no reason."""
    found = verdict_on(model, current, project)
    if not found.has_passed and len(reason.strip()) < MIN_REASON:
        raise GateError(
            f"{model} does not pass the gate. {found} To put it into service all the same, write"
            f" why, in {MIN_REASON} characters or more; it is kept in the log."
        )
    return found
