"""``manage.py promote MODEL [--project PROJECT] [--reason TEXT] [--json]``"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from annotator.accounts.actors import SYSTEM
from annotator.common.commands import JsonCommand, Outcome
from annotator.common.errors import UserError
from annotator.corpus.management.commands.import_documents import project_named
from annotator.corpus.models import Project
from annotator.learning.models import ModelTask, ModelVersion, Promotion
from annotator.learning.serving.promotion import promote
from annotator.learning.tagging.services import find_model


class Command(JsonCommand):
    help = (
        "Promote an evaluated model. Unreviewed legends are re-tagged by workers; decisions do not"
        " change. manage.py roll_back reverts it. Exit code 0: promoted; 2: nothing changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "model", metavar="MODEL", help="name of a model version, such as demo-run-1"
        )
        parser.add_argument(
            "--project",
            default="",
            help="slug of the project; required for a model that several projects may use",
        )
        parser.add_argument(
            "--reason", default="", help="override reason, or a note for the log of promotions"
        )

    def perform(self, *, model: str, project: str, reason: str, **_: Any) -> Outcome:
        target = project_named(project) if project else _project_of(model)
        return outcome_of(
            promote(
                project=target,
                model_version=find_model(name=model, project=target),
                actor=SYSTEM,
                reason=reason,
            )
        )


def outcome_of(promotion: Promotion) -> Outcome:
    """Return the outcome of a command that changed the serving model."""
    project, model = promotion.project, promotion.model_version
    summary = {
        "project": project.slug,
        "kind": promotion.kind,
        "task": model.task,
        "model": model.name,
        "replaced": promotion.replaced.name if promotion.replaced is not None else None,
        "waiting_for_tags": project.documents.undecided().count(),
    }
    stage = ""
    if model.task != ModelTask.ENTITIES:
        stage = f" for {model.get_task_display()}"
    lines = [
        f"{model} now serves {project.slug}{stage}. It replaced {promotion.replaced or 'nothing'}.",
        f"A worker will re-tag {summary['waiting_for_tags']:,} unreviewed legends. To re-tag them"
        f" here, run manage.py pretag {project.slug}.",
    ]
    return Outcome(summary, lines)


def _project_of(name: str) -> Project:
    """Return the project that a model was trained for. Raise ``UserError`` without one."""
    model = ModelVersion.objects.filter(name=name).select_related("project__label_set").first()
    if model is None:
        names = ModelVersion.objects.filter(retired_at=None).values_list("name", flat=True)
        known = ", ".join(names[:10]) or "none yet"
        raise UserError(f'There is no model "{name}". Models: {known}.')
    if model.project is None:
        raise UserError(f"Every project may use {name}. Name the project: --project PROJECT.")
    return model.project
