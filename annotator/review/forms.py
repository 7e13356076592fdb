"""Forms of the review pages."""

from __future__ import annotations

from typing import Any

from django import forms

from annotator.corpus.models import Project, QueueOrder, ReviewMode


class ReviewSettingsForm(forms.Form):
    """Review mode, threshold, queue order and the sizes of the two samples, in percent."""

    review_mode = forms.ChoiceField(
        label="Review mode", choices=ReviewMode.choices, widget=forms.RadioSelect
    )
    threshold = forms.FloatField(
        label="Threshold",
        min_value=0,
        max_value=1,
        widget=forms.NumberInput(attrs={"step": "any", "min": 0, "max": 1, "inputmode": "decimal"}),
        help_text=(
            "A confidence from 0 to 1. In the sweep mode, suggestions at or above the threshold are"
            " accepted with the legend, and those below it are rejected unless somebody accepts"
            " them. In the decide mode, each suggestion below the threshold must be accepted or"
            " rejected first. Suggestions without a confidence, from a file, count as below."
        ),
    )
    queue_order = forms.ChoiceField(
        label="Queue order",
        choices=QueueOrder.choices,
        help_text=(
            "The order in which legends are handed out. Each curator can choose another order on"
            " the queue page."
        ),
    )
    random_percent = forms.FloatField(
        label="Random sample, percent",
        min_value=0,
        max_value=100,
        widget=forms.NumberInput(
            attrs={"step": "any", "min": 0, "max": 100, "inputmode": "decimal"}
        ),
        help_text=(
            "This percentage of the legends is handed out at random instead of in the queue order:"
            " with 10, every tenth legend. The estimates below are made from them, so they hold for"
            " all legends and not only for the first of the queue. 0 switches the sample off. Set"
            " it before the work begins: legends accepted earlier do not count."
        ),
    )
    blind_percent = forms.FloatField(
        label="Blind sample, percent",
        min_value=0,
        max_value=100,
        widget=forms.NumberInput(
            attrs={"step": "any", "min": 0, "max": 100, "inputmode": "decimal"}
        ),
        help_text=(
            "This percentage of the legends is shown without suggestions, so that they influence"
            " nobody; such legends take more work. The model is evaluated on the decisions"
            " afterwards. 0 switches the sample off."
        ),
    )

    identifier_labels = forms.MultipleChoiceField(
        label="Identifiers required",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=(
            "A legend is accepted only when every entity with one of these labels has an"
            " identifier. The refusal lists what is missing."
        ),
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        labels = project.label_set.labels.filter(retired_at=None)
        choices = list(labels.values_list("code", "name"))
        self.fields["identifier_labels"].choices = choices  # type: ignore[attr-defined]

    @classmethod
    def of(cls, project: Project) -> ReviewSettingsForm:
        """Return the form, filled in with the project's settings."""
        names = ("review_mode", "threshold", "queue_order", "identifier_labels")
        facts: dict[str, Any] = {name: getattr(project, name) for name in names}
        shares = {}
        for name in ("random", "blind"):
            shares[f"{name}_percent"] = round(100 * getattr(project, f"{name}_share"), 6)
        return cls(
            project=project,
            initial=facts
            | {
                name: int(value) if value == int(value) else value for name, value in shares.items()
            },
        )

    def settings(self) -> dict[str, Any]:
        """Return the settings as ``change_review_settings`` takes them."""
        entered = dict(self.cleaned_data)
        shares = {}
        for name in ("random", "blind"):
            shares[f"{name}_share"] = entered.pop(f"{name}_percent") / 100
        return entered | shares
