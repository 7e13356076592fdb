"""The steps in which a project's legends are tagged, and the models that do them now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from django.db.models import Exists, OuterRef, Q, QuerySet

from annotator.common.errors import UserError
from annotator.corpus.models import Document, Layer, LayerKind, Project
from annotator.learning.models import Canary, ModelTask, ModelVersion

#: What stands as the source of panels that were found by their letters, where no model finds them.
LETTERS: Final = "their letters"


@dataclass(frozen=True, slots=True)
class Step:
    """One step and the model that does it; where none does, ``reason`` says why.

    ``is_off`` where the project switched it off. ``is_chosen`` where somebody decided in the
    project what does it.
    """

    task: ModelTask
    model: ModelVersion | None = None
    reason: str = ""
    is_off: bool = False
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class Lineup:
    """All steps in the order of ``ModelTask``; there is a model for entities always. ``canary`` is
    a candidate that tags a share beside it."""

    steps: Sequence[Step]
    canary: Canary | None = None

    def step(self, task: str) -> Step:
        """Raises ``UserError`` for a task that there is not."""
        found = next((step for step in self.steps if step.task == task), None)
        if found is None:
            raise UserError(f'There is no step "{task}". Steps: {", ".join(ModelTask.values)}.')
        return found

    @property
    def models(self) -> dict[str, ModelVersion]:
        """By task, those that there are."""
        return {str(step.task): step.model for step in self.steps if step.model is not None}

    @property
    def entities(self) -> ModelVersion:
        return self.models[ModelTask.ENTITIES]

    @property
    def names(self) -> dict[str, str]:
        """The names of the models that tell more than entities, by task."""
        return {
            task: model.name for task, model in self.models.items() if task != ModelTask.ENTITIES
        }

    @property
    def panels_by(self) -> str:
        """What finds panels where none came with the file; empty where they are not to be found."""
        return (
            "" if self.step(ModelTask.PANELS).is_off else self.names.get(ModelTask.PANELS, LETTERS)
        )

    @property
    def keys(self) -> list[int]:
        """What serves, as numbers to be compared: the key of each step's model, 0 where none does
        it; and that of the canary, if there is one."""
        return [step.model.pk if step.model is not None else 0 for step in self.steps] + (
            [self.canary.pk] if self.canary is not None else []
        )

    def with_entities_by(self, model: ModelVersion) -> Lineup:
        """The same, all entities told by ``model``."""
        return Lineup(
            [
                replace(step, model=model) if step.task == ModelTask.ENTITIES else step
                for step in self.steps
            ]
        )

    def waiting_in(self, project: Project) -> QuerySet[Document]:
        """Undecided legends whose current suggestions are not what these models would make.

        The model of the entities counts always. That of another step counts only where somebody
        chose it in the project: a default model that comes with a new version of the product must
        not have whole projects tagged again; it reaches the legends that are tagged for another
        reason.
        """
        chosen = {
            f"steps__{task}": name for task, name in self.names.items() if self.step(task).is_chosen
        }
        return project.documents.undecided().exclude(Exists(_suggested_by(self.entities, **chosen)))

    def parts_in(self, project: Project) -> Iterator[tuple[Lineup, QuerySet[Document]]]:
        """What waits, by which models it is to be tagged: all by these, or of what is newly tagged
        the canary's share by the candidate.

        What the model in service has tagged already stays with it, so that a canary touches nothing
        that anybody may have seen.
        """
        serving = self.with_entities_by(self.entities)
        if self.canary is None:
            yield serving, self.waiting_in(project)
            return
        candidate = self.with_entities_by(self.canary.model_version)
        is_new_and_chosen = Q(~Exists(_suggested_by(self.entities)), sha256__lt=self.canary.bound)
        yield serving, self.waiting_in(project).exclude(is_new_and_chosen)
        yield candidate, candidate.waiting_in(project).filter(is_new_and_chosen)


def _suggested_by(model: ModelVersion, **steps: str) -> QuerySet[Layer]:
    """The current suggestions of the document at hand, if they are the model's."""
    return Layer.objects.current().filter(
        document=OuterRef("pk"), kind=LayerKind.SUGGESTED, source=model.name, **steps
    )
