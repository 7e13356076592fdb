"""The steps after decoding that a project uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from annotator.accounts.actors import Actor, log_name
from annotator.common.errors import UserError
from annotator.corpus.access import Action, require
from annotator.corpus.models import Project
from annotator.learning.models import ModelVersion
from annotator.learning.tagging.checkpoints import affixes_of
from ner_engine.errors import EngineError, LabelSchemeError
from ner_engine.registry.steps import (
    AFFIXES,
    FROM_FIRST_PANEL,
    ONE_LABEL,
    steps_named,
)

log = structlog.get_logger(__name__)

#: The step of each name as a setting: its title and what it does.
SETTINGS: Final = {
    FROM_FIRST_PANEL: (
        "Nothing before the first panel",
        "No suggestions in the text before the first panel, such as the title.",
    ),
    AFFIXES: (
        "Leave out affixes inside words",
        "The boundaries of a suggestion leave out affixes that curators leave out, such as si in"
        " siAtg5: those that come with the model, and those that this project’s decisions show.",
    ),
    ONE_LABEL: (
        "One label for one string in a paper",
        "A string gets the label that most of its suggestions in a paper have. The legends of a"
        " paper are tagged together.",
    ),
}


@dataclass(frozen=True, slots=True)
class Gain:
    """The strict micro F1 in percent on a model's validation papers, without and with a step."""

    before: float
    after: float


def as_stored(names: Sequence[str]) -> str:
    """Return the names of steps as a layer stores them."""
    return ", ".join(names)


def change_steps(*, project: Project, actor: Actor, names: Sequence[str]) -> bool:
    """Set the project's steps; return whether that changed anything.

    Suggestions that wait get them when legends are pre-tagged again. Raises ``PermissionDenied``,
    and ``UserError`` for an unknown step.
    """
    require(actor, project, Action.MANAGE)
    try:
        wanted = list(steps_named(names).names)
    except LabelSchemeError as error:
        raise UserError(f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
    if wanted == project.steps:
        return False
    Project.objects.filter(pk=project.pk).update(steps=wanted)
    project.steps = wanted
    log.info("steps_changed", project=project.pk, actor=log_name(actor), steps=wanted)
    return True


def gain_of_affixes(model: ModelVersion) -> Gain | None:
    """Return the gain of leaving out the model's affixes, None if it is not known."""
    try:
        affixes = affixes_of(model)
    except EngineError:
        return None  # the page of the model names what is wrong with its files
    if affixes is None or not {"before", "after"} <= affixes.f1.keys():
        return None
    return Gain(100 * affixes.f1["before"], 100 * affixes.f1["after"])
