"""Forms of the review pages."""

from __future__ import annotations

from typing import Any

from django import forms

from annotator.corpus.models import Project, QueueOrder, ReviewMode


class ReviewSettingsForm(forms.Form):
    """Mode, threshold, order and the two shares; shares are asked for in percent."""

    review_mode = forms.ChoiceField(
        label="What a legend asks for", choices=ReviewMode.choices, widget=forms.RadioSelect
    )
    threshold = forms.FloatField(
        label="Threshold",
        min_value=0,
        max_value=1,
        widget=forms.NumberInput(attrs={"step": "any", "min": 0, "max": 1, "inputmode": "decimal"}),
        help_text=(
            "A confidence from 0 to 1. Sweeping, suggestions from it on are accepted with the"
            " legend and those below are left out unless somebody accepts them. Deciding, the"
            " legend is accepted only once each below it was accepted or rejected; suggestions"
            " without a confidence, from a file, count as below."
        ),
    )
    queue_order = forms.ChoiceField(
        label="Order of the queue",
        choices=QueueOrder.choices,
        help_text=(
            "In which order legends are handed out. Anybody may choose another for themselves on"
            " the queue's page."
        ),
    )
    random_percent = forms.FloatField(
        label="Drawn at random, percent",
        min_value=0,
        max_value=100,
        widget=forms.NumberInput(
            attrs={"step": "any", "min": 0, "max": 100, "inputmode": "decimal"}
        ),
        help_text=(
            "This share of the legends is handed out by lot instead of in the queue's order: with"
            " 10, every tenth legend. From these the figures below are made, which then hold for"
            " all legends and not only for those that the order brings first. 0 switches it off."
            " Set it before the work begins: what was accepted earlier does not count."
        ),
    )
    blind_percent = forms.FloatField(
        label="Shown blind, percent",
        min_value=0,
        max_value=100,
        widget=forms.NumberInput(
            attrs={"step": "any", "min": 0, "max": 100, "inputmode": "decimal"}
        ),
        help_text=(
            "This share of the legends is shown without suggestions, so that nobody is led by them;"
            " they cost more work. Afterwards the model is held against what was decided. 0"
            " switches it off."
        ),
    )

    @classmethod
    def of(cls, project: Project) -> ReviewSettingsForm:
        """Filled in as the project is set."""
        facts: dict[str, Any] = {
            name: getattr(project, name) for name in ("review_mode", "threshold", "queue_order")
        }
        shares = {
            f"{name}_percent": round(100 * getattr(project, f"{name}_share"), 6)
            for name in ("random", "blind")
        }
        return cls(
            initial=facts
            | {name: int(value) if value == int(value) else value for name, value in shares.items()}
        )

    def settings(self) -> dict[str, Any]:
        """What was entered, as the service takes it."""
        entered = dict(self.cleaned_data)
        shares = {
            f"{name}_share": entered.pop(f"{name}_percent") / 100 for name in ("random", "blind")
        }
        return entered | shares
