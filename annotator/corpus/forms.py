"""Forms of the project's pages."""

from __future__ import annotations

from typing import Any

from django import forms

from annotator.accounts.models import User
from annotator.corpus.imports import FileLabels
from annotator.corpus.models import Role
from ner_engine.formats import FORMATS

_LABEL_CHOICES = [
    (
        FileLabels.GOLD.value,
        "Decided: what people labelled in the file is right, and the legend counts as accepted",
    ),
    (FileLabels.SUGGESTIONS.value, "Suggestions: everything in the file waits for review"),
    (FileLabels.NONE.value, "Left out: only texts and panels are taken"),
]


class ProjectForm(forms.Form):
    name = forms.CharField(max_length=200)
    slug = forms.SlugField(
        label="Address",
        max_length=80,
        required=False,
        help_text="The word in the project's address; made from the name if empty.",
    )
    description = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), required=False)


class ManyFilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class ManyFilesField(forms.FileField):
    """One or more uploaded files; cleans to a list."""

    widget = ManyFilesInput

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        files = data if isinstance(data, (list, tuple)) else [data]
        return [super(ManyFilesField, self).clean(file, initial) for file in files]


class ImportForm(forms.Form):
    files = ManyFilesField(  # type: ignore[assignment]  # Form.files is what was uploaded; the field's name is the page's
        label="Files",
        allow_empty_file=True,
        widget=ManyFilesInput(attrs={"multiple": True}),
        help_text=(
            "Files or zips, with images of the figures too. What is in the project already is"
            " passed over, what cannot be read is named."
        ),
    )
    source_format = forms.ChoiceField(
        label="Format",
        required=False,
        choices=[
            ("", "Tell by the content"),
            *((each.name, each.title) for each in FORMATS.values()),
        ],
    )
    labels = forms.ChoiceField(
        label="Labels in the files",
        choices=_LABEL_CHOICES,
        initial=FileLabels.GOLD.value,
        widget=forms.RadioSelect,
    )


class MemberForm(forms.Form):
    """Finds a person by user name or address."""

    person = forms.CharField(label="User name or email", max_length=254)
    role = forms.ChoiceField(choices=Role.choices, initial=Role.CURATOR)

    def clean_person(self) -> User:
        """Return the active user of that name, or the only one with that address."""
        word = self.cleaned_data["person"].strip()
        by_name = User.objects.filter(is_active=True, username=word).first()
        by_address = (
            list(User.objects.filter(is_active=True, email__iexact=word)[:2]) if "@" in word else []
        )
        if by_name is not None:
            return by_name
        if len(by_address) == 1:
            return by_address[0]
        raise forms.ValidationError(
            "No user has this name or email address. An administrator can create an account."
        )
