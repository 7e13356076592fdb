"""What an administrator fills in to train, judge and promote."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.db.models import QuerySet
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from annotator.common.errors import UserError
from annotator.corpus.models import Project
from annotator.datasets.models import Snapshot, SnapshotState
from annotator.learning.models import AutomaticTraining, ModelVersion
from annotator.learning.serving.gate import Rules
from annotator.learning.training.recipes import (
    DEFAULT_RECIPE,
    check_hyperparameter,
    hyperparameters,
    recipes,
)
from ner_engine.registry.recipes import Recipe

if TYPE_CHECKING:
    from ner_engine.registry.hyperparameters import Hyperparameter

#: The hyperparameters that are asked of everybody; all others stand in the table below them.
_FIRST: Final = {
    "epochs": "Epochs",
    "learning_rate": "Learning rate",
    "batch_size": "Panels a step",
}


class SnapshotField(forms.ModelChoiceField):
    """Snapshots by what is in them."""

    def label_from_instance(self, obj: Snapshot) -> str:
        sides = " / ".join(
            f"{obj.counts.get(side, {}).get('panels', 0):,}" for side in ("train", "eval", "test")
        )
        note = f" · {obj.note}" if obj.note else ""
        return (
            f"{obj.project} · snapshot {obj.number} · {sides} panels to train / evaluate /"
            f" judge{note}"
        )


class ModelField(forms.ModelChoiceField):
    """Models by name and what they tell."""

    def label_from_instance(self, obj: ModelVersion) -> str:
        return f"{obj.name} · {obj.get_task_display()}"


@dataclass(frozen=True, slots=True)
class Setting:
    """A hyperparameter on the page: its field, what it means and may be, and what it is in each
    recipe where nothing is filled in."""

    field: forms.BoundField
    facts: Hyperparameter
    defaults: str


class StartForm(forms.Form):
    """A training run. Each hyperparameter is a field by its own name; an empty one is as the recipe
    says."""

    snapshot = SnapshotField(
        Snapshot.objects.none(),
        empty_label=None,
        widget=UnfoldAdminSelectWidget,
        help_text="The frozen legends to learn from; its held-out papers judge.",
    )
    recipe = forms.ChoiceField(widget=UnfoldAdminRadioSelectWidget)
    base = ModelField(
        ModelVersion.objects.none(),
        required=False,
        empty_label="The model in service",
        widget=UnfoldAdminSelectWidget,
        help_text=(
            "The model whose weights the training begins with; one that tells something else gets a"
            " new last layer. In service is the one for what the recipe's models tell, or where"
            " there is none the one for entities."
        ),
    )

    def __init__(self, data: Any = None, *, projects: QuerySet[Project], **facts: Any) -> None:
        super().__init__(data, **facts)
        offered = recipes()
        ready = Snapshot.objects.filter(
            state=SnapshotState.READY, project__in=projects
        ).select_related("project")
        self.snapshot_field.queryset = ready
        self.base_field.queryset = ModelVersion.objects.filter(retired_at=None).exclude(
            project__in=Project.objects.exclude(pk__in=projects)
        )
        self.recipe_field.choices = [
            (name, f"{name}: {recipe.about}") for name, recipe in offered.items()
        ]
        self.fields["recipe"].initial = DEFAULT_RECIPE
        self._facts = {each.name: each for each in hyperparameters()}
        self._defaults = {name: _by_recipe(name, offered.values()) for name in self._facts}
        for name, each in self._facts.items():
            words = (
                f"{each.meaning} {each.permitted.capitalize()}. Empty: {self._defaults[name]}."
                if name in _FIRST
                else ""
            )
            label = _FIRST.get(name, name)
            self.fields[name] = HyperparameterField(
                name,
                label=label,
                help_text=words,
                widget=UnfoldAdminTextInputWidget(attrs={"size": 12}),
            )

    @property
    def first_fields(self) -> list[forms.BoundField]:
        """What is asked of everybody."""
        return [self[name] for name in ("snapshot", "recipe", "base", *_FIRST)]

    @property
    def other_settings(self) -> list[Setting]:
        """The hyperparameters that few will change."""
        return [
            Setting(self[name], each, self._defaults[name])
            for name, each in self._facts.items()
            if name not in _FIRST
        ]

    @property
    def asks_for_more(self) -> bool:
        """Whether something stands, or is wrong, in a field that few will change."""
        return any(setting.field.value() or setting.field.errors for setting in self.other_settings)

    @property
    def snapshot_field(self) -> SnapshotField:
        return self.fields["snapshot"]  # type: ignore[return-value]

    @property
    def base_field(self) -> ModelField:
        return self.fields["base"]  # type: ignore[return-value]

    @property
    def recipe_field(self) -> forms.ChoiceField:
        return self.fields["recipe"]  # type: ignore[return-value]

    @property
    def hyperparameters(self) -> dict[str, str]:
        """What was filled in, by name."""
        return {name: self.cleaned_data[name] for name in self._facts if self.cleaned_data[name]}


class HyperparameterField(forms.CharField):
    """A value as somebody writes it, refused with the engine's sentence where it cannot be."""

    def __init__(self, name: str, **facts: Any) -> None:
        super().__init__(required=False, max_length=200, **facts)
        self._name = name

    def validate(self, value: Any) -> None:
        super().validate(value)
        if value:
            try:
                check_hyperparameter(self._name, value)
            except UserError as error:
                raise forms.ValidationError(str(error)) from error


def _by_recipe(name: str, recipes: Iterable[Recipe]) -> str:
    """The default of most recipes, then those of the others by name."""
    values: dict[str, list[str]] = {}
    for recipe in recipes:
        default = getattr(recipe, name)
        shown = (
            str(default).lower()
            if isinstance(default, bool)
            else f"{default:g}"
            if isinstance(default, float)
            else str(default)
        )
        values.setdefault(shown, []).append(recipe.name)
    common, *others = sorted(values, key=lambda value: -len(values[value]))
    return "; ".join([common, *(f"{value} in {', '.join(values[value])}" for value in others)])


class JudgeForm(forms.Form):
    """On which snapshot's held-out papers a model shall be judged."""

    snapshot = SnapshotField(
        Snapshot.objects.none(), empty_label=None, widget=UnfoldAdminSelectWidget
    )

    def __init__(self, data: Any = None, *, snapshots: QuerySet[Snapshot], **facts: Any) -> None:
        super().__init__(data, **facts)
        self.fields["snapshot"].queryset = snapshots  # type: ignore[attr-defined]


def _points(label: str, words: str) -> forms.FloatField:
    attributes = {"type": "number", "step": "any", "min": 0, "max": 100, "inputmode": "decimal"}
    return forms.FloatField(
        label=label,
        min_value=0,
        max_value=100,
        widget=UnfoldAdminTextInputWidget(attrs=attributes),
        help_text=words,
    )


class GateForm(forms.Form):
    """The rules of a project's gate, in points of F1."""

    max_label_loss = _points(
        "A label may fall by, points",
        "Of a hundred, strict spans, against the model in service on the same held-out papers.",
    )
    min_support = forms.IntegerField(
        label="Labels count from, entities",
        min_value=1,
        max_value=1_000_000,
        widget=UnfoldAdminTextInputWidget(
            attrs={"type": "number", "min": 1, "inputmode": "numeric"}
        ),
        help_text=(
            "A label with fewer entities in the held-out papers is not held back: its figures"
            " change by chance alone."
        ),
    )
    max_overall_loss = _points(
        "The micro average may fall by, points", "0: it may not fall at all."
    )

    @classmethod
    def of(cls, project: Project) -> GateForm:
        """Filled in as the project is set."""
        rules = Rules.of(project)
        return cls(
            initial={"min_support": rules.min_support}
            | {name: f"{getattr(rules, name):g}" for name in ("max_label_loss", "max_overall_loss")}
        )


def _whole(label: str, words: str) -> forms.IntegerField:
    widget = UnfoldAdminTextInputWidget(attrs={"type": "number", "min": 1, "inputmode": "numeric"})
    return forms.IntegerField(
        label=label,
        min_value=1,
        max_value=1_000_000,
        required=False,
        widget=widget,
        help_text=words,
    )


class AutomaticForm(forms.Form):
    """Whether and when a project trains by itself."""

    is_on = forms.BooleanField(
        label="Train by itself",
        required=False,
        widget=forms.CheckboxInput,
        help_text=(
            "A worker freezes a snapshot, trains on it and judges the candidate. Promoting it stays"
            " with you."
        ),
    )
    every_panels = _whole(
        "After newly accepted panels",
        "So many panels, counted since the legends were frozen that it trained on last. Empty: not"
        " by number.",
    )
    every_days = _whole(
        "Or after days",
        "Since then, if anything is new; the first time as soon as anything is. Empty: not by"
        " time.",
    )
    recipe = forms.ChoiceField(
        widget=UnfoldAdminRadioSelectWidget,
        help_text="It begins with the model in service for what the recipe's models tell.",
    )
    hyperparameters = forms.CharField(
        label="Other hyperparameters than the recipe's",
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "placeholder": "epochs = 2"}),
        help_text="One “name = value” a line.",
    )

    def __init__(self, data: Any = None, **facts: Any) -> None:
        super().__init__(data, **facts)
        choices = [(name, f"{name}: {recipe.about}") for name, recipe in recipes().items()]
        self.fields["recipe"].choices = choices  # type: ignore[attr-defined]

    @classmethod
    def of(cls, settings: AutomaticTraining) -> AutomaticForm:
        """Filled in as the project is set."""
        lines = "\n".join(f"{name} = {value}" for name, value in settings.hyperparameters.items())
        plain = {
            name: getattr(settings, name)
            for name in ("is_on", "every_panels", "every_days", "recipe")
        }
        return cls(initial={**plain, "hyperparameters": lines})

    def clean_hyperparameters(self) -> dict[str, str]:
        return settings_in(self.cleaned_data["hyperparameters"])


def settings_in(text: str) -> dict[str, str]:
    """What stands in lines of "name = value". Raises ``ValidationError`` for another line."""
    found = {}
    for line in text.splitlines():
        name, equals, value = (part.strip() for part in line.partition("="))
        if line.strip() and not (name and equals and value):
            raise forms.ValidationError(
                f'"{line.strip()[:60]}" is no hyperparameter. Write one "name = value" a line.'
            )
        if line.strip():
            found[name] = value
    return found


class PushForm(forms.Form):
    """Where a model goes, and under which licence."""

    repository = forms.CharField(
        max_length=160,
        widget=UnfoldAdminTextInputWidget(
            attrs={"placeholder": "owner/name", "autocapitalize": "none", "spellcheck": "false"}
        ),
        help_text=(
            "It is made where there is none; in one that is there the files of the same names are"
            " replaced."
        ),
    )
    licence = forms.CharField(
        max_length=42,
        widget=UnfoldAdminTextInputWidget(
            attrs={"placeholder": "cc-by-4.0", "autocapitalize": "none", "spellcheck": "false"}
        ),
        help_text=(
            "Its identifier, which the card then names. What the model learned from and began with"
            " may bind you."
        ),
    )
    is_private = forms.BooleanField(
        label="Private",
        required=False,
        initial=True,
        widget=forms.CheckboxInput,
        help_text="Where the repository is new.",
    )
