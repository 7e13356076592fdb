"""The conditions that a model must meet before it may tag a project's legends."""

from __future__ import annotations

from annotator.common.errors import UserError
from annotator.corpus.models import Project
from annotator.datasets.snapshots.leaks import refuse_leak
from annotator.datasets.snapshots.services import verify_snapshot
from annotator.learning.models import Evaluation, ModelOrigin, ModelVersion
from annotator.learning.stored import StoredScores
from annotator.learning.training.data import TEST, ancestors_of


def refuse_unusable(project: Project, model: ModelVersion) -> None:
    """Raise ``UserError`` if the model is retired or belongs to another project."""
    if not ModelVersion.objects.usable_in(project).filter(pk=model.pk).exists():
        raise UserError(
            f"The model {model.name} is retired or belongs to another project. Choose another."
        )


def refuse_unevaluated(project: Project, model: ModelVersion) -> None:
    """Raise if no trustworthy evaluation of the model on held-out papers exists.

    Raises ``UserError`` if the model has no evaluation in the project or its training data are
    unknown, and ``LeakError`` if it was trained on a paper that it was evaluated on.
    """
    evaluations = _evaluations_with_support(project, model)
    if not evaluations:
        raise UserError(
            f"{model.name} has no evaluation on held-out papers of this project. Evaluate it on a"
            " snapshot first, then promote it."
        )
    trained_on = ancestors_of(model)
    if model.origin == ModelOrigin.TRAINED and not trained_on:
        raise UserError(
            f"The training data of {model.name} are unknown, so its scores cannot be trusted."
            " Train it again on a snapshot."
        )
    snapshots = {snapshot.pk: snapshot for snapshot in trained_on}
    for evaluation in evaluations:
        snapshots[evaluation.snapshot_id] = evaluation.snapshot
    for snapshot in snapshots.values():
        verify_snapshot(snapshot=snapshot)
    for evaluation in evaluations:
        refuse_leak([snapshot.folder for snapshot in trained_on], evaluation.snapshot.folder)


def _evaluations_with_support(project: Project, model: ModelVersion) -> list[Evaluation]:
    evaluations = Evaluation.objects.filter(
        model_version=model, snapshot__project=project, split=TEST
    ).select_related("snapshot")
    return [each for each in evaluations if each.scores and StoredScores.of(each).micro.support]
