"""What an administrator fills in to train, judge and promote."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.db.models import QuerySet
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from annotator.corpus.models import Project
from annotator.datasets.models import Snapshot, SnapshotState
from annotator.learning import engine
from annotator.learning.gate import Rules
from annotator.learning.models import ModelVersion
from annotator.learning.services import DEFAULT_RECIPE

#: The hyperparameters with fields of their own; all others go into the lines below them.
_ASKED: Final = {"epochs": "Epochs", "learning_rate": "Learning rate", "batch_size": "Panels a step"}


class SnapshotField(forms.ModelChoiceField):
    """Snapshots by what is in them."""

    def label_from_instance(self, obj: Snapshot) -> str:
        sides = " / ".join(f"{obj.counts.get(side, {}).get('panels', 0):,}" for side in ("train", "eval", "test"))
        note = f" · {obj.note}" if obj.note else ""
        return f"{obj.project} · snapshot {obj.number} · {sides} panels to train / evaluate / judge{note}"


class ModelField(forms.ModelChoiceField):
    """Models by name and what they tell."""

    def label_from_instance(self, obj: ModelVersion) -> str:
        return f"{obj.name} · {obj.get_task_display()}"


class StartForm(forms.Form):
    """A training run. ``hyperparameters`` after validation holds what differs from the recipe."""

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
            "The model whose weights the training begins with; one that tells something else gets a new last layer. In service is the one for what "
            "the recipe's models tell, or where there is none the one for entities."
        ),
    )
    more = forms.CharField(
        label="Other hyperparameters",
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "placeholder": "warmup = 0.1"}),
        help_text="One “name = value” a line.",
    )

    def __init__(self, data: Any = None, *, projects: QuerySet[Project], **facts: Any) -> None:
        super().__init__(data, **facts)
        recipes = engine.recipes()
        ready = Snapshot.objects.filter(state=SnapshotState.READY, project__in=projects).select_related("project")
        self.snapshot_field.queryset = ready
        self.base_field.queryset = ModelVersion.objects.filter(retired_at=None).exclude(project__in=Project.objects.exclude(pk__in=projects))
        self.recipe_field.choices = [(name, f"{name}: {recipe.about}") for name, recipe in recipes.items()]
        self.fields["recipe"].initial = DEFAULT_RECIPE
        for name, title in _ASKED.items():
            defaults = ", ".join(f"{recipe.name} {recipe.defaults[name]:g}" for recipe in recipes.values())
            self.fields[name] = forms.CharField(
                label=title, required=False, widget=UnfoldAdminTextInputWidget, help_text=f"Empty: as the recipe says ({defaults})."
            )
        self.order_fields(["snapshot", "recipe", "base", *_ASKED, "more"])

    @property
    def snapshot_field(self) -> SnapshotField:
        return self.fields["snapshot"]  # type: ignore[return-value]

    @property
    def base_field(self) -> ModelField:
        return self.fields["base"]  # type: ignore[return-value]

    @property
    def recipe_field(self) -> forms.ChoiceField:
        return self.fields["recipe"]  # type: ignore[return-value]

    def clean_more(self) -> dict[str, str]:
        found = {}
        for line in self.cleaned_data["more"].splitlines():
            name, equals, value = (part.strip() for part in line.partition("="))
            if line.strip() and not (name and equals and value):
                raise forms.ValidationError(f'"{line.strip()[:60]}" is no hyperparameter. Write one "name = value" a line.')
            if line.strip():
                found[name] = value
        return found

    @property
    def hyperparameters(self) -> dict[str, str]:
        asked = {name: self.cleaned_data[name] for name in _ASKED if self.cleaned_data[name]}
        return {**asked, **self.cleaned_data["more"]}


class JudgeForm(forms.Form):
    """On which snapshot's held-out papers a model shall be judged."""

    snapshot = SnapshotField(Snapshot.objects.none(), empty_label=None, widget=UnfoldAdminSelectWidget)

    def __init__(self, data: Any = None, *, snapshots: QuerySet[Snapshot], **facts: Any) -> None:
        super().__init__(data, **facts)
        self.fields["snapshot"].queryset = snapshots  # type: ignore[attr-defined]


def _points(label: str, words: str) -> forms.FloatField:
    attributes = {"type": "number", "step": "any", "min": 0, "max": 100, "inputmode": "decimal"}
    return forms.FloatField(label=label, min_value=0, max_value=100, widget=UnfoldAdminTextInputWidget(attrs=attributes), help_text=words)


class GateForm(forms.Form):
    """The rules of a project's gate, in points of F1."""

    max_label_loss = _points("A label may fall by, points", "Of a hundred, strict spans, against the model in service on the same held-out papers.")
    min_support = forms.IntegerField(
        label="Labels count from, entities",
        min_value=1,
        max_value=1_000_000,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "number", "min": 1, "inputmode": "numeric"}),
        help_text="A label with fewer entities in the held-out papers is not held back: its figures change by chance alone.",
    )
    max_overall_loss = _points("The micro average may fall by, points", "0: it may not fall at all.")

    @classmethod
    def of(cls, project: Project) -> GateForm:
        """Filled in as the project is set."""
        rules = Rules.of(project)
        return cls(
            initial={"min_support": rules.min_support} | {name: f"{getattr(rules, name):g}" for name in ("max_label_loss", "max_overall_loss")}
        )
