"""The pipeline stages in which a project's legends are tagged, with the model of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from django.db.models import Exists, OuterRef, Q, QuerySet

from annotator.common.errors import UserError
from annotator.corpus.models import Document, Layer, LayerKind, Project
from annotator.learning.models import Canary, ModelTask, ModelVersion
from annotator.learning.tagging.checkpoints import calibration_of
from annotator.learning.tagging.steps import as_stored
from ner_engine.registry.steps import STEPS

#: The source of panels that were split at their letters, without a model.
LETTERS: Final = "their letters"


@dataclass(frozen=True, slots=True)
class Stage:
    """A pipeline stage with its model, or the ``reason`` why it has none.

    ``is_off`` says that the project switched it off, ``is_chosen`` that a user ever chose its
    model in the project.
    """

    task: ModelTask
    model: ModelVersion | None = None
    reason: str = ""
    is_off: bool = False
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class Lineup:
    """All stages in the order of ``ModelTask``; that of the entities always has a model.

    ``canary`` is a candidate that tags a fraction of the new legends instead. ``steps`` are the
    names of the steps after decoding, in their order.
    """

    stages: Sequence[Stage]
    canary: Canary | None = None
    steps: tuple[str, ...] = ()

    def stage(self, task: str) -> Stage:
        """Return the stage of a task. Raises ``UserError`` if there is no such task."""
        for stage in self.stages:
            if stage.task == task:
                return stage
        raise UserError(f'There is no stage "{task}". Stages: {", ".join(ModelTask.values)}.')

    @property
    def models(self) -> dict[str, ModelVersion]:
        """The models by task, without the stages that have none."""
        return {str(stage.task): stage.model for stage in self.stages if stage.model is not None}

    @property
    def entities(self) -> ModelVersion:
        return self.models[ModelTask.ENTITIES]

    @property
    def names(self) -> dict[str, str]:
        """The names of the models by task, without that of the entities."""
        names = {task: model.name for task, model in self.models.items()}
        names.pop(ModelTask.ENTITIES, None)
        return names

    @property
    def panels_by(self) -> str:
        """The source of predicted panels, "" if the stage is switched off."""
        if self.stage(ModelTask.PANELS).is_off:
            return ""
        return self.names.get(ModelTask.PANELS, LETTERS)

    @property
    def keys(self) -> list[int]:
        """Numbers that change whenever a model or a step changes.

        They are the keys of the stages' models (0 without one), a negative number for each step
        that is on, and the key of the canary, if any.
        """
        keys = [stage.model.pk if stage.model is not None else 0 for stage in self.stages]
        for number, step in enumerate(STEPS, 1):
            if step in self.steps:
                keys.append(-number)
        if self.canary is not None:
            keys.append(self.canary.pk)
        return keys

    def with_entities_by(self, model: ModelVersion) -> Lineup:
        """Return a copy in which ``model`` predicts all entities."""
        stages = list(self.stages)
        for number, stage in enumerate(stages):
            if stage.task == ModelTask.ENTITIES:
                stages[number] = replace(stage, model=model)
        return Lineup(stages, steps=self.steps)

    def waiting_in(self, project: Project) -> QuerySet[Document]:
        """Return the undecided legends whose suggestions are not by these models and steps.

        The model of the entities always counts. That of another stage counts only if a user chose
        it in the project: a default model of a new version of the product must not have whole
        projects re-tagged. It reaches legends that are tagged for another reason. Suggestions with
        raw scores wait once the model has a calibration, so that scores of both kinds do not stay
        mixed in one queue.
        """
        chosen: dict[str, Any] = {}
        for task, name in self.names.items():
            if self.stage(task).is_chosen:
                chosen[f"stage_models__{task}"] = name
        chosen["steps"] = as_stored(self.steps)
        if calibration_of(self.entities) is not None:
            chosen["is_calibrated"] = True
        return project.documents.undecided().exclude(Exists(_suggested_by(self.entities, **chosen)))

    def parts_in(self, project: Project) -> Iterator[tuple[Lineup, QuerySet[Document]]]:
        """Yield the waiting legends by the models that tag them: the candidate's, and the others.

        The candidate of a canary gets its fraction of the newly tagged legends alone: what the
        serving model tagged stays, so that the canary touches nothing a user may have seen.
        """
        serving = self.with_entities_by(self.entities)
        if self.canary is None:
            yield serving, self.waiting_in(project)
            return
        candidate = self.with_entities_by(self.canary.model_version)
        is_new_and_chosen = Q(~Exists(_suggested_by(self.entities)), sha256__lt=self.canary.bound)
        yield serving, self.waiting_in(project).exclude(is_new_and_chosen)
        yield candidate, candidate.waiting_in(project).filter(is_new_and_chosen)


def _suggested_by(model: ModelVersion, **facts: Any) -> QuerySet[Layer]:
    """Return the current suggestions of the outer query's document that are the model's."""
    return Layer.objects.current().filter(
        document=OuterRef("pk"), kind=LayerKind.SUGGESTED, source=model.name, **facts
    )
