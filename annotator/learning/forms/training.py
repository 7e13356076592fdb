"""Forms that start a training run and set automatic training."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from django import forms
from django.db.models import QuerySet
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from annotator.common.errors import UserError
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
from annotator.learning.models import AutomaticTraining, ModelVersion
from annotator.learning.training.recipes import (
    DEFAULT_RECIPE,
    check_hyperparameter,
    hyperparameters,
    recipes,
)
from ner_engine.registry.recipes import Recipe

if TYPE_CHECKING:
    from ner_engine.registry.hyperparameters import Hyperparameter

#: The hyperparameters that the form shows first; all others are in the table below them.
_FIRST: Final = {
    "epochs": "Epochs",
    "learning_rate": "Learning rate",
    "batch_size": "Panels per step",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """A hyperparameter on the page: its field, its facts, and the default of each recipe."""

    field: forms.BoundField
    facts: Hyperparameter
    defaults: str


class StartForm(forms.Form):
    """A training run. Each hyperparameter is a field of its own name; empty means the default."""

    snapshot = SnapshotField(
        Snapshot.objects.none(),
        empty_label=None,
        widget=UnfoldAdminSelectWidget,
        help_text="The frozen legends to train on. Its held-out papers evaluate the new model.",
    )
    recipe = forms.ChoiceField(widget=UnfoldAdminRadioSelectWidget)
    base = ModelField(
        ModelVersion.objects.none(),
        required=False,
        label="Base model",
        empty_label="The serving model",
        widget=UnfoldAdminSelectWidget,
        help_text=(
            "The model whose weights the run starts from. If its task differs from the recipe's,"
            " its classifier is re-initialised. The serving model is that of the recipe's task or,"
            " without one, that of entities."
        ),
    )

    def __init__(self, data: Any = None, *, projects: QuerySet[Project], **options: Any) -> None:
        super().__init__(data, **options)
        snapshots = ready_snapshots(projects)
        self.has_snapshots = snapshots.exists()
        cast("SnapshotField", self.fields["snapshot"]).queryset = snapshots
        cast("ModelField", self.fields["base"]).queryset = base_models(projects)
        self.fields["recipe"].choices = recipe_choices()  # type: ignore[attr-defined]
        self.fields["recipe"].initial = DEFAULT_RECIPE
        self._facts = {each.name: each for each in hyperparameters()}
        self._defaults = {name: _by_recipe(name, recipes().values()) for name in self._facts}
        for name in self._facts:
            self.fields[name] = self._hyperparameter_field(name)

    def _hyperparameter_field(self, name: str) -> HyperparameterField:
        help_text = ""
        if name in _FIRST:
            facts = self._facts[name]
            help_text = (
                f"{facts.meaning} {facts.permitted.capitalize()}. Default: {self._defaults[name]}."
            )
        return HyperparameterField(
            name,
            label=_FIRST.get(name, name),
            help_text=help_text,
            widget=UnfoldAdminTextInputWidget(attrs={"size": 12}),
        )

    @property
    def first_fields(self) -> list[forms.BoundField]:
        """The fields that the page shows first."""
        return [self[name] for name in ("snapshot", "recipe", "base", *_FIRST)]

    @property
    def other_settings(self) -> list[Setting]:
        """The hyperparameters that few users change."""
        return [
            Setting(self[name], facts, self._defaults[name])
            for name, facts in self._facts.items()
            if name not in _FIRST
        ]

    @property
    def shows_other_settings(self) -> bool:
        """Whether one of the other hyperparameters has a value or an error."""
        return any(setting.field.value() or setting.field.errors for setting in self.other_settings)

    @property
    def hyperparameters(self) -> dict[str, str]:
        """The values that were filled in, by name."""
        return {name: self.cleaned_data[name] for name in self._facts if self.cleaned_data[name]}


class HyperparameterField(forms.CharField):
    """The value of one hyperparameter, checked by the engine."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(required=False, max_length=200, **options)
        self._name = name

    def validate(self, value: Any) -> None:
        """Raise ``ValidationError`` with the engine's sentence if the value is not permitted."""
        super().validate(value)
        if not value:
            return
        try:
            check_hyperparameter(self._name, value)
        except UserError as error:
            raise forms.ValidationError(str(error)) from error


def recipe_choices() -> list[tuple[str, str]]:
    """Return the recipes by name, with what they are for."""
    return [(name, f"{name}: {recipe.about}") for name, recipe in recipes().items()]


def _by_recipe(name: str, offered: Iterable[Recipe]) -> str:
    """Return the default of most recipes, then the defaults of the others with their names."""
    values: dict[str, list[str]] = {}
    for recipe in offered:
        values.setdefault(_shown(getattr(recipe, name)), []).append(recipe.name)
    common, *others = sorted(values, key=lambda value: -len(values[value]))
    return "; ".join([common, *(f"{value} in {', '.join(values[value])}" for value in others)])


def _shown(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, float):
        return f"{default:g}"
    return str(default)


class AutomaticForm(forms.Form):
    """The settings of a project's automatic training."""

    is_on = forms.BooleanField(
        label="Train automatically",
        required=False,
        widget=forms.CheckboxInput,
        help_text=(
            "A worker freezes a snapshot, trains on it and evaluates the candidate. You decide"
            " whether to promote it."
        ),
    )
    every_panels = number_field(
        "New accepted panels",
        "Train after this many newly accepted panels, counted since the last training snapshot."
        " Leave empty to ignore the number.",
        required=False,
    )
    every_days = number_field(
        "Days",
        "Train after this many days if there are newly accepted panels; the first time, as soon as"
        " there are any. Leave empty to ignore the time.",
        required=False,
    )
    recipe = forms.ChoiceField(
        widget=UnfoldAdminRadioSelectWidget,
        help_text="Training starts from the serving model of the recipe's task.",
    )
    hyperparameters = HyperparametersField(
        label="Hyperparameters",
        help_text="Values that differ from the recipe's, one “name = value” a line.",
        rows=3,
        placeholder="epochs = 2",
    )

    def __init__(self, data: Any = None, **options: Any) -> None:
        super().__init__(data, **options)
        self.fields["recipe"].choices = recipe_choices()  # type: ignore[attr-defined]

    @classmethod
    def of(cls, settings: AutomaticTraining) -> AutomaticForm:
        """Return the form filled in with the project's settings."""
        lines = [f"{name} = {value}" for name, value in settings.hyperparameters.items()]
        return cls(
            initial={
                "is_on": settings.is_on,
                "every_panels": settings.every_panels,
                "every_days": settings.every_days,
                "recipe": settings.recipe,
                "hyperparameters": "\n".join(lines),
            }
        )
