"""Forms of the review pages."""

from __future__ import annotations

from typing import Any, Final

from django import forms

from annotator.corpus.models import Project, QueueOrder, ReviewMode
from annotator.review.memory.rule import MAX_SURFACE, ProposalKind

#: The fields that show a fraction (0-1) of the project as a percentage.
_PERCENTS: Final = {
    "threshold_percent": "threshold",
    "random_percent": "random_share",
    "blind_percent": "blind_share",
}
#: The words of the hint, for scores that are no probabilities.
_OF_SCORES: Final = ("are at least this likely right", "have at least this score")


class ReviewSettingsForm(forms.Form):
    """Review mode, threshold, queue order and the sizes of the two samples, in percent.

    With ``is_raw`` the waiting suggestions have scores that are no probabilities, and the form
    speaks of scores.
    """

    review_mode = forms.ChoiceField(
        label="Review mode", choices=ReviewMode.choices, widget=forms.RadioSelect
    )
    threshold_percent = forms.FloatField(
        label="Accept with the legend what is at least this likely right, percent",
        min_value=0,
        max_value=100,
        widget=forms.NumberInput(
            attrs={"step": "any", "min": 0, "max": 100, "inputmode": "decimal"}
        ),
        help_text=(
            "In the sweep mode, suggestions that are at least this likely right are accepted with"
            " the legend, and the others are left out unless somebody accepts them. In the decide"
            " mode, each of the others must be accepted or rejected first, and so must suggestions"
            " from a file without a confidence."
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

    def __init__(self, *args: Any, project: Project, is_raw: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if is_raw:
            threshold = self.fields["threshold_percent"]
            threshold.label = "Accept with the legend what has at least this score, percent"
            threshold.help_text = str(threshold.help_text).replace(*_OF_SCORES)
        labels = project.label_set.labels.filter(retired_at=None)
        choices = list(labels.values_list("code", "name"))
        self.fields["identifier_labels"].choices = choices  # type: ignore[attr-defined]

    @classmethod
    def of(cls, project: Project, *, is_raw: bool = False) -> ReviewSettingsForm:
        """Return the form, filled in with the project's settings."""
        names = ("review_mode", "queue_order", "identifier_labels")
        initial: dict[str, Any] = {name: getattr(project, name) for name in names}
        for field, name in _PERCENTS.items():
            value = round(100 * getattr(project, name), 6)
            initial[field] = int(value) if value == int(value) else value
        return cls(project=project, is_raw=is_raw, initial=initial)

    def settings(self) -> dict[str, Any]:
        """Return the settings as ``change_review_settings`` takes them."""
        settings = dict(self.cleaned_data)
        for field, name in _PERCENTS.items():
            settings[name] = settings.pop(field) / 100
        return settings


class MemoryForm(forms.Form):
    """A manager's own entry of the memory: what to propose for a string with a label."""

    surface = forms.CharField(
        label="String",
        max_length=MAX_SURFACE,
        help_text="Exactly as it is written in the legends, such as GFP.",
    )
    label = forms.ChoiceField(label="Suggested as")
    kind = forms.ChoiceField(label="Proposal", choices=ProposalKind.choices)
    new_label = forms.ChoiceField(
        label="New label", required=False, help_text="Only for a change of the label."
    )
    new_string = forms.CharField(
        label="New string",
        required=False,
        max_length=MAX_SURFACE,
        help_text="Only for a change of the boundaries, such as Atg5 for Atg5fl.",
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        labels = project.label_set.labels.filter(retired_at=None)
        choices = list(labels.values_list("code", "name"))
        self.fields["label"].choices = choices  # type: ignore[attr-defined]
        self.fields["new_label"].choices = [("", "–"), *choices]  # type: ignore[attr-defined]

    def entry(self) -> dict[str, str]:
        """Return the entry as ``add_entry`` takes it."""
        entered = self.cleaned_data
        names = {ProposalKind.RELABEL.value: "new_label", ProposalKind.MOVE.value: "new_string"}
        value = entered.get(names.get(entered["kind"], ""), "")
        entry = {name: entered[name] for name in ("surface", "label", "kind")}
        return {**entry, "value": value}
