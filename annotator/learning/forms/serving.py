"""Forms that evaluate a model, set the gate rules, and push a model to a hub."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.db.models import QuerySet
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from annotator.corpus.models import Project
from annotator.datasets.models import Snapshot
from annotator.learning.forms.fields import SnapshotField, number_field, points_field
from annotator.learning.serving.gate import Rules


class EvaluateForm(forms.Form):
    """The snapshot on whose held-out papers a model is to be evaluated."""

    snapshot = SnapshotField(
        Snapshot.objects.none(), empty_label=None, widget=UnfoldAdminSelectWidget
    )

    def __init__(self, data: Any = None, *, snapshots: QuerySet[Snapshot], **options: Any) -> None:
        super().__init__(data, **options)
        cast("SnapshotField", self.fields["snapshot"]).queryset = snapshots


class GateForm(forms.Form):
    """The rules of a project's gate; losses are points of F1."""

    max_label_loss = points_field(
        "Largest loss of a label, points",
        "Points of F1 (0–100, strict spans) that a label may lose against the serving model on the"
        " same held-out papers.",
    )
    min_support = number_field(
        "Smallest number of entities",
        "Labels with fewer entities in the held-out papers are ignored: their scores change by"
        " chance.",
    )
    max_overall_loss = points_field(
        "Largest loss of the micro average, points", "0 allows no loss."
    )

    @classmethod
    def of(cls, project: Project) -> GateForm:
        """Return the form filled in with the project's rules."""
        rules = Rules.of(project)
        return cls(
            initial={
                "min_support": rules.min_support,
                "max_label_loss": f"{rules.max_label_loss:g}",
                "max_overall_loss": f"{rules.max_overall_loss:g}",
            }
        )


class PushForm(forms.Form):
    """The repository that a model is pushed to, and the licence it is published under."""

    repository = forms.CharField(
        max_length=160,
        widget=UnfoldAdminTextInputWidget(
            attrs={"placeholder": "owner/name", "autocapitalize": "none", "spellcheck": "false"}
        ),
        help_text=(
            "A repository that does not exist is created. In an existing one, files of the same"
            " name are replaced."
        ),
    )
    licence = forms.CharField(
        max_length=42,
        widget=UnfoldAdminTextInputWidget(
            attrs={"placeholder": "cc-by-4.0", "autocapitalize": "none", "spellcheck": "false"}
        ),
        help_text=(
            "The licence identifier for the card. The licences of the training data and of the base"
            " model may restrict your choice."
        ),
    )
    is_private = forms.BooleanField(
        label="Private",
        required=False,
        initial=True,
        widget=forms.CheckboxInput,
        help_text="Applies to a new repository only.",
    )
