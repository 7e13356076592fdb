"""Forms that start a search for label errors or a learning curve."""

from __future__ import annotations

from typing import Any, Final, cast

from django import forms
from django.db.models import QuerySet
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from annotator.corpus.models import Project
from annotator.datasets.models import Snapshot
from annotator.learning.forms.fields import (
    HyperparametersField,
    ModelField,
    SnapshotField,
    base_models,
    number_field,
    ready_snapshots,
)
from annotator.learning.models import ModelTask, ModelVersion, SeriesKind
from annotator.learning.training.recipes import DEFAULT_RECIPE, recipes
from ner_engine.registry.tasks import TASKS

_MAX_SEED: Final = 2**31 - 1


class SeriesForm(forms.Form):
    """The fields of every training series; ``options`` are those of its kind alone."""

    kind: SeriesKind
    option_names: tuple[str, ...] = ()

    snapshot = SnapshotField(
        Snapshot.objects.none(), empty_label=None, widget=UnfoldAdminSelectWidget
    )
    recipe = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    base = ModelField(
        ModelVersion.objects.none(),
        required=False,
        label="Base model",
        widget=UnfoldAdminSelectWidget,
    )
    more = HyperparametersField(
        label="Hyperparameters",
        help_text="Values that differ from the recipe's, one “name = value” a line.",
        rows=2,
        placeholder="learning_rate = 0.0001",
    )

    def __init__(self, data: Any = None, *, projects: QuerySet[Project], **options: Any) -> None:
        super().__init__(data, **options)
        snapshots = ready_snapshots(projects)
        self.has_snapshots = snapshots.exists()
        cast("SnapshotField", self.fields["snapshot"]).queryset = snapshots
        cast("ModelField", self.fields["base"]).queryset = base_models(projects)
        names = [name for name, recipe in recipes().items() if self.accepts_task(recipe.task)]
        choices = [(name, name) for name in names]
        self.fields["recipe"].choices = choices  # type: ignore[attr-defined]
        self.fields["recipe"].initial = DEFAULT_RECIPE
        self.order_fields(["snapshot", *self.option_names, "recipe", "base", "more"])

    def accepts_task(self, task: str) -> bool:
        """Return whether recipes for the task can be chosen."""
        return task == ModelTask.ENTITIES

    @property
    def options(self) -> dict[str, Any]:
        """The values of the fields that belong to the kind of series."""
        return {name: self.cleaned_data[name] for name in self.option_names}


class LabelErrorsForm(SeriesForm):
    """A search for label errors."""

    kind = SeriesKind.LABEL_ERRORS
    option_names = ("folds", "max_steps", "seed")

    folds = number_field(
        "Folds",
        "Number of short training runs; each leaves out one fold of the papers and predicts it."
        " More folds train on more papers each and take longer.",
        minimum=2,
        maximum=20,
        initial=3,
    )
    max_steps = number_field(
        "Steps per run, at most",
        "A few hundred steps are enough. 0: no limit besides the recipe's.",
        minimum=0,
        initial=150,
    )
    seed = number_field(
        "Seed", "Assigns the papers to folds.", minimum=0, maximum=_MAX_SEED, initial=42
    )

    def __init__(self, data: Any = None, **options: Any) -> None:
        super().__init__(data, **options)
        base = cast("ModelField", self.fields["base"])
        base.empty_label = "The model that the serving model was first trained from"
        base.help_text = (
            "A model that was trained on these papers has learnt their errors and cannot find them."
        )


class LearningCurveForm(SeriesForm):
    """A learning curve."""

    kind = SeriesKind.LEARNING_CURVE
    option_names = ("shares", "max_steps", "seed")

    shares = forms.CharField(
        label="Percentages of the papers",
        initial="10, 25, 50, 100",
        widget=UnfoldAdminTextInputWidget,
        help_text="Separated by commas. A larger subset contains every smaller one.",
    )
    max_steps = number_field(
        "Steps per run, at most",
        "0: as many as the recipe has, as in a real training run.",
        minimum=0,
        initial=0,
    )
    seed = number_field(
        "Seed", "Chooses the papers of each subset.", minimum=0, maximum=_MAX_SEED, initial=42
    )

    def __init__(self, data: Any = None, **options: Any) -> None:
        super().__init__(data, **options)
        cast("ModelField", self.fields["base"]).empty_label = "The serving model"

    def accepts_task(self, task: str) -> bool:
        """Return whether the task reads single panels; whole figures are not supported."""
        return TASKS[task].by_panel

    def clean_shares(self) -> str:
        """Return the percentages as fractions, separated by commas."""
        parts = self.cleaned_data["shares"].replace("%", "").split(",")
        try:
            percentages = [float(part) for part in parts]
        except ValueError as error:
            raise forms.ValidationError(
                "Write numbers separated by commas, such as 10, 25, 50, 100."
            ) from error
        return ",".join(f"{percentage / 100:g}" for percentage in percentages)


class SendForm(forms.Form):
    """The number of legends that are sent to review."""

    n = number_field("Legends", "The likeliest label errors first.", maximum=100_000)


SERIES_FORMS: Final[dict[SeriesKind, type[SeriesForm]]] = {
    SeriesKind.LABEL_ERRORS: LabelErrorsForm,
    SeriesKind.LEARNING_CURVE: LearningCurveForm,
}
