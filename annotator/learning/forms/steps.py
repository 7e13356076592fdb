"""The form of the steps after decoding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from annotator.corpus.models import Project
from annotator.learning.tagging.steps import SETTINGS, Gain


class StepsForm(forms.Form):
    """A checkbox for each step; ``gains`` says what steps gave on the model's validation papers."""

    def __init__(self, *args: Any, gains: Mapping[str, Gain], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, (title, meaning) in SETTINGS.items():
            self.fields[name] = forms.BooleanField(
                label=title, required=False, help_text=f"{meaning} {_in_words(gains.get(name))}"
            )

    @classmethod
    def of(cls, project: Project, gains: Mapping[str, Gain]) -> StepsForm:
        """Return the form, filled in with the project's steps."""
        return cls(initial=dict.fromkeys(project.steps, True), gains=gains)

    def names(self) -> list[str]:
        """Return the names of the steps that are on."""
        return [name for name in SETTINGS if self.cleaned_data[name]]


def _in_words(gain: Gain | None) -> str:
    if gain is None:
        return "It was not measured for the serving model."
    return (
        f"On the validation papers of the serving model strict F1 is {gain.before:.1f} without it"
        f" and {gain.after:.1f} with it."
    )
