"""The form that asks for an export."""

from __future__ import annotations

from typing import Any

from django import forms

from annotator.datasets.exports import EXPORT_FORMATS

_DEFAULT = "sd-nlp"


class ExportForm(forms.Form):
    format_name = forms.ChoiceField(
        label="Format",
        choices=list(EXPORT_FORMATS.items()),
        initial=_DEFAULT,
        widget=forms.RadioSelect,
    )
    public_form = forms.BooleanField(
        label="As the public converter wrote it",
        required=False,
        help_text=(
            "Only sd-nlp: seven labels without disease, panels of more than 80 characters that hold"
            " an entity, as in the public data sets."
        ),
    )
    leave_out_damaged = forms.BooleanField(
        label="Leave out damaged legends",
        required=False,
        help_text=(
            "If unticked, nothing is written while a stored entity does not fit its text. Either"
            " way the report names such legends."
        ),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        chosen = cleaned.get("format_name", "")
        if cleaned.get("public_form") and chosen and not chosen.startswith("sd-nlp"):
            self.add_error(
                "public_form",
                "Only sd-nlp has a public form. Choose sd-nlp above, or leave this out.",
            )
        return cleaned
