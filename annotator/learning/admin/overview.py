"""The first page of the admin: serving models, scores and progress of each project."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from annotator.accounts.users import signed_in
from annotator.corpus.access import Action, can
from annotator.corpus.models import Project
from annotator.corpus.services import may_create_project
from annotator.datasets.models import SnapshotState
from annotator.learning.models import Evaluation
from annotator.learning.tagging.services import lineup_of
from annotator.learning.training import automatic
from annotator.learning.training.data import TEST

_MAX_PROJECTS = 100


def add_overview(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Return the context of the first page, with a summary of each project the user sees."""
    projects = Project.objects.visible_to(signed_in(request)).filter(archived_at=None)
    return {
        **context,
        "overview": [_summary(request, project) for project in projects[:_MAX_PROJECTS]],
        "may_create": may_create_project(request.user),
    }


def _summary(request: HttpRequest, project: Project) -> dict[str, Any]:
    stages = lineup_of(project).stages
    serving = stages[0].model
    snapshot = project.snapshots.filter(state=SnapshotState.READY).first()
    accepted = project.documents.accepted()
    n_new = None
    if snapshot is not None:
        n_new = accepted.filter(accepted_at__gt=snapshot.created_at).count()
    evaluations = Evaluation.objects.filter(
        model_version=serving, snapshot__project=project, split=TEST
    )
    return {
        "project": project,
        "serving": serving,
        "optional_stages": stages[1:],
        "may_promote": can(request.user, project, Action.PROMOTE),
        "evaluation": evaluations.select_related("snapshot").first(),
        "n_accepted": accepted.count(),
        "n_new": n_new,
        "snapshot": snapshot,
        "run": project.training_runs.select_related("snapshot").first(),
        "may_train": can(request.user, project, Action.TRAIN),
        "automatic": automatic.settings_of(project),
        "may_manage": can(request.user, project, Action.MANAGE),
    }
