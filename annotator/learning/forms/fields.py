"""Fields that several forms share."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.db.models import QuerySet
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from annotator.corpus.models import Project
from annotator.datasets.models import Snapshot, SnapshotState
from annotator.learning.models import ModelVersion

#: The largest whole number that a form accepts where no smaller limit is known.
MAX_NUMBER: Final = 1_000_000
_SPLITS: Final = ("train", "eval", "test")


class SnapshotField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """A choice of snapshots, labelled with the sizes of their splits."""

    def label_from_instance(self, obj: Snapshot) -> str:
        """Return project, number, sizes and note of the snapshot."""
        sizes = [f"{obj.counts_of(split).panels:,}" for split in _SPLITS]
        label = (
            f"{obj.project} · snapshot {obj.number} · {' / '.join(sizes)} panels"
            " (train / validation / test)"
        )
        return f"{label} · {obj.note}" if obj.note else label


class ModelField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """A choice of models, labelled with name and task."""

    def label_from_instance(self, obj: ModelVersion) -> str:
        """Return name and task of the model."""
        return f"{obj.name} · {obj.get_task_display()}"


def ready_snapshots(projects: QuerySet[Project]) -> QuerySet[Snapshot]:
    """Return the finished snapshots of the projects."""
    return Snapshot.objects.filter(state=SnapshotState.READY, project__in=projects).select_related(
        "project"
    )


def base_models(projects: QuerySet[Project]) -> QuerySet[ModelVersion]:
    """Return the models that training in one of the projects may start from."""
    others = Project.objects.exclude(pk__in=projects)
    return ModelVersion.objects.filter(retired_at=None).exclude(project__in=others)


def number_field(
    label: str,
    help_text: str,
    *,
    minimum: int = 1,
    maximum: int = MAX_NUMBER,
    initial: int | None = None,
    required: bool = True,
) -> forms.IntegerField:
    """Return a field for a whole number."""
    attributes = {"type": "number", "min": minimum, "max": maximum, "inputmode": "numeric"}
    return forms.IntegerField(
        label=label,
        min_value=minimum,
        max_value=maximum,
        initial=initial,
        required=required,
        widget=UnfoldAdminTextInputWidget(attrs=attributes),
        help_text=help_text,
    )


def points_field(label: str, help_text: str) -> forms.FloatField:
    """Return a field for points of F1, 0 to 100."""
    attributes = {"type": "number", "step": "any", "min": 0, "max": 100, "inputmode": "decimal"}
    return forms.FloatField(
        label=label,
        min_value=0,
        max_value=100,
        widget=UnfoldAdminTextInputWidget(attrs=attributes),
        help_text=help_text,
    )


class HyperparametersField(forms.CharField):
    """Lines of "name = value", cleaned to a dictionary."""

    def __init__(self, *, label: str, help_text: str, rows: int, placeholder: str) -> None:
        widget = UnfoldAdminTextareaWidget(attrs={"rows": rows, "placeholder": placeholder})
        super().__init__(required=False, label=label, help_text=help_text, widget=widget)

    def clean(self, value: Any) -> dict[str, str]:
        """Return the values by name. Raises ``ValidationError`` for any other line."""
        return parse_hyperparameters(super().clean(value))


def parse_hyperparameters(text: str) -> dict[str, str]:
    """Return what lines of "name = value" say. Raises ``ValidationError`` for any other line."""
    values = {}
    for line in text.splitlines():
        if not line.strip():
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if not (name and equals and value):
            raise forms.ValidationError(
                f'"{line.strip()[:60]}" is not a hyperparameter. Write one "name = value" a line.'
            )
        values[name] = value
    return values
